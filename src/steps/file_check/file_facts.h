// steps/file_check/file_facts.h - What can be said of a file, or of a folder with all in it.
//
// Threads: any; a folder that changes meanwhile gives figures of no single moment.
#pragma once

#include <cstdint>
#include <string>

#include "base/operation.h"

namespace lifeboat::steps {

struct FileFacts {
  // "nothing", "file", "folder", "link", "socket", "pipe" or "device"; links are followed unless
  // they are asked for.
  std::string kind = "nothing";
  std::string mode;                // "0640"
  std::string owner, group;        // names where they have one, else numbers
  std::string owner_id, group_id;  // numbers
  std::uint64_t bytes = 0;         // of all regular files in it
  std::uint64_t files = 0;         // regular files: 1 for a file
  WallTime newest{0};              // when one of its regular files changed last
};

// Errors: denied (cannot be looked at), invalid (more than two million files), cancelled.
Result<FileFacts> file_facts(const Operation& op, const std::string& path, bool follow = true);

// SHA-256 in hex of a file; of a folder the one of what this prints within it (regular files only,
// links are not followed):
//   find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum -z
// Errors: as file_facts(); not_found.
Result<std::string> digest_of(const Operation& op, const std::string& path);

// The whole of a file.  Errors: invalid (not a file, or larger than `bytes_max`), denied,
// not_found.
Result<std::string> content_of(const Operation& op, const std::string& path, std::size_t bytes_max);

}  // namespace lifeboat::steps
