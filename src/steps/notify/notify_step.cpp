#include "steps/notify/notify_step.h"

#include <algorithm>
#include <optional>

#include "base/bytes.h"
#include "client/http/http.h"
#include "client/smtp/smtp.h"
#include "schema/json.h"
#include "steps/bundle_path.h"
#include "steps/by_hand/by_hand.h"
#include "steps/http/template_text.h"
#include "steps/looking_step.h"

namespace lifeboat::steps {
namespace {

// What the status of a webhook means to whoever sends.
Error refused(const std::string& place, int status) {
  const std::string what = place + " answered " + std::to_string(status);
  if (status == 401 || status == 403) {
    return {Error::Kind::denied, what, "check its URL and its secret headers", {}};
  }
  const bool later = status == 408 || status == 425 || status == 429 || status >= 500;
  return {later ? Error::Kind::unavailable : Error::Kind::invalid,
          what,
          later ? "`on_failure: continue` lets the rest go on without it"
                : "does it take what is sent? `json` or `body` say what that is",
          {}};
}

class NotifyStep final : public plan::Step {
 public:
  NotifyStep(Value config, plan::StepContext& context)
      : config_(std::move(config)), context_(context), http_(make_http_client(context.clock())) {}

  Result<void> preflight(const Operation& op) override {
    TRY_DO(op.proceed());
    TRY_DO(check_readable(context_, config_.at("webhook").at("ca_file")));
    TRY_DO(check_readable(context_, config_.at("smtp").at("ca_file")));
    if (config_.has("smtp")) {
      // Of a plan whose references are not known yet nothing can be said.
      const Value& smtp = config_.at("smtp");
      const bool known = smtp.at("url").is(Value::Type::string) &&
                         smtp.at("from").is(Value::Type::string) &&
                         smtp.at("to").is(Value::Type::list);
      return known ? check_mail(mail()) : Result<void>();
    }
    if (!webhook_url().empty()) {
      TRY(const UrlParts parts, parse_url(webhook_url()));
    }
    return {};
  }

  Result<plan::Observation> observe(const Operation& op) override {
    TRY_DO(op.proceed());
    plan::Observation seen;
    seen.summary = "whether " + place() + " was told cannot be observed";
    seen.would = "tell " + place() + ": " + shown_value(config_.at("message"));
    return seen;
  }

  Result<void> apply(const Operation& op) override {
    TRY(const int status, config_.has("smtp") ? by_mail(op) : by_webhook(op));
    status_ = status;
    return {};
  }

  Result<plan::Verification> verify(const Operation& op) override {
    TRY_DO(op.proceed());
    plan::Verification proof;
    if (!status_) {
      // Another engine may have sent it; the same once more does no harm.
      const auto sent = apply(op);
      if (!sent && sent.error().kind == Error::Kind::cancelled) return fail(sent.error());
      if (!sent) {
        proof.checks.push_back({place(), "takes the message", sent.error().what, false});
        return proof;
      }
    }
    proof.checks.push_back({place() + ": status", "200 to 299", std::to_string(*status_),
                            *status_ >= 200 && *status_ < 300});
    proof.outputs.set("status", *status_);
    return proof;
  }

  Result<void> undo(const Operation& op, const Value&) override {
    TRY_DO(op.proceed());
    return fail(Error::Kind::invalid, "notify: irreversible: what was told cannot be taken back",
                "tell them what is true now");
  }

 private:
  std::string webhook_url() const {
    const Value& webhook = config_.at("webhook");
    return webhook.has("secret_url") ? webhook.text("secret_url") : webhook.text("url");
  }

  // Who is told, without secrets.
  std::string place() const {
    if (config_.has("smtp")) {
      const Value& to = config_.at("smtp").at("to");
      const bool known = to.is(Value::Type::list) && !to.list().empty();
      if (!known) return "people by mail";
      return shown_value(to.list().front()) +
             (to.list().size() > 1 ? " and " + std::to_string(to.list().size() - 1) + " more" : "");
    }
    const auto parts = parse_url(webhook_url());
    if (!parts) return "the webhook";
    return config_.at("webhook").has("secret_url") ? endpoint_of(*parts) : shown_url(webhook_url());
  }

