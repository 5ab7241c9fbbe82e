#include "steps/dns_check/dns_check_step.h"

#include <algorithm>
#include <map>

#include "base/bytes.h"
#include "client/dns/dns.h"
#include "steps/by_hand/by_hand.h"
#include "steps/looking_step.h"

namespace lifeboat::steps {
namespace {

constexpr std::size_t servers_max = 64;
constexpr std::size_t shown_max = 8;

// Sorted, each once: sets of texts are equal when these are.
using Records = std::vector<std::string>;

Records sorted(Records records) {
  std::sort(records.begin(), records.end());
  records.erase(std::unique(records.begin(), records.end()), records.end());
  return records;
}

std::string shown(const Records& records) {
  if (records.empty()) return "no record";
  std::string text;
  for (std::size_t i = 0; i < records.size() && i < shown_max; ++i) {
    text += (i == 0 ? "" : ", ") + shown_text(records[i]);
  }
  if (records.size() > shown_max) {
    text += " and " + std::to_string(records.size() - shown_max) + " more";
  }
  return text;
}

// What one server said, or why it did not.
struct Said {
  DnsServer server;
  std::string trouble = {};  // "" = it answered
  Records records = {};
  std::uint32_t ttl = 0;  // seconds for which this may be remembered
  bool authoritative = false;
};

Said said_by(DnsServer server, const Result<DnsAnswer>& answer, const std::string& name,
             const std::string& type) {
  Said said{.server = std::move(server)};
  if (!answer) {
    said.trouble = answer.error().what;
    return said;
  }
  said.authoritative = answer->authoritative;
  if (answer->code != "NOERROR" && answer->code != "NXDOMAIN") {
    said.trouble = "answers " + answer->code;
    return said;
  }
  for (const DnsRecord& record : records_for(*answer, name, type)) {
    said.records.push_back(record.data);
    said.ttl = std::max(said.ttl, record.ttl);
  }
  if (said.records.empty()) said.ttl = negative_ttl(*answer).value_or(0);
  said.records = sorted(std::move(said.records));
  return said;
}

class DnsQuestionOfStep final : public Question {
 public:
  explicit DnsQuestionOfStep(Value config) : config_(std::move(config)) {}

  std::string what() const override {
    return config_.text("type", "A") + " of " + shown_text(config_.text("name", "the name"));
  }

  Result<void> words() const override {
    const Value& name = config_.at("name");
    if (name.is(Value::Type::string)) {
      TRY_DO(canonical_dns_name(name.string()));
    }
    TRY_DO(wanted("expect"));
    TRY_DO(wanted("contains"));
    for (const std::string& server : texts("servers")) TRY_DO(check_dns_server(server));
    if (config_.at("parent").is(Value::Type::string)) {
      TRY_DO(check_dns_server(config_.text("parent")));
    }
    return {};
  }

  Result<Sight> look(const Operation& op) override {
    TRY_DO(words());
    TRY(const std::vector<DnsServer> servers, servers_to_ask(op));
    std::vector<Said> all;
    for (const DnsServer& server : servers) {
      const auto answer = ask_dns(op, server, question());
      if (!answer && answer.error().kind != Error::Kind::unavailable) return fail(answer.error());
      all.push_back(said_by(server, answer, config_.text("name"), config_.text("type", "A")));
    }
    Sight sight;
    for (const Said& said : all) {
      TRY_DO(judge(op.clock->wall(), said, sight));
    }
    judge_agreement(all, sight);
    tell(op.clock->wall(), all, sight);
    return sight;
  }

 private:
  bool follows() const { return config_.has("parent"); }

  // The texts of a list; a reference that is not known yet is none.
  std::vector<std::string> texts(const std::string& field) const {
    std::vector<std::string> all;
    if (!config_.at(field).is(Value::Type::list)) return all;
    for (const Value& each : config_.at(field).list()) {
      if (each.is(Value::Type::string)) all.push_back(each.string());
    }
    return all;
  }

