// source/source.h - A Source is one live system whose state we can capture, put back, and compare.
//
// A Source knows its own system (PostgreSQL, RabbitMQ, git, a folder) and nothing about
// repositories, encryption or plans. capture() streams the state of one moment into a Sink;
// restore() makes a (usually new) system hold what a Feed tells; verify() compares the live system
// with the feed, so that a recovery is proven against what was captured and not against itself.
//
// A restore leaves a Marker in the target before its first change, where the target can hold one,
// and turns it to `done` at the end. Only what our own unfinished run left behind may be wiped
// without asking; what is foreign is refused or kept aside, as asked.
//
// Threads: one call at a time per Source.  Ownership: the caller owns Source, Sink and Feed.
// Contract: source/source_contract.h; every source passes it unchanged, against its real system.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/operation.h"
#include "capture/feed.h"
#include "capture/sink.h"
#include "schema/fields.h"
#include "schema/value.h"

namespace lifeboat {
class Launcher;  // client/process/launcher.h
}

namespace lifeboat::source {

// Which act of which run put something there. Text form is one line of JSON, no secret in it.
struct Marker {
  std::string run;
  std::string step;
  std::uint64_t generation = 0;  // attempt number within the step
  std::string snapshot;          // brief id of what is being restored
  bool done = false;
  bool operator==(const Marker&) const = default;
  std::string text() const;
  static std::optional<Marker> parse(std::string_view text);
};

// What a target holds before a restore.
enum class Occupancy {
  absent,   // the system, database, folder is not there (and can be made)
  empty,    // there, with nothing in it
  ours,     // carries a marker of ours: see TargetState::marker
  foreign,  // holds something that no marker explains
};
struct TargetState {
  Occupancy occupancy = Occupancy::absent;
  std::optional<Marker> marker;
  std::string identity;  // system identifier, path + device, broker name: what a guard compares
  std::string summary;   // "PostgreSQL 15.9, 2 databases, 120 MB": for the person who confirms
};

enum class Foreign { refuse, keep_aside };

struct RestoreOptions {
  Marker marker;
  Foreign foreign = Foreign::refuse;
  std::vector<std::string> only;  // item names or folders of names; empty = everything
  unsigned connections = 0;       // parallelism; 0 = the source decides
  // Bytes done of bytes total; from any thread.
  std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)> progress;
};

struct RestoreReport {
  std::uint64_t items = 0, bytes = 0;
  std::vector<std::string> kept_aside;  // names of what was kept: "shop_before_r7f3a"
  std::vector<std::string> remarks;     // what could not be put back exactly, one line each
};

// One comparison with its two values: green only when they are equal (or in the named relation).
struct Check {
  std::string name;      // "table shop_orders.public.orders: rows"
  std::string expected;  // printable, never secret
  std::string actual;
  bool ok = false;
};

// Something that an earlier recovery kept aside inside the target system.
struct Kept {
  std::string name;
  std::string run;
  std::string what;  // "database, 120 MB"
};

class Source {
 public:
  virtual ~Source() = default;

  // Would a capture work now? Read-only; each finding is one line with what to do.  Errors: denied,
  // unavailable, invalid (client older than server).
  virtual Result<void> preflight(const Operation& op) = 0;

  // Streams every item as of one consistent moment, then commits. On any error nothing is
  // committed. What could not be read exactly is in Moments::remarks with `partial` set.
  virtual Result<void> capture(const Operation& op, capture::Sink& sink) = 0;

  virtual Result<TargetState> target(const Operation& op) = 0;

  // Makes the system hold what the feed tells. Continues or repeats what the same run and step
  // began; anything foreign is refused (conflict, code refused) or kept aside.
  virtual Result<RestoreReport> restore(const Operation& op, capture::Feed& feed,
                                        const RestoreOptions& options) = 0;

  // Compares live with captured, item by item.  Errors only when it cannot look.
  virtual Result<std::vector<Check>> verify(const Operation& op, capture::Feed& feed) = 0;

  // Digest of the logical content: equal states give equal text, whatever the host or the time.
  virtual Result<std::string> fingerprint(const Operation& op) = 0;

  virtual Result<std::vector<Kept>> kept(const Operation& op) = 0;
  virtual Result<void> remove_kept(const Operation& op, const std::string& name) = 0;
};

// How a source keeps aside what a restore would overwrite.
enum class KeepsAside {
  by_rename,   // restore() itself renames it within the target; kept() lists it
  by_capture,  // the caller captures the target into the repository first
};

// What a source may use of the process. Everything outlives the source.
struct Context {
  const Clock* clock = nullptr;
  Launcher* launcher = nullptr;
  std::string directory;  // relative paths in the configuration are below it
};

// One line in app/registry.cpp makes a source type known.
struct SourceType {
  std::string name;  // the word of the platform file: "postgres"
  std::string help;  // one line
  Record fields;     // its configuration
  KeepsAside keeps_aside = KeepsAside::by_rename;
  // How verify() knows that only parts were restored: by the marker that restore() left, or (false)
  // by a feed that shows the parts alone (capture::PartialFeed).
  bool marker_tells_parts = false;
  // Whether a capture holds its moment itself (an exported snapshot) once it begins its first item:
  // from then on nothing that changes in the live system comes into it, and a freeze may end.
  bool holds_its_moment = false;
  // Turns the target of a restore step (`into:`, text) and the source's own configuration into the
  // configuration of the target system: `into` replaces url or path, the rest stays unless `with`
  // (a map of fields) overrides it.
  std::function<Result<Value>(const Value& config, const std::string& into, const Value& with)>
      retarget;
  // Makes the source; `config` was validated against `fields`, secrets resolved (tainted strings).
  std::function<Result<std::unique_ptr<Source>>(const Value& config, const Context& context)> make;
  // Local paths and endpoints that it reads, for doctor: "same disk as the repository".
  std::function<std::vector<std::string>(const Value& config)> local_paths;
};

}  // namespace lifeboat::source
