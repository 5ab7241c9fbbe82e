// `lifeboat restore SNAPSHOT[:PATH] --to TARGET`: one snapshot, or one path of it, put back.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "app/commands/commands.h"
#include "client/secret/secret_values.h"

namespace lifeboat::app {
namespace {

struct Given {
  std::string snapshot, to, confirm, user, password_file;
  bool dry_run = false, keep_aside = false;
};

struct Target {
  repo::Snapshot snapshot;
  std::string path;  // "" = all of it
  std::unique_ptr<source::Source> source;
  source::TargetState state;
};

struct Configured {
  Value config{Value::Map{}};
  std::string directory = ".";  // what its relative names are below
};

// What the platform file says of this source, where there is one; the rest comes by option.
Configured configured(Program& program, const repo::Snapshot& snapshot) {
  const auto platform = program.platform_file();
  if (!platform) return {};
  const auto found = platform->sources.find(snapshot.about.source);
  const bool same =
      found != platform->sources.end() && found->second.type == snapshot.about.source_type;
  if (!same) return {};
  return {found->second.config, platform->directory};
}

// A word of the command line is meant from where the person stands.
std::string from_here(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error).lexically_normal();
  return error ? path : absolute.string();
}

Result<Target> open_target(const Operation& op, Program& program, repo::Repository& repository,
                           const Given& given) {
  const std::size_t colon = given.snapshot.find(':');
  Target target;
  TRY(target.snapshot, find_snapshot(repository, given.snapshot.substr(0, colon)));
  if (colon != std::string::npos) target.path = given.snapshot.substr(colon + 1);
  const source::SourceType* type = program.source_types().find(target.snapshot.about.source_type);
  if (type == nullptr) {
    return fail(
        Error::Kind::invalid,
        "snapshot " + target.snapshot.id.brief() + " is of no source type that can be restored",
        "`lifeboat cat` writes single items of it");
  }
  Value with{Value::Map{}};
  if (!given.user.empty()) with.set("user", given.user);
  if (!given.password_file.empty()) {
    with.set("password", Value{Value::Map{{"file", Value(from_here(given.password_file))}}});
  }
  const auto [known, directory] = configured(program, target.snapshot);
  const bool is_path = type->local_paths && given.to.find(':') == std::string::npos;
  TRY(Value config, type->retarget(known, is_path ? from_here(given.to) : given.to, with));
  TRY_DO(reveal_secrets(op, config, type->fields,
                        {.launcher = &program.launcher(), .directory = directory}));
  TRY(target.source, type->make(config, {.clock = &program.clock(),
                                         .launcher = &program.launcher(),
                                         .directory = directory}));
  TRY(target.state, target.source->target(op));
  return target;
}

std::string occupancy_text(const Target& target) {
  switch (target.state.occupancy) {
    case source::Occupancy::absent:
      return "nothing is there yet";
    case source::Occupancy::empty:
      return "it is empty";
    case source::Occupancy::ours:
      return fmt::format("run {} restored snapshot {} there{}", target.state.marker->run,
                         target.state.marker->snapshot,
                         target.state.marker->done ? "" : ", unfinished");
    case source::Occupancy::foreign:
      return "it holds data";
  }
  return {};
}

Value document_of(const Target& target, const Given& given) {
  Value document;
  document.set("snapshot", target.snapshot.id.hex());
  document.set("source", target.snapshot.about.source);
  document.set("path", printable(target.path));
  document.set("target", printable(given.to));
  document.set("identity", printable(target.state.identity));
  document.set("summary", printable(target.state.summary));
  document.set("found", occupancy_text(target));
  document.set("items", target.snapshot.items);
  document.set("size_bytes", target.snapshot.size_bytes);
  return document;
}

// Before anything that exists is changed, the person names the target in its own words.
Result<void> confirm(Program& program, const Target& target, const Given& given) {
  const bool exists = target.state.occupancy == source::Occupancy::ours ||
                      target.state.occupancy == source::Occupancy::foreign;
  if (!exists) return {};
  std::string typed = given.confirm;
  if (typed.empty() && !program.options.no_input) {
    TRY(typed,
        program.terminal().ask(fmt::format("Type the identity of the target ({}) to change it:",
                                           printable(target.state.identity))));
  }
  if (typed == target.state.identity) return {};
  return fail(Error::Kind::denied,
              typed.empty() ? "the target exists; changing it needs a confirmation"
                            : fmt::format("the target is {}, not {}",
                                          printable(target.state.identity), printable(typed)),
              fmt::format("add --confirm '{}' if that is the one you mean",
                          printable(target.state.identity)),
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

// Tells what was done; the exit status says whether it is what was captured. A single path was
// compared while it was written and has no checks of its own.
Result<int> tell(Program& program, const Target& target, const Given& given,
                 const source::RestoreReport& report, const std::vector<source::Check>& checks) {
  Terminal& terminal = program.terminal();
  Value document = document_of(target, given);
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
  if (target.path.empty()) text += fmt::format("verified: {}/{} checks\n", good, checks.size());
  if (terminal.output() == Output::json) {
    terminal.show("Restore", document, {});
  } else {
    terminal.print(text);
  }
  if (!target.path.empty() || (good == checks.size() && good > 0)) return 0;
  return fail(Error::Kind::corrupt, "what was restored differs from what was captured",
              "see the checks above; `lifeboat check --read-data` looks at the repository");
}

Result<int> run_restore(const Operation& op, Program& program, const Given& given) {
  TRY(Opened opened, program.open_repository(op));
  TRY(Target target, open_target(op, program, *opened.repository, given));
  Terminal& terminal = program.terminal();
  terminal.say(fmt::format("snapshot {} of {} ({}, {}) -> {}", target.snapshot.id.brief(),
                           printable(target.snapshot.about.source),
                           rfc3339(target.snapshot.moments.consistent_at),
                           human_bytes(target.snapshot.size_bytes), printable(given.to)));
  terminal.say(fmt::format("target {}: {}; {}", printable(target.state.identity),
                           printable(target.state.summary), occupancy_text(target)));
  if (given.dry_run) {
    terminal.show("RestorePreview", document_of(target, given),
                  {.columns = {"nothing was changed"}, .rows = {}});
    return 0;
  }
  TRY_DO(confirm(program, target, given));
  TRY(const auto feed, opened.repository->feed(op, target.snapshot.id));
  source::RestoreOptions options;
  options.marker.run = "manual-" + to_hex(program.random().array<6>());
  options.marker.step = "restore";
  options.marker.generation = 1;
  options.marker.snapshot = target.snapshot.id.brief();
  options.foreign = given.keep_aside ? source::Foreign::keep_aside : source::Foreign::refuse;
  if (!target.path.empty()) options.only.push_back(target.path);
  options.progress = [&terminal](std::uint64_t done, std::uint64_t total) {
    terminal.progress("restoring", done, total);
  };
  TRY(const source::RestoreReport report, target.source->restore(op, *feed, options));
  terminal.end_progress();
  for (const std::string& name : report.kept_aside) {
    terminal.say("kept aside: " + printable(name));
  }
  for (const std::string& remark : report.remarks) terminal.say(printable(remark));
  std::vector<source::Check> checks;
  if (target.path.empty()) {
    TRY(checks, target.source->verify(op, *feed));
  }
  return tell(program, target, given, report, checks);
}

}  // namespace

void add_restore(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("restore", "Put a snapshot, or one path of it, back");
  auto given = std::make_shared<Given>();
  command
      ->add_option("snapshot", given->snapshot,
                   "id, prefix or SOURCE for its newest; with :PATH for a single path")
      ->required();
  command->add_option("--to", given->to, "folder or URL of the target")->required();
  command->add_flag("-n,--dry-run", given->dry_run, "show the target, change nothing");
  command->add_option("--confirm", given->confirm, "identity of the target, instead of typing it");
  command->add_flag("--keep-aside", given->keep_aside, "rename what is there instead of refusing");
  command->add_option("--user", given->user, "user at the target");
  command->add_option("--password-file", given->password_file, "file with the password");
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
