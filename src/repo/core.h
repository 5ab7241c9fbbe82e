// repo/core.h - What all parts of an opened repository share: store, keys, log, index.
//
// Life: made by open or create, held by the repository, its sessions and its feeds together.
// Threads: all methods from any thread.
#pragma once

#include <map>

#include "repo/config.h"
#include "repo/index.h"
#include "repo/log.h"

namespace lifeboat::repo {

struct Core {
  Core(store::Store& store, const Environment& environment, Config config, KeyTree keys);

  store::Store& store;
  const Environment environment;
  const Config config;
  const KeyTree keys;
  const Writers writers;
  Log log;
  Index index;

  unsigned threads() const;

  // The session key behind a sealed one; each is opened once.  Errors: corrupt.
  Result<crypt::Key> session_key(const crypt::SealedKey& sealed);
  // Reads the index segments that commits vouch for and that are not read yet. Broken or missing
  // ones are kept aside (broken_segments()), so that they cost only what they hold.
  // Errors: those of the store that may pass; cancelled.
  Result<void> sync_index(const Operation& op);
  std::map<std::string, Error> broken_segments() const;
  // One segment, read and proven.  Errors: not_found; corrupt.
  Result<IndexSegment> read_segment(const Operation& op, const Id& session, std::uint64_t ordinal);

 private:
  Turnstile index_turn_;
  mutable Mutex mutex_;
  std::map<crypt::SealedKey, crypt::Key> session_keys_ GUARDED_BY(mutex_);
  std::map<Id, std::uint64_t> segments_read_ GUARDED_BY(mutex_);  // per session
  std::map<std::string, Error> broken_segments_ GUARDED_BY(mutex_);
};

}  // namespace lifeboat::repo