  Result<Records> wanted(const std::string& field) const {
    Records records;
    for (const std::string& text : texts(field)) {
      TRY(std::string record, canonical_dns_data(config_.text("type", "A"), text));
      records.push_back(std::move(record));
    }
    return sorted(std::move(records));
  }

  DnsQuestion question() const {
    DnsQuestion question;
    question.name = config_.text("name");
    question.type = config_.text("type", "A");
    question.recursion = !follows();
    if (const auto timeout = parse_duration(config_.text("timeout"))) question.timeout = *timeout;
    return question;
  }

  Result<std::vector<DnsServer>> servers_to_ask(const Operation& op) const {
    if (follows()) {
      TRY(const auto parents, dns_servers_of(config_.text("parent")));
      return delegated_servers(op, parents, question(),
                               static_cast<int>(config_.integer("port", 53)));
    }
    if (!config_.at("servers").is(Value::Type::list)) return system_dns_servers();
    std::vector<DnsServer> servers;
    for (const std::string& text : texts("servers")) {
      TRY(const auto found, dns_servers_of(text));
      servers.insert(servers.end(), found.begin(), found.end());
    }
    if (servers.size() > servers_max) {
      return fail(Error::Kind::invalid,
                  "dns-check: `servers` are " + std::to_string(servers.size()) + " addresses",
                  "name at most " + std::to_string(servers_max));
    }
    return servers;
  }

  Result<void> judge(WallTime now, const Said& said, Sight& sight) {
    const std::string where = " at " + said.server.shown();
    TRY(const Records exact, wanted("expect"));
    TRY(const Records part, wanted("contains"));
    const bool is_exact = config_.at("expect").is(Value::Type::list);
    const bool has_part =
        std::includes(said.records.begin(), said.records.end(), part.begin(), part.end());
    bool right = said.trouble.empty() && has_part;
    if (is_exact) right = right && said.records == exact;
    if (!is_exact && part.empty()) right = right && !said.records.empty();
    std::string actual = said.trouble.empty() ? shown(said.records) : said.trouble;
    if (said.trouble.empty() && !right) actual += remembered(now, said);
    const std::string expected = is_exact       ? shown(exact)
                                 : part.empty() ? "some record"
                                                : "contains " + shown(part);
    sight.check(what() + where, expected, actual, right);
    if (!said.trouble.empty()) return {};
    if (config_.boolean("authoritative", follows())) {
      sight.check("authority" + where, "authoritative",
                  said.authoritative ? "authoritative" : "not authoritative", said.authoritative);
    }
    if (const auto most = parse_duration(config_.text("ttl"))) {
      sight.check("time to live" + where, "at most " + config_.text("ttl"),
                  std::to_string(said.ttl) + " s", std::chrono::seconds(said.ttl) <= *most);
    }
    return {};
  }

