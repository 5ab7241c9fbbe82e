#include "steps/http/words.h"

#include <set>

#include "client/http/http.h"

namespace lifeboat::steps {
namespace {

Record fields_of_expect(const std::string& type) {
  Record record;
  record.name = type + ".expect";
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

}  // namespace

std::vector<Field> words_of_request(const std::string& type) {
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
       .shape = shape::record(fields_of_expect(type)),
       .help = "What the answer must be; each part is one check"},
      {.name = "save",
       .shape = shape::map(shape::string()),
       .help = "Name -> path into the JSON answer, for {{name}} in later requests"},
      {.name = "within",
       .shape = shape::duration(),
       .help = "Ask again every second until it is as expected, at most so long"},
  };
}

std::vector<Field> words_of_all_requests() {
  return {
      {.name = "outputs",
       .shape = shape::map(shape::string()),
       .help = "Name -> type of saved values that the step answers"},
      {.name = "secrets",
       .shape = shape::map(shape::secret()),
       .help = "Name -> secret, for {{name}} in requests; shown nowhere"},
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
}

bool is_safe(const Value& request) {
  const std::string method = request.text("method", "GET");
  return method == "GET" || method == "HEAD" || request.boolean("safe", false);
}

std::vector<std::string> effects_of_requests(const Value& config) {
  std::set<std::string> endpoints;
  const auto add = [&](const Value& request) {
    if (is_safe(request)) return;
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

Result<void> requests_fit(const std::string& type, const Value& config) {
  const Value& requests = config.at("requests");
  if (!requests.is(Value::Type::list) || requests.list().empty()) {
    return fail(wrong_words(type, "`requests` is empty", "write at least one"));
  }
  for (const Value& request : requests.list()) {
    if (request.has("url") || config.has("url")) continue;
    return fail(
        wrong_words(type, "a request has no `url`", "name it there, or once beside `requests`"));
  }
  return {};
}

Error wrong_words(const std::string& type, const std::string& what, const std::string& hint) {
  return {Error::Kind::invalid, type + ": " + what, hint, Error::Code::usage};
}

}  // namespace lifeboat::steps
