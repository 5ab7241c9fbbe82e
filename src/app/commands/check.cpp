// `lifeboat check`: does the repository hold what it says?
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"

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

Result<int> check_repository(const Operation& op, Program& program, bool read_data) {
  TRY(Opened opened, program.open_repository(op));
  Terminal& terminal = program.terminal();
  repo::CheckOptions options;
  options.read_data = read_data;
  options.progress = [&terminal](std::uint64_t done, std::uint64_t total) {
    terminal.progress("checking", done, total);
  };
  TRY(const repo::CheckReport report, repo::check(op, *opened.repository, options));
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
