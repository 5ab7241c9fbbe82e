// `lifeboat snapshots`: every capture of a source, newest last.
#include <CLI/CLI.hpp>

#include "app/commands/commands.h"

namespace lifeboat::app {
namespace {

std::string_view kind_of(repo::SnapshotKind kind) {
  switch (kind) {
    case repo::SnapshotKind::source:
      return "source";
    case repo::SnapshotKind::bundle:
      return "bundle";
    case repo::SnapshotKind::kept:
      return "kept";
  }
  return "source";
}

Value document_of(const repo::Snapshot& snapshot) {
  Value row;
  row.set("id", snapshot.id.hex());
  row.set("kind", std::string(kind_of(snapshot.about.kind)));
  row.set("source", snapshot.about.source);
  row.set("type", snapshot.about.source_type);
  row.set("host", snapshot.host);
  row.set("begin", rfc3339(snapshot.moments.begin));
  row.set("consistent_at", rfc3339(snapshot.moments.consistent_at));
  row.set("end", rfc3339(snapshot.moments.end));
  row.set("position", snapshot.moments.position);
  row.set("partial", snapshot.moments.partial);
  row.set("items", snapshot.items);
  row.set("size_bytes", snapshot.size_bytes);
  row.set("stored_bytes", snapshot.stored_bytes);
  if (snapshot.previous) row.set("previous", snapshot.previous->hex());
  Value remarks{Value::List{}};
  for (const std::string& remark : snapshot.moments.remarks) remarks.push(printable(remark));
  row.set("remarks", std::move(remarks));
  Value facts{Value::Map{}};
  for (const auto& [key, value] : snapshot.moments.facts) facts.set(key, printable(value));
  row.set("facts", std::move(facts));
  return row;
}

Result<int> list_snapshots(const Operation& op, Program& program, const std::string& source,
                           bool all) {
  TRY(Opened opened, program.open_repository(op));
  Value items{Value::List{}};
  Table table{
      .columns = {"SNAPSHOT", "SOURCE", "TYPE", "CONSISTENT AT", "ITEMS", "SIZE", "NEW", "STATE"},
      .rows = {}};
  for (const repo::Snapshot& snapshot : opened.repository->snapshots()) {
    if (!source.empty() && snapshot.about.source != source) continue;
    if (!all && snapshot.about.kind == repo::SnapshotKind::bundle) continue;
    items.push(document_of(snapshot));
    const bool is_source = snapshot.about.kind == repo::SnapshotKind::source;
    table.rows.push_back({snapshot.id.brief(), printable(snapshot.about.source),
                          is_source ? printable(snapshot.about.source_type)
                                    : std::string(kind_of(snapshot.about.kind)),
                          rfc3339(snapshot.moments.consistent_at), std::to_string(snapshot.items),
                          human_bytes(snapshot.size_bytes), human_bytes(snapshot.stored_bytes),
                          snapshot.moments.partial ? "partial" : "ok"});
  }
  Value document;
  document.set("items", std::move(items));
  program.terminal().show("SnapshotList", document, table);
  return 0;
}

}  // namespace

void add_snapshots(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("snapshots", "List snapshots, newest last");
  struct Given {
    std::string source;
    bool all = false;
  };
  auto given = std::make_shared<Given>();
  command->add_option("source", given->source, "only of this source");
  command->add_flag("--all", given->all, "bundles too");
  command->footer("Examples:\n  lifeboat snapshots\n  lifeboat snapshots orders --output json");
  command->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return list_snapshots(op, program, given->source, given->all);
    };
  });
}

}  // namespace lifeboat::app
