// client/process/hold_order.h - What a watchdog is told, what it answers, and how a thaw is tried.
//
// The order goes through an anonymous file in memory (descriptor 3). Descriptor 4 is the pipe whose
// end of file, or any byte, asks for the thaw. The answer comes by pipe (descriptor 5), one line
// each:  started | held | refused TEXT | thawing CAUSE | failed TEXT | end DONE TRIES.
//
// Threads: plain functions.
#pragma once

#include <optional>
#include <string>

#include "client/process/watchdog.h"

namespace lifeboat::process {

inline constexpr int order_descriptor = 3;
inline constexpr int release_descriptor = 4;
inline constexpr int answer_descriptor = 5;

struct SealedOrder {
  HoldOrder order;
  std::string owner;     // of the programs: by it Launcher::living() finds them
  int launcher_pid = 0;  // who started the watchdog
};
// JSON, secrets in base64.
std::string encode_order(const SealedOrder& sealed);
std::optional<SealedOrder> decode_order(std::string_view text);

// Runs one of the programs to its end. "" when it ended with 0, otherwise why not, masked, one
// printable line of bounded length.
std::string try_program(const Operation& op, Launcher& launcher, const Command& command);

// Runs `after` until it ends with 0, for at most `retry_for` (once at least), with pauses that
// grow from half a second to 15. `on_failure` is told each try that failed.
Thaw thaw_with_patience(const Clock& clock, Launcher& launcher, const HoldOrder& order,
                        const std::function<void(const std::string&)>& on_failure);

}  // namespace lifeboat::process
