// repo/repository.h - The encrypted, deduplicated store of all captures, plans and run journals.
//
// Life: create() once; then open() with a key; refresh() reads the log to its head. Writers open a
// Session (repo/session.h). Everything that open() and refresh() answer was authenticated. The
// local cache and memory (`Environment`) are disposable: nothing needs them to be right.
//
// Threads: const methods from any thread; refresh() and open_session() one at a time.
// Contract: docs/format.md, byte by byte.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/secret.h"
#include "capture/feed.h"
#include "crypt/crypt.h"
#include "repo/records.h"
#include "store/store.h"

namespace lifeboat::repo {

class Session;

// Who this process is and what it may use. Everything here outlives the repository.
struct Environment {
  const Clock* clock = nullptr;
  Random* random = nullptr;
  std::string host;                       // name for records
  std::filesystem::path cache;            // empty: none; disposable index files
  std::filesystem::path memory;           // empty: none; last seen head per repository
  unsigned threads = 0;                   // 0: as many as there are cores
  std::size_t memory_bytes = 128u << 20;  // bound for buffers of backup and restore together
};

struct Passphrase {
  Secret text;
};
// An age identity: the text of an identity file (AGE-SECRET-KEY-1..., comments allowed).
struct Identity {
  Secret text;
};
using Unlock = std::variant<Passphrase, Identity>;

struct AgeRecipient {
  std::string text;  // age1...
};
using NewKey = std::variant<Passphrase, AgeRecipient>;

// Cost of turning a passphrase into a key (Argon2id). The default is the floor that open() accepts
// for repositories that people use; `for_tests` is refused by open() unless the repository itself
// was made with it and Environment::memory is empty.
struct PassphraseCost {
  std::uint64_t memory_bytes = 256u << 20;
  std::uint32_t passes = 3;
};

struct KeyRecord {
  unsigned slot = 0;
  std::string kind;       // "passphrase", "age"
  std::string recipient;  // of age: age1...
  std::string label;      // what the person said: whose it is, where it is kept
  WallTime created;
};

// Who signs for a repository: what a stranger needs to verify it, and nothing secret.
struct Signer {
  std::array<std::uint8_t, 16> repository{};      // its id
  std::array<std::uint8_t, 32> writer{}, root{};  // Ed25519 verify keys
  Bytes certificate;                              // the root's, for the writer
};

class Repository {
 public:
  virtual ~Repository() = default;

  // Makes a new repository with these keys (at least one).  Errors: conflict when there is one.
  static Result<std::unique_ptr<Repository>> create(const Operation& op, store::Store& store,
                                                    const std::vector<NewKey>& keys,
                                                    const Environment& environment,
                                                    PassphraseCost cost = {});
  // Errors: not_found (code repository_missing); denied (wrong_key); invalid (version_too_new,
  // names the version that is needed); corrupt.
  static Result<std::unique_ptr<Repository>> open(const Operation& op, store::Store& store,
                                                  const Unlock& unlock,
                                                  const Environment& environment);

  virtual std::string id() const = 0;  // hex, 32 digits
  virtual store::Store& store() const = 0;
  virtual const Environment& environment() const = 0;

  // Reads new log records.  Errors: corrupt with code integrity when the chain breaks or the head
  // is lower or other than remembered ("rollback detected").
  virtual Result<Head> refresh(const Operation& op) = 0;
  virtual Head head() const = 0;
  virtual std::vector<Snapshot> snapshots() const = 0;  // in log order
  virtual std::vector<Point> points() const = 0;
  virtual std::vector<RunRecord> runs() const = 0;

  virtual Result<std::unique_ptr<Session>> open_session(const Operation& op) = 0;
  // The snapshot must be one of snapshots(). The feed must not outlive the repository.
  virtual Result<std::shared_ptr<capture::Feed>> feed(const Operation& op, const Id& snapshot) = 0;

  virtual Result<std::vector<KeyRecord>> keys(const Operation& op) = 0;
  virtual Result<KeyRecord> add_key(const Operation& op, const NewKey& key,
                                    const std::string& label, PassphraseCost cost = {}) = 0;
  // Errors: refused, when it is the last one. (What a removed recipient keeps: SECURITY.md.)
  virtual Result<void> remove_key(const Operation& op, unsigned slot) = 0;

  // Sealed records outside of the log (journal segments, vaults, heartbeats): encrypted for holders
  // of a key, padded, signed, bound to repository, `kind` and `name`.
  virtual Result<Bytes> seal(std::string_view kind, std::string_view name, ByteView plain) = 0;
  // Errors: corrupt; invalid (version_too_new).
  virtual Result<Bytes> unseal(std::string_view kind, std::string_view name, ByteView sealed) = 0;

  // Signs with the writer's key what leaves the repository, for people who hold none of its keys.
  // `context` is one of its own, never that of an object of the repository (ASSERTed).
  virtual crypt::Signature sign(std::string_view context, ByteView message) = 0;
  virtual Signer signer() const = 0;
};

struct Hit {  // one object that failed a check, and what it costs
  std::string object;
  std::string what;
  std::vector<std::string> lost;  // "source orders, snapshot 3f..., item x"; at most 20
};
struct CheckReport {
  std::uint64_t objects = 0, packs = 0, blobs = 0, bytes_read = 0, snapshots = 0;
  bool freshness_proven = false;
  std::vector<Hit> broken;
  std::vector<std::string> warnings;  // garbage objects, gaps in what is only a hint
};
struct CheckOptions {
  bool read_data = false;  // every blob is opened and its id computed again
  std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)> progress;
};
// Errors only when it cannot look at all; what is broken is in the report.
Result<CheckReport> check(const Operation& op, Repository& repository, const CheckOptions& options);

}  // namespace lifeboat::repo
