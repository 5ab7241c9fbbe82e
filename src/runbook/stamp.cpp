// Which plan a page was made of, and whether it is still the same.
#include "base/bytes.h"
#include "crypt/crypt.h"
#include "plan/by_hand.h"
#include "run/plan_codec.h"
#include "runbook/guards.h"
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

// Adds the values of sources and platform that the page's lines of it hold.
Value with_taken(Value whole, const plan::ByHand& hand) {
  if (!hand.taken().map().empty()) whole.set("taken", hand.taken());
  return whole;
}

Value steps_of(const Ground& ground, const Value& list, plan::HandNames& names) {
  Value steps{Value::List{}};
  for (const Value& step : list.list()) {
    const plan::StepNode& node = *ground.plan->find(step.text("name"));
    plan::ByHand hand(node, names);
    const plan::StepType* type = ground.types->find(node.type);
    if (type != nullptr && type->by_hand) type->by_hand(node.config, hand);
    steps.push(with_taken(without_mark(step), hand));
  }
  return steps;
}

Value guards_of(const Ground& ground, const Value& list, plan::HandNames& names) {
  Value guards{Value::List{}};
  if (!list.is(Value::Type::list)) return guards;
  for (std::size_t i = 0; i < list.list().size(); ++i) {
    const HandGuard written = by_hand(ground, ground.plan->guards[i], names);
    guards.push(with_taken(without_mark(list.list()[i]), written.hand));
  }
  return guards;
}

// All that the page is made of, but for where it stands in a file.
Value material_of(const Ground& ground) {
  plan::HandNames names(*ground.plan, known_before(ground));
  Value value = without_mark(run::to_value(*ground.plan));
  Value steps = steps_of(ground, value.at("steps"), names);
  Value guards = guards_of(ground, value.at("guards"), names);
  Value sources{Value::List{}};
  if (ground.sources.is(Value::Type::map)) {
    for (const auto& [name, source] : ground.sources.map()) sources.push(name);
  }
  value.set("steps", std::move(steps)).set("guards", std::move(guards));
  value.set("variant", word(ground.manner)).set("platform", ground.platform);
  return value.set("repository", ground.repository).set("sources", std::move(sources));
}

}  // namespace

Stamp stamp_of(const Ground& ground) {
  const Value whole = material_of(ground);
  Stamp stamp{ground.plan->name,
              std::string(word(ground.manner)),
              digest_of(whole),
              rfc3339(ground.made),
              {}};
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
  // Pages from before there were variants name none, and had the steps of all.
  Stamp stamp{parsed->text("plan"),
              parsed->text("variant", word(plan::Manner::ungraceful)),
              parsed->text("digest"),
              parsed->text("made"),
              {}};
  for (const auto& [name, digest] : parsed->at("steps").map()) {
    if (!digest.is(Value::Type::string)) return refuse("its stamp is not whole");
    stamp.steps[name] = digest.string();
  }
  return stamp;
}

std::vector<std::string> compare(const Stamp& page, const Ground& ground) {
  const Stamp now = stamp_of(ground);
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
    changes.emplace_back(
        "the plan itself: its scenario, inputs, guards, files or the order of its steps; or the "
        "platform's name, its sources or the repository's place");
  }
  return changes;
}

}  // namespace lifeboat::runbook
