#include "steps/http_check/http_check_step.h"

#include <algorithm>

#include "base/bytes.h"
#include "client/http/http.h"
#include "client/process/launcher.h"
#include "plan/words.h"
#include "schema/json.h"
#include "steps/bundle_path.h"
#include "steps/http/template_text.h"
#include "steps/json_path.h"
#include "steps/looking_step.h"

namespace lifeboat::steps {
namespace {

using plan::Check;
using plan::Observation;
using plan::State;

constexpr auto between_questions = std::chrono::seconds(1);

bool is_safe(const Value& request) {
  const std::string method = request.text("method", "GET");
  return method == "GET" || method == "HEAD";
}

// What a whole list of requests gave.
struct Outcome {
  std::vector<Check> checks;
  Value saved = Value(Value::Map());
  bool good() const {
    return std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.ok; });
  }
};

class HttpCheckStep final : public plan::Step {
 public:
  HttpCheckStep(Value config, plan::StepContext& context)
      : config_(std::move(config)), context_(context), http_(make_http_client(context.clock())) {
    if (config_.at("requests").is(Value::Type::list)) {
      requests_ = config_.at("requests").list();
    } else {
      requests_.push_back(config_);
    }
    safe_ = std::all_of(requests_.begin(), requests_.end(), is_safe);
  }

  Result<void> preflight(const Operation& op) override {
    TRY_DO(op.proceed());
    const Value& url = config_.at("url");
    if (url.is(Value::Type::string) && !url.string().empty()) {
      TRY(const UrlParts parts, parse_url(url.string()));
    }
    return {};
  }

  Result<Observation> observe(const Operation& op) override {
    Observation seen;
    seen.would = "send " + std::to_string(requests_.size()) + " requests to " + base_shown();
    if (!safe_) {
      TRY_DO(op.proceed());
      seen.summary = "its requests change something: whether they were sent cannot be observed";
      return seen;
    }
    const auto outcome = ask_all(op, Patience::none);
    TRY_DO(op.proceed());
    if (!outcome) {
      seen.summary = outcome.error().what;
      return seen;
    }
    const bool good = outcome->good();
    seen.state = good ? State::ours_done : State::absent;
    seen.summary = base_shown() + (good ? " answers as expected" : " does not answer as expected");
    if (!good) return seen;
    TRY(seen.outputs, outputs_of(*outcome));
    return seen;
  }

  Result<void> apply(const Operation& op) override {
    TRY(Outcome outcome, ask_all(op, Patience::as_asked));
    if (!safe_) sent_ = std::move(outcome);
    return {};
  }

  Result<plan::Verification> verify(const Operation& op) override {
    TRY_DO(op.proceed());
    plan::Verification proof;
    if (!sent_ || safe_) {
      auto outcome = ask_all(op, Patience::as_asked);
      if (!outcome) return unanswered(outcome.error());
      sent_ = *std::move(outcome);
    }
    proof.checks = sent_->checks;
    if (sent_->good()) {
      TRY(proof.outputs, outputs_of(*sent_));
    }
    return proof;
  }

  Result<void> undo(const Operation& op, const Value&) override {
    TRY_DO(op.proceed());
    if (safe_) return {};
    return fail(Error::Kind::invalid, "http-check: irreversible: its requests changed something",
                "undo by hand what they did");
  }

 private:
  enum class Patience { none, as_asked };

  std::string base_shown() const {
    const Value& url = config_.has("url") ? config_.at("url") : requests_.front().at("url");
    return url.is(Value::Type::string) ? shown_url(url.string()) : "the page";
  }

  // A service that does not answer is a check that failed; being stopped, or a plan that cannot be
  // sent, is an Error.
  Result<plan::Verification> unanswered(const Error& error) const {
    if (error.kind != Error::Kind::unavailable) return fail(error);
    plan::Verification proof;
    proof.checks.push_back({base_shown(), "answers", error.what, false});
    return proof;
  }

