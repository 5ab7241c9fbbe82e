// supervise.cpp - The supervisor and the watchdog alone, for tests: launchers there are made with
// its path (LIFEBOAT_SUPERVISOR_PATH), where the product passes its own (/proc/self/exe).
#include <string_view>

#include "client/process/launcher.h"
#include "client/process/watchdog.h"

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "watchdog") return lifeboat::keep_watch(argc, argv);
  return lifeboat::supervise(argc, argv);
}
