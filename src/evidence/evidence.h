// evidence/evidence.h - The signed record of a run: what was done, when, how long, proven how.
//
// A run that has ended (done, partial, undone, cancelled, failed) leaves evidence: a bundle of
// files that somebody who holds nothing of ours can read and verify offline.
//   evidence.json    the record (evidence/document.h), canonical JSON
//   evidence.html    the same for people, one page without scripts; evidence.md as Markdown
//   plan.json        the plan as the run pinned it; plan-2.json, ... what it was changed to
//   manifest.json    name, size and SHA-256 of each of them, and who signs
//   signatures.json  the signatures of the manifest
// It is signed with the writer's key of the repository, which the repository's root key certifies,
// and by an operator as well, where there is one. It holds no secret: handles are masked.
//
// Life: the run ends (event run.end). seal_run() makes the bundle and puts it beside the run, as
// one sealed object; then it names it in the journal (event evidence.sealed). Killed before that,
// nothing is lost: evidence of an end that no event names is made again, by whoever comes next, of
// the same journal; an object that no event names is nobody's. A run that is gone on with gets
// evidence of each of its ends, of an earlier one before the next driver joins: after that it is
// too late, and the evidence that follows names an end without (deviation "unsealed").
//
// Verifying is in evidence/verify.h; what becomes of findings in evidence/review.h; what evidence
// says of the controls of auditors in evidence/controls.h.
//
// Threads: functions.  Source: docs/format.md, "Evidence".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crypt/crypt.h"
#include "journal/journal.h"
#include "plan/plan.h"
#include "repo/repository.h"

namespace lifeboat::evidence {

using Files = std::map<std::string, Bytes>;  // name -> content

// Who makes evidence, and with what.
struct Maker {
  std::string version;                     // of the program
  std::string program;                     // SHA-256 of its binary, hex; "" = not known
  const plan::StepTypes* types = nullptr;  // they tell what a step changes
  std::optional<crypt::SigningKey> operator_key;
  journal::Driver driver;  // of this process: for the event
};

// Evidence that the journal of a run names.
struct Sealed {
  std::uint64_t number = 0;  // runs/RUN/evidence/<number>
  std::string manifest;      // SHA-256 of manifest.json, hex
  std::string outcome;       // of the end that it is about
  WallTime time;
  bool made_now = false;  // by the call that answers it
};

// Evidence of the last end of the run; made, and durable with its event, unless it is there.
// nullopt: the run has not ended, or gave way to another one, or somebody goes on with it at this
// moment.
// Errors: not_found (no such run); corrupt (its journal); unavailable, denied (the store).
Result<std::optional<Sealed>> seal_run(const Operation& op, repo::Repository& repository,
                                       const std::string& run, const Maker& maker);
inline constexpr std::string_view sealed_event = "evidence.sealed";
// Whether the run has ended and evidence of that end is missing; not of an end before it.
bool lacks_evidence(const std::vector<journal::Event>& events);
// All that the journal names, oldest first.
std::vector<Sealed> sealed_in(const std::vector<journal::Event>& events);

// The files of one.  Errors: not_found; corrupt, also when it is not the one that the journal
// names.
Result<Files> read_sealed(const Operation& op, repo::Repository& repository, const std::string& run,
                          const Sealed& sealed);

}  // namespace lifeboat::evidence
