// steps/restore/restore_step.h - Step type "restore": one source of the recovery point, put back.
//
//   orders: { restore: { source: orders, into: "${db.url}", with: { password: "${db.password}" } }
//   }
//
// Observes the target through the marker that the source leaves there; verifies item by item
// against the snapshot of the recovery point, never against itself. Foreign data is refused, or
// kept aside: renamed within the target, or captured into the repository first, as the source does.
// Fence: none in general (a folder or broker cannot check who writes); see SECURITY.md.
#pragma once

#include <map>
#include <string>

#include "plan/step.h"
#include "repo/repository.h"
#include "source/source_types.h"

namespace lifeboat::steps {

// What restore steps of one run restore from. Everything outlives the steps.
struct RestoreWorld {
  repo::Repository* repository = nullptr;
  const source::SourceTypes* types = nullptr;
  std::map<std::string, Id> snapshots;  // of the recovery point: source name -> snapshot
  struct Configured {
    std::string type;
    Value config;  // as in the platform file, validated; secrets not yet revealed
  };
  std::map<std::string, Configured> sources;
  WallTime lost_at;  // T0 of the run: since when nothing was written any more
};

plan::StepType restore_step(const RestoreWorld& world);

}  // namespace lifeboat::steps
