#include "run/consequence.h"

#include <algorithm>

#include "plan/next_actions.h"

namespace lifeboat::run {
namespace {

using plan::StepPhase;

// A step is at work as long as its attempt has not ended; the journal knows no such phase.
bool at_work(const StepState& step) { return step.started.ns != 0; }

class Foresight {
 public:
  Foresight(const RunState& before, const RunState& after, WallTime now)
      : before_(before), after_(after), was_(before.view(now)), view_(after.view(now)) {}

  std::vector<Consequence> tell() {
    tell_stopped();
    tell_changed();
    tell_undone();
    tell_left_out();
    tell_started();
    return std::move(told_);
  }

 private:
  const plan::Plan& plan() const { return after_.pins.plan; }

  void add(const std::string& name, std::string would, std::vector<std::string> notes = {}) {
    const plan::StepNode* node = plan().find(name);
    const StepState& step = before_.step(name);
    told_.push_back({name, node == nullptr ? "" : node->type,
                     at_work(step) ? "at work" : std::string(plan::phase_name(step.phase)),
                     std::move(would), std::move(notes)});
  }

  // As Drive follows what is asked.
  bool stops(const std::string& name) const {
    const Deed& deed = after_.deeds.back();
    const StepState& step = before_.step(name);
    if (!at_work(step)) return false;
    if (deed.action == "cancel") return true;
    if (deed.action == "skip" || deed.action == "retry") return deed.step == name;
    const bool meant = deed.action == "go-back" || (deed.action == "decline" && deed.step == name);
    return meant && !step.intent_open && !step.undo_wanted;
  }

  void tell_stopped() {
    if (after_.deeds.size() <= before_.deeds.size()) return;
    for (const plan::StepNode& node : plan().steps) {
      if (stops(node.name)) add(node.name, "be stopped");
    }
  }

  void tell_changed() {
    for (const plan::StepNode& node : plan().steps) {
      const StepState &was = before_.step(node.name), &is = after_.step(node.name);
      if (is.approvals.size() > was.approvals.size()) add(node.name, "have one approval more");
      if (is.phase == was.phase) continue;
      if (is.phase == StepPhase::skipped) add(node.name, "be left out");
      if (is.phase == StepPhase::failed) add(node.name, "fail: it is declined");
      if (is.phase == StepPhase::waiting) add(node.name, "be tried again");
    }
  }

  void tell_undone() {
    for (const std::string& step : was_.to_undo) view_.to_undo.erase(step);
    const bool paused = std::exchange(view_.paused, false);
    for (;;) {
      const auto next = plan::next_actions(plan(), view_).undo;
      if (next.empty()) break;
      for (const std::string& step : next) {
        add(step, "be undone", traces_of(step));
        view_.to_undo.erase(step);
        view_.phases[step] = StepPhase::undone;
      }
    }
    for (const std::string& step : view_.to_undo) {
      add(step, "be undone, once what came after it is gone");
    }
    view_.paused = paused;
  }

  std::vector<std::string> traces_of(const std::string& name) const {
    std::vector<std::string> notes;
    const StepState& step = before_.step(name);
    for (const std::string& kept : step.kept_aside) notes.push_back("kept aside: " + kept);
    for (const std::string& process : step.left_running) notes.push_back("left: " + process);
    return notes;
  }

  void tell_left_out() {
    for (;;) {
      const auto next = plan::next_actions(plan(), view_).skip;
      if (next.empty()) return;
      for (const auto& [step, needs] : next) {
        const bool anyway = before_.step(step).phase == StepPhase::skipped;
        if (!anyway) add(step, "be left out", {"it needs " + needs});
        view_.phases[step] = StepPhase::skipped;
      }
    }
  }

  void tell_started() {
    const auto could = plan::next_actions(plan(), was_).start;
    for (const std::string& step : plan::next_actions(plan(), view_).start) {
      const bool news =
          std::ranges::find(could, step) == could.end() && !at_work(before_.step(step));
      if (news) add(step, "start");
    }
  }

  const RunState &before_, &after_;
  const plan::RunView was_;
  plan::RunView view_;  // as it goes on
  std::vector<Consequence> told_;
};

}  // namespace

std::vector<Consequence> consequences(const RunState& before, const RunState& after, WallTime now) {
  return Foresight(before, after, now).tell();
}

}  // namespace lifeboat::run
