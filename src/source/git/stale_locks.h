// source/git/stale_locks.h - Locks that a killed git left behind.
//
// git makes NAME.lock for the milliseconds in which it changes NAME, and refuses to work while one
// is there. After SIGKILL or a power cut it is there for ever: a run that is resumed must be able
// to remove it. Only where nobody else works, or where only we write: the caller knows.
//
// Threads: functions.
#pragma once

#include <string>
#include <vector>

#include "base/operation.h"

namespace lifeboat::source::git {

// The paths of all locks in a repository.
std::vector<std::string> all_locks(const std::string& git_dir);
// Those that a change of this reference, or of HEAD with it, makes.
std::vector<std::string> locks_of(const std::string& git_dir, const std::string& reference);

// Removes those of `locks` that stay, the same, for two seconds; answers them.  Errors: cancelled.
Result<std::vector<std::string>> remove_stale_locks(const Operation& op,
                                                    const std::vector<std::string>& locks);

}  // namespace lifeboat::source::git
