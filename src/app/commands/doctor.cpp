// `lifeboat doctor`: would a backup, and a recovery, work? Each answer with what to do.
#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <set>

#include "app/commands/commands.h"

namespace lifeboat::app {
namespace {

enum class Verdict { ok, warn, fail };

struct Finding {
  Verdict verdict;
  std::string about, what, next;
};

std::string_view word(Verdict verdict) {
  return verdict == Verdict::ok ? "OK" : verdict == Verdict::warn ? "WARN" : "FAIL";
}

class Doctor {
 public:
  Doctor(const Operation& op, Program& program) : op_(op), program_(program) {}

  const std::vector<Finding>& examine() {
    const auto platform = program_.platform_file();
    if (!platform) {
      add(Verdict::fail, "platform file", platform.error().what, platform.error().hint);
    } else {
      add(Verdict::ok, "platform file",
          fmt::format("{} sources, {} plans", platform->sources.size(), platform->plans.size()));
    }
    examine_repository(platform ? &*platform : nullptr);
    if (platform) {
      examine_sources(*platform);
      examine_hooks(*platform);
      examine_secrets(*platform);
    }
    return findings_;
  }

 private:
  void add(Verdict verdict, std::string about, std::string what, std::string next = {}) {
    findings_.push_back({verdict, std::move(about), std::move(what), std::move(next)});
  }

  void examine_repository(const platform::Platform* platform) {
    auto opened = program_.open_repository(op_);
    if (!opened) {
      add(Verdict::fail, "repository", opened.error().what, opened.error().hint);
      return;
    }
    add(Verdict::ok, "repository",
        fmt::format("{}, {} log records, freshness {}", opened->store->describe(),
                    opened->head.records, opened->head.remembered ? "proven" : "unproven"));
    const std::string attempt = to_hex(program_.random().array<16>());
    const auto race = store::prove_put_if_absent(op_, *opened->store, 16, attempt);
    if (race) {
      add(Verdict::ok, "store", "16 writers raced for one name, one won");
    } else {
      add(Verdict::fail, "store", race.error().what, race.error().hint);
    }
    examine_keys(*opened->repository);
    examine_points(*opened->repository, platform);
    if (platform != nullptr) {
      examine_plans(*opened->repository, *platform);
      examine_disks(*platform);
    }
  }

  void examine_keys(repo::Repository& repository) {
    const auto keys = repository.keys(op_);
    if (!keys) {
      add(Verdict::fail, "keys", keys.error().what, keys.error().hint);
      return;
    }
    bool kinds_differ = false;
    for (const auto& key : *keys) kinds_differ |= key.kind != keys->front().kind;
    if (keys->size() < 2) {
      add(Verdict::warn, "keys", "a single recipient opens this repository",
          "add one of another kind: `lifeboat keys add --age ...` or `--passphrase`");
    } else if (!kinds_differ) {
      add(Verdict::warn, "keys",
          fmt::format("{} keys, all of kind {}", keys->size(), keys->front().kind),
          "add one of another kind: what takes one takes them all");
    } else {
      add(Verdict::ok, "keys", fmt::format("{} keys of different kinds", keys->size()));
    }
  }

  void examine_points(const repo::Repository& repository, const platform::Platform* platform) {
    const auto point = find_point(repository, "");
    if (!point) {
      add(Verdict::warn, "recovery point", point.error().what, point.error().hint);
      return;
    }
    const std::chrono::nanoseconds age(program_.clock().wall().ns - point->earliest.ns);
    const std::string text = fmt::format("newest complete point is {} old", human_duration(age));
    if (platform != nullptr && platform->objectives.rpo && age > *platform->objectives.rpo) {
      add(Verdict::fail, "recovery point",
          text + ", the objective is " + human_duration(*platform->objectives.rpo),
          "run `lifeboat backup` more often (cron, a systemd timer, a pipeline)");
    } else {
      add(Verdict::ok, "recovery point", text);
    }
  }

