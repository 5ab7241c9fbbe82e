// source/files/tree.h - A folder tree reached through its root: nothing ever leads out of it.
//
// Names are relative to the root, components parted by '/'; "." is the root itself. Links are never
// followed: not at the end of a name and not within it (openat2 with RESOLVE_BENEATH and
// RESOLVE_NO_SYMLINKS; where the kernel has none or the name is too long for it, component by
// component with O_NOFOLLOW).
//
// Threads: the functions from any thread.  Ownership: descriptors close themselves.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/operation.h"
#include "base/result.h"
#include "capture/partial_feed.h"
#include "client/process/descriptor.h"

namespace lifeboat::source::files {

using process::Descriptor;

using capture::root_name;

// An Error for a failed system call: kind and code by what the caller can do about `number`.
Error system_error(int number, std::string_view what);

// Opens the folder at `path` (links in the path are followed: the person wrote it).
Result<Descriptor> open_root(const std::string& path);

// Opens `name` beneath `root`; `mode` counts with O_CREAT only.  Errors: by errno.
Result<Descriptor> open_beneath(int root, std::string_view name, int flags, mode_t mode = 0);

// What lies at parent/base itself; a link is not followed.
Result<struct stat> look_at(int parent, const std::string& base);

// The part of `name` before its last '/', "." when there is none; and the part behind it.
std::string_view parent_of(std::string_view name);
std::string base_of(std::string_view name);

// A path by which calls that know no *at() variant reach parent/base.
std::string through_proc(int parent, const std::string& base);

// A folder's entries but "." and "..", sorted bytewise.
Result<std::vector<std::string>> entries_of(int folder);

// True when `name` may come from a feed: no empty component, no "." or "..", no NUL, not absolute,
// no component above 255 bytes. "." alone is the root.
bool safe_name(std::string_view name);

// Removes parent/base with all that is in it, of one file system only; absent is success.
Result<void> remove_tree(const Operation& op, int parent, const std::string& base);

// Replaces parent/base by a file of mode 0600 with this content, whole or not at all, durably.
Result<void> write_durably(int parent, const std::string& base, std::string_view content);

// The content of parent/base, at most `limit_bytes`.
Result<std::string> read_small_file(int parent, const std::string& base, std::size_t limit_bytes);

// True when the folder is the root of a mounted file system.
bool is_mount_point(int folder);

}  // namespace lifeboat::source::files
