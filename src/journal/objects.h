// journal/objects.h - Numbered immutable objects under a prefix: how a run's parts are laid down.
//
// Threads: pure functions over a store.
#pragma once

#include <string>

#include "base/random.h"
#include "store/store.h"

namespace lifeboat::journal {

// The first number from 0 on whose object PREFIX<16 hex> is absent: galloping, then halving. With a
// gap below it answers any of the gap's edges; who reads the objects in order finds out.
Result<std::uint64_t> first_absent(const Operation& op, store::Store& store,
                                   const std::string& prefix);
Result<bool> present(const Operation& op, store::Store& store, const std::string& name);

// Puts `bytes` under `name`; what is unavailable is tried again a few times, with growing pauses,
// and a lost answer is settled by comparing what is stored.
// Answers false when the name holds other bytes.  Errors: as Store::put.
Result<bool> put_settled(const Operation& op, store::Store& store, const std::string& name,
                         ByteView bytes);
// Removes with the same patience.
Result<void> remove_settled(const Operation& op, store::Store& store, const std::string& name);

}  // namespace lifeboat::journal
