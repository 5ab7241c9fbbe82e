// repo/key_trial.h - Whether a key that is kept for a bad day still opens the repository.
//
// Threads: any.
#pragma once

#include <vector>

#include "repo/repository.h"

namespace lifeboat::repo {

// The slots of all keys that open with `unlock`; what each gives is proven to be the root of this
// repository. A passphrase costs its price for every slot of its kind.
// Errors: denied (wrong_key) when there is none; those of Repository::open(); corrupt, naming a
// key that is broken.
Result<std::vector<unsigned>> slots_opened(const Operation& op, store::Store& store,
                                           const Unlock& unlock);

}  // namespace lifeboat::repo
