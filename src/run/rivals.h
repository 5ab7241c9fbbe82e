// run/rivals.h - Two people who drive the same recovery in two runs: one of them gives way.
//
// The same recovery: the same plan of the same platform with the same inputs (secrets apart), so
// that it would change the same things. Who comes second, with a new run or an old one, is told who
// is at work, where and since when, before anything is written. Of two that come at the same moment
// the one whose run the repository's log has first goes on. Each looks for the other after it has
// joined its own run, so at least one of them sees the other: the later one gives way; the earlier
// one waits for that, and gives way itself when the other does not (which then has not seen it).
//
// Looked at are runs with a heartbeat, and the newest of the plan, whose first one may not be there
// yet.  Threads: functions.
#pragma once

#include <map>
#include <string>

#include "run/takeover.h"

namespace lifeboat::run {

// What there was of the same recovery before we joined.
struct Rivals {
  std::uint64_t records = 0;                   // of the log
  std::map<std::string, std::size_t> drivers;  // run -> how many had joined it
};

// Before `run` is announced or joined. One that was left unfinished, by a driver that is at work no
// more, is remarked upon, and nothing else; when only silence can tell that, all of them are waited
// for together, for three heartbeats.
// Errors: conflict with code lease_held, naming the run and its driver; unavailable.
Result<Rivals> refuse_rivals(const Operation& op, const TakeoverWatch& watch, const Pins& pins);

// After we joined: `seen` is what refuse_rivals() answered.
// Errors: the same; then nothing may be changed, and the run has to be let go of.
Result<void> outrank_rivals(const Operation& op, const TakeoverWatch& watch, const Pins& pins,
                            const Rivals& seen);

}  // namespace lifeboat::run
