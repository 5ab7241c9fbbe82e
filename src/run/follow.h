// run/follow.h - Watches a run that somebody else drives, as it goes.
//
// Everybody but the driver is an observer: reads the chain as it grows, and changes nothing. The
// state is the one that the driver has written so far; how long the driver has been silent is
// measured by our own boot clock, from the last new heartbeat or segment that we saw.
//
// Threads: one.  Ownership: the repository outlives the follower.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "journal/chain_reader.h"
#include "run/observer.h"
#include "run/state.h"

namespace lifeboat::run {

class Follower {
 public:
  // Reads all that is there.  Errors: as read_run().
  static Result<std::unique_ptr<Follower>> open(const Operation& op, repo::Repository& repository,
                                                const std::string& run);

  const RunState& state() const { return state_; }
  // What was written since the last call; at first everything.  Errors: corrupt, unavailable.
  Result<std::vector<journal::Event>> news(const Operation& op);
  // How long no sign of life was seen, as far as this observer has looked.  Errors: unavailable.
  Result<std::chrono::nanoseconds> silent_for(const Operation& op);

  // For open().
  Follower(repo::Repository& repository, std::string run, journal::Chain chain, RunState state,
           std::chrono::nanoseconds now)
      : repository_(repository),
        run_(std::move(run)),
        chain_(std::move(chain)),
        state_(std::move(state)),
        folded_(chain_.events.size()),
        seen_alive_(now) {}

 private:
  repo::Repository& repository_;
  const std::string run_;
  journal::Chain chain_;
  RunState state_;
  std::size_t folded_;                   // events of the chain that the state knows
  std::size_t told_ = 0;                 // events of the chain that news() has answered
  std::chrono::nanoseconds seen_alive_;  // by our boot clock
  std::optional<std::uint64_t> beat_;    // number of the last heartbeat
};

// Tells an observer of a terminal what an event means.
void tell(const journal::Event& event, const RunState& state, Observer& observer);

}  // namespace lifeboat::run
