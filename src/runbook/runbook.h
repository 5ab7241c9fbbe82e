// runbook/runbook.h - A plan as a page for people: what to type when there is no program to do it.
//
// Made from the same definitions as the run: of every step, in an order that works, what it is,
// why, what it changes, the commands by hand (StepType::by_hand), what is right to see (and what
// the newest green run saw), what to do about each class of error, how long it takes, who has to
// approve, how to undo; and before the first of them how to see that the target is the right one
// (GuardKind::by_hand). The page carries a digest of what it was made of, and of each step, so that
// anyone can tell whether it is still that of the plan: read_stamp(), compare().
//
// Everything from the platform file and from runs is data: escaped for terminal, Markdown and HTML;
// in commands it is quoted (plan/by_hand.h). The HTML page is whole in itself: no script, nothing
// that is loaded, and a policy that forbids both.
//
// Threads: pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "plan/expectation.h"
#include "plan/guard.h"
#include "plan/plan.h"
#include "plan/prose.h"
#include "run/state.h"

namespace lifeboat::runbook {

// What a page is made from.
struct Ground {
  const plan::Plan* plan = nullptr;  // of one variant: variant_for_people()
  plan::Manner manner = plan::Manner::ungraceful;
  const plan::StepTypes* types = nullptr;
  const plan::GuardKinds* guards = nullptr;  // null: none are known
  Value sources;                             // what `${sources.X}` gives
  std::string platform, repository;          // name; place ("" = the file does not say)
  std::string version;                       // of the program
  WallTime made;
  plan::Expectations expectations;       // of every step
  const run::RunState* green = nullptr;  // newest recovery by this plan that was proven
};

// The plan of one variant (plan::variant()). A `when:` that looks at inputs is open, because they
// are set only when the page is typed: its step stays, with its condition.
// Errors: those of plan::variant().
Result<plan::Plan> variant_for_people(const plan::Plan& plan, plan::Manner manner);

// What a page was made of.
struct Stamp {
  std::string plan, variant, digest, made;   // variant: "graceful" or "ungraceful"
  std::map<std::string, std::string> steps;  // name -> digest
};
// "graceful", "ungraceful".
std::string_view word(plan::Manner manner);
// A step's digest: SHA-256 of its canonical JSON (run/plan_codec.h) and of the values of sources
// and platform that it looks at. That of the page: of the plan, all of these, the names of platform
// and sources and the repository's place. Places in files count for nothing: a comment changes
// neither, nor does another folder, unless the repository is named relative to it.
Stamp stamp_of(const Ground& ground);
// Of a page in either form.  Errors: invalid, when it is no runbook.
Result<Stamp> read_stamp(std::string_view page);
// What is not as when the page was made, by step: "step facts: changed". Empty: the page is valid.
// `now` is of the variant that the stamp names.
std::vector<std::string> compare(const Stamp& page, const Ground& now);

// One piece of a page; all texts as they are, the writers escape.
struct Block {
  enum class Kind { heading, paragraph, list, code, table };
  Kind kind = Kind::paragraph;
  int level = 2;                               // of a heading
  plan::Prose text;                            // heading, paragraph
  std::string code;                            // code: its lines
  std::string language = "sh";                 // of code; "sh": to be typed as the page goes
  std::vector<plan::Prose> items;              // list
  std::vector<std::vector<plan::Prose>> rows;  // table; the first is its head
};
struct Runbook {
  plan::Prose title;
  Stamp stamp;
  std::vector<Block> blocks;
};

Runbook make_runbook(const Ground& ground);
// Commands are in blocks fenced as `sh`, in the order in which they are typed.
std::string render_markdown(const Runbook& runbook);
std::string render_html(const Runbook& runbook);

}  // namespace lifeboat::runbook
