// steps/bundle_path.h - Where a local file lies that a step's configuration names.
#pragma once

#include <string>

#include "plan/step.h"

namespace lifeboat::steps {

// Relative paths are below the bundle's folder, wherever the program was started. "" stays "".
inline std::string below_bundle(const plan::StepContext& context, const std::string& path) {
  return path.empty() || path.front() == '/' ? path : context.bundle_directory() + "/" + path;
}

// Whether the local file that `path` of a configuration names can be read. Nothing is asked where
// there is none, or a reference that is not known yet.
// Errors: denied, invalid (no file; nothing is there and it is one of the bundle, which no step
// brings), not_found (an absolute path: a step may bring it).
Result<void> check_readable(const plan::StepContext& context, const Value& path);

}  // namespace lifeboat::steps
