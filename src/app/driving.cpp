#include "app/driving.h"

#include <fmt/format.h>

#include "app/evidence_sealing.h"
#include "app/recovery.h"
#include "app/run_watch.h"
#include "app/written_page.h"
#include "run/report.h"

namespace lifeboat::app {
namespace {

Result<void> agree(Program& program, const Recovery& recovery, const HowToGoOn& how) {
  Terminal& terminal = program.terminal();
  for (const run::StepFate& fate : recovery.fates()) {
    const bool renamed = !fate.before.empty() && !fate.after.empty() && fate.before != fate.after;
    terminal.say(fmt::format("  {:<38} {}",
                             renamed ? printable(fate.before) + " -> " + printable(fate.after)
                                     : printable(fate.after.empty() ? fate.before : fate.after),
                             run::fate_text(fate.kind)));
  }
  if (how.agreed) return {};
  if (program.options.no_input || !terminal.interactive()) {
    return fail(Error::Kind::denied, "the plan of a run is about to be replaced, as shown",
                "nothing was changed; --yes agrees", Error::Code::needs_person);
  }
  const std::string& run = recovery.pins().run;
  TRY(const std::string typed,
      terminal.ask(fmt::format("Go on by the changed plan? Type the run's name ({}):", run)));
  if (typed == run) return {};
  return fail(Error::Kind::cancelled, "the plan was not replaced", "nothing was changed",
              Error::Code::refused);
}

}  // namespace

std::string resume_command(const Program& program, const std::string& run) {
  std::string command = "lifeboat recover --resume " + run;
  const Options& options = program.options;
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) command += fmt::format(" {} {}", option, shell_word(value));
  };
  add("--config", options.config);
  add("--repository", options.repository);
  add("--passphrase-file", options.passphrase_file);
  add("--passphrase-command", options.passphrase_command);
  add("--identity", options.identity_file);
  add("--operator-key", options.operator_key_file);
  return command;
}

Result<int> tell_end(Program& program, const run::Outcome& outcome, const std::string& file,
                     const plan::Expectations& expectations) {
  run::Report report = run::make_report(outcome);
  run::add_expectations(report, expectations);
  Terminal& terminal = program.terminal();
  terminal.end_progress();
  if (terminal.output() == Output::json) {
    terminal.show("RecoveryReport", run::to_value(report), {});
  } else {
    terminal.print(run::render_text(report));
  }
  if (!file.empty()) {
    // The outcome is what counts: a report that cannot be written does not change it.
    const auto written = write_page(file, run::render_markdown(report));
    if (!written) {
      terminal.say("report " + written.error().what + "; `lifeboat runs show` prints it again");
    }
  }
  if (outcome.halted) {
    Error error = *outcome.halted;
    const std::string command = resume_command(program, outcome.state.pins.run);
    const bool lost = error.effective_code() == Error::Code::lease_held;
    if (!lost)
      error.hint += (error.hint.empty() ? "go on with: " : "; then go on with: ") + command;
    return fail(std::move(error));
  }
  if (outcome.state.recovered()) return 0;
  return exit_status(report.outcome == "partial" ? Error::Code::partial : Error::Code::general);
}

void tell_time(const Operation& op, Program& program, Recovery& recovery, RunWatch& watch) {
  const run::Learned& learned = recovery.learn(op);
  const std::size_t lost = learned.unreadable;
  if (learned.runs > 0 || lost > 0) {
    program.terminal().say(
        fmt::format("expected times: {} of {} steps measured in {} earlier {}{}{}", learned.learned,
                    learned.steps.size(), learned.runs, learned.runs == 1 ? "run" : "runs",
                    lost > 0 ? fmt::format(", {} more cannot be read", lost) : "",
                    learned.in_time ? "" : ", older ones not read: that takes too long"));
  }
  watch.tell_time(recovery.outlook(), program.clock(), recovery.pins().origin.time);
}

Result<std::string> named_run(const Operation& op, Program& program, const std::string& word) {
  if (word != "latest") return word;
  TRY(Opened opened, program.open_repository(op));
  return find_run(op, *opened.repository, word);
}

namespace {

// The watch has ended, and tells nothing more, when this answers.
Result<run::Outcome> watched_resume(const Operation& op, Program& program, Recovery& recovery,
                                    const HowToGoOn& how) {
  RunWatch watch(program.terminal());
  tell_time(op, program, recovery, watch);
  run::EngineSetup setup = recovery.setup(watch);
  setup.take_over = how.take_over;
  return run::resume(op, setup, recovery.pins().run);
}

}  // namespace

Result<int> resume_run(const Operation& op, Program& program, const std::string& run,
                       const HowToGoOn& how) {
  TRY(const auto recovery, how.replan ? Recovery::prepare_replan(op, program, run, how.changed)
                                      : Recovery::prepare_resume(op, program, run));
  if (how.replan) TRY_DO(agree(program, *recovery, how));
  const auto signer = evidence_key(op, program);
  seal_former_end(op, program, recovery->repository(), run, signer);
  TRY(const run::Outcome outcome, watched_resume(op, program, *recovery, how));
  if (!outcome.halted) tell_evidence(op, program, recovery->repository(), outcome.state, signer);
  return tell_end(program, outcome, how.report, recovery->learned().steps);
}

}  // namespace lifeboat::app
