// plan/guard.h - A kind of guard knows how to read one sort of identity from a live system.
//
// A plan names what its target must be before anything is changed there (`guard:`): the system
// identifier of a database, the name of a broker, the number of an account. A host name says where
// a change would go; an identity says what would be changed. look() reads, and never writes.
//
// Threads: look() from any thread.  Contract: the same system answers the same identity, whatever
// name it was reached by.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/operation.h"
#include "plan/plan.h"
#include "schema/fields.h"

namespace lifeboat::plan {

// What was found.
struct Fingerprint {
  std::string identity;  // "7301234567890123456"; at most 4 KiB; it is shown and journaled
  std::string at;        // where: "postgresql://10.0.0.7:5432/postgres"; no secret in it
  // What was read, where that is more than may be kept: only compared, in `holds` and `same`.
  std::string read = {};
};

struct GuardSurroundings {
  Launcher* launcher = nullptr;
  const Clock* clock = nullptr;
  std::string directory;         // relative paths of the plan are below it
  std::string secret_directory;  // and those of secrets below this
};

struct GuardKind {
  std::string name;  // the word of plan files
  std::string help;
  Record fields;         // without `adopt`, which all kinds have
  std::string expected;  // the field with what the identity must be
  // `config` is resolved and validated, secrets in it still say where they come from.
  // Errors: those of the system that is asked; not_found, unavailable: there is no answer (yet).
  std::function<Result<Fingerprint>(const Operation& op, const Value& config,
                                    const GuardSurroundings& around)>
      look;
  // Whether what was found is what the plan expects; empty: when it is the identity.
  std::function<bool(const std::string& expected, const Fingerprint& found)> holds;
  // Whether it is the system whose identity was adopted; empty: when it is the same identity.
  std::function<bool(const std::string& adopted, const Fingerprint& found)> same;
  // For runbooks: writes what a person types to see the identity, and that it is what `config`
  // wants, as a check (plan/by_hand.h).
  std::function<void(const Value& config, ByHand& hand)> by_hand;
};

// Known kinds, by name. Filled once, in app/registry.cpp.
class GuardKinds {
 public:
  void add(GuardKind kind);
  const GuardKind* find(std::string_view name) const;
  const std::map<std::string, GuardKind, std::less<>>& all() const { return kinds_; }

 private:
  std::map<std::string, GuardKind, std::less<>> kinds_;
};

// All words of a guard of this kind: its own, and `adopt`.
Record guard_fields(const GuardKind& kind);

// The configuration of a guard once inputs are known, validated against its kind.
// Errors: invalid, with the place.
Result<Value> resolve_guard(const GuardRule& rule, const GuardKind& kind, const Scope& scope);

}  // namespace lifeboat::plan
