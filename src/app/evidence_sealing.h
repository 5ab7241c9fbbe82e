// app/evidence_sealing.h - Evidence as this process makes it: with its version, its binary, its
// operator's key.
//
// Threads: one.
#pragma once

#include <string>

#include "app/program.h"
#include "evidence/evidence.h"
#include "run/state.h"

namespace lifeboat::app {

// Who signs evidence besides the repository: the operator's key, where one is given. Asked for
// before a run begins; a key that cannot be read keeps no platform from coming back: it is said.
std::optional<crypt::SigningKey> evidence_key(const Operation& op, Program& program);

// Answers what evidence::seal_run() does. Who drove the run makes it as that driver: until it has
// left, the journal has no other writer.  Errors: as those.
Result<std::optional<evidence::Sealed>> seal_evidence(
    const Operation& op, Program& program, repo::Repository& repository, const run::RunState& run,
    const std::optional<crypt::SigningKey>& operator_key);
// Before a run that has ended is gone on with: makes evidence of that end, if nobody has made it
// yet. Once somebody has joined the run nobody can. What keeps it from being made keeps no platform
// from coming back: it is said, and later evidence of the run names the end without any.
void seal_former_end(const Operation& op, Program& program, repo::Repository& repository,
                     const std::string& run, const std::optional<crypt::SigningKey>& operator_key);
// After a run that this process drove to its end: makes its evidence and says where it is. The
// outcome of the run is what counts: evidence that cannot be made now is said, and made later.
void tell_evidence(const Operation& op, Program& program, repo::Repository& repository,
                   const run::RunState& run, const std::optional<crypt::SigningKey>& operator_key);

}  // namespace lifeboat::app
