// client/process/test_launcher.h - A launcher for tests that only need one that works.
#pragma once

#include "client/process/launcher.h"
#include "test_places.h"

namespace lifeboat {

// One for the whole program, of nobody's run.
inline Launcher& test_launcher() {
  static const SystemClock clock;
  static const auto made = make_launcher(clock, "", LIFEBOAT_SUPERVISOR_PATH);
  return *made;
}

}  // namespace lifeboat
