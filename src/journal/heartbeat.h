// journal/heartbeat.h - Signs of life of a run's driver: heartbeats/RUN/<n>.
//
// Liveness only, never safety: who may write is settled by the chain. A new beat is put, then the
// one before is removed, so that there is one object, or for a moment two. Beats are found by
// listing, which is a hint: a missed one makes a driver look silent for a period longer.
//
// A driver that lost the run to another one, and has stopped all that it did, says so once, in an
// object that is never removed: runs/RUN/released/<driver>. That is more than liveness: it is
// sealed, and whoever took over may then finish what the target itself would not have refused.
//
// Threads: one thread per Heart.  Source: docs/format.md, "Runs".
#pragma once

#include <optional>
#include <set>
#include <string>

#include "journal/journal.h"

namespace lifeboat::journal {

struct Beat {
  std::uint64_t number = 0;
  Driver driver;
};

class Heart {
 public:
  Heart(repo::Repository& repository, std::string run, Driver driver);
  Result<void> beat(const Operation& op);
  // Removes our last beat: the run has been let go of.
  Result<void> stop(const Operation& op);

 private:
  repo::Repository& repository_;
  const std::string run_;
  const Driver driver_;
  std::optional<std::uint64_t> last_;  // that we wrote
};

// "All that I did has stopped, and I change nothing more."
Result<void> let_go(const Operation& op, repo::Repository& repository, const std::string& run,
                    const Driver& driver);
// Errors: unavailable. One that cannot be read was not said.
Result<bool> has_let_go(const Operation& op, repo::Repository& repository, const std::string& run,
                        const Driver& driver);

// Names of the runs that have a heartbeat: their drivers live, or died without a word.
Result<std::set<std::string>> runs_with_heartbeats(const Operation& op,
                                                   repo::Repository& repository);

// The newest beat; nullopt when there is none. One that cannot be read counts by its number, its
// driver being unknown (empty).  Errors: unavailable.
Result<std::optional<Beat>> last_beat(const Operation& op, repo::Repository& repository,
                                      const std::string& run);

}  // namespace lifeboat::journal
