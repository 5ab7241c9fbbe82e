// By hand: wait, dns-check, tls-check, file-check.
#include <chrono>
#include <map>
#include <tuple>

#include "client/dns/dns.h"
#include "steps/by_hand/by_hand.h"

namespace lifeboat::steps::by_hand {
namespace {

using plan::ByHand;
using plan::HandTool;

Value::List texts(const Value& value) {
  if (value.is(Value::Type::list)) return value.list();
  return value.is_null() ? Value::List() : Value::List{value};
}

// Runs a block until it succeeds, where the plan has the patience.
void with_patience(const Value& config, ByHand& hand, const std::string& block) {
  const std::string name = hand.local("look");
  hand.check(name + "() {\n" + block + "}");
  if (config.has("within")) {
    hand.uses(HandTool::again);
    hand.check("again " + seconds_of(config, "within", "10m") + " " + name);
  } else {
    hand.check(name);
  }
  hand.expect("Every check says `ok`.");
  hand.undo("It changes nothing.");
}

std::string joined(const std::vector<std::string>& lines) {
  std::string block;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    block += "  " + lines[i] + (i + 1 < lines.size() ? " &&\n" : "\n");
  }
  return block;
}

// "-connect" and the like of "HOST:PORT" in a variable.
std::string host_of(const std::string& variable) { return "\"${" + variable + "%:*}\""; }
std::string port_of(const std::string& variable) { return "\"${" + variable + "##*:}\""; }

// A record as dns-check compares it, where that can be told before; the shell does the rest.
std::string record_word(const Value& record, const std::string& type, ByHand& hand) {
  const auto known = hand.known(record);
  if (known && known->is(Value::Type::string)) {
    const auto canonical = canonical_dns_data(type, known->string());
    if (canonical) return hand.text(*canonical);
  }
  return hand.word(record);
}

// What one server says, as the body of a function that is given the server.
class DnsLines {
 public:
  DnsLines(const Value& config, ByHand& hand)
      : config_(config),
        hand_(hand),
        type_(config.text("type", "A")),
        question_(hand.word(config.at("name")) + " " + hand.text(type_)) {}

  // NAME TYPE SECONDS: what every question needs.
  std::string asked() const { return question_ + " " + seconds_of(config_, "timeout", "5s"); }

  std::vector<std::string> of_server(bool one_of_many) {
    const std::string said = hand_.local("records");
    std::vector<std::string> lines = {
        "ask_dns \"$1\" " + asked() + (config_.has("parent") ? " +norecurse" : ""),
        said + "=\"$(dns_records " + question_ + ")\""};
    compare_records("\"$" + said + "\"", lines);
    if (one_of_many && !config_.has("expect")) {
      const std::string first = hand_.local("agreed");
      lines.push_back("same agreement \"${" + first + ":-$" + said + "}\" \"$" + said + "\"");
      lines.push_back(first + "=\"$" + said + "\"");
    }
    if (config_.boolean("authoritative", config_.has("parent"))) {
      hand_.uses(HandTool::holds);
      lines.emplace_back("holds authority dns_authority");
    }
    if (const auto most = parse_duration(config_.text("ttl"))) {
      hand_.uses(HandTool::at_most);
      lines.push_back("at_most 'time to live' " + whole_seconds(*most) + " \"$(dns_ttl " +
                      question_ + ")\"");
    }
    return lines;
  }

 private:
  static std::string whole_seconds(std::chrono::nanoseconds time) {
    return std::to_string(std::chrono::floor<std::chrono::seconds>(time).count());
  }

  void compare_records(const std::string& said, std::vector<std::string>& lines) {
    const Value::List part = texts(config_.at("contains"));
    for (const Value& each : part) {
      lines.push_back("has_record " + hand_.text(type_) + " " + record_word(each, type_, hand_) +
                      " " + said);
    }
    if (config_.has("expect")) {
      std::string wanted;
      for (const Value& each : texts(config_.at("expect"))) {
        wanted += " " + record_word(each, type_, hand_);
      }
      lines.push_back("same records " +
                      (wanted.empty() ? std::string("''")
                                      : "\"$(printf '%s\\n'" + wanted + " | dns_form " +
                                            hand_.text(type_) + ")\"") +
                      " " + said);
    } else if (part.empty()) {
      hand_.uses(HandTool::holds);
      lines.push_back("holds 'some record' test -n " + said);
    }
  }

  const Value& config_;
  ByHand& hand_;
  const std::string type_, question_;
};

// The numbers of a file's owner or group are as good as their names.
std::string owner_of(const std::string& wanted, const char* name, const char* number,
                     const std::string& stat, const std::string& file) {
  return "\"$(case " + wanted + " in '' | *[!0-9]*) " + stat + " -c " + name + " -- " + file +
         " ;; *) " + stat + " -c " + number + " -- " + file + " ;; esac)\"";
}

// One line of a file-check for each of its words.
class FileLines {
 public:
  FileLines(const Value& config, ByHand& hand, const std::string& path)
      : config_(config), hand_(hand), file_("\"$" + path + "\"") {
    // A link is looked at itself only where a link is wanted.
    if (config.text("kind") != "link") {
      stat_ += " -L";
      find_ += " -H";
    }
  }

