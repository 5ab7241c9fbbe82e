#include "run/plan_codec.h"

#include <algorithm>
#include <array>

namespace lifeboat::run {
namespace {

constexpr std::array shape_words = {"string", "boolean", "integer", "number", "duration", "time",
                                    "secret", "choice",  "list",    "map",    "record",   "any"};
constexpr std::array failure_words = {"pause", "stop", "continue"};
constexpr int depth_max = 32;

Value texts(const std::vector<std::string>& items) {
  Value::List list;
  for (const std::string& item : items) list.emplace_back(item);
  return list;
}

Value shape_value(const Shape& shape);

Value record_value(const Record& record) {
  Value value;
  value.set("name", record.name);
  value.set("help", record.help);
  value.set("short_form", record.short_form);
  Value::List fields;
  for (const Field& field : record.fields) {
    Value item;
    item.set("name", field.name);
    item.set("help", field.help);
    item.set("required", field.required);
    item.set("fallback", field.fallback);
    item.set("shape", shape_value(field.shape));
    fields.push_back(std::move(item));
  }
  value.set("fields", std::move(fields));
  value.set("reserved", texts(record.reserved));
  return value;
}

Value shape_value(const Shape& shape) {
  Value value;
  value.set("kind", shape_words.at(static_cast<std::size_t>(shape.kind)));
  if (!shape.choices.empty()) value.set("choices", texts(shape.choices));
  if (shape.inner) value.set("inner", shape_value(*shape.inner));
  if (shape.record) value.set("record", record_value(*shape.record));
  if (shape.scalar_is_list) value.set("scalar_is_list", true);
  return value;
}

Value mark_value(const Mark& mark) {
  Value value;
  value.set("file", mark.file);
  value.set("line", mark.line);
  value.set("column", mark.column);
  return value;
}

Value approval_value(const plan::ApprovalRule& rule) {
  Value value;
  value.set("by", texts(rule.by));
  value.set("count", rule.count);
  value.set("expires_ns", std::int64_t{rule.expires.count()});
  value.set("reason", rule.reason);
  return value;
}

Value guard_value(const plan::GuardRule& rule) {
  Value value;
  value.set("name", rule.name);
  value.set("kind", rule.kind);
  value.set("config", rule.config);
  value.set("adopt", rule.adopt);
  value.set("mark", mark_value(rule.mark));
  return value;
}

Value step_value(const plan::StepNode& step) {
  Value value;
  value.set("name", step.name);
  value.set("type", step.type);
  value.set("config", step.config);
  value.set("why", step.why);
  value.set("after", texts(step.after));
  value.set("needs", texts(step.needs));
  if (step.timeout) value.set("timeout_ns", std::int64_t{step.timeout->count()});
  value.set("retries", step.retry.times);
  value.set("backoff_ns", std::int64_t{step.retry.backoff.count()});
  value.set("on_failure", failure_words.at(static_cast<std::size_t>(step.on_failure)));
  if (step.approve) value.set("approve", approval_value(*step.approve));
  if (!step.when.empty()) value.set("when", step.when);
  Value outputs = Value::Map{};
  for (const auto& [name, shape] : step.outputs) outputs.set(name, shape_value(shape));
  value.set("outputs", std::move(outputs));
  value.set("mark", mark_value(step.mark));
  return value;
}

// Reads members of a pinned plan; the first thing that does not fit is remembered.
class Reader {
 public:
  std::vector<std::string> texts(const Value& value) {
    std::vector<std::string> items;
    for (const Value& item : list(value)) items.push_back(text(item));
    return items;
  }
  const std::string& text(const Value& value) {
    static const std::string none;
    return expect(value.is(Value::Type::string)) ? value.string() : none;
  }
  const Value::List& list(const Value& value) {
    static const Value::List none;
    if (value.is(Value::Type::list)) return value.list();
    expect(value.is_null());
    return none;
  }
  template <std::size_t N>
  int word(const std::array<const char*, N>& words, const Value& value) {
    const std::string& found = text(value);
    for (std::size_t i = 0; i < N; ++i) {
      if (found == words[i]) return static_cast<int>(i);
    }
    expect(false);
    return 0;
  }
  Shape shape(const Value& value, int depth = 0) {
    Shape shape;
    if (!expect(depth < depth_max)) return shape;
    shape.kind = static_cast<Shape::Kind>(word(shape_words, value.at("kind")));
    shape.choices = texts(value.at("choices"));
    if (value.has("inner")) {
      shape.inner = std::make_shared<Shape>(this->shape(value.at("inner"), depth + 1));
    }
    if (value.has("record")) {
      shape.record = std::make_shared<Record>(record(value.at("record"), depth + 1));
    }
    shape.scalar_is_list = value.boolean("scalar_is_list", false);
    return shape;
  }
  Mark mark(const Value& value) {
    return {value.text("file"), static_cast<int>(value.integer("line", 0)),
            static_cast<int>(value.integer("column", 0))};
  }
  plan::ApprovalRule approval(const Value& value) {
    plan::ApprovalRule rule;
    rule.by = texts(value.at("by"));
    rule.count = static_cast<int>(std::clamp<std::int64_t>(value.integer("count", 1), 1, 1000));
    rule.expires = std::chrono::nanoseconds(value.integer("expires_ns", 0));
    rule.reason = value.text("reason");
    return rule;
  }
  plan::StepNode step(const Value& value) {
    plan::StepNode step;
    step.name = text(value.at("name"));
    step.type = text(value.at("type"));
    step.config = value.at("config");
    step.why = value.text("why");
    step.after = texts(value.at("after"));
    step.needs = texts(value.at("needs"));
    if (value.has("timeout_ns")) {
      step.timeout = std::chrono::nanoseconds(value.integer("timeout_ns", 0));
    }
    step.retry.times = static_cast<int>(value.integer("retries", 0));
    step.retry.backoff = std::chrono::nanoseconds(value.integer("backoff_ns", 0));
    step.on_failure = static_cast<plan::OnFailure>(word(failure_words, value.at("on_failure")));
    step.when = value.text("when");
    if (value.has("approve")) step.approve = approval(value.at("approve"));
    if (value.at("outputs").is(Value::Type::map)) {
      for (const auto& [name, shape] : value.at("outputs").map()) {
        step.outputs.emplace(name, this->shape(shape));
      }
    }
    step.mark = mark(value.at("mark"));
    return step;
  }
  plan::GuardRule guard(const Value& value) {
    return {text(value.at("name")), text(value.at("kind")), value.at("config"),
            value.boolean("adopt", false), mark(value.at("mark"))};
  }
  plan::InputField input(const Value& value) {
    return {text(value.at("name")), shape(value.at("shape")), value.text("ask"),
            value.at("fallback"), value.boolean("secret", false)};
  }
  bool fits() const { return fits_; }

