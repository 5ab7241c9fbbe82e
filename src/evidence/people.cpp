#include "evidence/people.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

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
  Checker(const Value& document, const std::vector<plan::Plan>& plans)
      : document_(document), plans_(plans) {}

  PeopleCheck check() {
    for (const Value& request : items(document_.at("people").at("requests"))) look_at(request);
    for (const Value& step : items(document_.at("steps"))) {
      if (step.has("gate")) check_gate(step.text("name"), step.at("gate"), step.at("attempts"));
    }
    return std::move(found_);
  }

 private:
  struct Word {  // an approval or a decline that counts
    std::string by;
    std::int64_t taken_ns = 0;
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
                          (operators_.is(Value::Type::map) && !operators_.map().empty());
      if (accepted && needed) fault(request, "it was taken, and is not signed");
      return;
    }
    ++found_.signed_requests;
    if (!signature_holds(request)) return fault(request, "the signature is not of these words");
    const std::string key = operators_.text(request.text("by"));
    if (key != request.text("key")) return fault(request, "the key is not that of the operator");
    const auto words = parse_json(request.text("text"));
    if (!words || !says_the_same(*words, request)) {
      return fault(request, "the words that were signed are others");
    }
    if (!accepted) return;
    const std::string action = request.text("action");
    if (action != "approve" && action != "decline") return;
    if (words->text("subject") != subject(request)) {
      return fault(request,
                   "it was given for another plan, other inputs or another recovery point");
    }
    const bool yes = action == "approve";
    words_[request.text("step")].push_back(
        {request.text("by"), request.integer("taken_ns", 0), yes});
    if (!yes) return;
    found_.approvals.push_back({static_cast<std::uint64_t>(request.integer("number", 0)),
                                request.text("by"), request.text("step"), key});
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
    run::RunState state;
    state.pins.run = document_.text("run");
    state.pins.plan = plans_[plan];
    state.pins.inputs = known[inputs];
    state.pins.point.id = document_.at("point").text("id");
    return subjects_[place] = run::subject_of(state, request.text("step"));
  }

  // An attempt that the gate let through: what began once may be brought to its end.
  void check_gate(const std::string& step, const Value& gate, const Value& attempts) {
    if (items(attempts).empty()) return;
    for (const Value& attempt : items(attempts)) {
      if (open_at(step, gate, attempt.integer("begun_ns", 0))) return;
    }
    found_.faults.push_back(step + ": it began without the approvals that its gate asks for");
  }

  bool open_at(const std::string& step, const Value& gate, std::int64_t begun_ns) const {
    std::set<std::string> people;
    const auto said = words_.find(step);
    if (said == words_.end()) return false;
    for (const Word& word : said->second) {
      if (word.taken_ns > begun_ns) continue;
      if (!word.yes) people.clear();
      const std::int64_t age = begun_ns - word.taken_ns;
      if (word.yes && age <= gate.integer("expires_ns", 0) && may_approve(gate, word.by)) {
        people.insert(word.by);
      }
    }
    return people.size() >=
           static_cast<std::size_t>(std::max<std::int64_t>(gate.integer("count", 1), 1));
  }

  static bool may_approve(const Value& gate, const std::string& by) {
    const Value::List& named = items(gate.at("by"));
    return named.empty() || std::ranges::find(named, Value(by)) != named.end();
  }

  const Value& document_;
  const Value& operators_ = document_.at("people").at("operators");  // name -> key
  const std::vector<plan::Plan>& plans_;
  PeopleCheck found_;
  std::map<std::string, std::vector<Word>> words_;  // by step, in the order of the journal
  std::map<std::tuple<std::size_t, std::size_t, std::string>, std::string> subjects_;
};

}  // namespace

PeopleCheck check_people(const Value& document, const std::vector<plan::Plan>& plans) {
  return Checker(document, plans).check();
}

}  // namespace lifeboat::evidence