  Result<Outcome> ask_all(const Operation& op, Patience patience) {
    Outcome outcome;
    for (std::size_t place = 0; place < requests_.size(); ++place) {
      const Value& request = requests_[place];
      const auto within = parse_duration(request.text("within"));
      const bool patient = within && patience == Patience::as_asked;
      const auto until = op.clock->boot() + within.value_or(std::chrono::seconds(0));
      for (;;) {
        Outcome attempt;
        attempt.saved = outcome.saved;
        const auto asked = ask(op, place, attempt);
        const bool again = asked ? !attempt.good() : asked.error().kind == Error::Kind::unavailable;
        if (again && patient && op.clock->boot() + between_questions < until) {
          TRY_DO(op.pause(between_questions));
          continue;
        }
        if (!asked) return fail(asked.error());
        outcome.saved = std::move(attempt.saved);
        std::move(attempt.checks.begin(), attempt.checks.end(), std::back_inserter(outcome.checks));
        break;
      }
      // What the next requests would be built upon is not there.
      if (!outcome.good()) break;
    }
    return outcome;
  }

  Result<void> ask(const Operation& op, std::size_t place, Outcome& outcome) {
    const Value& request = requests_[place];
    TRY(const HttpRequest prepared, prepare(place, outcome.saved));
    const std::string name = prepared.method + " " + shown_url(prepared.url);
    TRY(const HttpResponse response, http_->send(op, prepared));
    context_.log(name + ": " + std::to_string(response.status) + ", " +
                 std::to_string(response.body.size()) + " bytes");
    TRY(const Value expected, filled(request.at("expect"), outcome.saved));
    TRY_DO(compare(name, expected, response, outcome));
    return outcome.good() ? save(request, response, outcome) : Result<void>();
  }

  Result<HttpRequest> prepare(std::size_t place, const Value& saved) {
    const Value& request = requests_[place];
    HttpRequest prepared;
    prepared.method = request.text("method", "GET");
    const std::string base = request.has("url") ? request.text("url") : config_.text("url");
    TRY(const Value url, filled_text(joined(base, request.text("path")), saved));
    prepared.url = url.string();
    prepared.ca_file = below_bundle(context_, config_.text("ca_file"));
    prepared.user = config_.text("user");
    prepared.password = Secret(config_.text("password"));
    if (const auto timeout = parse_duration(config_.text("timeout"))) prepared.timeout = *timeout;
    for (const Value* all : {&config_.at("headers"), &request.at("headers"),
                             &config_.at("secret_headers"), &request.at("secret_headers")}) {
      TRY_DO(add_headers(*all, saved, prepared));
    }
    TRY_DO(add_body(request, saved, prepared));
    if (!is_safe(request)) {
      prepared.headers.try_emplace(
          "Idempotency-Key",
          "\"" + context_.run() + "/" + context_.step() + "/" + std::to_string(place) + "\"");
    }
    return prepared;
  }

  static std::string joined(const std::string& base, const std::string& path) {
    const bool two_slashes = base.ends_with('/') && path.starts_with('/');
    return two_slashes ? base + path.substr(1) : base + path;
  }

  static Result<void> add_headers(const Value& all, const Value& saved, HttpRequest& prepared) {
    if (!all.is(Value::Type::map)) return {};
    for (const auto& [name, value] : all.map()) {
      TRY(Value text, filled(value, saved));
      std::string line =
          text.is(Value::Type::string) ? text.string() : to_json(text, Secrets::reveal);
      if (text.tainted()) {
        prepared.secret_headers[name] = Secret(std::move(line));
      } else {
        prepared.headers[name] = std::move(line);
      }
    }
    return {};
  }

  static Result<void> add_body(const Value& request, const Value& saved, HttpRequest& prepared) {
    if (!request.at("json").is_null()) {
      TRY(const Value json, filled(request.at("json"), saved));
      prepared.body = to_json(json, Secrets::reveal);
      prepared.headers.try_emplace("Content-Type", "application/json");
    } else if (request.has("body")) {
      TRY(const Value body, filled_text(request.text("body"), saved));
      prepared.body = body.string();
    }
    return {};
  }

