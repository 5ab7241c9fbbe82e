// The words of "http-check": what a request may say, alone or in a list.
#include <set>

#include "client/http/http.h"
#include "steps/http_check/http_check_step.h"

namespace lifeboat::steps {

std::unique_ptr<plan::Step> make_http_check(const Value& config, plan::StepContext& context);

namespace {

Record fields_of_expect() {
  Record record;
  record.name = "http-check.expect";
  record.help = "What the answer must be";
  record.fields = {
      {.name = "status",
       .shape = shape::integer(),
       .help = "The status; without it any from 200 to 299"},
      {.name = "json",
       .shape = shape::map(shape::any()),
       .help = "Path into the JSON answer -> the value there"},
      {.name = "body_contains", .shape = shape::string(), .help = "A text that the body holds"},
      {.name = "header", .shape = shape::map(shape::string()), .help = "Header -> its value"},
  };
  record.short_form = "status";
  return record;
}

std::vector<Field> fields_of_request() {
  return {
      {.name = "method",
       .shape = shape::choice({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}),
       .help = "All but GET and HEAD change something",
       .fallback = Value("GET")},
      {.name = "url", .shape = shape::string(), .help = "http or https"},
      {.name = "path", .shape = shape::string(), .help = "Put behind `url`"},
      {.name = "headers", .shape = shape::map(shape::string()), .help = "Sent with the request"},
      {.name = "secret_headers",
       .shape = shape::map(shape::secret()),
       .help = "Sent with the request, shown nowhere"},
      {.name = "body", .shape = shape::string(), .help = "Sent as it is"},
      {.name = "json", .shape = shape::any(), .help = "Sent as JSON"},
      {.name = "expect",
       .shape = shape::record(fields_of_expect()),
       .help = "What the answer must be; each part is one check"},
      {.name = "save",
       .shape = shape::map(shape::string()),
       .help = "Name -> path into the JSON answer, for {{name}} in later requests"},
      {.name = "within",
       .shape = shape::duration(),
       .help = "Ask again every second until it is as expected, at most so long"},
  };
}

Record fields_of_check() {
  Record one;
  one.name = "http-check.requests";
  one.help = "One request";
  one.fields = fields_of_request();
  Record record;
  record.name = "http-check";
  record.help = "Requests whose answers prove something";
  record.fields = fields_of_request();
  const std::vector<Field> more = {
      {.name = "requests",
       .shape = shape::list(shape::record(one)),
       .help = "Several requests in order, instead of one"},
      {.name = "outputs",
       .shape = shape::map(shape::string()),
       .help = "Name -> type of saved values that the step answers"},
      {.name = "user", .shape = shape::string(), .help = "For basic authentication"},
      {.name = "password", .shape = shape::secret(), .help = "Of `user`"},
      {.name = "ca_file",
       .shape = shape::string(),
       .help = "Certificates to trust instead of the system's"},
      {.name = "timeout",
       .shape = shape::duration(),
       .help = "Of one request",
       .fallback = Value("30s")},
  };
  record.fields.insert(record.fields.end(), more.begin(), more.end());
  record.short_form = "url";
  return record;
}

// Where requests with an effect go, without what may be a secret.
std::vector<std::string> effects_of(const Value& config) {
  std::set<std::string> endpoints;
  const auto add = [&](const Value& request) {
    const std::string method = request.text("method", "GET");
    if (method == "GET" || method == "HEAD") return;
    const Value& url = request.has("url") ? request.at("url") : config.at("url");
    const auto parts =
        url.is(Value::Type::string) ? parse_url(url.string()) : Result<UrlParts>(fail(Error()));
    endpoints.insert(parts ? endpoint_of(*parts) : "http:?");
  };
  if (config.at("requests").is(Value::Type::list)) {
    for (const Value& request : config.at("requests").list()) add(request);
  } else {
    add(config);
  }
  return {endpoints.begin(), endpoints.end()};
}

Error usage(const std::string& what, const std::string& hint) {
  return {Error::Kind::invalid, "http-check: " + what, hint, Error::Code::usage};
}

Result<void> words_fit(const Value& config) {
  const bool list = config.at("requests").is(Value::Type::list);
  if (!list && !config.has("url")) return fail(usage("no `url`", "name the page to ask"));
  if (!list) return {};
  if (config.at("requests").list().empty()) {
    return fail(usage("`requests` is empty", "write at least one"));
  }
  for (const char* word : {"json", "body", "expect", "save", "path", "within"}) {
    if (!config.has(word)) continue;
    return fail(usage("`" + std::string(word) + "` stands beside `requests`",
                      "move it into one of the requests"));
  }
  for (const Value& request : config.at("requests").list()) {
    if (request.has("url") || config.has("url")) continue;
    return fail(usage("a request has no `url`", "name it there, or once beside `requests`"));
  }
  return {};
}

}  // namespace

plan::StepType http_check_step() {
  plan::StepType type;
  type.name = "http-check";
  type.usually = {std::chrono::seconds(1), std::chrono::seconds(10), std::chrono::minutes(2)};
  type.help = "Asks pages and compares what they answer";
  type.fields = fields_of_check();
  type.outputs_field = "outputs";
  type.fence = plan::Fence::none;
  type.effects = effects_of;
  type.make = [](const Value& config,
                 plan::StepContext& context) -> Result<std::unique_ptr<plan::Step>> {
    TRY_DO(words_fit(config));
    return make_http_check(config, context);
  };
  return type;
}

}  // namespace lifeboat::steps
