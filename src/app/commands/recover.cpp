// `lifeboat recover PLAN`: bring the platform back; `--resume RUN` goes on with a recovery.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "app/commands/commands.h"
#include "app/recovery.h"
#include "app/run_watch.h"
#include "base/descriptor.h"
#include "repo/session.h"
#include "run/rehearsal.h"
#include "run/report.h"

namespace lifeboat::app {
namespace {

struct Given {
  RecoveryRequest request;
  std::string since, resume, report;
  bool dry_run = false;
};

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

// Whether a report can be written there; what stands there stays as it is.
Result<void> probe_report(const std::string& path) {
  const int fresh = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const int fd = fresh >= 0 ? fresh : ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const int error = errno;
  if (fresh >= 0) ::unlink(path.c_str());
  if (fd >= 0) {
    ::close(fd);
    return {};
  }
  return fail(Error::Kind::invalid,
              fmt::format("report {}: {}", printable(path), std::strerror(error)),
              "nothing was begun; name another file", Error::Code::usage);
}

// What a person types on this machine, or with other paths on another one.
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

// Prints the report; the exit status says whether the platform is back.
Result<int> tell(Program& program, const run::Outcome& outcome, const Recovery& recovery,
                 const std::string& file) {
  run::Report report = run::make_report(outcome);
  run::add_expectations(report, recovery.learned().steps);
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
  return outcome.state.recovered() ? 0 : exit_status(Error::Code::general);
}

Result<int> rehearse(const Operation& op, Program& program, Recovery& recovery) {
  RunWatch watch(program.terminal());
  recovery.learn(op);
  const run::EngineSetup setup = recovery.setup(watch);
  TRY(const run::DryRun dry_run, run::dry_run(op, setup.around, recovery.pins()));
  if (program.terminal().output() == Output::json) {
    program.terminal().show("DryRun", run::to_value(dry_run), {});
  } else {
    program.terminal().print(run::render_text(dry_run));
    const run::Outlook outlook(recovery.outlook());
    program.terminal().print(printable(run::forecast_text(outlook.look({}, {}), outlook.rto())) +
                             "\n");
    program.terminal().print("nothing was changed\n");
  }
  return dry_run.ready() ? 0 : exit_status(Error::Code::not_ready);
}

// Watches a run with the time that is left, as far as earlier runs tell.
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

Result<run::Outcome> watched_begin(const Operation& op, Program& program, Recovery& recovery) {
  RunWatch watch(program.terminal(),
                 "if this is interrupted: " + resume_command(program, recovery.pins().run));
  tell_time(op, program, recovery, watch);
  return run::begin(op, recovery.setup(watch), recovery.pins());
}

Result<run::Outcome> watched_resume(const Operation& op, Program& program, Recovery& recovery) {
  RunWatch watch(program.terminal());
  tell_time(op, program, recovery, watch);
  return run::resume(op, recovery.setup(watch), recovery.pins().run);
}

Result<int> begin_run(const Operation& op, Program& program, Given& given) {
  given.request.dry_run = given.dry_run;
  TRY(const auto recovery, Recovery::prepare(op, program, given.request));
  if (given.dry_run) return rehearse(op, program, *recovery);
  const run::Pins& pins = recovery->pins();
  program.terminal().say(fmt::format("run {}: plan {} of {}, recovery point {} ({}{})", pins.run,
                                     pins.plan.name, pins.platform_name,
                                     pins.point.id.substr(0, 12), rfc3339(pins.point.earliest),
                                     pins.point.complete ? "" : ", PARTIAL"));
  TRY(const run::Outcome outcome, watched_begin(op, program, *recovery));
  return tell(program, outcome, *recovery, given.report);
}

Result<int> resume_run(const Operation& op, Program& program, const Given& given) {
  std::string name = given.resume;
  if (name == "latest") {
    TRY(Opened opened, program.open_repository(op));
    TRY(name, find_run(op, *opened.repository, name));
  }
  TRY(const auto recovery, Recovery::prepare_resume(op, program, name));
  TRY(const run::Outcome outcome, watched_resume(op, program, *recovery));
  return tell(program, outcome, *recovery, given.report);
}

Result<int> run_recover(const Operation& op, Program& program, Given& given) {
  if (!given.since.empty()) {
    given.request.since = parse_rfc3339(given.since);
    if (!given.request.since) {
      return fail(Error::Kind::invalid, "--since " + printable(given.since) + " is no time",
                  "write RFC 3339: 2026-11-21T04:00:00Z", Error::Code::usage);
    }
  }
  if (!given.report.empty()) TRY_DO(probe_report(given.report));
  return given.resume.empty() ? begin_run(op, program, given) : resume_run(op, program, given);
}

}  // namespace

void add_recover(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("recover", "Bring the platform back, by a plan");
  auto given = std::make_shared<Given>();
  auto* resume =
      command->add_option("--resume", given->resume, "go on with this run (or `latest`)");
  // A run has pinned all of these; it cannot be rehearsed either.
  command->add_option("plan", given->request.plan, "plan of the platform file or bundle")
      ->excludes(resume);
  command
      ->add_option("--point", given->request.point,
                   "recovery point: id, `latest` or a time (default: the newest complete one)")
      ->excludes(resume);
  command->add_option("--input", given->request.inputs, "NAME=VALUE for an input of the plan")
      ->excludes(resume);
  command
      ->add_option("--input-file", given->request.input_files,
                   "NAME=PATH: an input's value is in this file, as for secrets it must be")
      ->excludes(resume);
  command
      ->add_option("--since", given->since,
                   "when the platform was lost (RFC 3339): the RTO's start")
      ->excludes(resume);
  command->add_option("--report", given->report, "write the report as Markdown to this file");
  command->add_flag("-n,--dry-run", given->dry_run, "show what is there and what would be done")
      ->excludes(resume);
  command->footer(
      "Without --config the plan comes out of the repository.\n\nExamples:\n"
      "  lifeboat recover shop-lost --dry-run\n"
      "  lifeboat recover shop-lost --input target=/srv/new --since 2026-11-21T03:12:00Z\n"
      "  lifeboat recover --resume latest");
  command->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return run_recover(op, program, *given);
    };
  });
}

}  // namespace lifeboat::app
