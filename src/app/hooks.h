// app/hooks.h - Freezers made of the `hooks` of the platform file.
//
// Threads: a Freezer from any; it uses the Launcher that it was made with, which outlives it.
#pragma once

#include <functional>
#include <string>

#include "backup/freeze.h"
#include "client/process/launcher.h"
#include "platform/platform.h"

namespace lifeboat::app {

struct HookWorld {
  Launcher* launcher = nullptr;
  std::string self;       // path of our own binary, for the watchdog
  std::string directory;  // of the platform file: programs are below it, and run in it
  // Told at once, from any thread, what could not be thawed and why: whatever becomes of the
  // backup, nobody may have to look for it.
  std::function<void(const std::string& what, const std::string& why)> left_frozen;
};

// `what` is held, for people and for the programs (LIFEBOAT_HOOK_OF): "source orders". The freezer
// reads the secrets when it freezes; one that is missing is an error then.
backup::Freezer make_freezer(const HookWorld& world, const std::string& what,
                             const platform::Hooks& hooks);

// Are the programs there?  Errors: not_found, invalid (not installed).
Result<void> hooks_are_there(const HookWorld& world, const std::string& what,
                             const platform::Hooks& hooks);

}  // namespace lifeboat::app
