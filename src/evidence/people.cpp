#include "evidence/people.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "crypt/operator_key.h"
#include "run/request.h"
#include "schema/json.h"

namespace lifeboat::evidence {
namespace {

const Value::List& items(const Value& value) {
  static const Value::List none;
  return value.is(Value::Type::list) ? value.list() : none;
}

class Checker {
 public:
  Checker(const Value& document, const std::vector<Value>& plans)
      : document_(document), plans_(plans) {}

  PeopleCheck check() {
    for (const Value& request : items(document_.at("people").at("requests"))) look_at(request);
    for (const char* steps : {"steps", "former_steps"}) {
      for (const Value& step : items(document_.at(steps))) check_gates(step);
    }
    if (!plans_.empty()) check_steps(plans_.back());
    return std::move(found_);
  }

 private:
  struct Word {  // an approval or a decline that counts
    std::string by;
    std::int64_t taken_ns = 0, given_ns = 0;
    std::int64_t plan = 0;
    bool yes = false;
  };

  void fault(const Value& request, std::string_view what) {
    found_.faults.push_back(fmt::format("request {} of {}: {}", request.integer("number", -1),
                                        request.text("by"), what));
  }

  void look_at(const Value& request) {
    const bool accepted = request.boolean("accepted", false);
    if (!request.boolean("signed", false)) {
      // Who commands a platform with operators signs; nobody approves without.
      const bool needed = request.text("action") == "approve" ||
                          !operators(request).is(Value::Type::map) ||
                          !operators(request).map().empty();
      if (accepted && needed) fault(request, "it was taken, and is not signed");
      return;
    }
    ++found_.signed_requests;
    if (!signature_holds(request)) return fault(request, "the signature is not of these words");
    const std::string key = operators(request).text(request.text("by"));
    if (key != request.text("key")) return fault(request, "the key is not that of the operator");
    const auto words = parse_json(request.text("text"));
    if (!words || !says_the_same(*words, request)) {
      return fault(request, "the words that were signed are others");
    }
    if (!accepted) return;
    const std::string action = request.text("action");
    const std::int64_t taken = request.integer("taken_ns", 0);
    const Value& inputs = words->at("inputs");
    const bool other_inputs = inputs.is(Value::Type::map) && !inputs.map().empty();
    if (action == "retry" && other_inputs) inputs_changed_.push_back(taken);
    if (action != "approve" && action != "decline") return;
    if (words->text("subject") != subject(request)) {
      return fault(request,
                   "it was given for another plan, other inputs or another recovery point");
    }
    const bool yes = action == "approve";
    words_[request.text("step")].push_back({request.text("by"), taken,
                                            std::min(words->integer("time", taken), taken),
                                            request.integer("plan_version", -1), yes});
    if (!yes) return;
    found_.approvals.push_back({static_cast<std::uint64_t>(request.integer("number", 0)),
                                request.text("by"), request.text("step"), key});
  }

  // Name -> key, as they were when the request was taken.
  const Value& operators(const Value& request) const {
    static const Value nobody;
    const Value::List& known = items(document_.at("people").at("operators"));
    const auto version = static_cast<std::size_t>(request.integer("operators_version", -1));
    return version < known.size() ? known[version] : nobody;
  }

  static bool signature_holds(const Value& request) {
    const auto key = crypt::verify_key_from(request.text("key"));
    const auto signature = crypt::signature_from(request.text("signature"));
    return key && signature &&
           crypt::verify(*key, "lifeboat/v1/request", as_bytes(request.text("text")), *signature);
  }

  bool says_the_same(const Value& words, const Value& request) const {
    for (const char* name : {"action", "step", "reason"}) {
      if (words.text(name) != request.text(name)) return false;
    }
    return words.text("run") == document_.text("run");
  }

