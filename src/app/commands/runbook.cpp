// `lifeboat runbook PLAN`: the plan as a page for people; `--check`: whether a page is still valid.
#include "runbook/runbook.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <filesystem>

#include "app/commands/commands.h"
#include "app/known_platform.h"
#include "app/version.h"
#include "app/written_page.h"
#include "base/descriptor.h"
#include "run/engine.h"
#include "run/expectation.h"

namespace lifeboat::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t page_max_bytes = 64u << 20;

struct Given {
  std::string plan, format = "md", out, check;
  bool offline = false, graceful = false;
};

Result<std::string> read_page(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open()) return fail(file_error(path, errno));
  std::string text;
  std::string part(64u << 10, '\0');
  for (;;) {
    const ssize_t got = ::read(file.number(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(file_error(path, errno));
    if (got == 0) return text;
    text.append(part, 0, static_cast<std::size_t>(got));
    if (text.size() > page_max_bytes) {
      return fail(Error::Kind::invalid, printable(path) + " is larger than any runbook",
                  "name a page that `lifeboat runbook PLAN` wrote", Error::Code::usage);
    }
  }
}

// The newest run of this variant of the plan that recovered, of those that times are learned from.
Result<std::optional<run::RunState>> newest_green(const Operation& op, repo::Repository& repository,
                                                  const std::string& plan, bool graceful) {
  const auto records = repository.runs();
  std::size_t left = run::runs_learned_from;
  for (auto record = records.rbegin(); record != records.rend() && left > 0; ++record) {
    TRY_DO(op.proceed());
    if (record->plan != plan) continue;
    --left;
    auto outcome = run::read_run(op, repository, record->run);
    // What cannot be read is told by `runs show`; a page can be made of an older one.
    if (!outcome || !outcome->state.recovered()) continue;
    if (outcome->state.pins.graceful == graceful) return std::optional(std::move(outcome->state));
  }
  return std::optional<run::RunState>();
}

struct Learned {
  plan::Expectations expectations;
  std::optional<run::RunState> green;
};

Result<Learned> learn(const Operation& op, Program& program, const Given& given,
                      KnownPlatform& known, const plan::Plan& plan) {
  Learned learned;
  const platform::Vocabulary vocabulary = program.vocabulary();
  if (given.offline) {
    for (const plan::StepNode& step : plan.steps) {
      learned.expectations[step.name] = run::assumed(step, *vocabulary.steps);
    }
    return learned;
  }
  if (!known.opened) {
    TRY(known.opened, program.open_repository(op));
  }
  repo::Repository& repository = *known.opened->repository;
  learned.expectations = run::learn(op, repository, plan, *vocabulary.steps, "").steps;
  TRY(learned.green, newest_green(op, repository, plan.name, given.graceful));
  return learned;
}

Result<int> write_pages(Program& program, const Given& given, const runbook::Runbook& page) {
  const bool both = given.format == "both";
  std::error_code unknown;
  const bool folder = both || given.out.ends_with('/') || fs::is_directory(given.out, unknown);
  if (folder) {
    std::error_code error;
    fs::create_directories(given.out, error);
    if (error) return fail(file_error(given.out, error.value()));
  }
  // Two variants of a plan are two pages.
  const std::string suffix = given.graceful ? "-graceful" : "";
  for (const char* form : {"md", "html"}) {
    if (!both && given.format != form) continue;
    const std::string path =
        folder
            ? (fs::path(given.out) / ("runbook-" + page.stamp.plan + suffix + "." + form)).string()
            : given.out;
    TRY_DO(write_page(path, form == std::string_view("md") ? runbook::render_markdown(page)
                                                           : runbook::render_html(page)));
    program.terminal().say("wrote " + printable(path));
  }
  return 0;
}

plan::Manner manner_of(bool graceful) {
  return graceful ? plan::Manner::graceful : plan::Manner::ungraceful;
}

// What a page is made of, but for what earlier runs tell. `plan` and `guards` outlive it.
runbook::Ground ground_of(Program& program, const platform::Platform& platform,
                          const plan::Plan& plan, plan::Manner manner) {
  const platform::Vocabulary vocabulary = program.vocabulary();
  runbook::Ground ground;
  ground.plan = &plan;
  ground.manner = manner;
  ground.types = vocabulary.steps;
  ground.guards = vocabulary.guards;
  ground.sources = platform::source_values(platform);
  ground.platform = platform.name;
  ground.repository = program.repository_place().value_or(platform.repository);
  ground.version = program_version;
  ground.made = program.clock().wall();
  return ground;
}

Result<int> make(const Operation& op, Program& program, const Given& given) {
  if (given.format == "both" && given.out.empty()) {
    return fail(Error::Kind::invalid, "two pages need a folder", "add --out DIR",
                Error::Code::usage);
  }
  TRY(KnownPlatform known, known_platform(op, program));
  TRY(const plan::Plan* whole, find_plan(known.platform, given.plan));
  const plan::Manner manner = manner_of(given.graceful);
  TRY(const plan::Plan plan, runbook::variant_for_people(*whole, manner));
  TRY(const Learned learned, learn(op, program, given, known, plan));
  runbook::Ground ground = ground_of(program, known.platform, plan, manner);
  ground.expectations = learned.expectations;
  ground.green = learned.green ? &*learned.green : nullptr;
  const runbook::Runbook page = runbook::make_runbook(ground);
  if (!given.out.empty()) return write_pages(program, given, page);
  program.terminal().print(given.format == "html" ? runbook::render_html(page)
                                                  : runbook::render_markdown(page));
  return 0;
}

Result<std::vector<std::string>> changes_since(Program& program, const platform::Platform& platform,
                                               const runbook::Stamp& stamp) {
  const auto found = platform.plans.find(stamp.plan);
  if (found == platform.plans.end()) {
    return std::vector<std::string>{"plan " + stamp.plan + ": no longer there"};
  }
  const plan::Manner manner = manner_of(stamp.variant == runbook::word(plan::Manner::graceful));
  const auto plan = runbook::variant_for_people(found->second, manner);
  if (!plan) {  // the page's variant is none any more
    return std::vector<std::string>{
        fmt::format("plan {}, {}: {}", stamp.plan, stamp.variant, plan.error().what)};
  }
  return runbook::compare(stamp, ground_of(program, platform, *plan, manner));
}

Result<int> check(const Operation& op, Program& program, const Given& given) {
  TRY(const std::string text, read_page(given.check));
  TRY(const runbook::Stamp stamp, runbook::read_stamp(text));
  TRY(const KnownPlatform known, known_platform(op, program));
  TRY(const std::vector<std::string> changes, changes_since(program, known.platform, stamp));
  Value document, rows{Value::List{}};
  Table table{.columns = {changes.empty() ? "VALID" : "STALE"}, .rows = {}};
  for (const std::string& change : changes) {
    rows.push(printable(change));
    table.rows.push_back({printable(change)});
  }
  if (changes.empty()) {
    table.rows.push_back({"the " + printable(stamp.variant) + " variant of plan " +
                          printable(stamp.plan) + " is as it was when the page was made, " +
                          printable(stamp.made)});
  }
  document.set("plan", printable(stamp.plan)).set("variant", printable(stamp.variant));
  document.set("valid", changes.empty());
  document.set("digest", printable(stamp.digest)).set("changes", std::move(rows));
  program.terminal().show("RunbookCheck", document, table);
  return changes.empty() ? 0 : exit_status(Error::Code::not_ready);
}

}  // namespace

