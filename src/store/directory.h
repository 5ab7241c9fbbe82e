// store/directory.h - A store in a local or mounted directory.
//
// put: write a temporary file, fsync, link() to the name (EEXIST: another was first), fsync the
// directory, unlink the temporary. Folders are 0700, files 0400 by way of umask-free modes. A crash
// leaves at most temporaries in `tmp/`, which open() of any later process removes once they are a
// day old.
#pragma once

#include <filesystem>
#include <memory>

#include "store/store.h"

namespace lifeboat::store {

// `create`: make the directory when it is missing (one level).  Errors: not_found (code
// repository_missing); denied; invalid when it is no directory.
Result<std::unique_ptr<Store>> open_directory(const std::filesystem::path& path, bool create,
                                              const Clock& clock);

}  // namespace lifeboat::store
