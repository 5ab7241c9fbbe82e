#include "app/driving.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "app/evidence_sealing.h"
#include "app/recovery.h"
#include "app/run_watch.h"
#include "base/descriptor.h"
#include "run/report.h"

namespace lifeboat::app {
namespace {

Result<void> write_report(const std::string& path, std::string_view text) {
  // An earlier report stays until this one is whole. What is no file (a pipe) is written as it is.
  std::error_code unknown;
  const bool aside =
      !std::filesystem::exists(path, unknown) || std::filesystem::is_regular_file(path, unknown);
  const std::string draft = aside ? path + ".part" : path;
  Descriptor file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const bool written = file.open() && write_all(file.number(), as_bytes(text)) &&
                       (!aside || ::rename(draft.c_str(), path.c_str()) == 0);
  if (written) return {};
  const int error = errno;
  if (aside) ::unlink(draft.c_str());
  return fail(Error::Kind::unavailable,
              fmt::format("report {}: {}", printable(path), std::strerror(error)),
              "`lifeboat runs show` prints it again");
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
  return command;
}

Result<int> tell_end(Program& program, const run::Outcome& outcome, const std::string& file) {
  const run::Report report = run::make_report(outcome);
  Terminal& terminal = program.terminal();
  terminal.end_progress();
  if (terminal.output() == Output::json) {
    terminal.show("RecoveryReport", run::to_value(report), {});
  } else {
    terminal.print(run::render_text(report));
  }
  if (!file.empty()) {
    // The outcome is what counts: a report that cannot be written does not change it.
    const auto written = write_report(file, run::render_markdown(report));
    if (!written) terminal.say(written.error().what + "; " + written.error().hint);
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

Result<std::string> named_run(const Operation& op, Program& program, const std::string& word) {
  if (word != "latest") return word;
  TRY(Opened opened, program.open_repository(op));
  return find_run(op, *opened.repository, word);
}

Result<int> resume_run(const Operation& op, Program& program, const std::string& run,
                       const HowToGoOn& how) {
  TRY(const auto recovery, Recovery::prepare_resume(op, program, run));
  const auto signer = evidence_key(op, program);
  RunWatch watch(program.terminal());
  run::EngineSetup setup = recovery->setup(watch);
  setup.take_over = how.take_over;
  TRY(const run::Outcome outcome, run::resume(op, setup, run));
  if (!outcome.halted) tell_evidence(op, program, recovery->repository(), run, signer);
  return tell_end(program, outcome, how.report);
}

}  // namespace lifeboat::app
