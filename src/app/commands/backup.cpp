// `lifeboat backup`: capture all sources, or some, as one recovery point.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "app/group_text.h"

namespace lifeboat::app {
namespace {

Value document_of(const backup::BackupReport& report) {
  Value document;
  document.set("complete", report.complete);
  if (report.point) document.set("point", report.point->id.hex());
  Value sources{Value::List{}};
  for (const backup::SourceResult& result : report.sources) {
    Value row;
    row.set("source", result.name);
    if (result.snapshot) {
      row.set("snapshot", result.snapshot->id.hex());
      row.set("items", result.snapshot->items);
      row.set("size_bytes", result.snapshot->size_bytes);
      row.set("stored_bytes", result.snapshot->stored_bytes);
      row.set("partial", result.snapshot->moments.partial);
      row.set("consistent_at", rfc3339(result.snapshot->moments.consistent_at));
      Value remarks{Value::List{}};
      for (const std::string& remark : result.snapshot->moments.remarks) {
        remarks.push(printable(remark));
      }
      row.set("remarks", std::move(remarks));
    } else {
      row.set("error", printable(result.error->what));
      row.set("hint", printable(result.error->hint));
    }
    if (result.still_frozen) row.set("still_frozen", printable(*result.still_frozen));
    sources.push(std::move(row));
  }
  document.set("sources", std::move(sources));
  Value groups{Value::List{}};
  for (const backup::GroupResult& result : report.groups) {
    Value row = group_value(result.moment);
    row.set("attempts", static_cast<std::uint64_t>(result.attempts));
    if (result.still_frozen) row.set("still_frozen", printable(*result.still_frozen));
    groups.push(std::move(row));
  }
  document.set("groups", std::move(groups));
  return document;
}

Table table_of(const backup::BackupReport& report, const Terminal& terminal) {
  Table table{.columns = {"SOURCE", "SNAPSHOT", "ITEMS", "SIZE", "NEW", "STATE"}, .rows = {}};
  for (const backup::SourceResult& result : report.sources) {
    if (!result.snapshot) {
      table.rows.push_back(
          {result.name, "-", "-", "-", "-", terminal.toned("failed", Tone::bad, Channel::data)});
      continue;
    }
    const repo::Snapshot& snapshot = *result.snapshot;
    table.rows.push_back({result.name, snapshot.id.brief(), std::to_string(snapshot.items),
                          human_bytes(snapshot.size_bytes), human_bytes(snapshot.stored_bytes),
                          snapshot.moments.partial
                              ? terminal.toned("partial", Tone::bad, Channel::data)
                              : terminal.toned("ok", Tone::good, Channel::data)});
  }
  return table;
}

void tell_remarks(const backup::BackupReport& report, Terminal& terminal) {
  constexpr std::size_t most = 20;
  for (const backup::SourceResult& result : report.sources) {
    if (!result.snapshot) {
      terminal.say(fmt::format("{}: {}", result.name, printable(result.error->what)));
      if (!result.error->hint.empty()) terminal.say("  next: " + printable(result.error->hint));
      continue;
    }
    const auto& remarks = result.snapshot->moments.remarks;
    for (std::size_t i = 0; i < std::min(remarks.size(), most); ++i) {
      terminal.say(fmt::format("{}: {}", result.name, printable(remarks[i])));
    }
    if (remarks.size() > most) {
      terminal.say(fmt::format("{}: and {} more (`lifeboat snapshots {} --output json`)",
                               result.name, remarks.size() - most, result.name));
    }
  }
}

void tell_groups(const backup::BackupReport& report, Terminal& terminal) {
  if (terminal.output() != Output::table) return;
  for (const backup::GroupResult& group : report.groups) {
    terminal.print(group_line(group.moment) +
                   (group.attempts > 1 ? fmt::format(" (attempt {})", group.attempts) : "") + "\n");
  }
}

// The reason of all failures where it is one: a script can then tell what to try again.
Error::Code shared_code(const backup::BackupReport& report) {
  std::optional<Error::Code> shared;
  for (const backup::SourceResult& result : report.sources) {
    if (!result.error) continue;
    const Error::Code code = result.error->effective_code();
    if (shared && *shared != code) return Error::Code::general;
    shared = code;
  }
  return shared.value_or(Error::Code::general);
}

// How much each source was at its last capture: what the progress is measured against.
std::map<std::string, std::uint64_t> last_sizes(const repo::Repository& repository) {
  std::map<std::string, std::uint64_t> sizes;
  for (const repo::Snapshot& snapshot : repository.snapshots()) {
    if (snapshot.about.kind != repo::SnapshotKind::source) continue;
    sizes[snapshot.about.source] = snapshot.size_bytes;
  }
  return sizes;
}

Result<int> run_backup(const Operation& op, Program& program,
                       const std::vector<std::string>& names) {
  TRY(const platform::Platform platform, program.platform_file());
  TRY(Opened opened, program.open_repository(op));
  TRY(auto sources, program.make_sources(op, platform, names));
  Terminal& terminal = program.terminal();
  backup::BackupOptions options;
  options.platform = platform.name;
  for (const auto& [name, entry] : platform.sources) {
    if (!names.empty() && std::ranges::find(names, name) == names.end()) {
      options.left_out.push_back(name);
    }
  }
  TRY(options.bundle, program.bundle_files(platform));
  options.groups = program.make_groups(platform, names);
  options.progress =
      [&terminal, sizes = last_sizes(*opened.repository)](const backup::SourceProgress& progress) {
        if (progress.finished) return;
        const std::uint64_t done = progress.done.bytes_read + progress.done.bytes_unchanged;
        const auto last = sizes.find(progress.source);
        // Without an earlier capture, or beyond it, nobody knows how much is still to come.
        const bool known = last != sizes.end() && done < last->second;
        terminal.progress("backing up " + progress.source, done, known ? last->second : 0);
      };
  TRY(const backup::BackupReport report, backup::back_up(op, *opened.repository, sources, options));
  terminal.end_progress();
  terminal.show("Backup", document_of(report), table_of(report, terminal));
  tell_remarks(report, terminal);
  tell_groups(report, terminal);
  if (!report.point) {
    return fail(Error::Kind::unavailable, "no source could be captured; there is no recovery point",
                "`lifeboat doctor` looks at each source", shared_code(report));
  }
  if (terminal.output() == Output::table) {
    terminal.print(fmt::format("point {} ({})\n", report.point->id.brief(),
                               report.complete ? "complete" : "partial: never the default"));
  }
  return report.complete && !program.left_frozen() ? 0 : exit_status(Error::Code::partial);
}

}  // namespace

void add_backup(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("backup", "Capture all sources as one recovery point");
  auto names = std::make_shared<std::vector<std::string>>();
  command->add_option("source", *names, "only these sources: the point is then partial");
  command->footer(
      "Exit status 3: a source failed or is partial, or the moments of a group lie too far apart:\n"
      "the point is kept, but is never the default of `recover`; or a hook left something "
      "frozen.\n\nExamples:\n  lifeboat backup\n  lifeboat backup orders --output json");
  command->callback([&program, names] {
    program.chosen = [&program, names](const Operation& op) {
      return run_backup(op, program, *names);
    };
  });
}

}  // namespace lifeboat::app