  std::string count() const {
    return "\"$(" + find_ + " " + file_ + " -type f -printf x | wc -c)\"";
  }
  std::string size() const {
    return "\"$(" + find_ + " " + file_ +
           " -type f -printf '%s\\n' | awk '{ sum += $1 } END { printf \"%.0f\", sum }')\"";
  }

  std::vector<std::string> all() {
    hand_.uses(HandTool::holds);
    if (!config_.boolean("exists", true)) {
      holds("nothing is there", "test ! -e " + file_);
      return lines_;
    }
    const std::string kind = config_.text("kind");
    holds("it is there", "test " + std::string(kind == "link" ? "-L " : "-e ") + file_);
    add_kind(kind);
    add_rights();
    bounded("min_size", HandTool::at_least, size());
    bounded("max_size", HandTool::at_most, size());
    bounded("min_count", HandTool::at_least, count());
    bounded("max_count", HandTool::at_most, count());
    if (config_.has("max_age")) {
      holds("max_age", "test -n \"$(" + find_ + " " + file_ + " -type f -newermt \"-" +
                           seconds_of(config_, "max_age", "1s") + " seconds\" -print -quit)\"");
    }
    add_content();
    return lines_;
  }

 private:
  void holds(const std::string& what, const std::string& command) {
    lines_.push_back("holds " + hand_.text(what) + " " + command);
  }

  void add_kind(const std::string& kind) {
    static const std::map<std::string, std::string> tests = {
        {"file", "-f"}, {"folder", "-d"}, {"link", "-L"}, {"socket", "-S"}, {"pipe", "-p"}};
    if (kind == "device") {
      holds("kind: device", "test -b " + file_ + " -o -c " + file_);
    } else if (tests.contains(kind)) {
      holds("kind: " + kind, "test " + tests.at(kind) + " " + file_);
    }
  }

  void add_rights() {
    for (const auto& [field, name, number] :
         {std::tuple("owner", "%U", "%u"), std::tuple("group", "%G", "%g")}) {
      if (!config_.has(field)) continue;
      const std::string wanted = hand_.word(config_.at(field));
      lines_.push_back(std::string("same ") + field + " " + wanted + " " +
                       owner_of(wanted, name, number, stat_, file_));
    }
    if (!config_.has("mode")) return;
    // 0640 and 640 are the same; `stat` writes no zero before it.
    lines_.push_back("same mode \"$(printf %s " + hand_.word(config_.at("mode")) +
                     " | sed 's/^0*\\(.\\)/\\1/')\" \"$(" + stat_ + " -c %a -- " + file_ + ")\"");
  }

  void bounded(const char* field, HandTool test, const std::string& found) {
    if (!config_.has(field)) return;
    hand_.uses(test);
    lines_.push_back(std::string(test == HandTool::at_least ? "at_least " : "at_most ") + field +
                     " " + hand_.word(config_.at(field)) + " " + found);
  }

  void add_content() {
    if (config_.has("sha256")) {
      lines_.push_back("same sha256 " + hand_.word(config_.at("sha256")) + " \"$(if test -d " +
                       file_ + "; then cd " + file_ +
                       " && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum -z | "
                       "sha256sum; else sha256sum <" +
                       file_ + "; fi | cut -d ' ' -f 1)\"");
    }
    for (const Value& each : texts(config_.at("contains"))) {
      hand_.uses(HandTool::has);
      lines_.push_back("has text " + hand_.word(each) + " " + file_);
    }
    if (!config_.at("json").is(Value::Type::map)) return;
    for (const auto& [place, wanted] : config_.at("json").map()) {
      lines_.push_back(same_json(hand_.text(place), wanted, file_, place, hand_));
    }
  }

  const Value& config_;
  ByHand& hand_;
  const std::string file_;
  std::string stat_ = "stat", find_ = "find";
  std::vector<std::string> lines_;
};

}  // namespace

void wait(const Value& config, ByHand& hand) {
  troubles(hand);
  hand.uses(HandTool::again);
  const std::string patience = "again " + seconds_of(config, "within", "10m") + " ";
  if (config.has("tcp")) {
    hand.needs("nc");
    const std::string at = hand.local("at");
    hand.check(at + "=" + hand.word(config.at("tcp")));
    hand.check(patience + "nc -z " + host_of(at) + " " + port_of(at));
  } else if (config.has("http")) {
    hand.needs("curl");
    std::string line = "curl -sS --max-time 10 -o /dev/null -w '%{http_code}' ";
    if (config.has("ca_file")) line += "--cacert " + local_file(config.at("ca_file"), hand) + " ";
    const std::string name = hand.local("look");
    const std::string status = "\"$(" + line + hand.word(config.at("http")) + ")\"";
    hand.check(
        name + "() {\n  " + hand.local("status") + "=" + status + "\n  test \"" +
        (config.integer("status", 0) == 0
             ? "${" + hand.local("status") + "%??}\" = 2"
             : "$" + hand.local("status") + "\" = " + std::to_string(config.integer("status", 0))) +
        "\n}");
    hand.check(patience + name);
  } else {
    const Value& sql = config.at("sql");
    const std::string name = hand.local("look");
    hand.check(name + "() {\n  case \"$(" + psql(sql, hand) + " -c " +
               hand.word(Value(sql.text("query", "select true"))) +
               ")\" in '' | f) return 1 ;; esac\n}");
    hand.check(patience + name);
  }
  hand.expect("It answers; until then the command asks again.");
  hand.undo("It changes nothing.");
}

