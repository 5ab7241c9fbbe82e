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
// A gap, a cut or an altered segment refuses the whole run (corrupt, exit 13): nothing is guessed
// about what a lost segment said. Only a missing last segment cannot be told from one that was
// never written, except by a machine that remembers the head (Environment::memory):
// freshness_proven(). Elsewhere what it said is an open intent at worst, and settled by observing
// the target.
//
// An append whose answer was lost is settled by putting the same bytes again. append() calls that
// wait at the same time share one segment.
//
// Threads: all methods from any thread, destroy_vault() apart.  Ownership: the repository and its
// environment outlive the journal.  Contract: journal/journal_contract.h.
// Source: docs/format.md, "Runs".
#pragma once

#include <functional>
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
  // True when this machine wrote or remembered the head it read: no later segment can be missing.
  virtual bool freshness_proven() const = 0;

  // Durable when it answers, with everything noted before.  Errors: conflict with code lease_held
  // when another driver wrote the segment; unavailable and cancelled (it stays noted, and nothing
  // of it may be assumed written).
  virtual Result<void> append(const Operation& op, std::vector<Event> events) = 0;
  virtual void note(Event event) = 0;
  // Writes what was noted and logged.  Errors: as append().
  virtual Result<void> flush(const Operation& op) = 0;
  // Asks the store whether somebody else holds the next segment, without writing one: how a driver
  // that waits for a long step learns that it was replaced.  Errors: lease_held; unavailable.
  virtual Result<void> prove_lease(const Operation& op) = 0;
  // Called after each object of this run became durable, with its name and its events (none for
  // vault and log). Set before the first write; called from the writing thread, without a lock.
  using Written = std::function<void(const std::string& object, const std::vector<Event>& events)>;
  virtual void on_written(Written written) = 0;

  // The vault: secrets that another machine needs to go on, sealed with a key of the run's own,
  // each durable before put_secret() answers. Handles stand in events instead of values.
  virtual Result<std::string> put_secret(const Operation& op, const std::string& name,
                                         const Secret& value) = 0;
  virtual Result<Secret> get_secret(const Operation& op, const std::string& handle) = 0;
  // Deletes the vault's key, then its entries: nothing in it can be opened again. After the run has
  // ended. May be repeated.
  virtual Result<void> destroy_vault(const Operation& op) = 0;

  // A side stream: lines of one step, written in sealed chunks within a few seconds or by flush();
  // each chunk's digest stands in the chain (event "log.chunk"). Never waits for the store: lines
  // beyond a bound are dropped, and the stream says how many.
  virtual void log(const std::string& step, std::string_view line) = 0;
  virtual Result<std::vector<std::string>> read_log(const Operation& op,
                                                    const std::string& step) = 0;
};

// Errors: invalid. Run names are 1 to 64 characters of [a-z0-9-].
Result<void> check_run_name(const std::string& run);

// Number of segments of a run (found by probing, not by listing), for `runs list`.
Result<std::uint64_t> count_segments(const Operation& op, repo::Repository& repository,
                                     const std::string& run);

}  // namespace lifeboat::journal