  // Notes until when a wrong answer may live on, and says it.
  std::string remembered(WallTime now, const Said& said) {
    const WallTime until{now.ns + std::int64_t{said.ttl} * 1'000'000'000};
    settled_ = std::max(settled_, until);
    return " (ttl " + std::to_string(said.ttl) + " s: may be remembered until " + rfc3339(until) +
           ")";
  }

  static void judge_agreement(const std::vector<Said>& all, Sight& sight) {
    std::map<Records, std::vector<std::string>> who;
    for (const Said& said : all) {
      if (said.trouble.empty()) who[said.records].push_back(said.server.shown());
    }
    if (all.size() < 2 || who.empty()) return;
    std::string actual;
    for (const auto& [records, servers] : who) {
      actual += (actual.empty() ? "" : "; ") + shown(records) + " at " + servers.front();
      if (servers.size() > 1) actual += " and " + std::to_string(servers.size() - 1) + " more";
    }
    const bool agree = who.size() == 1;
    sight.check("agreement", "the same at all servers that answer",
                agree ? "the same at " + std::to_string(who.begin()->second.size()) : actual,
                agree);
  }

  void tell(WallTime now, const std::vector<Said>& all, Sight& sight) const {
    Value::List records;
    if (!all.empty()) {
      for (const std::string& record : all.front().records) records.emplace_back(printable(record));
    }
    sight.outputs.set("records", std::move(records));
    sight.outputs.set("settled", rfc3339(std::max(now, settled_)));
    if (settled_ <= now) return;
    sight.remarks.push_back("resolvers that heard another answer may remember it until " +
                            rfc3339(settled_));
  }

  const Value config_;
  WallTime settled_{0};  // the latest end of a wrong answer that was seen
};

Record fields_of_dns_check() {
  Record record;
  record.name = "dns-check";
  record.help = "What name servers say of a name";
  record.fields = {
      {.name = "name", .shape = shape::string(), .help = "The name to ask for", .required = true},
      {.name = "type",
       .shape = shape::choice({"A", "AAAA", "CNAME", "NS", "TXT", "MX", "SOA", "SRV", "PTR", "DS"}),
       .help = "Of the records",
       .fallback = Value("A")},
      {.name = "expect",
       .shape = shape::string_or_list(),
       .help = "These records and no others, as `dig +short` shows them (a TXT without quotes); "
               "an empty list: none"},
      {.name = "contains",
       .shape = shape::string_or_list(),
       .help = "These records, and maybe others"},
      {.name = "servers",
       .shape = shape::string_or_list(),
       .help = "Name servers to ask, NAME or ADDRESS, with :PORT where it is not 53; default: this "
               "machine's resolvers"},
      {.name = "parent",
       .shape = shape::string(),
       .help =
           "A server of a zone above, instead of `servers`: all to whom it delegates are asked"},
      {.name = "port",
       .shape = shape::integer(),
       .help = "Where the servers on the way of the delegation listen",
       .fallback = Value(53)},
      {.name = "authoritative",
       .shape = shape::boolean(),
       .help = "Answers have to come with authority; default: true with `parent`"},
      {.name = "ttl",
       .shape = shape::duration(),
       .help = "So long at most may an answer be remembered"},
      {.name = "within",
       .shape = shape::duration(),
       .help = "Ask again until all holds, at most so long"},
      {.name = "timeout",
       .shape = shape::duration(),
       .help = "Of one question to one server",
       .fallback = Value("5s")},
  };
  return record;
}

Result<void> words_fit(const Value& config) {
  const auto usage = [](const std::string& what, const std::string& hint) {
    return fail(Error::Kind::invalid, "dns-check: " + what, hint, Error::Code::usage);
  };
  if (config.has("servers") && config.has("parent")) {
    return usage("`servers` and `parent` exclude each other", "two steps can ask both");
  }
  if (config.has("expect") && config.has("contains")) {
    return usage("`expect` and `contains` exclude each other", "`expect` is all that there may be");
  }
  if (config.at("servers").is(Value::Type::list) && config.at("servers").list().empty()) {
    return usage("`servers` is empty", "leave it out for this machine's resolvers");
  }
  const std::int64_t port = config.integer("port", 53);
  if (port < 1 || port > 65535) return usage("`port` is none", "write 1 to 65535");
  return {};
}

}  // namespace

plan::StepType dns_check_step() {
  plan::StepType type;
  type.name = "dns-check";
  type.usually = {std::chrono::seconds(1), std::chrono::seconds(10), std::chrono::minutes(5)};
  type.help = "Asks name servers for a name and compares what each says; changes nothing";
  type.fields = fields_of_dns_check();
  type.outputs = {{"records", shape::list(shape::string())}, {"settled", shape::time()}};
  type.fence = plan::Fence::native;  // there is nothing that a zombie could change
  type.effects = [](const Value&) { return std::vector<std::string>(); };
  type.by_hand = by_hand::dns_check;
  type.make = [](const Value& config,
                 plan::StepContext& context) -> Result<std::unique_ptr<plan::Step>> {
    TRY_DO(words_fit(config));
    Patience patience = patience_of(config);
    patience.longest_pause = std::chrono::seconds(15);
    return make_looking_step(std::make_unique<DnsQuestionOfStep>(config), patience, context);
  };
  return type;
}

}  // namespace lifeboat::steps
