#include "steps/journey/journey_step.h"

#include <algorithm>

#include "steps/by_hand/by_hand.h"
#include "steps/http/http_step.h"
#include "steps/http/words.h"

namespace lifeboat::steps {
namespace {

constexpr const char* type_name = "journey";

Record fields_of_take() {
  Record record;
  record.name = "journey.take";
  record.help = "Where a value is taken from: exactly one of json, header and cookie";
  record.short_form = "json";
  record.fields = {
      {.name = "json", .shape = shape::string(), .help = "Path into the JSON answer"},
      {.name = "header", .shape = shape::string(), .help = "A header of the answer"},
      {.name = "cookie", .shape = shape::string(), .help = "A cookie that was set by now"},
      {.name = "secret",
       .shape = shape::boolean(),
       .help = "Shown nowhere",
       .fallback = Value(false)},
  };
  return record;
}

Record fields_of_request() {
  Record record;
  record.name = "journey.requests";
  record.help = "One request";
  record.fields = words_of_request(type_name);
  // `take` does what `save` does, and more.
  std::erase_if(record.fields, [](const Field& field) { return field.name == "save"; });
  const std::vector<Field> more = {
      {.name = "name", .shape = shape::string(), .help = "What it is called in checks"},
      {.name = "safe",
       .shape = shape::boolean(),
       .help = "Changes nothing in spite of its method: a login, a search",
       .fallback = Value(false)},
      {.name = "take",
       .shape = shape::map(shape::record(fields_of_take())),
       .help = "Name -> where its value is, for {{name}} in later requests; a text is a path into "
               "the JSON answer"},
      {.name = "budget", .shape = shape::duration(), .help = "So long at most may it take"},
  };
  record.fields.insert(record.fields.end(), more.begin(), more.end());
  return record;
}

Record fields_of_journey() {
  Record record;
  record.name = type_name;
  record.help = "Requests in order, as a person's browser sends them";
  record.fields = {
      {.name = "url", .shape = shape::string(), .help = "http or https; of all requests"},
      {.name = "requests",
       .shape = shape::list(shape::record(fields_of_request())),
       .help = "In order",
       .required = true},
      {.name = "budget",
       .shape = shape::duration(),
       .help = "So long at most may all answers together take"},
      {.name = "headers", .shape = shape::map(shape::string()), .help = "Sent with each request"},
      {.name = "secret_headers",
       .shape = shape::map(shape::secret()),
       .help = "Sent with each request, shown nowhere"},
      {.name = "request_id",
       .shape = shape::string(),
       .help = "Header that says run, step, attempt and place of a request; \"\": none",
       .fallback = Value("X-Request-ID")},
  };
  for (Field& field : words_of_all_requests()) record.fields.push_back(std::move(field));
  return record;
}

Result<void> words_fit(const Value& config) {
  TRY_DO(requests_fit(type_name, config));
  for (const Value& request : config.at("requests").list()) {
    if (!request.at("take").is(Value::Type::map)) continue;
    for (const auto& [name, from] : request.at("take").map()) {
      int named = 0;
      for (const char* word : {"json", "header", "cookie"}) named += from.has(word) ? 1 : 0;
      if (named == 1) continue;
      return fail(wrong_words(type_name,
                              "`take` of '" + name + "' names " + std::to_string(named) + " places",
                              "write exactly one of json, header and cookie"));
    }
  }
  return {};
}

}  // namespace

plan::StepType journey_step() {
  plan::StepType type;
  type.name = type_name;
  type.usually = {std::chrono::seconds(1), std::chrono::seconds(10), std::chrono::minutes(2)};
  type.help = "Does on a site what a person does, and measures how long it takes";
  type.fields = fields_of_journey();
  type.outputs = {{"latencies_ms", shape::list(shape::integer())}, {"total_ms", shape::integer()}};
  type.outputs_field = "outputs";
  type.fence = plan::Fence::none;
  type.effects = effects_of_requests;
  type.by_hand = by_hand::requests;
  type.make = [](const Value& config,
                 plan::StepContext& context) -> Result<std::unique_ptr<plan::Step>> {
    TRY_DO(words_fit(config));
    return make_http_step({.type = type_name, .visitor = true}, config, context);
  };
  return type;
}

}  // namespace lifeboat::steps
