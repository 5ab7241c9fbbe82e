// steps/restore/losses.h - What is known to be lost although a snapshot was restored.
//
// Two kinds: what the source itself named at its capture (facts "lost.WHAT": messages of a broker),
// and what was written after it. The second cannot be counted, because the system that knew is
// gone; it is estimated from how fast the captures before it grew, and the line says so.
//
// Threads: a pure function.
#pragma once

#include <string>
#include <vector>

#include "repo/records.h"

namespace lifeboat::steps {

// One line each: "queue audit/trail: 200 messages, not captured",
// "about 120 rows, written in the 1.9 s after the capture (estimated: 63.2 rows a second before
// it)". `snapshots` is the whole log in its order; `lost_at` is T0. Sources that count no rows
// (fact "rows") get no estimate; without an earlier capture of the source the pace is said to be
// unknown.
std::vector<std::string> losses_of(const std::vector<repo::Snapshot>& snapshots, const Id& restored,
                                   WallTime lost_at);

}  // namespace lifeboat::steps
