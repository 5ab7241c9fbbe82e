// `lifeboat runs watch RUN`: what a run does, live, on any machine with a key.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "app/driving.h"
#include "app/run_watch.h"

namespace lifeboat::app {
namespace {

struct Given {
  std::string run;
  bool takeover = false;
};

Result<int> watch_run(const Operation& op, Program& program, const Given& given) {
  Watched seen;
  {
    TRY(Opened opened, program.open_repository(op));
    TRY(const std::string name, find_run(op, *opened.repository, given.run));
    TRY(seen, watch_to_the_end(op, program.terminal(), *opened.repository, name));
  }
  const run::RunState& state = seen.state;
  if (seen.how == Watched::How::ended) return tell_end(program, {state, true, std::nullopt}, "");
  const std::string why =
      seen.how == Watched::How::left ? "its driver left it" : "its driver is silent";
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
