// evidence/folder.h - A bundle of evidence as a folder of files: how it is handed over.
//
// Writing: all files, each 0600, into a new or empty folder; nothing is overwritten, and the
// manifest's signatures come last, so that half a bundle never verifies. Reading: every file that
// is there, bounded; what is no plain file is named.
//
// Threads: functions.
#pragma once

#include <string>

#include "evidence/evidence.h"

namespace lifeboat::evidence {

// Errors: conflict (the folder is not empty); those of the file system, with the path.
Result<void> write_folder(const std::string& folder, const Files& files);
// Errors: not_found; invalid (no folder, a link or folder in it, more than 512 MiB).
Result<Files> read_folder(const std::string& folder);

}  // namespace lifeboat::evidence