 private:
  bool expect(bool condition) {
    fits_ = fits_ && condition;
    return condition;
  }
  Record record(const Value& value, int depth) {
    Record record;
    record.name = value.text("name");
    record.help = value.text("help");
    record.short_form = value.text("short_form");
    record.reserved = texts(value.at("reserved"));
    for (const Value& item : list(value.at("fields"))) {
      record.fields.push_back({text(item.at("name")), shape(item.at("shape"), depth + 1),
                               item.text("help"), item.boolean("required", false),
                               item.at("fallback")});
    }
    return record;
  }

  bool fits_ = true;
};

}  // namespace

Value to_value(const plan::Plan& plan) {
  Value value;
  value.set("name", plan.name);
  value.set("scenario", plan.scenario);
  value.set("heartbeat", plan.heartbeat);
  value.set("files", texts(plan.files));
  value.set("mark", mark_value(plan.mark));
  Value::List inputs, steps;
  for (const plan::InputField& input : plan.inputs) {
    Value item;
    item.set("name", input.name);
    item.set("shape", shape_value(input.shape));
    item.set("ask", input.ask);
    // The fallback of a secret input is no secret value: it is how to get one.
    item.set("fallback", input.fallback);
    item.set("secret", input.secret);
    inputs.push_back(std::move(item));
  }
  for (const plan::StepNode& step : plan.steps) steps.push_back(step_value(step));
  value.set("inputs", std::move(inputs));
  value.set("steps", std::move(steps));
  Value::List guards;
  for (const plan::GuardRule& rule : plan.guards) guards.push_back(guard_value(rule));
  if (!guards.empty()) value.set("guards", std::move(guards));
  return value;
}

Result<plan::Plan> plan_from(const Value& value) {
  Reader reader;
  plan::Plan plan;
  plan.name = reader.text(value.at("name"));
  plan.scenario = value.text("scenario");
  plan.heartbeat = value.text("heartbeat");
  plan.files = reader.texts(value.at("files"));
  plan.mark = reader.mark(value.at("mark"));
  for (const Value& input : reader.list(value.at("inputs"))) {
    plan.inputs.push_back(reader.input(input));
  }
  for (const Value& step : reader.list(value.at("steps"))) plan.steps.push_back(reader.step(step));
  for (const Value& rule : reader.list(value.at("guards"))) {
    plan.guards.push_back(reader.guard(rule));
  }
  if (reader.fits()) return plan;
  return fail(Error::Kind::corrupt, "the plan that the run pinned cannot be read",
              "use the Lifeboat version that began the run", Error::Code::integrity);
}

}  // namespace lifeboat::run