void add_runbook(CLI::App& root, Program& program) {
  auto* command =
      root.add_subcommand("runbook", "Write a plan as a page for people: commands to type by hand");
  auto given = std::make_shared<Given>();
  auto* page = command->add_option(
      "--check", given->check, "is this page still that of its plan? exit status 0, or 4: stale");
  command->add_option("plan", given->plan, "name of the plan")->excludes(page);
  command->add_option("--format", given->format, "md, html or both")
      ->check(CLI::IsMember({"md", "html", "both"}))
      ->excludes(page);
  command->add_option("--out", given->out, "file or folder (default: standard output)")
      ->excludes(page);
  command
      ->add_flag("--offline", given->offline,
                 "without the repository: no times and no outputs of earlier runs")
      ->excludes(page);
  command
      ->add_flag("--graceful", given->graceful,
                 "the variant of what still answers (default: it is lost)")
      ->excludes(page);
  command->footer(
      "Without --config and ./lifeboat.yaml the plan comes out of the repository's newest "
      "bundle.\n\n"
      "Examples:\n  lifeboat runbook shop-lost --format both --out runbooks/\n"
      "  lifeboat runbook shop-lost --offline | less\n"
      "  lifeboat runbook move --graceful --out move.md\n"
      "  lifeboat runbook --check runbooks/runbook-shop-lost.md");
  command->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) -> Result<int> {
      if (!given->check.empty()) return check(op, program, *given);
      if (!given->plan.empty()) return make(op, program, *given);
      return fail(Error::Kind::invalid, "no plan was named",
                  "lifeboat runbook PLAN, or lifeboat runbook --check FILE", Error::Code::usage);
    };
  });
}

}  // namespace lifeboat::app
