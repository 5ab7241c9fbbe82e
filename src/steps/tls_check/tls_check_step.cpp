#include "steps/tls_check/tls_check_step.h"

#include <algorithm>

#include "base/bytes.h"
#include "client/tls/tls_probe.h"
#include "steps/bundle_path.h"
#include "steps/by_hand/by_hand.h"
#include "steps/looking_step.h"

namespace lifeboat::steps {
namespace {

constexpr std::size_t digest_hex = 64;

// "sha256:AB:CD..." and "abcd..." are the same digest; "" when it is none of 32 bytes.
std::string plain_digest(const std::string& text) {
  std::string digest = text.starts_with("sha256:") ? text.substr(7) : text;
  std::erase(digest, ':');
  std::transform(digest.begin(), digest.end(), digest.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return digest.size() == digest_hex && from_hex(digest) ? digest : "";
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "no name" : text;
}

std::string in_days(std::chrono::nanoseconds time) {
  const auto days = std::chrono::duration_cast<std::chrono::days>(time).count();
  return days < 2 ? human_duration(time) : std::to_string(days) + " days";
}

// The one of the chain that ends first.
const TlsCertificate& first_to_end(const std::vector<TlsCertificate>& chain) {
  return *std::min_element(
      chain.begin(), chain.end(),
      [](const TlsCertificate& a, const TlsCertificate& b) { return a.not_after < b.not_after; });
}

class TlsQuestionOfStep final : public Question {
 public:
  TlsQuestionOfStep(Value config, const plan::StepContext& context)
      : config_(std::move(config)), context_(context) {}

  std::string what() const override {
    const Value& address = config_.at("address");
    std::string text = address.is(Value::Type::string) ? shown_value(address) : "the server";
    if (config_.has("connect_to")) text += " at " + shown_text(config_.text("connect_to", "?"));
    return text;
  }

  Result<void> words() const override {
    if (config_.at("address").is(Value::Type::string)) {
      TRY(const TlsQuestion question, prepared());
    }
    for (const char* field : {"fingerprint", "public_key"}) {
      const Value& wanted = config_.at(field);
      if (!wanted.is(Value::Type::string) || !plain_digest(wanted.string()).empty()) continue;
      return fail(Error::Kind::invalid,
                  "tls-check: `" + std::string(field) + "` is no SHA-256: " + shown_value(wanted),
                  "write 64 hex digits, with or without colons");
    }
    return {};
  }

  Result<void> files() const override { return check_readable(context_, config_.at("ca_file")); }

  Result<Sight> look(const Operation& op) override {
    TRY_DO(words());
    TRY(const TlsQuestion question, prepared());
    TRY(const TlsSight seen, probe_tls(op, question));
    const TlsCertificate& own = seen.chain.front();
    Sight sight;
    sight.check("chain", "trusted", seen.distrust.empty() ? "trusted" : seen.distrust,
                seen.distrust.empty());
    sight.check("name", shown_text(question.name), joined(seen.names), seen.name_matches);
    check_times(op.clock->wall(), seen, sight);
    const std::string protocol = config_.text("protocol", "TLSv1.2");
    sight.check("protocol", protocol + " or later", seen.protocol, seen.protocol >= protocol);
    if (config_.has("issuer")) {
      const bool there = own.issuer.find(config_.text("issuer")) != std::string::npos;
      sight.check("issuer", "contains " + shown_value(config_.at("issuer")), own.issuer, there);
    }
    check_digest("fingerprint", own.fingerprint, sight);
    check_digest("public_key", own.public_key, sight);
    sight.outputs.set("not_after", rfc3339(own.not_after));
    sight.outputs.set("issuer", own.issuer);
    sight.outputs.set("fingerprint", own.fingerprint);
    return sight;
  }

 private:
  Result<TlsQuestion> prepared() const {
    TlsQuestion question;
    TRY(question.address, parse_tcp_address(config_.text("address")));
    question.name = config_.text("server_name", question.address.host);
    if (question.name.ends_with('.')) question.name.pop_back();
    if (question.name.empty() || question.name.find('\0') != std::string::npos) {
      return fail(Error::Kind::invalid, "tls-check: `server_name` cannot be a host name");
    }
    if (config_.has("connect_to")) {
      TRY(question.address, target(config_.text("connect_to"), question.address.port));
    }
    question.ca_file = below_bundle(context_, config_.text("ca_file"));
    if (const auto timeout = parse_duration(config_.text("timeout"))) question.timeout = *timeout;
    return question;
  }

  // HOST or HOST:PORT; an IPv6 address with its port stands in brackets.
  static Result<TcpAddress> target(const std::string& text, const std::string& port) {
    const auto colons = std::count(text.begin(), text.end(), ':');
    if (colons == 1 || text.find("]:") != std::string::npos) return parse_tcp_address(text);
    const bool bare = colons > 1 && !text.starts_with('[');
    return parse_tcp_address((bare ? "[" + text + "]" : text) + ":" + port);
  }

  void check_times(WallTime now, const TlsSight& seen, Sight& sight) const {
    const auto latest_start = std::max_element(
        seen.chain.begin(), seen.chain.end(), [](const TlsCertificate& a, const TlsCertificate& b) {
          return a.not_before < b.not_before;
        });
    sight.check("not before", "at most " + rfc3339(now),
                of_whom(seen, *latest_start) + rfc3339(latest_start->not_before),
                latest_start->not_before <= now);
    const TlsCertificate& shortest = first_to_end(seen.chain);
    const auto wanted = parse_duration(config_.text("valid_for")).value_or(std::chrono::seconds(0));
    const bool over = shortest.not_after <= now;
    const std::chrono::nanoseconds left(over ? 0 : shortest.not_after.ns - now.ns);
    sight.check("valid for", "at least " + config_.text("valid_for", "a moment"),
                of_whom(seen, shortest) + (over ? "expired on " : in_days(left) + ", until ") +
                    rfc3339(shortest.not_after),
                !over && left >= wanted);
  }

  // "" for the server's own certificate; the subject of another one of the chain.
  static std::string of_whom(const TlsSight& seen, const TlsCertificate& one) {
    return one.fingerprint == seen.chain.front().fingerprint ? "" : one.subject + ": ";
  }

  void check_digest(const std::string& field, const std::string& actual, Sight& sight) const {
    if (!config_.has(field)) return;
    const std::string wanted = plain_digest(config_.text(field));
    sight.check(field, wanted, actual, actual == wanted);
  }

  const Value config_;
  const plan::StepContext& context_;
};

Record fields_of_tls_check() {
  Record record;
  record.name = "tls-check";
  record.help = "A certificate that a server shows";
  record.short_form = "address";
  record.fields = {
      {.name = "address",
       .shape = shape::string(),
       .help = "HOST:PORT of a server that speaks TLS",
       .required = true},
      {.name = "server_name",
       .shape = shape::string(),
       .help = "The name that is asked for and that the certificate has to hold; default: HOST"},
      {.name = "connect_to",
       .shape = shape::string(),
       .help = "Host, or HOST:PORT, to connect to instead: before the name points there"},
      {.name = "ca_file",
       .shape = shape::string(),
       .help = "Certificates to trust instead of the system's"},
      {.name = "valid_for",
       .shape = shape::duration(),
       .help = "So long at least every certificate of the chain is still valid"},
      {.name = "issuer",
       .shape = shape::string(),
       .help = "A text that the issuer's name holds: Let's Encrypt"},
      {.name = "fingerprint",
       .shape = shape::string(),
       .help = "SHA-256 of the certificate, in hex"},
      {.name = "public_key",
       .shape = shape::string(),
       .help = "SHA-256 of its public key (SubjectPublicKeyInfo), in hex: outlives a renewal"},
      {.name = "protocol",
       .shape = shape::choice({"TLSv1.2", "TLSv1.3"}),
       .help = "This version at least",
       .fallback = Value("TLSv1.2")},
      {.name = "within",
       .shape = shape::duration(),
       .help = "Ask again every second until all holds, at most so long"},
      {.name = "timeout",
       .shape = shape::duration(),
       .help = "Of one attempt",
       .fallback = Value("10s")},
  };
  return record;
}

}  // namespace

plan::StepType tls_check_step() {
  plan::StepType type;
  type.name = "tls-check";
  type.usually = {std::chrono::seconds(1), std::chrono::seconds(2), std::chrono::minutes(1)};
  type.help = "Looks at the certificate that a server shows; changes nothing";
  type.fields = fields_of_tls_check();
  type.outputs = {
      {"not_after", shape::time()}, {"issuer", shape::string()}, {"fingerprint", shape::string()}};
  type.fence = plan::Fence::native;  // there is nothing that a zombie could change
  type.effects = [](const Value&) { return std::vector<std::string>(); };
  type.by_hand = by_hand::tls_check;
  type.make = [](const Value& config,
                 plan::StepContext& context) -> Result<std::unique_ptr<plan::Step>> {
    return make_looking_step(std::make_unique<TlsQuestionOfStep>(config, context),
                             patience_of(config), context);
  };
  return type;
}

}  // namespace lifeboat::steps
