// journal/journal.h - A run, as a chain of segments in the repository: replaying it is the run.
//
// Each segment runs/<run>/<n> is won by put-if-absent, holds one or more events, the hash of the
// segment before it, and the driver that wrote it; it is sealed for holders of a key and signed.
// Whoever loses a segment is no longer the driver: append() answers lease_held (exit 11) and
// nothing more may be changed by that process.
//
// Events that must be durable before something happens (an intent before a change, a kept secret,
// an approval) go through append(); results go through note() and are written with the next segment
// or within a second. A result that was lost is an open intent, settled by observe.
//
// Threads: append() and note() from any thread.  Contract: journal/journal_contract.h.
// Source: docs/format.md, "Runs".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/operation.h"
#include "base/secret.h"
#include "repo/repository.h"
#include "schema/value.h"

namespace lifeboat::journal {

// One event: its kind ("run.begin", "step.intent", ...) and a map of facts. Tainted parts must have
// been put into the vault before: an event with a secret in it is refused (ASSERT).
struct Event {
  std::string kind;
  Value facts;
  WallTime time;              // of the writer's clock, for people
  std::uint64_t segment = 0;  // set when read
};

struct Driver {
  std::string id;  // random, per process
  std::string host;
  int pid = 0;
  std::string boot;  // boot id of the machine: is that pid of this boot?
};

class Journal {
 public:
  virtual ~Journal() = default;

  // Begins a new run: its first segment is durable when this answers.
  static Result<std::unique_ptr<Journal>> begin(const Operation& op, repo::Repository& repository,
                                                const std::string& run, const Driver& driver,
                                                std::vector<Event> first);
  // Reads a run to its last segment.  Errors: not_found; corrupt (names run and segment, and what
  // can be done): altered or cut segment, a gap, a chain that does not fit, a head that is lower
  // than remembered on this machine.
  static Result<std::unique_ptr<Journal>> open(const Operation& op, repo::Repository& repository,
                                               const std::string& run, const Driver& driver);

  virtual const std::string& run() const = 0;
  // All events so far, in order; those of before and ours.
  virtual std::vector<Event> events() const = 0;
  virtual std::uint64_t segments() const = 0;

  // Durable when it answers, with everything noted before.  Errors: conflict with code lease_held
  // when another driver wrote the segment; unavailable (nothing of this may be assumed written).
  virtual Result<void> append(const Operation& op, std::vector<Event> events) = 0;
  virtual void note(Event event) = 0;
  // Writes what was noted.
  virtual Result<void> flush(const Operation& op) = 0;

  // The vault: secrets that another machine needs to go on, sealed with a key of the run's own,
  // each durable before put_secret() answers. Handles stand in events instead of values.
  virtual Result<std::string> put_secret(const Operation& op, const std::string& name,
                                         const Secret& value) = 0;
  virtual Result<Secret> get_secret(const Operation& op, const std::string& handle) = 0;
  // Deletes the vault's key: nothing in it can be opened again. After the run has ended.
  virtual Result<void> destroy_vault(const Operation& op) = 0;

  // A side stream: lines of one step, written in sealed chunks; its digest is what close answers.
  virtual void log(const std::string& step, std::string_view line) = 0;
  virtual Result<std::vector<std::string>> read_log(const Operation& op,
                                                    const std::string& step) = 0;
};

// Number of segments of a run (found by probing, not by listing), for `runs list`.
Result<std::uint64_t> count_segments(const Operation& op, repo::Repository& repository,
                                     const std::string& run);

}  // namespace lifeboat::journal
