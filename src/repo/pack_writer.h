// repo/pack_writer.h - From plain bytes to durable packs: the pipeline behind a session's sinks.
//
// put() names the blob, drops it when it is known, and hands it to a bounded pool: compress, seal,
// open again and compare, append to the pack of its stream. Full packs go to the store from threads
// of their own. flush() is the promise: when it answers, everything that was put before is durable
// and listed in index segments. The first failure ends the whole session: every call answers it.
//
// A stream keeps to its own open pack, so that what was captured together lies together.
//
// Threads: all methods from any thread.  Memory: about Environment::memory_bytes together.
#pragma once

#include <atomic>
#include <deque>
#include <set>
#include <thread>
#include <unordered_set>

#include "repo/core.h"

namespace lifeboat::repo {

using StoredCounter = std::shared_ptr<std::atomic<std::uint64_t>>;

class PackWriter {
 public:
  PackWriter(std::shared_ptr<Core> core, const Id& session);
  ~PackWriter();  // stops; what was not flushed may be lost
  PackWriter(const PackWriter&) = delete;
  PackWriter& operator=(const PackWriter&) = delete;

  static constexpr unsigned metadata_stream = 0;
  unsigned data_stream();  // for a new sink: the streams are dealt out in turn

  struct Blob {
    unsigned stream;
    BlobType type;
    Bytes plain;
    StoredCounter stored;  // grows by what the blob takes in the store, when it is new
  };
  // Blocks while the pool is full.  Errors: cancelled; the session's first failure.
  Result<Id> put(const Operation& op, Blob blob);
  // True when the blob is stored, or will be before flush() answers.
  bool knows(const Id& blob) const;
  // Answers how many index segments the session has now.
  Result<std::uint64_t> flush(const Operation& op);

 private:
  struct OpenPack;
  struct Job;
  struct Finished;

  void work(const std::stop_token& stop);
  Result<void> process(Job& job, BlobCoder& coder);
  std::shared_ptr<OpenPack> reserve(unsigned stream, std::uint32_t bytes);
  void complete(const std::shared_ptr<OpenPack>& pack);
  void upload(const std::stop_token& stop);
  Result<void> store_pack(const Operation& op, Finished& finished);
  Result<void> write_segment(const Operation& op);
  void close_open_packs();
  void give_up(const Error& error);
  Result<void> wait_until(const Operation& op, const std::function<bool()>& done);

  const std::shared_ptr<Core> core_;
  const Id session_;
  const crypt::Key session_key_;
  const crypt::SealedKey sealed_session_;
  const std::uint64_t pack_target_bytes_, metadata_target_bytes_, queue_bytes_most_;
  Index own_;  // what this session wrote, until its commits make it everybody's
  Turnstile segment_turn_;

  mutable Mutex mutex_;
  Condition changed_;
  std::deque<Job> jobs_ GUARDED_BY(mutex_);
  std::uint64_t queue_bytes_ GUARDED_BY(mutex_) = 0;
  std::uint64_t next_ticket_ GUARDED_BY(mutex_) = 0;
  std::set<std::uint64_t> tickets_ GUARDED_BY(mutex_);  // jobs not yet in a pack
  std::unordered_set<Id> claimed_ GUARDED_BY(mutex_);   // put, not yet in an index segment
  std::vector<std::shared_ptr<OpenPack>> streams_ GUARDED_BY(mutex_);
  unsigned next_stream_ GUARDED_BY(mutex_) = 0;
  std::uint64_t next_ordinal_ GUARDED_BY(mutex_) = 0;
  std::set<std::uint64_t> live_packs_ GUARDED_BY(mutex_);  // begun, not yet durable
  std::deque<Finished> uploads_ GUARDED_BY(mutex_);
  std::vector<PackPlace> fresh_packs_ GUARDED_BY(mutex_);  // durable, not yet in a segment
  std::vector<IndexEntry> fresh_ GUARDED_BY(mutex_);
  std::uint64_t segments_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;

  std::vector<std::jthread> threads_;
};

}  // namespace lifeboat::repo
