// capture/item.h - One captured thing: its name, its metadata, and facts about it.
//
// Files carry file metadata; everything else (a table, a queue, a ref) is a `stream` with facts.
// Names are byte strings, unique within a capture and stable between captures. Items of a capture
// come in canonical order: compare component by component at '/', bytewise, a folder before what
// is in it (`name_before`). The order lets a capture be merged with the one before it in a single
// pass, whatever its size.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace lifeboat::capture {

enum class ItemKind : std::uint8_t {
  file = 1,
  directory = 2,
  symlink = 3,
  hard_link = 4,  // another name of the file `link_target`, which came earlier in this capture
  fifo = 5,
  char_device = 6,
  block_device = 7,
  stream = 16,  // not a file: content and facts only
};

// Seconds since 1970 (signed) and nanoseconds in [0, 1e9).
struct FileTime {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  auto operator<=>(const FileTime&) const = default;
};

struct FileMetadata {
  std::uint32_t mode = 0;  // permission bits with setuid, setgid, sticky (07777)
  std::uint32_t uid = 0, gid = 0;
  std::string user, group;  // names where they resolve; informative, ids rule
  FileTime mtime, ctime;
  std::uint64_t device = 0, inode = 0;  // of the captured file: identity for "unchanged"
  std::uint64_t links = 1;
  std::uint64_t rdev = 0;                     // device nodes
  std::string link_target;                    // symlink: the text; hard_link: the first name
  std::map<std::string, std::string> xattrs;  // raw names and values; ACLs and capabilities too
  bool operator==(const FileMetadata&) const = default;
};

struct Item {
  std::string name;
  ItemKind kind = ItemKind::stream;
  std::uint64_t size_bytes = 0;  // of the content with its holes; final value set by the sink
  std::optional<FileMetadata> file;
  std::map<std::string, std::string> facts;  // row counts, checksums, positions: text, no secret
  bool changed_while_read = false;           // the content may mix two states
  bool operator==(const Item&) const = default;
};

// Canonical order: true when `a` comes before `b`.
bool name_before(std::string_view a, std::string_view b);

}  // namespace lifeboat::capture
