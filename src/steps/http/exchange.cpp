#include "steps/http/exchange.h"

#include <algorithm>

#include "base/bytes.h"
#include "client/process/launcher.h"
#include "plan/words.h"
#include "schema/json.h"
#include "steps/bundle_path.h"
#include "steps/http/template_text.h"
#include "steps/http/words.h"
#include "steps/json_path.h"
#include "steps/looking_step.h"

namespace lifeboat::steps {
namespace {

std::string joined(const std::string& base, const std::string& path) {
  const bool two_slashes = base.ends_with('/') && path.starts_with('/');
  return two_slashes ? base + path.substr(1) : base + path;
}

std::string url_template(const Value& config, const Value& request) {
  const std::string base = request.has("url") ? request.text("url") : config.text("url");
  return joined(base, request.text("path"));
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

Result<void> add_headers(const Value& all, const Value& saved, HttpRequest& prepared) {
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

Result<void> add_body(const Value& request, const Value& saved, HttpRequest& prepared) {
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

Result<void> compare_json(const std::string& name, const Value& expected,
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

// A value that was asked for and is not there.
plan::Check missing(const std::string& name, const std::string& where, const std::string& said) {
  return {"saved value " + printable(name), where, said, false};
}

Result<void> keep_from_json(const std::string& name, const std::string& path, bool secret,
                            const HttpResponse& response, Outcome& outcome) {
  const auto body = parse_json(response.body);
  TRY(Value value, at_path(body ? *body : Value(), path));
  if (value.is_null()) {
    outcome.checks.push_back(missing(name, "at " + printable(path),
                                     body ? "nothing is there" : "the answer is not JSON"));
    return {};
  }
  if (secret) value.taint();
  outcome.saved.set(name, std::move(value));
  return {};
}

// `take: { NAME: { json | header | cookie: WHERE, secret: true } }`.
Result<void> keep_one(const std::string& name, const Value& from, const HttpResponse& response,
                      const HttpCookies* cookies, Outcome& outcome) {
  const bool secret = from.boolean("secret", false);
  if (from.has("json")) {
    return keep_from_json(name, from.text("json"), secret, response, outcome);
  }
  const bool header = from.has("header");
  const std::string where = from.text(header ? "header" : "cookie");
  std::optional<std::string> found;
  if (header && response.headers.contains(lower(where))) found = response.header(lower(where));
  if (!header && cookies != nullptr) found = cookies->find(where);
  if (!found) {
    outcome.checks.push_back(
        missing(name, (header ? "header " : "cookie ") + printable(where), "the answer has none"));
    return {};
  }
  Value value(*std::move(found));
  if (secret) value.taint();
  outcome.saved.set(name, std::move(value));
  return {};
}

}  // namespace

bool Outcome::good() const {
  return std::all_of(checks.begin(), checks.end(),
                     [](const plan::Check& check) { return check.ok; });
}

Result<HttpRequest> request_of(const Value& config, const Value& request, std::size_t place,
                               const Value& saved, const plan::StepContext& context) {
  HttpRequest prepared;
  prepared.method = request.text("method", "GET");
  TRY(const Value url, filled_text(url_template(config, request), saved));
  prepared.url = url.string();
  prepared.ca_file = below_bundle(context, config.text("ca_file"));
  prepared.user = config.text("user");
  prepared.password = Secret(config.text("password"));
  if (const auto timeout = parse_duration(config.text("timeout"))) prepared.timeout = *timeout;
  for (const Value* all : {&config.at("headers"), &request.at("headers"),
                           &config.at("secret_headers"), &request.at("secret_headers")}) {
    TRY_DO(add_headers(*all, saved, prepared));
  }
  TRY_DO(add_body(request, saved, prepared));
  if (!is_safe(request)) {
    prepared.headers.try_emplace("Idempotency-Key", "\"" + context.run() + "/" + context.step() +
                                                        "/" + std::to_string(place) + "\"");
  }
  return prepared;
}

std::string name_of_request(const Value& config, const Value& request, const Value& saved) {
  if (request.has("name")) return shown_text(request.text("name"));
  return line_of_request(config, request, saved);
}

std::string line_of_request(const Value& config, const Value& request, const Value& saved) {
  const std::string words = url_template(config, request);
  const auto url = filled_text(words, saved);
  const bool plain =
      url && !url->tainted() && !config.at("url").tainted() && !request.at("path").tainted();
  // A path that holds a secret is shown as it stands in the plan, with {{name}}.
  const bool in_plan = !config.at("url").tainted() && !request.at("path").tainted();
  return request.text("method", "GET") + " " +
         (plain     ? shown_url(url->string())
          : in_plan ? shown_text(words)
                    : "***");
}

Result<void> compare_answer(const std::string& name, const Value& expected,
                            const HttpResponse& response, Outcome& outcome) {
  const std::int64_t status = expected.integer("status", 0);
  outcome.checks.push_back({name + ": status", status == 0 ? "200 to 299" : std::to_string(status),
                            std::to_string(response.status),
                            status == 0 ? response.ok() : response.status == status});
  const Value& part = expected.at("body_contains");
  if (part.is(Value::Type::string)) {
    const bool there = response.body.find(part.string()) != std::string::npos;
    outcome.checks.push_back({name + ": body", "contains " + shown_value(part),
                              there ? "contains it" : "does not contain it", there});
  }
  if (expected.at("header").is(Value::Type::map)) {
    for (const auto& [header, wanted] : expected.at("header").map()) {
      const Value actual{std::string(response.header(lower(header)))};
      outcome.checks.push_back({name + ": header " + printable(header), shown_value(wanted),
                                wanted.tainted() ? "***" : shown_value(actual), actual == wanted});
    }
  }
  return compare_json(name, expected.at("json"), response, outcome);
}

Result<void> keep_values(const Value& request, const HttpResponse& response,
                         const HttpCookies* cookies, plan::StepContext& context, Outcome& outcome) {
  if (request.at("save").is(Value::Type::map)) {
    for (const auto& [name, path] : request.at("save").map()) {
      TRY_DO(keep_from_json(name, path.string(), false, response, outcome));
    }
  }
  if (!request.at("take").is(Value::Type::map)) return {};
  for (const auto& [name, from] : request.at("take").map()) {
    TRY_DO(keep_one(name, from, response, cookies, outcome));
    const Value& kept = outcome.saved.at(name);
    if (kept.own_taint() && kept.is(Value::Type::string)) {
      context.launcher().mask(Secret(kept.string()));
    }
  }
  return {};
}

Result<Value> declared_outputs(const std::string& type, const Value& config, const Outcome& outcome,
                               plan::StepContext& context) {
  Value outputs = Value(Value::Map());
  const Value& declared = config.at("outputs");
  if (!declared.is(Value::Type::map)) return outputs;
  for (const auto& [name, word] : declared.map()) {
    if (!outcome.saved.has(name)) {
      return fail(Error::Kind::invalid, type + ": output '" + name + "' is saved by no request",
                  "add it to `save` of a request");
    }
    Value value = outcome.saved.at(name);
    const Shape shape = plan::shape_of_word(word.string()).value_or(shape::any());
    std::vector<Finding> findings;
    if (shape.kind == Shape::Kind::secret && value.is(Value::Type::string)) {
      context.launcher().mask(Secret(value.string()));
      value.taint();
    } else {
      validate(value, shape, {.path = name}, findings);
    }
    if (!findings.empty()) {
      return fail(Error::Kind::invalid, type + ": output " + findings.front().text());
    }
    outputs.set(name, std::move(value));
  }
  return outputs;
}

}  // namespace lifeboat::steps