  // As the driver computed it: the same function.
  std::string subject(const Value& request) {
    const auto plan = static_cast<std::size_t>(request.integer("plan_version", -1));
    const auto inputs = static_cast<std::size_t>(request.integer("inputs_version", -1));
    const Value::List& known = items(document_.at("inputs"));
    if (plan >= plans_.size() || inputs >= known.size()) return "";
    const auto place = std::tuple(plan, inputs, request.text("step"));
    const auto found = subjects_.find(place);
    if (found != subjects_.end()) return found->second;
    return subjects_[place] =
               run::digest({document_.text("run"), request.text("step"), plans_[plan],
                            known[inputs], document_.at("point").text("id")});
  }

  void check_steps(const Value& plan) {
    std::set<std::string> told;
    for (const Value& step : items(document_.at("steps"))) told.insert(step.text("name"));
    for (const Value& step : items(plan.at("steps"))) {
      const std::string name = step.text("name");
      if (told.contains(name)) continue;
      found_.faults.push_back(name + ": the plan has it, the record has not");
    }
  }

  // One attempt that the gate of its plan let through: what began once may be brought to its end.
  void check_gates(const Value& step) {
    const Value::List& attempts = items(step.at("attempts"));
    if (attempts.empty()) return;
    for (const Value& attempt : attempts) {
      const std::string name = attempt.text("step");
      const Value* gate = gate_of(attempt.integer("plan_version", -1), name);
      const bool none = gate != nullptr && gate->is_null();
      if (none) return;
      if (gate != nullptr && lets_through(*gate, attempt)) return;
    }
    found_.faults.push_back(step.text("name") +
                            ": it began without the approvals that its gate asks for");
  }

  // Null when the step has none; nullptr when that plan has no such step.
  const Value* gate_of(std::int64_t plan, const std::string& name) {
    if (plan < 0 || static_cast<std::size_t>(plan) >= plans_.size()) return nullptr;
    auto& gates = gates_[plan];
    if (gates.empty()) {
      for (const Value& step : items(plans_[static_cast<std::size_t>(plan)].at("steps"))) {
        gates[step.text("name")] = &step.at("approve");
      }
    }
    const auto found = gates.find(name);
    return found == gates.end() ? nullptr : found->second;
  }

  bool lets_through(const Value& gate, const Value& attempt) const {
    const std::int64_t begun_ns = attempt.integer("begun_ns", 0);
    std::set<std::string> people;
    const auto said = words_.find(attempt.text("step"));
    if (said == words_.end()) return false;
    for (const Word& word : said->second) {
      if (word.taken_ns > begun_ns) continue;
      if (!word.yes) people.clear();
      const bool stands = word.plan == attempt.integer("plan_version", -1) &&
                          !changed_between(word.taken_ns, begun_ns) &&
                          begun_ns - word.given_ns <= gate.integer("expires_ns", 0);
      if (word.yes && stands && may_approve(gate, word.by)) people.insert(word.by);
    }
    return people.size() >=
           static_cast<std::size_t>(std::max<std::int64_t>(gate.integer("count", 1), 1));
  }

  // Whether a person gave the run other inputs.
  bool changed_between(std::int64_t approved_ns, std::int64_t begun_ns) const {
    return std::ranges::any_of(inputs_changed_, [&](std::int64_t changed_ns) {
      return approved_ns < changed_ns && changed_ns <= begun_ns;
    });
  }

  static bool may_approve(const Value& gate, const std::string& by) {
    const Value::List& named = items(gate.at("by"));
    return named.empty() || std::ranges::find(named, Value(by)) != named.end();
  }

  const Value& document_;
  const std::vector<Value>& plans_;
  PeopleCheck found_;
  std::map<std::int64_t, std::map<std::string, const Value*>> gates_;  // by plan and step
  std::map<std::string, std::vector<Word>> words_;  // by step, in the order of the journal
  std::vector<std::int64_t> inputs_changed_;        // when
  std::map<std::tuple<std::size_t, std::size_t, std::string>, std::string> subjects_;
};

}  // namespace

PeopleCheck check_people(const Value& document, const std::vector<Value>& plans) {
  return Checker(document, plans).check();
}

}  // namespace lifeboat::evidence
