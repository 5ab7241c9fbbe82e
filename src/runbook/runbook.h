// runbook/runbook.h - A plan as a page for people: what to type when there is no program to do it.
//
// Made from the same definitions as the run: of every step, in an order that works, what it is,
// why, what it changes, the commands by hand (StepType::by_hand), what is right to see (and what
// the newest green run saw), what to do about each class of error, how long it takes, who has to
// approve, how to undo. The page carries the digest of the plan, and of each step, so that anyone
// can tell whether it is still that of the plan: read_stamp(), compare().
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
#include "plan/plan.h"
#include "run/state.h"

namespace lifeboat::runbook {

// What a page is made from.
struct Ground {
  const plan::Plan* plan = nullptr;
  const plan::StepTypes* types = nullptr;
  Value sources;                     // what `${sources.X}` gives
  std::string platform, repository;  // name; place ("" = the file does not say)
  std::string version;               // of the program
  WallTime made;
  plan::Expectations expectations;       // of every step
  const run::RunState* green = nullptr;  // newest recovery by this plan that was proven
};

// Which plan a page was made of.
struct Stamp {
  std::string plan, digest, made;
  std::map<std::string, std::string> steps;  // name -> digest
};
// SHA-256 of the canonical JSON of the plan (run/plan_codec.h) without the places in files, so that
// a comment or another folder changes nothing.
std::string plan_digest(const plan::Plan& plan);
Stamp stamp_of(const plan::Plan& plan, WallTime made);
// Of a page in either form.  Errors: invalid, when it is no runbook.
Result<Stamp> read_stamp(std::string_view page);
// What is not as when the page was made, by step: "step facts: changed". Empty: the page is valid.
std::vector<std::string> compare(const Stamp& page, const plan::Plan& plan);

// One piece of a page; all texts as they are, the writers escape.
struct Block {
  enum class Kind { heading, paragraph, list, code, table };
  Kind kind = Kind::paragraph;
  int level = 2;                               // of a heading
  std::string text;                            // heading, paragraph, code
  std::string language = "sh";                 // of code; "sh": to be typed as the page goes
  std::vector<std::string> items;              // list
  std::vector<std::vector<std::string>> rows;  // table; the first is its head
};
struct Runbook {
  std::string title;
  Stamp stamp;
  std::vector<Block> blocks;
};

Runbook make_runbook(const Ground& ground);
// Commands are in blocks fenced as `sh`, in the order in which they are typed.
std::string render_markdown(const Runbook& runbook);
std::string render_html(const Runbook& runbook);

}  // namespace lifeboat::runbook
