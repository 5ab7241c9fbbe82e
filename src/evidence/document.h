// evidence/document.h - The record of a run as evidence.json has it. Pure.
//
// What the report of the run says (run/report.h) stands in it as it is; beside that stands what
// only evidence needs: each attempt, each check with its values, what each step changes, the words
// that people signed, where the run left its plan.
//
// Plan, inputs and operators can be replaced while a run is on: the record has every version, and
// requests and attempts say which was in force. So the subject of an approval can be computed again
// from the bundle alone.
//
// Threads: pure functions.  Source: docs/format.md, "Evidence".
#pragma once

#include <string>
#include <vector>

#include "evidence/evidence.h"
#include "run/engine.h"

namespace lifeboat::evidence {

inline constexpr std::int64_t document_version = 1;

// Everything that evidence is made from.
struct Account {
  run::Outcome outcome;
  std::vector<journal::Event> events;  // of the whole journal
  std::uint64_t segments = 0;
  std::string head;        // SHA-256 of the last segment as stored, hex
  std::string repository;  // id, hex
  WallTime made;
  Maker maker;
};

struct Document {
  Value value;                     // evidence.json
  std::vector<std::string> plans;  // canonical JSON: plan.json, plan-2.json, ...
};
Document make_document(const Account& account);

// "plan.json", "plan-2.json", ...
std::string plan_file(std::size_t version);

// The value with every handle of the vault masked.
Value without_handles(const Value& value);

}  // namespace lifeboat::evidence
