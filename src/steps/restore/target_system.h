// steps/restore/target_system.h - The live system that a step reaches by one of the platform's
// sources: the configured one, or another one of the same kind.
//
// Threads: as source::Source.
#pragma once

#include <memory>
#include <string>

#include "source/source.h"
#include "steps/restore/restore_step.h"

namespace lifeboat::steps {

struct TargetSystem {
  const source::SourceType* type = nullptr;
  std::unique_ptr<source::Source> live;
};

// `into`: URL or path of the other system, "" for the one that is configured; `with`: fields that
// are other in the other one. `name` is one of world.sources. Secrets are revealed here.
// Errors: invalid (a relative path: certificates and secret files are below the bundle, and what is
// there goes when the run ends), as reveal_secrets() and the source's own.
Result<TargetSystem> open_target(const Operation& op, const RestoreWorld& world,
                                 const std::string& name, const std::string& into,
                                 const Value& with, plan::StepContext& context);

// The snapshot of a source in the recovery point.  Errors: invalid (there is none: no earlier step
// can bring it).
Result<Id> snapshot_of(const RestoreWorld& world, const std::string& name);

}  // namespace lifeboat::steps
