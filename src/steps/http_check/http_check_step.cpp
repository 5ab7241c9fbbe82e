#include "steps/http_check/http_check_step.h"

#include "steps/by_hand/by_hand.h"
#include "steps/http/http_step.h"
#include "steps/http/words.h"

namespace lifeboat::steps {
namespace {

constexpr const char* type_name = "http-check";

Record fields_of_check() {
  Record one;
  one.name = "http-check.requests";
  one.help = "One request";
  one.fields = words_of_request(type_name);
  Record record;
  record.name = type_name;
  record.help = "Requests whose answers prove something";
  record.fields = one.fields;
  record.fields.push_back({.name = "requests",
                           .shape = shape::list(shape::record(one)),
                           .help = "Several requests in order, instead of one"});
  for (Field& field : words_of_all_requests()) record.fields.push_back(std::move(field));
  record.short_form = "url";
  return record;
}

Result<void> words_fit(const Value& config) {
  const bool list = config.at("requests").is(Value::Type::list);
  if (!list && !config.has("url")) {
    return fail(wrong_words(type_name, "no `url`", "name the page to ask"));
  }
  if (!list) return {};
  for (const char* word : {"json", "body", "expect", "save", "path", "within"}) {
    if (!config.has(word)) continue;
    return fail(wrong_words(type_name, "`" + std::string(word) + "` stands beside `requests`",
                            "move it into one of the requests"));
  }
  return requests_fit(type_name, config);
}

}  // namespace

plan::StepType http_check_step() {
  plan::StepType type;
  type.name = type_name;
  type.usually = {std::chrono::seconds(1), std::chrono::seconds(10), std::chrono::minutes(2)};
  type.help = "Asks pages and compares what they answer";
  type.fields = fields_of_check();
  type.outputs_field = "outputs";
  type.fence = plan::Fence::none;
  type.effects = effects_of_requests;
  type.by_hand = by_hand::requests;
  type.make = [](const Value& config,
                 plan::StepContext& context) -> Result<std::unique_ptr<plan::Step>> {
    TRY_DO(words_fit(config));
    return make_http_step({.type = type_name}, config, context);
  };
  return type;
}

}  // namespace lifeboat::steps
