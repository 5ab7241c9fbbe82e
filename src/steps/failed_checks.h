// steps/failed_checks.h - What a step did not prove, for tests: "name: expected / actual" each.
#pragma once

#include <string>
#include <vector>

#include "plan/step.h"

namespace lifeboat::steps {

// Of one verify(); an error of it is the one entry "error: ...".
inline std::vector<std::string> failed_checks(const Operation& op, plan::Step& step) {
  const auto proof = step.verify(op);
  if (!proof) return {"error: " + proof.error().what};
  std::vector<std::string> names;
  for (const plan::Check& check : proof->checks) {
    if (!check.ok) names.push_back(check.name + ": " + check.expected + " / " + check.actual);
  }
  return names;
}

}  // namespace lifeboat::steps