  static Result<void> compare(const std::string& name, const Value& expected,
                              const HttpResponse& response, Outcome& outcome) {
    const std::int64_t status = expected.integer("status", 0);
    outcome.checks.push_back(
        {name + ": status", status == 0 ? "200 to 299" : std::to_string(status),
         std::to_string(response.status), status == 0 ? response.ok() : response.status == status});
    const Value& part = expected.at("body_contains");
    if (part.is(Value::Type::string)) {
      const bool there = response.body.find(part.string()) != std::string::npos;
      outcome.checks.push_back({name + ": body", "contains " + shown_value(part),
                                there ? "contains it" : "does not contain it", there});
    }
    if (expected.at("header").is(Value::Type::map)) {
      for (const auto& [header, wanted] : expected.at("header").map()) {
        std::string lower = header;
        std::transform(lower.begin(), lower.end(), lower.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        const Value actual{std::string(response.header(lower))};
        outcome.checks.push_back({name + ": header " + printable(header), shown_value(wanted),
                                  wanted.tainted() ? "***" : shown_value(actual),
                                  actual == wanted});
      }
    }
    return compare_json(name, expected.at("json"), response, outcome);
  }

  static Result<void> compare_json(const std::string& name, const Value& expected,
                                   const HttpResponse& response, Outcome& outcome) {
    if (!expected.is(Value::Type::map)) return {};
    const auto body = parse_json(response.body);
    for (const auto& [path, wanted] : expected.map()) {
      TRY(const Value actual, at_path(body ? *body : Value(), path));
      const std::string said = body ? shown_value(actual) : "the answer is not JSON";
      outcome.checks.push_back({name + ": " + printable(path), shown_value(wanted),
                                wanted.tainted() ? "***" : said,
                                body && equals_wanted(actual, wanted)});
    }
    return {};
  }

  static Result<void> save(const Value& request, const HttpResponse& response, Outcome& outcome) {
    if (!request.at("save").is(Value::Type::map)) return {};
    const auto body = parse_json(response.body);
    for (const auto& [name, path] : request.at("save").map()) {
      TRY(Value value, at_path(body ? *body : Value(), path.string()));
      if (value.is_null()) {
        outcome.checks.push_back({"saved value " + printable(name),
                                  "at " + printable(path.string()),
                                  body ? "nothing is there" : "the answer is not JSON", false});
        continue;
      }
      outcome.saved.set(name, std::move(value));
    }
    return {};
  }

  Result<Value> outputs_of(const Outcome& outcome) const {
    Value outputs = Value(Value::Map());
    const Value& declared = config_.at("outputs");
    if (!declared.is(Value::Type::map)) return outputs;
    for (const auto& [name, word] : declared.map()) {
      if (!outcome.saved.has(name)) {
        return fail(Error::Kind::invalid,
                    "http-check: output '" + name + "' is saved by no request",
                    "add it to `save` of a request");
      }
      Value value = outcome.saved.at(name);
      const Shape shape = plan::shape_of_word(word.string()).value_or(shape::any());
      std::vector<Finding> findings;
      if (shape.kind == Shape::Kind::secret && value.is(Value::Type::string)) {
        context_.launcher().mask(Secret(value.string()));
        value.taint();
      } else {
        validate(value, shape, {.path = name}, findings);
      }
      if (!findings.empty()) {
        return fail(Error::Kind::invalid, "http-check: output " + findings.front().text());
      }
      outputs.set(name, std::move(value));
    }
    return outputs;
  }

  const Value config_;
  plan::StepContext& context_;
  std::unique_ptr<HttpClient> http_;
  Value::List requests_;
  bool safe_ = true;
  std::optional<Outcome> sent_;  // what requests that change something were answered
};

}  // namespace

std::unique_ptr<plan::Step> make_http_check(const Value& config, plan::StepContext& context) {
  return std::make_unique<HttpCheckStep>(config, context);
}

}  // namespace lifeboat::steps