  // Could each plan find in the newest complete point what its steps restore? What lies outside of
  // this machine and the repository is for `recover --dry-run` to look at.
  void examine_plans(const repo::Repository& repository, const platform::Platform& platform) {
    const auto point = find_point(repository, "");
    if (!point) return;
    std::set<std::string> captured;
    for (const repo::Member& member : point->about.members) {
      if (member.snapshot) captured.insert(member.source);
    }
    for (const auto& [name, plan] : platform.plans) {
      std::string missing;
      for (const plan::StepNode& step : plan.steps) {
        const std::string source = step.config.text("source");
        const bool known = (step.type == "restore" || step.type == "compare") &&
                           source.find("${") == std::string::npos;
        if (known && !captured.contains(source)) missing += (missing.empty() ? "" : ", ") + source;
      }
      if (missing.empty()) {
        add(Verdict::ok, "plan " + name,
            fmt::format("{} steps, the newest complete point holds all that they restore",
                        plan.steps.size()));
      } else {
        add(Verdict::fail, "plan " + name,
            "the newest complete point lacks what it restores: " + missing,
            "run `lifeboat backup`, then `lifeboat recover " + name + " --dry-run`");
      }
    }
  }

  void examine_disks(const platform::Platform& platform) {
    const auto place = program_.repository_place();
    struct stat repository{};
    if (!place || ::stat(place->c_str(), &repository) != 0) return;
    for (const auto& [name, entry] : platform.sources) {
      const source::SourceType* type = program_.source_types().find(entry.type);
      if (!type->local_paths) continue;
      for (std::string path : type->local_paths(entry.config)) {
        path = (std::filesystem::path(platform.directory) / path).lexically_normal();
        struct stat source{};
        if (::stat(path.c_str(), &source) != 0 || source.st_dev != repository.st_dev) continue;
        add(Verdict::warn, "source " + name,
            printable(path) + " is on the same disk as the repository",
            "one dead disk takes both: put the repository on another disk or machine");
      }
    }
  }

  void examine_sources(const platform::Platform& platform) {
    auto sources = program_.make_sources(op_, platform, {});
    if (!sources) return;
    for (backup::NamedSource& named : *sources) {
      const auto looked =
          named.broken ? Result<void>(fail(*named.broken)) : named.source->preflight(op_);
      if (looked) {
        add(Verdict::ok, "source " + named.name, named.type + ", can be captured");
      } else {
        add(Verdict::fail, "source " + named.name, looked.error().what, looked.error().hint);
      }
    }
  }

  void examine_hooks(const platform::Platform& platform) {
    const auto look = [&](const std::string& what, const std::optional<platform::Hooks>& hooks) {
      if (!hooks) return;
      const auto there = hooks_are_there(program_.hook_world(platform), what, *hooks);
      if (there) {
        add(Verdict::ok, "hooks of " + what, "their programs are there");
      } else {
        add(Verdict::fail, "hooks of " + what, there.error().what, there.error().hint);
      }
    };
    for (const auto& [name, source] : platform.sources) look("source " + name, source.hooks);
    for (const auto& [name, group] : platform.groups) look("group " + name, group.hooks);
  }

  void examine_secrets(const platform::Platform& platform) {
    for (const auto& secret : platform::local_secrets(platform, program_.vocabulary())) {
      add(Verdict::warn, secret.path, "needs " + secret.from + ", which is on this machine only",
          "let a step make it (`generate: true`), or keep it where a recovery can reach it");
    }
  }

  const Operation& op_;
  Program& program_;
  std::vector<Finding> findings_;
};

Result<int> run_doctor(const Operation& op, Program& program) {
  Doctor doctor(op, program);
  const std::vector<Finding>& findings = doctor.examine();
  TRY_DO(op.proceed());
  Value items{Value::List{}};
  Table table{.columns = {"", "ABOUT", "WHAT"}, .rows = {}};
  bool failed = false;
  for (const Finding& finding : findings) {
    failed |= finding.verdict == Verdict::fail;
    Value row;
    row.set("verdict", std::string(word(finding.verdict)));
    row.set("about", printable(finding.about));
    row.set("what", printable(finding.what));
    row.set("next", printable(finding.next));
    items.push(std::move(row));
    table.rows.push_back(
        {std::string(word(finding.verdict)), printable(finding.about), printable(finding.what)});
    if (!finding.next.empty()) table.rows.push_back({"", "", "next: " + printable(finding.next)});
  }
  Value document;
  document.set("ready", !failed);
  document.set("items", std::move(items));
  program.terminal().show("Doctor", document, table);
  return failed ? exit_status(Error::Code::not_ready) : 0;
}

}  // namespace

void add_doctor(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("doctor", "Would a backup, and a recovery, work?");
  command->footer("Exit status 4: something failed.\n\nExample:\n  lifeboat doctor --output json");
  command->callback([&program] {
    program.chosen = [&program](const Operation& op) { return run_doctor(op, program); };
  });
}

}  // namespace lifeboat::app
