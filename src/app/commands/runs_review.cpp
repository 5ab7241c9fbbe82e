// `lifeboat runs review RUN`: what a run taught, who deals with it, and until when.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "app/operator_input.h"
#include "evidence/review.h"

namespace lifeboat::app {
namespace {

struct Given {
  std::string run, add, assign, close, owner, due, reason;
};

std::string state_of(const evidence::Finding& finding, WallTime now) {
  if (!finding.open()) return "closed";
  if (finding.overdue(now)) return "OVERDUE";
  return finding.owner.empty() ? "open, nobody's" : "open";
}

std::string who_text(const evidence::Said& said) {
  return fmt::format("{}, {}{}", said.by, rfc3339(said.time), said.is_signed ? ", signed" : "");
}

Value said_value(const evidence::Said& said) {
  Value value;
  value.set("by", printable(said.by));
  value.set("time", rfc3339(said.time));
  value.set("signed", said.is_signed);
  if (!said.key.empty()) value.set("key", printable(said.key));
  return value;
}

Value finding_value(const evidence::Finding& finding, WallTime now) {
  Value row;
  row.set("id", printable(finding.id));
  row.set("text", printable(finding.text));
  row.set("open", finding.open());
  row.set("overdue", finding.overdue(now));
  row.set("from_facts", finding.from_facts);
  row.set("owner", printable(finding.owner));
  if (finding.due) row.set("due", rfc3339(*finding.due));
  if (finding.opened) row.set("opened", said_value(*finding.opened));
  if (finding.closed) row.set("closed", said_value(*finding.closed));
  if (finding.closed) row.set("reason", printable(finding.reason));
  return row;
}

void show_review(Program& program, const evidence::Review& review) {
  const WallTime now = program.clock().wall();
  Value items{Value::List{}};
  Table table{.columns = {"FINDING", "STATE", "OWNER", "DUE", "TEXT"}, .rows = {}};
  std::int64_t open = 0;
  for (const evidence::Finding& finding : review.findings) {
    items.push(finding_value(finding, now));
    open += finding.open() ? 1 : 0;
    std::string text = printable(finding.text);
    if (finding.closed) {
      text += fmt::format(" - closed by {}: {}", printable(who_text(*finding.closed)),
                          printable(finding.reason));
    }
    table.rows.push_back({printable(finding.id), state_of(finding, now), printable(finding.owner),
                          finding.due ? rfc3339(*finding.due).substr(0, 10) : "", text});
  }
  Value document;
  document.set("run", review.run);
  document.set("plan", printable(review.plan));
  document.set("open", open);
  document.set("items", std::move(items));
  program.terminal().show("RunReview", document, table);
  program.terminal().say(fmt::format("{} of {} findings are open{}", open, review.findings.size(),
                                     review.ended ? "" : "; the run has not ended"));
  for (const std::string& line : review.refused) {
    program.terminal().say("without effect: " + printable(line));
  }
}

Result<int> review_run(const Operation& op, Program& program, const Given& given) {
  const bool idle = given.add.empty() && given.assign.empty();
  if (idle && !(given.owner.empty() && given.due.empty())) {
    return fail(Error::Kind::invalid, "--owner and --due are of --add or --assign", "",
                Error::Code::usage);
  }
  TRY(Opened opened, program.open_repository(op));
  TRY(const std::string run, find_run(op, *opened.repository, given.run));
  evidence::Remark said{
      "", "", given.add, given.owner, given.due, given.reason, user_at_host(program)};
  if (!given.add.empty()) said.action = "add";
  if (!given.assign.empty()) {
    said.action = "assign";
    said.finding = given.assign;
  }
  if (!given.close.empty()) {
    said.action = "close";
    said.finding = given.close;
  }
  if (!said.action.empty()) {
    TRY(const auto key, operator_key(op, program));
    TRY(const std::string id, evidence::remark(op, *opened.repository, run, said, key));
    program.terminal().say(fmt::format("finding {}: {}", printable(id),
                                       said.action == "close" ? "closed"
                                       : said.action == "add"
                                           ? "kept"
                                           : "given to " + printable(said.owner)));
  }
  TRY(const auto review, evidence::read_review(op, *opened.repository, run));
  show_review(program, review);
  return 0;
}

}  // namespace

void add_runs_review(CLI::App& runs, Program& program) {
  auto given = std::make_shared<Given>();
  auto* review =
      runs.add_subcommand("review", "What a run taught: findings, until they are closed");
  review->add_option("run", given->run, "as `runs list` shows it, or `latest`")->required();
  auto* add = review->add_option("--add", given->add, "a finding, in one sentence");
  auto* assign = review->add_option("--assign", given->assign, "give this finding to somebody");
  auto* close = review->add_option("--close", given->close, "close this finding");
  auto* owner = review->add_option("--owner", given->owner, "who deals with it");
  auto* due = review->add_option("--due", given->due, "until when: 2026-12-31");
  auto* reason = review->add_option("--reason", given->reason, "why it can be closed");
  add->excludes(assign)->excludes(close)->needs(owner)->needs(due);
  assign->excludes(close)->needs(owner)->needs(due);
  close->needs(reason)->excludes(owner)->excludes(due);
  reason->needs(close);
  review->footer(
      "Missed objectives, retries, left out steps, losses and silent drivers are findings by\n"
      "themselves. Open findings lower the readiness of the platform.\n\nExamples:\n"
      "  lifeboat runs review latest\n"
      "  lifeboat runs review latest --add 'the DNS step took 9 minutes' --owner ann --due "
      "2026-12-31\n"
      "  lifeboat runs review latest --assign rto --owner bob --due 2027-01-15\n"
      "  lifeboat runs review latest --close rto --reason 'images are cached now'");
  review->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return review_run(op, program, *given);
    };
  });
}

}  // namespace lifeboat::app
