// `lifeboat points`: the recovery points, newest last.
#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "app/group_text.h"

namespace lifeboat::app {
namespace {

std::string state_of(const repo::Point& point) {
  if (!point.about.complete) return "partial";
  return point.about.verified ? "complete, verified" : "complete";
}

Value document_of(const repo::Point& point) {
  Value row;
  row.set("id", point.id.hex());
  row.set("created", rfc3339(point.created));
  row.set("complete", point.about.complete);
  row.set("verified", point.about.verified);
  row.set("consistent_from", rfc3339(point.earliest));
  row.set("consistent_to", rfc3339(point.latest));
  row.set("skew_seconds", static_cast<double>(point.latest.ns - point.earliest.ns) / 1e9);
  if (point.about.bundle) row.set("bundle", point.about.bundle->hex());
  Value members{Value::List{}};
  for (const repo::Member& member : point.about.members) {
    Value entry;
    entry.set("source", member.source);
    if (member.snapshot) entry.set("snapshot", member.snapshot->hex());
    entry.set("partial", member.partial);
    if (!member.reason.empty()) entry.set("reason", member.reason);
    members.push(std::move(entry));
  }
  row.set("members", std::move(members));
  Value groups{Value::List{}};
  for (const repo::GroupMoment& group : point.about.groups) groups.push(group_value(group));
  row.set("groups", std::move(groups));
  return row;
}

Result<int> list_points(const Operation& op, Program& program) {
  TRY(Opened opened, program.open_repository(op));
  Value items{Value::List{}};
  Table table{.columns = {"POINT", "CREATED", "SOURCES", "STATE", "SKEW"}, .rows = {}};
  for (const repo::Point& point : opened.repository->points()) {
    items.push(document_of(point));
    std::string sources;
    for (const repo::Member& member : point.about.members) {
      if (!sources.empty()) sources += ", ";
      sources += printable(member.source);
      if (!member.snapshot) sources += " (missing)";
      if (member.snapshot && member.partial) sources += " (partial)";
    }
    std::string skew =
        human_duration(std::chrono::nanoseconds(point.latest.ns - point.earliest.ns));
    for (const repo::GroupMoment& group : point.about.groups) skew += "; " + group_line(group);
    table.rows.push_back(
        {point.id.brief(), rfc3339(point.created), sources, state_of(point), std::move(skew)});
  }
  Value document;
  document.set("items", std::move(items));
  if (table.rows.empty() && program.terminal().output() == Output::table) {
    program.terminal().say("No recovery points yet: `lifeboat backup` makes one.");
    return 0;
  }
  program.terminal().show("PointList", document, table);
  return 0;
}

}  // namespace

void add_points(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("points", "List recovery points, newest last");
  command->footer(
      "Examples:\n  lifeboat points\n  lifeboat points --output json | jq '.items[-1].id'");
  command->callback([&program] {
    program.chosen = [&program](const Operation& op) { return list_points(op, program); };
  });
}

}  // namespace lifeboat::app
