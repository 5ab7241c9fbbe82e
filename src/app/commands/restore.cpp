// `lifeboat restore SNAPSHOT[:PATH] --to TARGET`: one snapshot, or one path of it, put back.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "app/target.h"
#include "capture/partial_feed.h"

namespace lifeboat::app {
namespace {

struct Given {
  std::string snapshot, confirm;
  TargetOptions where;
  bool dry_run = false, keep_aside = false;
};

struct Place {
  repo::Snapshot snapshot;
  std::string path;  // "" = all of it
  Target target;
  source::TargetState state;
};

Result<Place> open_place(const Operation& op, Program& program, repo::Repository& repository,
                         const Given& given) {
  const std::size_t colon = given.snapshot.find(':');
  Place place;
  TRY(place.snapshot, find_snapshot(repository, given.snapshot.substr(0, colon)));
  if (colon != std::string::npos) place.path = given.snapshot.substr(colon + 1);
  const repo::SnapshotDraft& about = place.snapshot.about;
  TRY(place.target, open_target(op, program, about.source, about.source_type, given.where));
  TRY(place.state, place.target.source->target(op));
  return place;
}

std::string occupancy_text(const Place& place) {
  switch (place.state.occupancy) {
    case source::Occupancy::absent:
      return "nothing is there yet";
    case source::Occupancy::empty:
      return "it is empty";
    case source::Occupancy::ours:
      return fmt::format("run {} restored snapshot {} there{}", place.state.marker->run,
                         place.state.marker->snapshot,
                         place.state.marker->done ? "" : ", unfinished");
    case source::Occupancy::foreign:
      return "it holds data";
  }
  return {};
}

Value document_of(const Place& place, const Given& given) {
  Value document;
  document.set("snapshot", place.snapshot.id.hex());
  document.set("source", place.snapshot.about.source);
  document.set("path", printable(place.path));
  document.set("target", printable(given.where.to));
  document.set("identity", printable(place.state.identity));
  document.set("summary", printable(place.state.summary));
  document.set("found", occupancy_text(place));
  document.set("items", place.snapshot.items);
  document.set("size_bytes", place.snapshot.size_bytes);
  return document;
}

// Before anything that exists is changed, the person names the target in its own words.
Result<void> confirm(Program& program, const Place& place, const Given& given) {
  const bool exists = place.state.occupancy == source::Occupancy::ours ||
                      place.state.occupancy == source::Occupancy::foreign;
  if (!exists) return {};
  std::string typed = given.confirm;
  if (typed.empty() && !program.options.no_input) {
    TRY(typed,
        program.terminal().ask(fmt::format("Type the identity of the target ({}) to change it:",
                                           printable(place.state.identity))));
  }
  if (typed == place.state.identity) return {};
  return fail(Error::Kind::denied,
              typed.empty() ? "the target exists; changing it needs a confirmation"
                            : fmt::format("the target is {}, not {}",
                                          printable(place.state.identity), printable(typed)),
              fmt::format("add --confirm '{}' if that is the one you mean",
                          printable(place.state.identity)),
              typed.empty() ? Error::Code::needs_person : Error::Code::refused);
}

Value document_of(const source::Check& check) {
  Value row;
  row.set("name", printable(check.name));
  row.set("ok", check.ok);
  row.set("expected", printable(check.expected));
  row.set("actual", printable(check.actual));
  return row;
}

// Tells what was done; the exit status says whether it is what was captured.
Result<int> tell(Program& program, const Place& place, const Given& given,
                 const source::RestoreReport& report, const std::vector<source::Check>& checks) {
  Terminal& terminal = program.terminal();
  Value document = document_of(place, given);
  document.set("items", report.items);
  document.set("size_bytes", report.bytes);
  Value kept{Value::List{}}, remarks{Value::List{}}, rows{Value::List{}};
  for (const std::string& name : report.kept_aside) kept.push(printable(name));
  for (const std::string& remark : report.remarks) remarks.push(printable(remark));
  std::string text =
      fmt::format("restored {} items, {}\n", report.items, human_bytes(report.bytes));
  std::size_t good = 0;
  for (const source::Check& check : checks) {
    rows.push(document_of(check));
    good += check.ok ? 1 : 0;
    if (check.ok) continue;
    text += fmt::format("DIFFERS {}: expected {}, found {}\n", printable(check.name),
                        printable(check.expected), printable(check.actual));
  }
  document.set("kept_aside", std::move(kept));
  document.set("remarks", std::move(remarks));
  document.set("checks", std::move(rows));
  text += fmt::format("verified: {}/{} checks\n", good, checks.size());
  if (terminal.output() == Output::json) {
    terminal.show("Restore", document, {});
  } else {
    terminal.print(text);
  }
  if (good == checks.size() && good > 0) return 0;
  return fail(Error::Kind::corrupt, "what was restored differs from what was captured",
              "see the checks above; `lifeboat check --read-data` looks at the repository");
}

Result<source::RestoreReport> put_back(const Operation& op, Program& program,
                                       repo::Repository& repository, const Place& place,
                                       capture::Feed& feed, const Given& given) {
  Terminal& terminal = program.terminal();
  source::RestoreOptions options;
  options.marker.run = "manual-" + to_hex(program.random().array<6>());
  options.marker.step = "restore";
  options.marker.generation = 1;
  options.marker.snapshot = place.snapshot.id.brief();
  options.foreign = given.keep_aside ? source::Foreign::keep_aside : source::Foreign::refuse;
  if (!place.path.empty()) options.only.push_back(place.path);
  options.progress = [&terminal](std::uint64_t done, std::uint64_t total) {
    terminal.progress("restoring", done, total);
  };
  std::optional<repo::Snapshot> kept;
  if (given.keep_aside) {
    TRY(kept, backup::keep_first(op, repository, *place.target.source,
                                 {.source = place.snapshot.about.source,
                                  .source_type = place.snapshot.about.source_type,
                                  .keeps_aside = place.target.type->keeps_aside,
                                  .marker = options.marker}));
  }
  if (kept) {
    terminal.say(fmt::format("kept aside first: snapshot {} in the repository{}", kept->id.brief(),
                             kept->moments.partial ? ", which could capture a part only" : ""));
  }
  TRY(source::RestoreReport report, place.target.source->restore(op, feed, options));
  terminal.end_progress();
  for (const std::string& name : report.kept_aside) {
    terminal.say("kept aside: " + printable(name));
  }
  if (kept) {
    report.kept_aside.push_back("snapshot " + kept->id.brief() + " in the repository");
  }
  return report;
}

Result<int> run_restore(const Operation& op, Program& program, const Given& given) {
  TRY(Opened opened, program.open_repository(op));
  TRY(const Place place, open_place(op, program, *opened.repository, given));
  Terminal& terminal = program.terminal();
  terminal.say(fmt::format("snapshot {} of {} ({}, {}) -> {}", place.snapshot.id.brief(),
                           printable(place.snapshot.about.source),
                           rfc3339(place.snapshot.moments.consistent_at),
                           human_bytes(place.snapshot.size_bytes), printable(given.where.to)));
  terminal.say(fmt::format("target {}: {}; {}", printable(place.state.identity),
                           printable(place.state.summary), occupancy_text(place)));
  if (given.dry_run) {
    terminal.show("RestorePreview", document_of(place, given),
                  {.columns = {"nothing was changed"}, .rows = {}});
    return 0;
  }
  TRY_DO(confirm(program, place, given));
  TRY(const auto feed, opened.repository->feed(op, place.snapshot.id));
  TRY(const source::RestoreReport report,
      put_back(op, program, *opened.repository, place, *feed, given));
  for (const std::string& remark : report.remarks) terminal.say(printable(remark));
  std::vector<std::string> only;
  const bool part_only = !place.path.empty() && !place.target.type->marker_tells_parts;
  if (part_only) only.push_back(place.path);
  capture::PartialFeed part(*feed, only);
  TRY(const std::vector<source::Check> checks, place.target.source->verify(op, part));
  return tell(program, place, given, report, checks);
}

}  // namespace

void add_restore(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("restore", "Put a snapshot, or one path of it, back");
  auto given = std::make_shared<Given>();
  command
      ->add_option("snapshot", given->snapshot,
                   "id, prefix or SOURCE for its newest; with :PATH for a single path")
      ->required();
  add_target_options(*command, given->where, "folder or URL of the target");
  command->get_option("--to")->required();
  command->add_flag("-n,--dry-run", given->dry_run, "show the target, change nothing");
  command->add_option("--confirm", given->confirm, "identity of the target, instead of typing it");
  command->add_flag("--keep-aside", given->keep_aside,
                    "keep what is there, renamed or captured, instead of refusing");
  command->footer(
      "Examples:\n  lifeboat restore uploads --to /srv/uploads --dry-run\n"
      "  lifeboat restore 3f2a91:images/logo.svg --to /tmp/look\n"
      "  lifeboat restore orders --to postgresql://postgres@127.0.0.1:5433/postgres "
      "--password-file pw");
  command->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return run_restore(op, program, *given);
    };
  });
}

}  // namespace lifeboat::app
