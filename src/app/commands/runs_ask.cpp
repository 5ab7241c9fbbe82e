// `lifeboat runs approve|decline|pause|continue|cancel|skip|retry|undo|go-back|release`: what a
// person asks of a run, from any machine, whoever drives it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/commands/commands.h"
#include "app/driving.h"
#include "app/input_words.h"
#include "app/operator_input.h"
#include "journal/vault.h"
#include "run/consequence.h"
#include "run/events.h"
#include "run/follow.h"
#include "run/sealed_values.h"
#include "run/takeover.h"

namespace lifeboat::app {
namespace {

// One of the things that can be asked.
struct Asking {
  const char* action;
  const char* help;
  bool of_step, needs_reason;
  const char* example;
  const char* when = "";  // it is needed
};

constexpr Asking askings[] = {
    {"approve", "Approve a step that asks for it", true, false,
     "lifeboat runs approve latest traffic --operator-key alice.pem"},
    {"decline", "Decline a step that asks for approval: it fails", true, true,
     "lifeboat runs decline latest traffic --reason 'not before noon'"},
    {"pause", "Let nothing new start; what is at work goes on", false, false,
     "lifeboat runs pause latest --reason 'customers are calling'"},
    {"continue", "Let a paused run go on", false, false, "lifeboat runs continue latest"},
    {"cancel", "Stop what is at work and end the run", false, true,
     "lifeboat runs cancel latest --reason 'false alarm'"},
    {"skip", "Leave a step out; what cannot do without it is left out too", true, true,
     "lifeboat runs skip latest mails --reason 'the archive is enough'"},
    {"retry", "Try a step again, with other inputs if need be", true, false,
     "lifeboat runs retry latest database --input host=10.0.0.9"},
    {"undo", "Undo one step, from what it found at first", true, false,
     "lifeboat runs undo latest traffic"},
    {"go-back", "Undo the whole run, in reverse", false, true,
     "lifeboat runs go-back latest --reason 'the old platform is alive'"},
    {"release", "Give your word that the drivers before are stopped", false, true,
     "lifeboat runs release latest --reason 'the laptop is off'",
     "Needed only when a run that was taken over stops at a change in doubt: one that the driver\n"
     "before announced and may still be at work on. Make sure first that it is stopped.\n\n"},
};

constexpr auto answer_wait = std::chrono::seconds(12);
constexpr auto look_every = std::chrono::milliseconds(300);

struct Given {
  bool dry_run = false;
  std::string run, step, reason;
  std::vector<std::string> inputs, input_files;
};

run::Verdict judged(const run::RunState& state, const journal::Request& request, WallTime now) {
  return run::judge(state, request, now, [](const std::string&) { return false; });
}

void take(run::RunState& state, const journal::Request& request, WallTime now) {
  const auto verdict = judged(state, request, now);
  journal::Event event = run::event::request_taken(request, verdict);
  event.time = now;
  run::fold(state, event);
}

// The state as it will be when a driver has read what was asked before us.
Result<run::RunState> with_pending(const Operation& op, repo::Repository& repository,
                                   run::RunState state) {
  constexpr std::size_t most = 1000;
  TRY(const auto asked,
      journal::requests_from(op, repository, state.pins.run, state.requests, most));
  for (const journal::Request& request : asked) take(state, request, op.clock->wall());
  return state;
}

// Other inputs, typed as the plan declares them; secrets go to the vault of the run, if it is
// meant.
Result<Value> other_inputs(const Operation& op, repo::Repository& repository,
                           const run::RunState& state, const Given& given) {
  if (given.inputs.empty() && given.input_files.empty()) return Value();
  TRY(const Value words, read_input_words(op, state.pins.plan, given.inputs, given.input_files));
  plan::Plan asked = state.pins.plan;
  std::erase_if(asked.inputs,
                [&](const plan::InputField& input) { return !words.has(input.name); });
  TRY(const Value bound, plan::bind_inputs(asked, words));
  journal::Vault vault(repository, state.pins.run, [](const std::string&) {});
  return run::to_handles(bound, "inputs", [&](const std::string& name, const Secret& value) {
    return given.dry_run ? Result<std::string>("vault/") : vault.put(op, name, value);
  });
}

// What became of the request; nothing when nobody has read it in time.
Result<std::optional<run::Deed>> answer_to(const Operation& op, run::Follower& follower,
                                           std::uint64_t number) {
  const auto end = op.clock->boot() + answer_wait;
  for (;;) {
    TRY_DO(follower.news(op));
    const auto& deeds = follower.state().deeds;
    const auto deed = std::ranges::find(deeds, number, &run::Deed::request);
    if (deed != deeds.end()) return std::optional(*deed);
    if (!follower.state().driven() || op.clock->boot() >= end) return std::optional<run::Deed>();
    TRY_DO(op.pause(look_every));
  }
}

tl::unexpected<Error> not_taken(const std::string& why) {
  return fail(Error::Kind::conflict, "not taken: " + why, "nothing was changed",
              Error::Code::refused);
}

Result<int> tell_answer(const Operation& op, Program& program, run::Follower& follower,
                        std::uint64_t number, const std::string& what) {
  TRY(const auto deed, answer_to(op, follower, number));
  Value document;
  document.set("request", number);
  document.set("taken", deed.has_value());
  Table table{.columns = {"REQUEST", "STATE"}, .rows = {}};
  if (deed && !deed->accepted) return not_taken(printable(deed->why));
  table.rows.push_back({what, deed ? "taken by the driver" : "waits for a driver"});
  program.terminal().show("RunRequest", document, table);
  if (!deed) {
    const run::RunState& state = follower.state();
    const std::string resume = resume_command(program, state.pins.run);
    program.terminal().say(
        state.driven()
            ? fmt::format(
                  "Its driver has not answered within {}; it may be slow, or gone. It reads "
                  "this when it looks; whoever goes on instead reads it first: {}",
                  human_duration(answer_wait), resume)
            : "Nobody drives the run now; whoever goes on with it reads this first: " + resume);
  }
  return 0;
}

// Nothing is asked: what the run would make of it.
int tell_consequences(Program& program, const run::RunState& before,
                      const journal::Request& request) {
  const WallTime now = program.clock().wall();
  run::RunState after = before;
  take(after, request, now);
  Value::List steps;
  Table table{.columns = {"STEP", "TYPE", "NOW", "WOULD", ""}, .rows = {}};
  for (const run::Consequence& each : run::consequences(before, after, now)) {
    table.rows.push_back({each.step, each.type, each.state, each.would,
                          printable(fmt::format("{}", fmt::join(each.notes, "; ")))});
    Value line;
    line.set("step", each.step).set("type", each.type).set("state", each.state);
    line.set("would", each.would);
    line.set("notes", Value(Value::List(each.notes.begin(), each.notes.end())));
    steps.push_back(std::move(line));
  }
  Value document;
  document.set("steps", std::move(steps));
  const bool none = table.rows.empty();
  program.terminal().show("RunRequestPreview", document, table);
  program.terminal().say(none ? "No step is concerned. Nothing was asked."
                              : "Nothing was asked: without --dry-run it is.");
  return 0;
}

Result<int> ask(const Operation& op, Program& program, const Asking& asking, const Given& given) {
  TRY(Opened opened, program.open_repository(op));
  repo::Repository& repository = *opened.repository;
  TRY(const std::string name, find_run(op, repository, given.run));
  TRY(const auto key, operator_key(op, program));
  TRY(const auto follower, run::Follower::open(op, repository, name));
  TRY(const run::RunState state, with_pending(op, repository, follower->state()));
  if (state.recovered()) return not_taken("the run is done");
  run::Request request{name, asking.action,         given.step, given.reason,
                       {},   user_at_host(program), ""};
  TRY(request.inputs, other_inputs(op, repository, state, given));
  if (asking.of_step) request.subject = run::subject_of(state, given.step);
  const auto written = run::written(request, key, program.clock().wall(), program.random());
  const auto verdict = judged(state, written, program.clock().wall());
  if (!verdict.accepted()) return not_taken(printable(verdict.why));
  if (given.dry_run) return tell_consequences(program, state, written);
  TRY(const std::uint64_t number, journal::put_request(op, repository, name, written));
  return tell_answer(op, program, *follower, number,
                     std::string(asking.action) + (given.step.empty() ? "" : " " + given.step));
}

void add_asking(CLI::App& runs, Program& program, const Asking& asking) {
  auto given = std::make_shared<Given>();
  auto* command = runs.add_subcommand(asking.action, asking.help);
  command->add_option("run", given->run, "as `runs list` shows it, or `latest`")->required();
  if (asking.of_step) command->add_option("step", given->step, "step of its plan")->required();
  command->add_option("--reason", given->reason, "for those who read the report")
      ->required(asking.needs_reason);
  command->add_flag("--dry-run", given->dry_run, "ask nothing; show what would follow, and exit");
  if (std::string_view(asking.action) == "retry") {
    command->add_option("--input", given->inputs, "NAME=VALUE: another value for an input");
    command->add_option("--input-file", given->input_files,
                        "NAME=PATH: the value is in this file, as for secrets it must be");
  }
  command->footer(fmt::format("{}Example:\n  {}", asking.when, asking.example));
  command->callback([&program, &asking, given] {
    program.chosen = [&program, &asking, given](const Operation& op) {
      return ask(op, program, asking, *given);
    };
  });
}

}  // namespace

void add_runs_ask(CLI::App& runs, Program& program) {
  for (const Asking& asking : askings) add_asking(runs, program, asking);
}

}  // namespace lifeboat::app
