// evidence/folder.h - A bundle of evidence as a folder of files: how it is handed over.
//
// Writing: all files, each 0600, into a new or empty folder; nothing is overwritten. A new folder
// gets its name once it is whole; what was written before something failed is taken away again. In
// a folder that was there the signatures come last, so that half a bundle never verifies. Reading:
// every file that is there, bounded; what is no plain file is named.
//
// Threads: functions.
#pragma once

#include <string>

#include "evidence/evidence.h"

namespace lifeboat::evidence {

// Errors: conflict (what is there is no folder, or not empty); corrupt (a hostile name); those of
// the file system, with the path: no_space where that is the reason. Nothing is left behind then.
Result<void> write_folder(const std::string& folder, const Files& files);
// Errors: not_found; invalid (no folder, a link or folder in it, more than 512 MiB).
Result<Files> read_folder(const std::string& folder);

}  // namespace lifeboat::evidence
