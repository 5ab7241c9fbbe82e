#include "run/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "crypt/operator_key.h"
#include "run/plan_codec.h"
#include "schema/json.h"

namespace lifeboat::run {
namespace {

// Nothing else that is signed with an operator's key can pass for a request.
constexpr std::string_view signing_context = "lifeboat/v1/request";
constexpr std::array of_steps = {"approve", "decline", "skip", "retry", "undo"};
constexpr std::array of_runs = {"pause", "continue", "cancel", "go-back", "release"};
constexpr std::array with_reason = {"decline", "skip", "cancel", "go-back", "release"};

template <class Words>
bool one_of(const Words& words, const std::string& word) {
  return std::ranges::find(words, word) != words.end();
}

using Running = std::function<bool(const std::string& step)>;

bool expired(const plan::ApprovalRule& rule, WallTime given, WallTime now) {
  return now.ns - given.ns > rule.expires.count();
}

std::string expired_text(const plan::ApprovalRule& rule, const Verdict& verdict, WallTime now) {
  if (!expired(rule, verdict.given, now)) return "";
  return fmt::format("it was given at {}, by the clock there, and holds for {}: it is {} here",
                     rfc3339(verdict.given), human_duration(rule.expires), rfc3339(now));
}

std::string judge_gate(const RunState& state, const plan::StepNode& node, const Verdict& verdict,
                       WallTime now, const Running& running) {
  const StepState& step = state.step(node.name);
  if (!node.approve) return "the step asks for no approval";
  if (!verdict.is_signed) return "an approval has to be signed with the key of an operator";
  if (verdict.request.action == "decline" && step.intent_open && running(node.name)) {
    return "its change is being made: `runs undo` takes it back once it is";
  }
  const auto& by = node.approve->by;
  if (!by.empty() && !one_of(by, verdict.request.by)) {
    return fmt::format("{} may not approve it; {} may", verdict.request.by, fmt::join(by, ", "));
  }
  if (verdict.request.subject != subject_of(state, node.name)) {
    return "plan, inputs or recovery point are not those that it was given for";
  }
  if (step.phase == plan::StepPhase::done) return "the step is done";
  return verdict.request.action == "approve" ? expired_text(*node.approve, verdict, now) : "";
}

// Other values may not make untrue what was done with the ones before.
std::string judge_inputs(const RunState& state, const Value& inputs, const std::string& retried,
                         const Running& running) {
  if (inputs.is_null()) return "";
  if (!inputs.is(Value::Type::map)) return "its inputs are no map";
  for (const auto& [name, value] : inputs.map()) {
    const auto& known = state.pins.plan.inputs;
    if (std::ranges::find(known, name, &plan::InputField::name) == known.end()) {
      return fmt::format("the plan has no input '{}'", printable(name));
    }
    for (const plan::StepNode& node : state.pins.plan.steps) {
      const bool stands =
          state.step(node.name).phase == plan::StepPhase::done || running(node.name);
      if (!stands || node.name == retried || !plan::refers_to_input(node.config, name)) continue;
      return running(node.name)
                 ? fmt::format("{} is at work with the input '{}': wait, or stop it", node.name,
                               name)
                 : fmt::format("{} is done and was given the input '{}': undo it first", node.name,
                               name);
    }
  }
  return "";
}

std::string judge_undo(const RunState& state, const plan::StepNode& node, const Running& running) {
  const StepState& step = state.step(node.name);
  if (running(node.name)) return "the step is at work: cancel the run, or wait";
  if (step.attempts == 0 || step.phase == plan::StepPhase::undone)
    return "there is nothing to undo";
  for (const plan::StepNode& other : state.pins.plan.steps) {
    const bool after = std::ranges::count(other.after, node.name) > 0;
    if (!after) continue;
    const bool stands = state.step(other.name).phase == plan::StepPhase::done;
    if (stands || running(other.name)) {
      return fmt::format("{} came after it: undo that one first", other.name);
    }
  }
  return "";
}

std::string judge_step(const RunState& state, const Verdict& verdict, WallTime now,
                       const Running& running) {
  const Request& request = verdict.request;
  const plan::StepNode* node = state.pins.plan.find(request.step);
  if (node == nullptr) return fmt::format("the plan has no step '{}'", printable(request.step));
  const plan::StepPhase phase = state.step(node->name).phase;
  const bool forward = request.action == "retry" || request.action == "skip";
  if (state.going_back && forward) return "the run is sent back: all of it is undone";
  if (request.action == "approve" || request.action == "decline") {
    return judge_gate(state, *node, verdict, now, running);
  }
  if (request.action == "undo") return judge_undo(state, *node, running);
  if (phase == plan::StepPhase::done) return "the step is done";
  if (request.action == "retry") return judge_inputs(state, request.inputs, node->name, running);
  return "";  // skip
}

std::string judge_run(const RunState& state, const Request& request) {
  if (!request.step.empty()) return "it is about the whole run, and names a step";
  if (request.action == "pause" && state.paused) return "the run is paused already";
  if (request.action == "continue" && !state.paused) return "the run is not paused";
  return "";
}

// Who asks, and whether that may be.
std::string judge_author(const RunState& state, const journal::Request& asked, Verdict& verdict) {
  const auto key = crypt::verify_key_from(asked.key);
  const auto signature = crypt::signature_from(asked.signature);
  const bool holds =
      key && signature &&
      crypt::verify(*key, signing_context, as_bytes(asked.text), *signature).has_value();
  for (const auto& [name, text] : state.pins.operators) {
    if (text != asked.key || !holds) continue;
    verdict.request.by = name;
    verdict.is_signed = true;
    return "";
  }
  if (state.pins.operators.empty()) return "";
  verdict.request.by = "somebody";
  return holds ? "it is signed with a key that is none of the platform's operators"
               : "this platform has operators: a request has to be signed with the key of one";
}

std::string judge_words(const RunState& state, const Verdict& verdict, WallTime now,
                        const Running& running) {
  const Request& request = verdict.request;
  if (request.run != state.pins.run) return "it was written for another run";
  const bool of_step = one_of(of_steps, request.action);
  if (!of_step && !one_of(of_runs, request.action)) {
    return "this version of Lifeboat does not know what is asked";
  }
  const auto same = [&](const Deed& deed) { return deed.accepted && deed.nonce == verdict.nonce; };
  if (verdict.nonce.empty() || std::ranges::any_of(state.deeds, same)) {
    return "the same request was taken before";
  }
  if (one_of(with_reason, request.action) && request.reason.empty()) return "it gives no reason";
  return of_step ? judge_step(state, verdict, now, running) : judge_run(state, request);
}

// Those whose approval counts now, without repetitions, with the time that it was given.
std::map<std::string, WallTime> counting(const plan::ApprovalRule& rule,
                                         const std::vector<Approval>& approvals, WallTime now) {
  std::map<std::string, WallTime> people;
  for (const Approval& approval : approvals) {
    const bool right = rule.by.empty() || one_of(rule.by, approval.by);
    if (right && !expired(rule, approval.given, now)) people[approval.by] = approval.given;
  }
  return people;
}

bool enough(const plan::ApprovalRule& rule, const std::map<std::string, WallTime>& people) {
  return people.size() >= static_cast<std::size_t>(rule.count);
}

// Who opens the gate. A change that was announced with their approval is not left half done because
// time went by, or something else was said since.
std::map<std::string, WallTime> openers(const plan::ApprovalRule& rule, const StepState& step,
                                        WallTime now) {
  if (step.intent_open) {
    auto people = counting(rule, step.begun_by, step.intent_since);
    if (enough(rule, people)) return people;
  }
  return counting(rule, step.approvals, now);
}

std::string people_text(const std::map<std::string, WallTime>& people) {
  std::string text;
  for (const auto& [name, time] : people) {
    text += fmt::format("{}{} at {}", text.empty() ? "" : ", ", name, rfc3339(time));
  }
  return text.empty() ? "nobody" : text;
}

std::string wanted_text(const plan::ApprovalRule& rule) {
  return rule.by.empty() ? fmt::format("{} of the operators", rule.count)
                         : fmt::format("{} of {}", rule.count, fmt::join(rule.by, ", "));
}

}  // namespace

std::string subject_of(const RunState& state, const std::string& step) {
  return digest(
      {state.pins.run, step, to_value(state.pins.plan), state.pins.inputs, state.pins.point.id});
}

std::string digest(const Subject& subject) {
  Value parts;
  parts.set("run", subject.run);
  parts.set("step", subject.step);
  parts.set("plan", subject.plan);
  parts.set("inputs", subject.inputs);
  parts.set("point", subject.point);
  return crypt::sha256(as_bytes(to_json(parts))).hex();
}

journal::Request written(const Request& request, const std::optional<crypt::SigningKey>& key,
                         WallTime time, Random& random) {
  Value words;
  words.set("run", request.run);
  words.set("action", request.action);
  words.set("step", request.step);
  words.set("reason", request.reason);
  words.set("inputs", request.inputs);
  words.set("by", request.by);
  words.set("subject", request.subject);
  words.set("time", time.ns);
  words.set("nonce", to_hex(random.array<16>()));
  journal::Request made;
  made.text = to_json(words);
  if (key) {
    made.key = crypt::verify_key_text(key->verify_key);
    made.signature = crypt::signature_text(crypt::sign(*key, signing_context, as_bytes(made.text)));
  }
  return made;
}

Verdict judge(const RunState& state, const journal::Request& asked, WallTime now,
              const Running& running) {
  Verdict verdict;
  const auto words = parse_json(asked.text);
  if (!words || !words->is(Value::Type::map)) {
    verdict.request.by = "somebody";
    verdict.why = "it cannot be read";
    return verdict;
  }
  verdict.request = {words->text("run"),    words->text("action"), words->text("step"),
                     words->text("reason"), words->at("inputs"),   words->text("by"),
                     words->text("subject")};
  verdict.nonce = words->text("nonce");
  verdict.given = WallTime{std::min(words->integer("time", now.ns), now.ns)};
  verdict.why = judge_author(state, asked, verdict);
  if (verdict.accepted()) verdict.why = judge_words(state, verdict, now, running);
  return verdict;
}

bool approved(const plan::StepNode& node, const StepState& step, WallTime now) {
  return !node.approve || enough(*node.approve, openers(*node.approve, step, now));
}

plan::Check approval_check(const plan::StepNode& node, const StepState& step, WallTime now) {
  const auto people = openers(*node.approve, step, now);
  return {"approval", wanted_text(*node.approve), people_text(people),
          enough(*node.approve, people)};
}

std::string gate_text(const plan::StepNode& node, const StepState& step, WallTime now) {
  const auto people = openers(*node.approve, step, now);
  return fmt::format("{}{}", wanted_text(*node.approve),
                     people.empty() ? "" : "; so far " + people_text(people));
}

}  // namespace lifeboat::run
