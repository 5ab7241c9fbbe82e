// app/known_platform.h - The platform file for commands that only read it, found where there may be
// none: --config, else ./lifeboat.yaml, else the one in the newest bundle of --repository. One that
// is there and cannot be read is an error, never passed over. And its plans by name.
//
// Threads: one at a time.
#pragma once

#include <optional>

#include "app/program.h"

namespace lifeboat::app {

struct KnownPlatform {
  platform::Platform platform;
  // The repository, when it had to be opened for the bundle.
  std::optional<Opened> opened;
};

// The files that travel in a bundle with its platform file are not kept: it is for reading the
// plans. Says so when it is that of a bundle.  Errors: those of the file; not_found (no point; its
// point has no bundle); those of opening the repository, usage when none is named.
Result<KnownPlatform> known_platform(const Operation& op, Program& program);

// A plan of the platform file.  Errors: usage, with the nearest name.
Result<const plan::Plan*> find_plan(const platform::Platform& platform, const std::string& name);

}  // namespace lifeboat::app
