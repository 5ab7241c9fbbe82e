// `lifeboat runs`: recoveries that were begun, and the report of each.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "journal/journal.h"
#include "run/engine.h"
#include "run/report.h"
#include "run/takeover.h"

namespace lifeboat::app {
namespace {

// What a table says of a run; a journal that cannot be read is a row, not the end of the list.
std::string state_of(const Operation& op, repo::Repository& repository, const std::string& run) {
  const auto outcome = run::read_run(op, repository, run);
  if (!outcome && outcome.error().kind == Error::Kind::not_found) return "never begun";
  if (!outcome) return "unreadable: " + printable(outcome.error().what);
  if (outcome->state.recovered()) return "recovered";
  const auto& end = outcome->state.end;
  if (!end) return "not ended, can be resumed";
  if (end->outcome == "partial") return "partly recovered";
  return end->outcome == "failed" ? "failed, can be resumed" : end->outcome;
}

Result<int> list_runs(const Operation& op, Program& program) {
  TRY(Opened opened, program.open_repository(op));
  Value items{Value::List{}};
  Table table{.columns = {"RUN", "PLAN", "BEGUN", "STATE"}, .rows = {}};
  for (const repo::RunRecord& record : opened.repository->runs()) {
    const std::string state = state_of(op, *opened.repository, record.run);
    Value row;
    row.set("run", record.run);
    row.set("plan", printable(record.plan));
    row.set("begun", rfc3339(record.created));
    row.set("state", state);
    items.push(std::move(row));
    table.rows.push_back({record.run, printable(record.plan), rfc3339(record.created), state});
  }
  Value document;
  document.set("items", std::move(items));
  program.terminal().show("RunList", document, table);
  return 0;
}

Result<int> show_run(const Operation& op, Program& program, const std::string& word,
                     bool markdown) {
  TRY(Opened opened, program.open_repository(op));
  TRY(const std::string name, find_run(op, *opened.repository, word));
  TRY(const run::Outcome outcome, run::read_run(op, *opened.repository, name));
  const run::Report report = run::make_report(outcome);
  if (program.terminal().output() == Output::json) {
    program.terminal().show("RecoveryReport", run::to_value(report), {});
  } else {
    program.terminal().print(markdown ? run::render_markdown(report) : run::render_text(report));
  }
  return 0;
}

Result<int> show_log(const Operation& op, Program& program, const std::string& word,
                     const std::string& step) {
  TRY(Opened opened, program.open_repository(op));
  TRY(const std::string name, find_run(op, *opened.repository, word));
  TRY(const auto journal,
      journal::Journal::open(op, *opened.repository, name, run::this_driver(program.random())));
  TRY(const std::vector<std::string> lines, journal->read_log(op, step));
  for (const std::string& line : lines) program.terminal().print(printable(line) + "\n");
  if (lines.empty()) program.terminal().say("Step " + printable(step) + " wrote nothing.");
  return 0;
}

}  // namespace

void add_runs(CLI::App& root, Program& program) {
  auto* runs = root.add_subcommand("runs", "List, watch and command recoveries");
  runs->require_subcommand(1);
  runs->footer(
      "Examples:\n  lifeboat runs watch latest\n  lifeboat runs show latest\n"
      "  lifeboat runs approve latest go-live --operator-key alice.pem\n  lifeboat runs list");
  auto* list = runs->add_subcommand("list", "List the runs, newest last");
  list->footer("Examples:\n  lifeboat runs list\n  lifeboat runs list --output json");
  list->callback([&program] {
    program.chosen = [&program](const Operation& op) { return list_runs(op, program); };
  });
  struct Given {
    std::string run, log_of;
    bool markdown = false;
  };
  auto given = std::make_shared<Given>();
  auto* show = runs->add_subcommand("show", "Show the report of a run");
  show->add_option("run", given->run, "as `runs list` shows it, or `latest`")->required();
  show->add_flag("--markdown", given->markdown, "as Markdown");
  show->add_option("--log", given->log_of, "what this step wrote, line by line");
  show->footer("Example:\n  lifeboat runs show latest --markdown > report.md");
  show->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      if (!given->log_of.empty()) return show_log(op, program, given->run, given->log_of);
      return show_run(op, program, given->run, given->markdown);
    };
  });
  add_runs_watch(*runs, program);
  add_runs_ask(*runs, program);
  add_runs_review(*runs, program);
}

}  // namespace lifeboat::app
