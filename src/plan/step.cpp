#include "plan/step.h"

namespace lifeboat::plan {

std::string_view state_name(State state) {
  switch (state) {
    case State::absent:
      return "absent";
    case State::ours_partial:
      return "ours_partial";
    case State::ours_done:
      return "ours_done";
    case State::foreign:
      return "foreign";
    case State::drifted:
      break;
  }
  return "drifted";
}

}  // namespace lifeboat::plan
