// source/memory/memory_source.h - A source whose live system is a map in this process.
//
// For tests of everything above sources (backup, restore steps, the engine under a simulator), and
// the measure of the contract: broken variants of it must fail. Names are rows, values their
// content; a restore puts rows in one by one behind a marker, as a database would.
//
// Threads: a MemorySystem belongs to one thread at a time.  Ownership: the system outlives its
// sources.  Contract: source/source_contract.h.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "source/source.h"

namespace lifeboat::source {

struct NameBefore {
  bool operator()(const std::string& a, const std::string& b) const {
    return capture::name_before(a, b);
  }
};
using Rows = std::map<std::string, std::string, NameBefore>;

// The live system.
struct MemorySystem {
  std::string identity = "memory";
  Rows rows;
  std::optional<Marker> marker;
  struct KeptRows {
    std::string run;
    Rows rows;
  };
  std::map<std::string, KeptRows> kept;  // by the name they were kept under
};

class MemorySource : public Source {
 public:
  MemorySource(MemorySystem& system, const Clock& clock) : system_(system), clock_(clock) {}

  Result<void> preflight(const Operation& op) override;
  Result<void> capture(const Operation& op, capture::Sink& sink) override;
  Result<TargetState> target(const Operation& op) override;
  Result<RestoreReport> restore(const Operation& op, capture::Feed& feed,
                                const RestoreOptions& options) override;
  Result<std::vector<Check>> verify(const Operation& op, capture::Feed& feed) override;
  Result<std::string> fingerprint(const Operation& op) override;
  Result<std::vector<Kept>> kept(const Operation& op) override;
  Result<void> remove_kept(const Operation& op, const std::string& name) override;

 protected:
  MemorySystem& system_;

 private:
  Result<void> make_room(const RestoreOptions& options, RestoreReport& report);
  const Clock& clock_;
};

}  // namespace lifeboat::source
