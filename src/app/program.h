// app/program.h - What every command needs: options, keys, repository, platform file, terminal.
//
// One Program lives for the process. Commands (app/commands/*.cpp, one file each) describe
// themselves to CLI11 and set `chosen`; main() runs it and turns its answer into the exit status.
// Precedence everywhere: option > environment (LIFEBOAT_*) > platform file.
//
// Threads: one, apart from terminal() and what stop() hands out.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "app/hooks.h"
#include "app/terminal.h"
#include "backup/backup.h"
#include "base/operation.h"
#include "base/random.h"
#include "client/process/launcher.h"
#include "plan/guard.h"
#include "plan/plan.h"
#include "platform/platform.h"
#include "repo/repository.h"
#include "source/source_types.h"
#include "steps/restore/restore_step.h"

namespace lifeboat::app {

struct Options {
  std::string config;  // platform file; "" = ./lifeboat.yaml where a command needs one
  std::string repository;
  std::string passphrase_file, passphrase_command, identity_file, operator_key_file;
  std::string output = "table", color = "auto";
  bool no_input = false, quiet = false;
};

// A repository and the store beneath it, which must outlive it.
struct Opened {
  std::unique_ptr<store::Store> store;
  std::unique_ptr<repo::Repository> repository;
  repo::Head head;
  repo::Unlock key;  // with which it was opened
};

class Program {
 public:
  Program();

  Options options;
  std::function<Result<int>(const Operation&)> chosen;  // answers the exit status

  Terminal& terminal() { return terminal_; }
  const Clock& clock() const { return clock_; }
  Random& random() { return random_; }
  Launcher& launcher();
  // A launcher whose children belong to `run`, so that a resumed run finds them.
  std::unique_ptr<Launcher> launcher_for(const std::string& run) const;
  const source::SourceTypes& source_types() const { return source_types_; }
  const plan::GuardKinds& guard_kinds() const { return guard_kinds_; }
  Operation operation() const;
  std::stop_source& stop() { return stop_; }

  // Where state and cache live: XDG_STATE_HOME, XDG_CACHE_HOME (or below HOME).
  std::string state_directory() const;
  std::string cache_directory() const;
  repo::Environment environment();

  // The source and step types that this program has.
  platform::Vocabulary vocabulary() const;
  // Errors: usage with the findings.
  Result<platform::Platform> read_platform(const std::string& path);
  // Whether options.config or this folder has one, readable or not.
  bool names_platform_file() const;
  // options.config or ./lifeboat.yaml.  Errors: usage when it is not there.
  Result<platform::Platform> platform_file();
  // What a backup stores of the platform besides its sources.
  Result<backup::BundleFiles> bundle_files(const platform::Platform& platform) const;

  // A key that was named by option outweighs whatever the environment names.
  void key_from_environment();
  // The key as the options, environment or person give it.
  Result<repo::Unlock> unlock(const Operation& op, std::string_view question);
  // Errors: usage when neither option nor platform file names one.
  Result<std::string> repository_place();
  // A directory or a bucket, as the place says; `create`: makes the directory.
  Result<std::unique_ptr<store::Store>> open_store(const std::string& place, bool create);
  // Opens the repository that the options or the platform file name and reads its log.
  Result<Opened> open_repository(const Operation& op);

  // The sources of the platform file, made and with their secrets; `names` empty = all. A source
  // whose secret is missing has `broken` set.  Errors: usage for an unknown name.
  Result<std::vector<backup::NamedSource>> make_sources(const Operation& op,
                                                        const platform::Platform& platform,
                                                        const std::vector<std::string>& names);
  // The groups of the platform file that have one of these sources (empty = all).
  std::vector<backup::CaptureGroup> make_groups(const platform::Platform& platform,
                                                const std::vector<std::string>& names);
  HookWorld hook_world(const platform::Platform& platform);
  // Whether a hook left something frozen; it was told.
  bool left_frozen() const { return left_frozen_; }

 private:
  SystemClock clock_;
  SystemRandom random_;
  std::atomic<bool> left_frozen_ = false;
  std::stop_source stop_;
  Terminal terminal_;
  source::SourceTypes source_types_;
  const steps::RestoreWorld no_world_;  // steps that are only looked up restore nothing
  plan::StepTypes step_types_;
  const plan::GuardKinds guard_kinds_;
  std::unique_ptr<Launcher> launcher_;
};

// A snapshot or point by id, unambiguous prefix (4 digits or more), or "latest".
// Errors: not_found; invalid when ambiguous.
Result<repo::Snapshot> find_snapshot(const repo::Repository& repository, const std::string& word);
// Also by TIME (RFC 3339: the newest complete point at or before it). Default "": newest complete.
Result<repo::Point> find_point(const repo::Repository& repository, const std::string& word);
// The name of a run as it stands, or, for "latest", of the newest one that was begun.
Result<std::string> find_run(const Operation& op, repo::Repository& repository,
                             const std::string& word);

}  // namespace lifeboat::app