  Result<int> by_webhook(const Operation& op) {
    const Value& webhook = config_.at("webhook");
    HttpRequest request;
    request.method = "POST";
    request.url = webhook_url();
    request.ca_file = below_bundle(context_, webhook.text("ca_file"));
    if (const auto timeout = parse_duration(config_.text("timeout"))) request.timeout = *timeout;
    request.headers["Content-Type"] =
        webhook.has("body") ? "text/plain; charset=utf-8" : "application/json";
    request.headers["Idempotency-Key"] = "\"" + context_.run() + "/" + context_.step() + "\"";
    for (const char* field : {"headers", "secret_headers"}) {
      if (!webhook.at(field).is(Value::Type::map)) continue;
      for (const auto& [name, value] : webhook.at(field).map()) {
        if (value.tainted()) {
          request.secret_headers[name] = Secret(value.string());
        } else {
          request.headers[name] = value.string();
        }
      }
    }
    TRY(request.body, body_of(webhook));
    auto response = http_->send(op, request);
    if (!response && webhook.has("secret_url")) return fail(without_url(response.error()));
    if (!response) return fail(response.error());
    context_.log(place() + ": " + std::to_string(response->status));
    if (!response->ok()) return fail(refused(place(), response->status));
    return response->status;
  }

  // With `secrets`, `{{name}}` in it is one of them.
  Result<std::string> body_of(const Value& webhook) const {
    const bool plain = webhook.has("body");
    Value body = plain ? webhook.at("body") : webhook.has("json") ? webhook.at("json") : said();
    const Value& secrets = webhook.at("secrets");
    if (secrets.is(Value::Type::map)) {
      TRY(body, filled(Value(body), secrets));
    }
    return plain && body.is(Value::Type::string) ? body.string() : to_json(body, Secrets::reveal);
  }

  // Errors of HTTP name the path, which is the secret of such URLs.
  Error without_url(Error error) const {
    if (error.what.find(shown_url(webhook_url())) != std::string::npos) {
      error.what = place() + " cannot be asked";
    }
    return error;
  }

  Value said() const {
    Value body;
    body.set("run", context_.run()).set("step", context_.step());
    body.set("plan", config_.at("plan")).set("message", config_.at("message"));
    return body;
  }

  Mail mail() const {
    const Value& smtp = config_.at("smtp");
    Mail mail;
    mail.url = smtp.text("url");
    mail.plain = smtp.text("tls") == "none";
    mail.user = smtp.text("user");
    mail.password = Secret(smtp.text("password"));
    mail.ca_file = below_bundle(context_, smtp.text("ca_file"));
    mail.from = smtp.text("from");
    if (smtp.at("to").is(Value::Type::list)) {
      for (const Value& to : smtp.at("to").list()) {
        if (to.is(Value::Type::string)) mail.to.push_back(to.string());
      }
    }
    const std::string message = config_.text("message");
    mail.subject = smtp.text("subject", message.substr(0, message.find_first_of("\r\n")));
    mail.text = message + "\n\nrun:  " + context_.run() + "\nplan: " + config_.text("plan") +
                "\nstep: " + context_.step() + "\n";
    mail.message_id = as_word(context_.run()) + "." + as_word(context_.step()) + "@lifeboat";
    if (const auto timeout = parse_duration(config_.text("timeout"))) mail.timeout = *timeout;
    return mail;
  }

  // Letters, digits, - and _; all else as hex, so that two names never become one.
  static std::string as_word(const std::string& text) {
    std::string word;
    for (const char c : text) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '-' || c == '_';
      word += plain ? std::string(1, c) : "=" + to_hex(as_bytes(std::string_view(&c, 1)));
    }
    return word;
  }

  Result<int> by_mail(const Operation& op) {
    TRY(const int said, send_mail(op, mail()));
    context_.log(place() + ": the mail server took it: " + std::to_string(said));
    return said;
  }

