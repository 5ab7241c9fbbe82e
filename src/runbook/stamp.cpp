// Which plan a page was made of, and whether it is still the same.
#include "base/bytes.h"
#include "crypt/crypt.h"
#include "run/plan_codec.h"
#include "runbook/runbook.h"
#include "schema/json.h"

namespace lifeboat::runbook {
namespace {

constexpr std::string_view stamp_begin = "<!-- lifeboat-runbook ";
constexpr std::string_view stamp_end = " -->";

std::string digest_of(const Value& value) { return crypt::sha256(as_bytes(to_json(value))).hex(); }

Value without_mark(Value value) {
  if (value.is(Value::Type::map)) value.map().erase("mark");
  return value;
}

// The plan with its steps as they are, but for where they stand in a file.
Value placeless(const plan::Plan& plan) {
  Value value = without_mark(run::to_value(plan));
  Value steps{Value::List{}};
  for (const Value& step : value.at("steps").list()) steps.push(without_mark(step));
  return value.set("steps", std::move(steps));
}

}  // namespace

std::string plan_digest(const plan::Plan& plan) { return digest_of(placeless(plan)); }

Stamp stamp_of(const plan::Plan& plan, WallTime made) {
  const Value whole = placeless(plan);
  Stamp stamp{plan.name, digest_of(whole), rfc3339(made), {}};
  for (const Value& step : whole.at("steps").list()) {
    stamp.steps[step.text("name")] = digest_of(step);
  }
  return stamp;
}

Result<Stamp> read_stamp(std::string_view page) {
  const auto refuse = [](const std::string& why) {
    return fail(Error::Kind::invalid, "this is no runbook: " + why,
                "name a page that `lifeboat runbook PLAN` wrote", Error::Code::usage);
  };
  const std::size_t begin = page.find(stamp_begin);
  if (begin == std::string_view::npos) return refuse("it does not say which plan it is made of");
  page.remove_prefix(begin + stamp_begin.size());
  const auto parsed = parse_json(page.substr(0, page.find(stamp_end)));
  if (!parsed) return refuse("its stamp cannot be read: " + parsed.error().what);
  for (const char* member : {"plan", "digest", "made"}) {
    if (!parsed->at(member).is(Value::Type::string)) return refuse("its stamp is not whole");
  }
  if (!parsed->at("steps").is(Value::Type::map)) return refuse("its stamp is not whole");
  Stamp stamp{parsed->text("plan"), parsed->text("digest"), parsed->text("made"), {}};
  for (const auto& [name, digest] : parsed->at("steps").map()) {
    if (!digest.is(Value::Type::string)) return refuse("its stamp is not whole");
    stamp.steps[name] = digest.string();
  }
  return stamp;
}

std::vector<std::string> compare(const Stamp& page, const plan::Plan& plan) {
  const Stamp now = stamp_of(plan, {});
  std::vector<std::string> changes;
  for (const auto& [name, digest] : now.steps) {
    const auto then = page.steps.find(name);
    if (then == page.steps.end()) {
      changes.push_back("step " + name + ": new");
    } else if (then->second != digest) {
      changes.push_back("step " + name + ": changed");
    }
  }
  for (const auto& [name, digest] : page.steps) {
    if (!now.steps.contains(name)) changes.push_back("step " + name + ": no longer there");
  }
  if (changes.empty() && page.digest != now.digest) {
    changes.emplace_back("the plan itself: its scenario, inputs, files or the order of its steps");
  }
  return changes;
}

}  // namespace lifeboat::runbook
