// backup/freeze.h - What stands still while it is captured, and moves again whatever happens.
//
// A Freezer freezes (a program of the operator's does) and hands out the Freeze; that thaws when
// told, when it is dropped, and by itself when it has lasted too long or we are gone. How is not
// for this module to know: the program makes them of the hooks of the platform file, with
// client/process/watchdog.h behind them; tests make their own.
//
// Threads: holding() and thaw() from any.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/operation.h"

namespace lifeboat::backup {

class Freeze {
 public:
  virtual ~Freeze() = default;  // thaws
  // False from before a thaw begins: what was read while this was true was read frozen.
  virtual bool holding() = 0;
  // Thaws, however long that takes, and whatever is stopped. Answers why it is still frozen;
  // nullopt: it is not.
  virtual std::optional<std::string> thaw() = 0;
};

// Errors: why it is not frozen; it was thawed then.
using Freezer = std::function<Result<std::unique_ptr<Freeze>>(const Operation&)>;

}  // namespace lifeboat::backup
