// `lifeboat kept`: what recoveries kept aside, in the repository and inside the sources.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "app/target.h"
#include "repo/session.h"

namespace lifeboat::app {
namespace {

struct Row {
  std::string name, where, run, what;
};

struct Given {
  std::string name, where;
  TargetOptions at;  // another system than the platform file's
  bool yes = false;
};

// `source` as it was restored to `--to`: its type comes from its newest snapshot.
Result<backup::NamedSource> source_at(const Operation& op, Program& program,
                                      const repo::Repository& repository, const Given& given) {
  if (given.where.empty()) {
    return fail(Error::Kind::invalid, "which source is at " + printable(given.at.to) + "?",
                "name it: `lifeboat kept list SOURCE --to TARGET`", Error::Code::usage);
  }
  TRY(const repo::Snapshot newest, find_snapshot(repository, given.where));
  TRY(Target target,
      open_target(op, program, newest.about.source, newest.about.source_type, given.at));
  return backup::NamedSource{.name = newest.about.source,
                             .type = newest.about.source_type,
                             .source = std::move(target.source),
                             .broken = {}};
}

// Kept inside the live sources of the platform file. A source that does not answer is said, and
// does not hide the others.
std::vector<Row> kept_in_sources(const Operation& op, Program& program,
                                 std::vector<backup::NamedSource>& sources) {
  std::vector<Row> rows;
  for (backup::NamedSource& named : sources) {
    if (named.broken) {
      program.terminal().say(fmt::format("{}: {}", named.name, printable(named.broken->what)));
      continue;
    }
    auto kept = named.source->kept(op);
    if (!kept) {
      program.terminal().say(fmt::format("{}: {}", named.name, printable(kept.error().what)));
      continue;
    }
    for (const source::Kept& entry : *kept) {
      rows.push_back({entry.name, named.name, entry.run, entry.what});
    }
  }
  return rows;
}

// The live systems that may hold something: that of --to, else all of the platform file.
Result<std::vector<backup::NamedSource>> live_sources(const Operation& op, Program& program,
                                                      const repo::Repository& repository,
                                                      const Given& given) {
  std::vector<backup::NamedSource> sources;
  if (!given.at.to.empty()) {
    TRY(sources.emplace_back(), source_at(op, program, repository, given));
  } else if (auto platform = program.platform_file()) {
    TRY(sources, program.make_sources(op, *platform, {}));
    std::erase_if(sources, [&](const backup::NamedSource& named) {
      return !given.where.empty() && named.name != given.where;
    });
  }
  return sources;
}

Result<int> list_kept(const Operation& op, Program& program, const Given& given) {
  TRY(Opened opened, program.open_repository(op));
  std::vector<Row> rows;
  for (const repo::Snapshot& snapshot : opened.repository->snapshots()) {
    if (snapshot.about.kind != repo::SnapshotKind::kept) continue;
    if (!given.where.empty() && snapshot.about.source != given.where) continue;
    rows.push_back({snapshot.id.brief(), "repository", snapshot.about.run,
                    fmt::format("{} of {}, {}", snapshot.about.source_type, snapshot.about.source,
                                human_bytes(snapshot.size_bytes))});
  }
  TRY(auto sources, live_sources(op, program, *opened.repository, given));
  for (Row& row : kept_in_sources(op, program, sources)) rows.push_back(std::move(row));
  Value items{Value::List{}};
  Table table{.columns = {"NAME", "WHERE", "RUN", "WHAT"}, .rows = {}};
  for (const Row& row : rows) {
    Value entry;
    entry.set("name", printable(row.name));
    entry.set("where", printable(row.where));
    entry.set("run", printable(row.run));
    entry.set("what", printable(row.what));
    items.push(std::move(entry));
    table.rows.push_back(
        {printable(row.name), printable(row.where), printable(row.run), printable(row.what)});
  }
  Value document;
  document.set("items", std::move(items));
  program.terminal().show("KeptList", document, table);
  return 0;
}

Result<void> confirm(Program& program, const Given& given) {
  if (given.yes) return {};
  if (program.options.no_input) {
    return fail(Error::Kind::denied, "removing " + given.name + " needs a confirmation",
                "add --yes", Error::Code::needs_person);
  }
  TRY(const std::string typed, program.terminal().ask(fmt::format(
                                   "This cannot be undone. Type {} to remove it:", given.name)));
  if (typed == given.name) return {};
  return fail(Error::Kind::cancelled, "not confirmed; nothing was removed", "",
              Error::Code::refused);
}

Result<int> remove_kept(const Operation& op, Program& program, const Given& given) {
  TRY_DO(confirm(program, given));
  if (given.where == "repository") {
    TRY(Opened opened, program.open_repository(op));
    TRY(const repo::Snapshot snapshot, find_snapshot(*opened.repository, given.name));
    TRY(const auto session, opened.repository->open_session(op));
    TRY_DO(session->forget_kept(op, snapshot.id));
    TRY_DO(session->close(op));
  } else if (!given.at.to.empty()) {
    TRY(Opened opened, program.open_repository(op));
    TRY(const backup::NamedSource there, source_at(op, program, *opened.repository, given));
    TRY_DO(there.source->remove_kept(op, given.name));
  } else {
    TRY(const platform::Platform platform, program.platform_file());
    TRY(auto sources, program.make_sources(op, platform, {given.where}));
    if (sources.front().broken) return fail(*sources.front().broken);
    TRY_DO(sources.front().source->remove_kept(op, given.name));
  }
  program.terminal().say("Removed " + printable(given.name) + ".");
  return 0;
}

}  // namespace

void add_kept(CLI::App& root, Program& program) {
  auto* kept = root.add_subcommand("kept", "List and remove what recoveries kept aside");
  kept->require_subcommand(1);
  auto given = std::make_shared<Given>();
  kept->footer("Example:\n  lifeboat kept list");
  auto* list = kept->add_subcommand("list", "List what was kept aside");
  const std::string elsewhere = "where the source was restored to, if not to the platform file's";
  list->add_option("source", given->where, "only of this source");
  add_target_options(*list, given->at, elsewhere);
  list->footer(
      "Examples:\n  lifeboat kept list\n  lifeboat kept list --output json\n"
      "  lifeboat kept list uploads --to /srv/new/uploads");
  list->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return list_kept(op, program, *given);
    };
  });
  auto* remove = kept->add_subcommand("remove", "Remove one thing that was kept aside");
  remove->add_option("where", given->where, "`repository`, or the name of the source")->required();
  remove->add_option("name", given->name, "as `kept list` shows it")->required();
  add_target_options(*remove, given->at, elsewhere);
  remove->add_flag("-y,--yes", given->yes, "do not ask");
  remove->footer("Example:\n  lifeboat kept remove orders orders_before_r20261121");
  remove->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return remove_kept(op, program, *given);
    };
  });
}

}  // namespace lifeboat::app
