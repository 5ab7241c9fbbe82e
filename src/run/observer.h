// run/observer.h - Who watches a run or a rehearsal: the terminal, a test.
//
// Called while steps work, from their threads: quick, and never back into the engine. All texts are
// masked already; names from outside are not escaped for a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lifeboat::run {

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void step_started(const std::string& /*step*/, std::uint64_t /*generation*/) {}
  // "preflight", "observe", "apply", "verify", "undo".
  virtual void step_phase(const std::string& /*step*/, std::string_view /*verb*/) {}
  virtual void step_progress(const std::string& /*step*/, std::uint64_t /*done*/,
                             std::uint64_t /*total*/, std::string_view /*unit*/) {}
  virtual void step_line(const std::string& /*step*/, std::string_view /*line*/) {}
  virtual void step_done(const std::string& /*step*/, std::string_view /*summary*/) {}
  virtual void step_failed(const std::string& /*step*/, const Error& /*error*/) {}
  virtual void step_skipped(const std::string& /*step*/, const std::string& /*needs*/) {}
  // The driver has started all that may start, and waits for this many steps.
  virtual void at_work(std::size_t /*steps*/) {}
  // All that holds the step are people: `wanted` says who, `reason` what they are asked.
  virtual void step_awaits(const std::string& /*step*/, std::string_view /*wanted*/,
                           std::string_view /*reason*/) {}
  // Somebody asked something of a step, or of the run (`step` is empty); `why` it was not taken.
  virtual void asked(const std::string& /*by*/, const std::string& /*action*/,
                     const std::string& /*step*/, const std::string& /*why*/) {}
  // About the run: "waiting for 2 processes of the driver before us".
  virtual void remark(std::string_view /*text*/) {}
};

}  // namespace lifeboat::run
