// app/recovery.h - What a recovery is prepared from: point, bundle, platform file, plan.
//
// Without a file the plan comes out of the bundle of the recovery point, unpacked into a private
// temporary folder for as long as the Recovery lives. A resumed run takes everything from its
// journal, the bundle included.
//
// Threads: one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/program.h"
#include "base/temporary_folder.h"
#include "run/engine.h"
#include "run/expectation.h"
#include "run/outlook.h"
#include "run/replan.h"
#include "steps/restore/restore_step.h"

namespace lifeboat::app {

struct RecoveryRequest {
  std::string plan;                      // "" is right when the platform has one plan only
  std::string point;                     // as find_point() takes it
  std::optional<WallTime> since;         // T0; now when absent
  std::vector<std::string> inputs;       // NAME=VALUE; no secrets
  std::vector<std::string> input_files;  // NAME=PATH: the value is what the file holds
  bool dry_run = false;                  // nothing may be written anywhere
  bool graceful = false;                 // the variant: what is to be recovered still answers
};

// A changed plan for a run that was begun.
struct ReplanRequest {
  std::vector<std::string> renames;              // OLD=NEW
  std::vector<std::string> inputs, input_files;  // for inputs that are new, or other values
};

// Everything a run needs, alive together.
class Recovery {
 public:
  // Of a new run.  Errors: not_found (point, plan), usage (inputs), corrupt with the point before
  // as hint when the newest point cannot be read.
  static Result<std::unique_ptr<Recovery>> prepare(const Operation& op, Program& program,
                                                   const RecoveryRequest& request);
  // Of a run that was begun.
  static Result<std::unique_ptr<Recovery>> prepare_resume(const Operation& op, Program& program,
                                                          const std::string& run);

  // Of a run that was begun, by the plan of its name in --config, or in the newest bundle.
  // Errors: not_found when there is no such plan; usage (renames, inputs).
  static Result<std::unique_ptr<Recovery>> prepare_replan(const Operation& op, Program& program,
                                                          const std::string& run,
                                                          const ReplanRequest& request);

  // For prepare() and the others.
  Recovery(Program& program, Opened opened, TemporaryFolder folder)
      : program_(program), opened_(std::move(opened)), folder_(std::move(folder)) {}

  const run::Pins& pins() const { return pins_; }
  // The recovery point of a new run; null for a run that goes on.
  const repo::Point* point() const { return point_ ? &*point_ : nullptr; }
  const platform::Platform& platform() const { return *platform_; }
  repo::Repository& repository() { return *opened_.repository; }
  const repo::Unlock& key() const { return opened_.key; }  // with which it was opened
  // What becomes of each step.
  const std::vector<run::StepFate>& fates() const { return fates_; }
  run::EngineSetup setup(run::Observer& observer);
  // Learns from earlier runs how long the steps take, within a few seconds; what could not be
  // learned is assumed.
  const run::Learned& learn(const Operation& op);
  const run::Learned& learned() const { return learned_; }
  // For a watch, after learn().
  run::OutlookGround outlook() const;

 private:
  Result<void> read_bundle(const Operation& op, const std::optional<Id>& bundle);
  Result<void> choose_point(const Operation& op, const std::string& word);
  // The error of a part of the point that cannot be read, with what to take instead.
  tl::unexpected<Error> offer_the_point_before(Error error, std::string_view part);
  // Pins a platform file that was given by option: another machine must find it too. Steps run in
  // its copy from here on, as they will there.
  Result<void> use_own_bundle(const Operation& op);
  Result<void> use_newest_bundle(const Operation& op);
  Result<void> fill_replan(const Operation& op, const ReplanRequest& request);
  Result<void> choose_plan(const RecoveryRequest& request);
  // Leaves out what belongs to other variants: once inputs are known, before anything is pinned.
  Result<void> choose_variant(bool graceful);
  void fill_world();
  void fill_pins(const std::optional<WallTime>& since);
  Result<void> ask_inputs(const Operation& op, const RecoveryRequest& request);

  Program& program_;
  Opened opened_;
  TemporaryFolder folder_;
  std::optional<platform::Platform> platform_;
  std::optional<repo::Point> point_;
  steps::RestoreWorld world_;
  plan::StepTypes types_;
  std::unique_ptr<Launcher> launcher_;
  run::Pins pins_;
  std::optional<run::Replan> replan_;
  std::vector<run::StepFate> fates_;
  std::string secret_directory_;  // "" = that of the bundle
  plan::RunView begun_;           // of a resumed run
  run::Learned learned_;
};

}  // namespace lifeboat::app
