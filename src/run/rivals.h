// run/rivals.h - Two people who begin the same recovery at once: one of them gives way.
//
// The same recovery: the same plan of the same platform with the same inputs (secrets apart), so
// that it would change the same things. Who comes second is told who is at work, where and since
// when, before anything is written. Of two that begin at the same moment, the one that the
// repository's log has first goes on. Each looks for the other after its own first segment is
// durable, so at least one of them sees the other: the later one gives way; the earlier one waits
// for that, and gives way itself when the other does not (which then has not seen it).
//
// Threads: functions.
#pragma once

#include "run/takeover.h"

namespace lifeboat::run {

// Before a run is announced. Answers how many records the log has. A run that was left unfinished
// by a driver that is at work no more is remarked upon, and nothing else.
// Errors: conflict with code lease_held, naming the run and its driver; unavailable.
Result<std::uint64_t> refuse_rivals(const Operation& op, const TakeoverWatch& watch,
                                    const Pins& pins);

// After the run's first segment: `own` is its record, `seen` what refuse_rivals() answered.
// Errors: the same; then the run has to be ended before it changes anything.
Result<void> outrank_rivals(const Operation& op, const TakeoverWatch& watch, const Pins& pins,
                            const repo::RunRecord& own, std::uint64_t seen);

}  // namespace lifeboat::run
