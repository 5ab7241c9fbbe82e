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
#include "app/driving.h"
#include "app/evidence_sealing.h"
#include "app/group_text.h"
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
  bool dry_run = false, takeover = false, replan = false, yes = false;
  std::vector<std::string> renames;
};

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

Result<run::Outcome> watched_begin(const Operation& op, Program& program, Recovery& recovery) {
  RunWatch watch(program.terminal(),
                 "if this is interrupted: " + resume_command(program, recovery.pins().run));
  tell_time(op, program, recovery, watch);
  return run::begin(op, recovery.setup(watch), recovery.pins());
}

Result<int> begin_run(const Operation& op, Program& program, Given& given) {
  given.request.dry_run = given.dry_run;
  TRY(const auto recovery, Recovery::prepare(op, program, given.request));
  if (given.dry_run) return rehearse(op, program, *recovery);
  const auto signer = evidence_key(op, program);
  const run::Pins& pins = recovery->pins();
  program.terminal().say(fmt::format(
      "run {}: plan {} of {}, recovery point {} ({}, skew {}{})", pins.run, pins.plan.name,
      pins.platform_name, pins.point.id.substr(0, 12), rfc3339(pins.point.earliest),
      human_duration(std::chrono::nanoseconds(pins.point.latest.ns - pins.point.earliest.ns)),
      pins.point.complete ? "" : ", PARTIAL"));
  if (const repo::Point* point = recovery->point()) {
    for (const repo::GroupMoment& group : point->about.groups) {
      program.terminal().say(group_line(group));
    }
  }
  TRY(const run::Outcome outcome, watched_begin(op, program, *recovery));
  if (!outcome.halted) tell_evidence(op, program, recovery->repository(), outcome.state, signer);
  return tell_end(program, outcome, given.report, recovery->learned().steps);
}

// Since when the platform is lost. What has not come yet would make an RTO of nothing.
Result<WallTime> lost_at(const std::string& word, WallTime now) {
  const auto time = parse_rfc3339(word);
  if (!time) {
    return fail(Error::Kind::invalid, "--since " + printable(word) + " is no time",
                "write RFC 3339: 2026-11-21T04:00:00Z", Error::Code::usage);
  }
  if (time->ns <= now.ns) return *time;
  return fail(Error::Kind::invalid, "--since " + printable(word) + " lies in the future",
              "nothing was begun; by this machine's clock it is " + rfc3339(now) + " now",
              Error::Code::usage);
}

Result<int> run_recover(const Operation& op, Program& program, Given& given) {
  if (!given.since.empty()) {
    TRY(given.request.since, lost_at(given.since, program.clock().wall()));
  }
  if (!given.report.empty()) TRY_DO(probe_report(given.report));
  const bool inputs = !given.request.inputs.empty() || !given.request.input_files.empty();
  if (!given.resume.empty() && inputs && !given.replan) {
    return fail(
        Error::Kind::invalid, "a run has pinned its inputs",
        "other values for a step that is not done: lifeboat runs retry RUN STEP --input ...",
        Error::Code::usage);
  }
  if (given.resume.empty()) return begin_run(op, program, given);
  TRY(const std::string run, named_run(op, program, given.resume));
  return resume_run(op, program, run,
                    {given.takeover,
                     given.report,
                     given.replan,
                     given.yes,
                     {given.renames, given.request.inputs, given.request.input_files}});
}

}  // namespace

void add_recover(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("recover", "Bring the platform back, by a plan");
  auto given = std::make_shared<Given>();
  auto* resume =
      command->add_option("--resume", given->resume, "go on with this run (or `latest`)");
  command
      ->add_flag("--takeover", given->takeover, "take the run from a driver that is still at work")
      ->needs(resume);
  auto* replan = command
                     ->add_flag("--replan", given->replan,
                                "go on by the changed plan of --config or of the newest bundle")
                     ->needs(resume);
  command->add_option("--map", given->renames, "OLD=NEW: a step that has another name now")
      ->needs(replan);
  command
      ->add_flag("-y,--yes", given->yes,
                 "agree to what --replan shows; else you are asked, or without a terminal it "
                 "ends with exit 5")
      ->needs(replan);
  // A run has pinned all of these; it cannot be rehearsed either.
  command
      ->add_option("plan", given->request.plan,
                   "which plan; not needed where the platform has only one")
      ->excludes(resume);
  command
      ->add_option("--point", given->request.point,
                   "recovery point: id, `latest` or a time (default: the newest complete one)")
      ->excludes(resume);
  command->add_option("--input", given->request.inputs,
                      "NAME=VALUE for an input of the plan; of a run: only with --replan");
  command->add_option("--input-file", given->request.input_files,
                      "NAME=PATH: an input's value is in this file, as for secrets it must be");
  command
      ->add_option("--since", given->since,
                   "when the platform was lost (RFC 3339): the RTO's start")
      ->excludes(resume);
  command->add_option("--report", given->report, "write the report as Markdown to this file");
  command
      ->add_flag("--graceful", given->request.graceful,
                 "what is to be recovered still answers: with the steps `when: graceful`")
      ->excludes(resume);
  command->add_flag("-n,--dry-run", given->dry_run, "show what is there and what would be done")
      ->excludes(resume);
  command->footer(
      "Options of every command that matter here (see lifeboat --help): --repository WHERE; its\n"
      "key, --identity FILE or --passphrase-file FILE; --operator-key FILE, to sign the evidence;\n"
      "--config FILE, a platform file in place of the one in the repository.\n"
      "Without PLAN the only plan is taken; of several the names are listed, and nothing is "
      "begun.\n"
      "Inputs that are missing are asked for; with --no-input nobody is asked.\n"
      "Exit status: 0 recovered, 1 not recovered, 2 wrong command line, 3 partly recovered,\n"
      "4 a dry run found what would fail, 5 a person has to answer, 6 a guard refused,\n"
      "11 somebody else drives it; all are in docs/exit-codes.md.\n\n"
      "Examples, on a borrowed laptop first:\n"
      "  lifeboat recover shop-lost --repository /mnt/usb/repository --identity /mnt/usb/key.txt\n"
      "  lifeboat recover --resume latest --repository /mnt/usb/repository --identity "
      "/mnt/usb/key.txt\n"
      "  lifeboat recover shop-lost --dry-run\n"
      "  lifeboat recover move-shop --graceful --dry-run\n"
      "  lifeboat recover shop-lost --input target=/srv/new --since 2026-11-21T03:12:00Z\n"
      "  lifeboat recover --resume latest --replan --config lifeboat.yaml --map db=database\n"
      "  lifeboat recover --resume 4f2a1b9c0d3e --takeover");
  command->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return run_recover(op, program, *given);
    };
  });
}

}  // namespace lifeboat::app
