// `lifeboat runs watch RUN`: what a run does, live, on any machine with a key.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "app/driving.h"
#include "app/run_watch.h"
#include "run/follow.h"
#include "run/takeover.h"
#include "schema/json.h"

namespace lifeboat::app {
namespace {

constexpr auto look_every = std::chrono::seconds(1);

struct Given {
  std::string run;
  bool takeover = false;
};

void show_event(Program& program, const journal::Event& event, const run::RunState& state,
                RunWatch& watch) {
  if (program.terminal().output() == Output::table) return run::tell(event, state, watch);
  Value line;
  line.set("kind", "RunEvent");
  line.set("event", event.kind);
  line.set("time", rfc3339(event.time));
  line.set("facts", event.facts);
  program.terminal().print(to_json(line) + "\n");
}

enum class Seen { ended, left, silent };

// Until the run ends, or nobody drives it any more.
Result<Seen> follow(const Operation& op, Program& program, run::Follower& follower) {
  RunWatch watch(program.terminal());
  const auto patience = run::EngineSetup{}.heartbeat_period * run::silent_periods;
  for (;;) {
    TRY(const auto news, follower.news(op));
    for (const journal::Event& event : news) show_event(program, event, follower.state(), watch);
    const run::RunState& state = follower.state();
    if (state.end) return Seen::ended;
    if (!state.drivers.empty() && state.drivers.back().left) return Seen::left;
    TRY(const auto silent, follower.silent_for(op));
    if (silent > patience) return Seen::silent;
    TRY_DO(op.pause(look_every));
  }
}

Result<int> watch_run(const Operation& op, Program& program, const Given& given) {
  Seen seen{};
  run::RunState state;
  {
    TRY(Opened opened, program.open_repository(op));
    TRY(const std::string name, find_run(op, *opened.repository, given.run));
    TRY(const auto follower, run::Follower::open(op, *opened.repository, name));
    TRY(seen, follow(op, program, *follower));
    state = follower->state();
  }
  if (seen == Seen::ended) return tell_end(program, {state, true, std::nullopt}, "");
  const std::string why = seen == Seen::left ? "its driver left it" : "its driver is silent";
  if (given.takeover) {
    program.terminal().say(why + ": this process goes on with the run");
    return resume_run(op, program, state.pins.run, {});
  }
  return fail(Error::Kind::unavailable, fmt::format("run {}: {}", state.pins.run, why),
              "go on with: " + resume_command(program, state.pins.run), Error::Code::needs_person);
}

}  // namespace

void add_runs_watch(CLI::App& runs, Program& program) {
  auto given = std::make_shared<Given>();
  auto* watch = runs.add_subcommand("watch", "Watch a run that somebody else drives, live");
  watch->add_option("run", given->run, "as `runs list` shows it, or `latest`")->required();
  watch->add_flag("--takeover", given->takeover,
                  "drive it on from here when its driver leaves it or falls silent");
  watch->footer(
      "Examples:\n  lifeboat runs watch latest\n  lifeboat runs watch latest --takeover\n"
      "  lifeboat runs watch latest -o json | jq .event");
  watch->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return watch_run(op, program, *given);
    };
  });
}

}  // namespace lifeboat::app