void dns_check(const Value& config, ByHand& hand) {
  troubles(hand);
  hand.needs("dig");
  hand.uses(HandTool::dns);
  hand.uses(HandTool::same);
  DnsLines dns(config, hand);
  const Value::List servers = texts(config.at("servers"));
  const bool follows = config.has("parent");
  const std::string ask = hand.local("ask");
  hand.check(ask + "() {\n" + joined(dns.of_server(follows || servers.size() > 1)) + "}");
  std::vector<std::string> lines = {hand.local("agreed") + "="};
  if (follows) {
    const std::string found = hand.local("servers"), one = hand.local("server");
    lines.push_back(found + "=\"$(delegated " + hand.word(config.at("parent")) + " " + dns.asked() +
                    " " + std::to_string(config.integer("port", 53)) + ")\"");
    lines.push_back("for " + one + " in $" + found + "; do " + ask + " \"$" + one +
                    "\" || return 1; done");
  } else if (servers.empty()) {
    lines.push_back(ask + " ''");
  }
  for (const Value& each : servers) lines.push_back(ask + " " + hand.word(each));
  with_patience(config, hand, joined(lines));
  hand.assign_outputs([](const plan::WantedOutput&) { return std::string(); });
}

void tls_check(const Value& config, ByHand& hand) {
  troubles(hand);
  hand.needs("openssl");
  hand.uses(HandTool::tls);
  hand.uses(HandTool::same);
  const std::string at = hand.local("address"), name = hand.local("name");
  std::vector<std::string> lines = {
      at + "=" + hand.word(config.at("address")),
      name + "=" + (config.has("server_name") ? hand.word(config.at("server_name")) : host_of(at))};
  std::string place = "\"$" + at + "\"";
  if (config.has("connect_to")) {
    place = "\"$(tcp_place " + hand.word(config.at("connect_to")) + " " + port_of(at) + ")\"";
  }
  std::string hello = "tls_hello " + place + " \"$" + name + "\"";
  if (config.has("ca_file")) {
    hello += " -no-CApath -no-CAstore -CAfile " + local_file(config.at("ca_file"), hand);
  }
  hello += config.text("protocol", "TLSv1.2") == "TLSv1.3" ? " -min_protocol TLSv1.3"
                                                           : " -min_protocol TLSv1.2";
  const std::string file = work_file(hand, "certificate");
  const std::string x509 = "openssl x509 -in " + file;
  lines.push_back(hello + " >" + file);
  lines.push_back(x509 + " -noout -issuer -enddate -fingerprint -sha256");
  if (config.has("valid_for")) {  // all of the chain, as it will be seen then
    lines.push_back(hello + " -attime \"$(($(date +%s) + " + seconds_of(config, "valid_for", "0s") +
                    "))\" >/dev/null");
  }
  const std::string issuer =
      "\"$(" + x509 + " -noout -issuer -nameopt RFC2253 | sed 's/^issuer=//')\"";
  if (config.has("issuer")) {
    lines.push_back("case " + issuer + " in *" + hand.word(config.at("issuer")) +
                    "*) ;; *) echo 'DIFFERS: issuer'; return 1 ;; esac");
  }
  const auto digest = [&](const char* field, const std::string& found) {
    if (!config.has(field)) return;
    lines.push_back("same " + hand.text(field) + " \"$(digest_form " + hand.word(config.at(field)) +
                    ")\" " + found);
  };
  const std::string fingerprint = "\"$(" + x509 + " -outform DER | sha256sum | cut -d ' ' -f 1)\"";
  digest("fingerprint", fingerprint);
  digest("public_key",
         "\"$(" + x509 +
             " -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d "
             "' ' -f 1)\"");
  with_patience(config, hand, joined(lines));
  hand.assign_outputs([&](const plan::WantedOutput& wanted) -> std::string {
    if (wanted.path.front() == "issuer") return issuer;
    if (wanted.path.front() == "not_after") {
      return "\"$(" + x509 + " -noout -enddate | sed 's/^notAfter=//')\"";
    }
    return fingerprint;
  });
}

void file_check(const Value& config, ByHand& hand) {
  troubles(hand);
  const std::string path = hand.local("path");
  hand.uses(HandTool::same);
  hand.check(path + "=" + local_file(config.at("path"), hand));
  FileLines lines(config, hand, path);
  with_patience(config, hand, joined(lines.all()));
  hand.assign_outputs([&](const plan::WantedOutput& wanted) -> std::string {
    if (wanted.path.front() == "size") return lines.size();
    return wanted.path.front() == "count" ? lines.count() : "";
  });
}

}  // namespace lifeboat::steps::by_hand
