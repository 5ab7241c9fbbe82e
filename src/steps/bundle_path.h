// steps/bundle_path.h - Where a local file lies that a step's configuration names.
#pragma once

#include <string>

#include "plan/step.h"

namespace lifeboat::steps {

// Relative paths are below the bundle's folder, wherever the program was started. "" stays "".
inline std::string below_bundle(const plan::StepContext& context, const std::string& path) {
  return path.empty() || path.front() == '/' ? path : context.bundle_directory() + "/" + path;
}

}  // namespace lifeboat::steps
