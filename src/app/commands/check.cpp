// `lifeboat check`: does the repository hold what it says?
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "run/engine.h"

namespace lifeboat::app {
namespace {

Value document_of(const repo::CheckReport& report) {
  Value document;
  document.set("objects", report.objects);
  document.set("packs", report.packs);
  document.set("blobs", report.blobs);
  document.set("bytes_read", report.bytes_read);
  document.set("snapshots", report.snapshots);
  document.set("freshness_proven", report.freshness_proven);
  Value broken{Value::List{}};
  for (const repo::Hit& hit : report.broken) {
    Value row;
    row.set("object", printable(hit.object));
    row.set("what", printable(hit.what));
    Value lost{Value::List{}};
    for (const std::string& name : hit.lost) lost.push(printable(name));
    row.set("lost", std::move(lost));
    broken.push(std::move(row));
  }
  document.set("broken", std::move(broken));
  Value warnings{Value::List{}};
  for (const std::string& warning : report.warnings) warnings.push(printable(warning));
  document.set("warnings", std::move(warnings));
  return document;
}

// How records of a run are sealed (docs/format.md, 11), by what follows `runs/RUN/`.
std::string_view kind_of_record(std::string_view rest) {
  if (rest.starts_with("log/")) return "run-log";
  if (rest == "vault/key") return "run-vault-key";
  if (rest.starts_with("vault/")) return "run-vault";
  if (rest.starts_with("requests/")) return "run-request";
  if (rest.starts_with("released/")) return "run-released";
  if (rest.starts_with("evidence/")) return "run-evidence";
  if (rest.starts_with("review/")) return "run-review";
  return "run-segment";
}

// Records of runs stand beside the snapshots: what a recovery wrote down must be readable too, or
// it cannot be resumed.
Result<void> check_run(const Operation& op, Opened& opened, const repo::RunRecord& run,
                       repo::CheckReport& report) {
  const std::string folder = "runs/" + run.run + "/";
  const std::vector<std::string> lost{"run " + run.run + " of plan " + run.plan};
  const std::size_t before = report.broken.size();
  TRY(const std::vector<std::string> names, opened.store->list(op, folder));
  for (const std::string& name : names) {
    const auto sealed = opened.store->get(op, name);
    if (!sealed && sealed.error().kind == Error::Kind::not_found) continue;
    TRY_DO(sealed);
    ++report.objects;
    report.bytes_read += sealed->size();
    const auto kind = kind_of_record(std::string_view(name).substr(folder.size()));
    const auto body = opened.repository->unseal(kind, name, *sealed);
    if (!body) report.broken.push_back({name, body.error().what, lost});
  }
  if (report.broken.size() > before) return {};
  const auto outcome = run::read_run(op, *opened.repository, run.run);  // gaps, order, meaning
  if (!outcome && outcome.error().kind == Error::Kind::corrupt) {
    report.broken.push_back({folder, outcome.error().what, lost});
  }
  return {};
}

Result<int> check_repository(const Operation& op, Program& program, bool read_data) {
  TRY(Opened opened, program.open_repository(op));
  Terminal& terminal = program.terminal();
  repo::CheckOptions options;
  options.read_data = read_data;
  options.progress = [&terminal](std::uint64_t done, std::uint64_t total) {
    terminal.progress("checking", done, total);
  };
  TRY(repo::CheckReport report, repo::check(op, *opened.repository, options));
  for (const repo::RunRecord& run : opened.repository->runs()) {
    TRY_DO(check_run(op, opened, run, report));
  }
  terminal.end_progress();
  if (terminal.output() == Output::json) {
    terminal.show("CheckReport", document_of(report), {});
  } else {
    for (const repo::Hit& hit : report.broken) {
      terminal.print(fmt::format("BROKEN  {}: {}\n", printable(hit.object), printable(hit.what)));
      for (const std::string& name : hit.lost) {
        terminal.print(fmt::format("        lost: {}\n", printable(name)));
      }
    }
    for (const std::string& warning : report.warnings) {
      terminal.print(fmt::format("warning {}\n", printable(warning)));
    }
    terminal.print(fmt::format(
        "{}: {} snapshots, {} packs, {} blobs, {} {}; freshness {}\n",
        report.broken.empty() ? "ok" : "NOT OK", report.snapshots, report.packs, report.blobs,
        human_bytes(report.bytes_read), read_data ? "read and proven" : "read",
        report.freshness_proven ? "proven" : "unproven (first look from this machine)"));
  }
  if (report.broken.empty()) return 0;
  return fail(
      Error::Kind::corrupt,
      fmt::format("{} broken object(s) in {}", report.broken.size(), opened.store->describe()),
      "nothing was changed; keep the repository as it is, make a new backup, and restore "
      "from a point that does not need what is broken (`lifeboat points`)");
}

}  // namespace

void add_check(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("check", "Prove that the repository holds what it says");
  auto read_data = std::make_shared<bool>(false);
  command->add_flag("--read-data", *read_data, "open every blob and compute its id again");
  command->footer("Examples:\n  lifeboat check\n  lifeboat check --read-data --output json");
  command->callback([&program, read_data] {
    program.chosen = [&program, read_data](const Operation& op) {
      return check_repository(op, program, *read_data);
    };
  });
}

}  // namespace lifeboat::app
