// journal/chain_reader.h - Reads a run's segments and proves that they are one unbroken chain.
//
// What this machine has seen of a run is remembered in Environment::memory/runs/: the number of
// segments and the hash of the last. A shorter or different chain is a rollback.
//
// Threads: functions over a repository; the memory file is replaced atomically.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "journal/segment.h"

namespace lifeboat::journal {

struct Chain {
  std::vector<Event> events;
  std::uint64_t segments = 0;
  Id head;                        // hash of the last segment
  Driver driver;                  // of the last segment
  bool freshness_proven = false;  // the head was remembered by this machine
};

// Errors: not_found; corrupt, naming run and segment: missing, altered, cut, out of place, or a
// head that is lower or other than remembered.
Result<Chain> read_chain(const Operation& op, repo::Repository& repository, const std::string& run);

// Adds what was written since, and answers how many segments that were: how a run that somebody
// else drives is watched. Errors: as read_chain(), but for gaps, which only the next read_chain()
// finds.
Result<std::uint64_t> read_further(const Operation& op, repo::Repository& repository,
                                   const std::string& run, Chain& chain);

// Answers whether it could be written; the memory is disposable.
bool remember_head(const repo::Repository& repository, const std::string& run,
                   std::uint64_t segments, const Id& head);

}  // namespace lifeboat::journal
