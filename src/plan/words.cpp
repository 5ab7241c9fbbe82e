#include "plan/words.h"

#include "plan/guard.h"

namespace lifeboat::plan {
namespace {

Field optional(const char* name, Shape shape, const char* help) {
  Field field;
  field.name = name;
  field.shape = std::move(shape);
  field.help = help;
  return field;
}

Field required(const char* name, Shape shape, const char* help) {
  Field field = optional(name, std::move(shape), help);
  field.required = true;
  return field;
}

Record make_input_words() {
  Record words;
  words.name = "input";
  words.help = "A value that the run is given";
  words.fields = {
      optional("type", shape::choice(shape_words()), "what kind of value it is; string by default"),
      optional("ask", shape::string(), "the question that asks a person for it"),
      optional("default", shape::any(),
               "the value when none is given; of a secret: where it comes from"),
      optional("choices", shape::list(shape::string()), "the only values that are accepted"),
  };
  words.short_form = "type";
  return words;
}

Record make_retry_words() {
  Record words;
  words.name = "retry";
  words.help = "How often an attempt is repeated when the target is unavailable";
  words.fields = {
      required("times", shape::integer(), "attempts besides the first, 0 to 100"),
      optional("backoff", shape::duration(),
               "the first pause, doubled each time; 1s when nothing is said"),
  };
  words.short_form = "times";
  return words;
}

Record make_approval_words() {
  Record words;
  words.name = "approval";
  words.help = "Who must agree before the step may start";
  words.fields = {
      optional("by", shape::string_or_list(),
               "operators of the platform file; any of them when nobody is named"),
      optional("count", shape::integer(), "how many of them; 1 when nothing is said"),
      optional("expires", shape::duration(),
               "how long an approval holds before the step starts; 24h when nothing is said"),
      optional("reason", shape::string(), "what is asked, for those who approve"),
  };
  words.short_form = "by";
  return words;
}

Record make_step_words() {
  Record words;
  words.name = "step";
  words.help = "One action of the plan: its type with the configuration, and how it is run";
  words.fields = {
      optional("description", shape::string(), "why the step is there, for people"),
      optional("after", shape::string_or_list(),
               "steps that must be done before, besides those it refers to"),
      optional("timeout", shape::duration(), "how long one attempt may take"),
      optional("retry", shape::record(make_retry_words()), "repeat when the target is unavailable"),
      optional("on_failure", shape::choice({"pause", "stop", "continue"}),
               "pause: dependants wait; stop: nothing new starts; continue: dependants go on"),
      optional("approve", shape::record(make_approval_words()),
               "people who must agree before it starts; a step of its own when it has no type"),
      optional("when", shape::string(),
               "graceful, ungraceful or an expression over inputs: other runs do without the step"),
  };
  words.reserved = {"for_each", "plan", "verify", "undo", "guard", "run_if"};
  return words;
}

Record make_plan_words() {
  Record words;
  words.name = "plan";
  words.help = "How to come back from one scenario";
  words.fields = {
      optional("scenario", shape::string(), "what has happened when this plan is needed"),
      optional("inputs", shape::map(shape::record(input_words())),
               "values that a run is given, by name"),
      required("steps", shape::map(shape::any()), "the steps, by name"),
      optional("heartbeat", shape::string(),
               "STEP.OUTPUT with the time of the newest restored write; tightens the RPO"),
      optional("files", shape::list(shape::string()),
               "local files or folders that steps read; they travel in the bundle"),
      optional("guard", shape::map(shape::any()),
               "fingerprints of the target that must hold before each change, by kind"),
  };
  words.reserved = {"when",  "approve", "verify", "undo",   "for_each",
                    "every", "drills",  "probes", "alerts", "sandbox"};
  return words;
}

Value any_object() {
  Value schema;
  schema.set("type", "object");
  return schema;
}

// A step: the common words, and exactly one step type.
Value step_schema(const StepTypes& types) {
  Value step = object_schema(step_words());
  Value choices(Value::List{});
  Value properties = step.at("properties");
  for (const auto& [name, type] : types.all()) {
    Value config = json_schema(type.fields, true);
    config.set("description", type.help);
    properties.set(name, std::move(config));
    Value one;
    Value names(Value::List{});
    names.push(name);
    one.set("required", std::move(names));
    choices.push(std::move(one));
  }
  step.set("properties", std::move(properties));
  if (!choices.list().empty()) step.set("oneOf", std::move(choices));
  return step;
}

// One of a kind, or several.
Value guards_schema(const GuardKinds& guards) {
  Value properties(Value::Map{});
  for (const auto& [name, kind] : guards.all()) {
    Value one = json_schema(guard_fields(kind), true);
    Value several;
    Value either;
    Value forms(Value::List{});
    several.set("type", "array");
    several.set("items", one);
    forms.push(std::move(one));
    forms.push(std::move(several));
    either.set("anyOf", std::move(forms));
    either.set("description", kind.help);
    properties.set(name, std::move(either));
  }
  Value schema = any_object();
  schema.set("properties", std::move(properties));
  schema.set("additionalProperties", false);
  schema.set("description", plan_words().find("guard")->help);
  return schema;
}

}  // namespace

const std::vector<std::string>& shape_words() {
  static const std::vector<std::string> words = {
      "string", "boolean", "integer", "number", "duration", "time", "secret", "list", "map", "any"};
  return words;
}

std::optional<Shape> shape_of_word(std::string_view word) {
  if (word == "string") return shape::string();
  if (word == "boolean") return shape::boolean();
  if (word == "integer") return shape::integer();
  if (word == "number") return shape::number();
  if (word == "duration") return shape::duration();
  if (word == "time") return shape::time();
  if (word == "secret") return shape::secret();
  if (word == "list") return shape::list(shape::any());
  if (word == "map") return shape::map(shape::any());
  if (word == "any") return shape::any();
  return std::nullopt;
}

const Record& input_words() {
  static const Record words = make_input_words();
  return words;
}

const Record& step_words() {
  static const Record words = make_step_words();
  return words;
}

const Record& plan_words() {
  static const Record words = make_plan_words();
  return words;
}

Value plan_schema(const StepTypes& types, const GuardKinds* guards) {
  Value schema = object_schema(plan_words());
  Value steps = any_object();
  Value names;
  names.set("pattern", "^[A-Za-z_][A-Za-z0-9_-]{0,62}$");
  steps.set("propertyNames", names);
  steps.set("additionalProperties", step_schema(types));
  steps.set("minProperties", 1);
  Value properties = schema.at("properties");
  properties.set("steps", std::move(steps));
  properties.set("guard", guards_schema(guards == nullptr ? GuardKinds() : *guards));
  schema.set("properties", std::move(properties));
  return schema;
}

}  // namespace lifeboat::plan
