#include "steps/http/http_step.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "client/http/http.h"
#include "schema/json.h"
#include "steps/bundle_path.h"
#include "steps/http/exchange.h"
#include "steps/http/template_text.h"
#include "steps/http/words.h"
#include "steps/looking_step.h"

namespace lifeboat::steps {
namespace {

using plan::Observation;
using plan::State;
using std::chrono::nanoseconds;

constexpr auto between_questions = std::chrono::seconds(1);

std::string milliseconds(nanoseconds time) {
  return std::to_string(std::chrono::round<std::chrono::milliseconds>(time).count()) + " ms";
}

class HttpStep final : public plan::Step {
 public:
  HttpStep(HttpStepKind kind, Value config, plan::StepContext& context)
      : kind_(std::move(kind)),
        config_(std::move(config)),
        context_(context),
        http_(make_http_client(context.clock())) {
    if (config_.at("requests").is(Value::Type::list)) {
      requests_ = config_.at("requests").list();
    } else {
      requests_.push_back(config_);
    }
    safe_ = std::all_of(requests_.begin(), requests_.end(), is_safe);
  }

  Result<void> preflight(const Operation& op) override {
    TRY_DO(op.proceed());
    TRY_DO(check_url(config_));
    for (const Value& request : requests_) TRY_DO(check_url(request));
    return check_readable(context_, config_.at("ca_file"));
  }

  Result<Observation> observe(const Operation& op) override {
    Observation seen;
    seen.would = "send " + std::to_string(requests_.size()) + " requests to " + base_shown();
    if (!safe_) {
      TRY_DO(op.proceed());
      seen.summary = "its requests change something: whether they were sent cannot be observed";
      for (const Value& request : requests_) {
        if (is_safe(request)) continue;
        seen.changes.push_back({line_of_request(config_, request, Value(Value::Map())), "", ""});
      }
      return seen;
    }
    const auto outcome = ask_all(op, Insistence::none);
    TRY_DO(op.proceed());
    if (!outcome && !may_come(outcome.error())) return fail(outcome.error());
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
    TRY(Outcome outcome, ask_all(op, Insistence::as_asked));
    if (!safe_) sent_ = std::move(outcome);
    return {};
  }

  Result<plan::Verification> verify(const Operation& op) override {
    TRY_DO(op.proceed());
    plan::Verification proof;
    if (!sent_ || safe_) {
      auto outcome = ask_all(op, Insistence::as_asked);
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
    return fail(Error::Kind::invalid, kind_.type + ": irreversible: its requests changed something",
                "undo by hand what they did");
  }

 private:
  enum class Insistence { none, as_asked };

  // What a reference or an earlier answer will bring is not known yet.
  static Result<void> check_url(const Value& words) {
    const std::string url = words.text("url");
    if (url.empty() || url.find("{{") != std::string::npos) return {};
    TRY(const UrlParts parts, parse_url(url));
    return {};
  }

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

  Result<Outcome> ask_all(const Operation& op, Insistence insistence) {
    HttpCookies cookies;
    Outcome outcome;
    if (config_.at("secrets").is(Value::Type::map)) outcome.saved = config_.at("secrets");
    for (std::size_t place = 0; place < requests_.size(); ++place) {
      TRY_DO(ask_until_good(op, place, insistence, cookies, outcome));
      // What the next requests would be built upon is not there.
      if (!outcome.good()) return outcome;
    }
    check_budget("all requests", config_,
                 std::reduce(outcome.latencies.begin(), outcome.latencies.end()), outcome);
    return outcome;
  }

  Result<void> ask_until_good(const Operation& op, std::size_t place, Insistence insistence,
                              HttpCookies& cookies, Outcome& outcome) {
    const auto within = parse_duration(requests_[place].text("within"));
    const bool patient = within && insistence == Insistence::as_asked;
    const auto until = op.clock->boot() + within.value_or(std::chrono::seconds(0));
    for (;;) {
      Outcome attempt = outcome;
      const auto asked = ask(op, place, cookies, attempt);
      const bool again = asked ? !attempt.good() : asked.error().kind == Error::Kind::unavailable;
      if (again && patient && op.clock->boot() + between_questions < until) {
        TRY_DO(op.pause(between_questions));
        continue;
      }
      if (!asked) return fail(asked.error());
      outcome = std::move(attempt);
      return {};
    }
  }

  Result<void> ask(const Operation& op, std::size_t place, HttpCookies& cookies, Outcome& outcome) {
    const Value& request = requests_[place];
    TRY(HttpRequest prepared, request_of(config_, request, place, outcome.saved, context_));
    const std::string name = name_of_request(config_, request, outcome.saved);
    if (kind_.visitor) {
      prepared.cookies = &cookies;
      sign(place, prepared);
    }
    const auto began = op.clock->boot();
    TRY(const HttpResponse response, http_->send(op, prepared));
    const auto took = op.clock->boot() - began;
    outcome.latencies.push_back(took);
    context_.log(name + ": " + std::to_string(response.status) + ", " +
                 std::to_string(response.body.size()) + " bytes" +
                 (kind_.visitor ? ", " + milliseconds(took) : ""));
    TRY(const Value expected, filled(request.at("expect"), outcome.saved));
    TRY_DO(compare_answer(name, expected, response, outcome));
    check_budget(name, request, took, outcome);
    if (!outcome.good()) return {};
    return keep_values(request, response, &cookies, context_, outcome);
  }

  // Which visit of which run this is, for whoever reads the logs on the other side.
  void sign(std::size_t place, HttpRequest& request) const {
    const std::string header = config_.text("request_id");
    if (header.empty()) return;
    request.headers.try_emplace(header, context_.run() + "/" + context_.step() + "/" +
                                            std::to_string(context_.generation()) + "/" +
                                            std::to_string(place));
  }

  static void check_budget(const std::string& name, const Value& words, nanoseconds took,
                           Outcome& outcome) {
    const auto budget = parse_duration(words.text("budget"));
    if (!budget) return;
    outcome.checks.push_back(
        {name + ": time", "at most " + words.text("budget"), milliseconds(took), took <= *budget});
  }

  Result<Value> outputs_of(const Outcome& outcome) const {
    TRY(Value outputs, declared_outputs(kind_.type, config_, outcome, context_));
    if (!kind_.visitor) return outputs;
    const auto whole = [](nanoseconds time) {
      return Value(std::int64_t{std::chrono::round<std::chrono::milliseconds>(time).count()});
    };
    Value::List each;
    for (const nanoseconds took : outcome.latencies) each.push_back(whole(took));
    outputs.set("latencies_ms", std::move(each));
    outputs.set("total_ms", whole(std::reduce(outcome.latencies.begin(), outcome.latencies.end())));
    return outputs;
  }

  const HttpStepKind kind_;
  const Value config_;
  plan::StepContext& context_;
  std::unique_ptr<HttpClient> http_;
  Value::List requests_;
  bool safe_ = true;
  std::optional<Outcome> sent_;  // what requests that change something were answered
};

}  // namespace

std::unique_ptr<plan::Step> make_http_step(HttpStepKind kind, const Value& config,
                                           plan::StepContext& context) {
  return std::make_unique<HttpStep>(std::move(kind), config, context);
}

}  // namespace lifeboat::steps