  const Value config_;
  plan::StepContext& context_;
  std::unique_ptr<HttpClient> http_;
  std::optional<int> status_;  // what it was answered in this life
};

Record fields_of_webhook() {
  Record record;
  record.name = "notify.webhook";
  record.help = "A page that takes messages by POST";
  record.short_form = "url";
  record.fields = {
      {.name = "url", .shape = shape::string(), .help = "http or https"},
      {.name = "secret_url",
       .shape = shape::secret(),
       .help = "Instead of `url`: one that is a secret itself"},
      {.name = "headers", .shape = shape::map(shape::string()), .help = "Sent with the message"},
      {.name = "secret_headers",
       .shape = shape::map(shape::secret()),
       .help = "Sent with the message, shown nowhere"},
      {.name = "json",
       .shape = shape::any(),
       .help = "Sent as JSON instead of run, step, plan and message"},
      {.name = "body", .shape = shape::string(), .help = "Sent as it is, instead"},
      {.name = "secrets",
       .shape = shape::map(shape::secret()),
       .help = "Name -> secret, for {{name}} in `json` and `body`"},
      {.name = "ca_file",
       .shape = shape::string(),
       .help = "Certificates to trust instead of the system's"},
  };
  return record;
}

Record fields_of_smtp() {
  Record record;
  record.name = "notify.smtp";
  record.help = "A mail server";
  record.fields = {
      {.name = "url",
       .shape = shape::string(),
       .help = "smtp://HOST:PORT (with STARTTLS) or smtps://HOST:PORT",
       .required = true},
      {.name = "tls",
       .shape = shape::choice({"required", "none"}),
       .help = "`none`: a relay that smtp:// reaches without it; then without a login, too",
       .fallback = Value("required")},
      {.name = "user", .shape = shape::string(), .help = "Logs in when given"},
      {.name = "password", .shape = shape::secret(), .help = "Of `user`"},
      {.name = "ca_file",
       .shape = shape::string(),
       .help = "Certificates to trust instead of the system's"},
      {.name = "from", .shape = shape::string(), .help = "The sender's address", .required = true},
      {.name = "to",
       .shape = shape::string_or_list(),
       .help = "The recipients' addresses",
       .required = true},
      {.name = "subject",
       .shape = shape::string(),
       .help = "Default: the first line of the message"},
  };
  return record;
}

Record fields_of_notify() {
  Record record;
  record.name = "notify";
  record.help = "A message to people or systems";
  record.fields = {
      {.name = "message", .shape = shape::string(), .help = "What is told", .required = true},
      {.name = "plan",
       .shape = shape::string(),
       .help = "The plan that is named in it",
       .fallback = Value("${run.plan}")},
      {.name = "webhook",
       .shape = shape::record(fields_of_webhook()),
       .help = "A page that takes it; done when it answers 200 to 299"},
      {.name = "smtp",
       .shape = shape::record(fields_of_smtp()),
       .help = "A mail server that takes it; done when it has"},
      {.name = "timeout",
       .shape = shape::duration(),
       .help = "Of one attempt",
       .fallback = Value("30s")},
  };
  return record;
}

std::vector<std::string> effects_of(const Value& config) {
  const bool mail = config.has("smtp");
  const Value& url = config.at(mail ? "smtp" : "webhook").at("url");
  const auto parts =
      url.is(Value::Type::string) ? parse_url(url.string()) : Result<UrlParts>(fail(Error()));
  return {parts ? endpoint_of(*parts) : mail ? "smtp:?" : "http:?"};
}

Result<void> words_fit(const Value& config) {
  const auto usage = [](const std::string& what, const std::string& hint) {
    return fail(Error::Kind::invalid, "notify: " + what, hint, Error::Code::usage);
  };
  if (config.at("message").tainted()) {
    return usage("the message is built from a secret", "say what has happened without it");
  }
  if (config.has("webhook") == config.has("smtp")) {
    return usage("exactly one of `webhook` and `smtp` is wanted", "write one step for each");
  }
  if (config.has("smtp")) return {};
  const Value& webhook = config.at("webhook");
  if (webhook.has("url") == webhook.has("secret_url")) {
    return usage("exactly one of `url` and `secret_url` is wanted",
                 "`secret_url` where the URL itself lets people in");
  }
  if (webhook.has("json") && webhook.has("body")) {
    return usage("`json` and `body` exclude each other", "send one of them");
  }
  return {};
}

}  // namespace

plan::StepType notify_step() {
  plan::StepType type;
  type.name = "notify";
  type.usually = {std::chrono::seconds(1), std::chrono::seconds(2), std::chrono::seconds(30)};
  type.help = "Tells people or systems, by a webhook or by mail";
  type.fields = fields_of_notify();
  type.outputs = {{"status", shape::integer()}};
  type.fence = plan::Fence::none;
  type.effects = effects_of;
  type.by_hand = by_hand::notify;
  type.make = [](const Value& config,
                 plan::StepContext& context) -> Result<std::unique_ptr<plan::Step>> {
    TRY_DO(words_fit(config));
    return std::unique_ptr<plan::Step>(std::make_unique<NotifyStep>(config, context));
  };
  return type;
}

}  // namespace lifeboat::steps
