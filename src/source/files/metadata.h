// source/files/metadata.h - What the file system says about one entry, read and put back.
//
// Read: kind, mode, owner, times, device numbers, link text, extended attributes with ACLs and
// capabilities. Left out: the host's own labels (security.selinux, .ima, .evm), which the new host
// gives anew, and the time of last access.
// Put back in the order that lets nothing undo what came before: owner (clears setuid and
// capabilities), attributes, mode, times. What may not be set (owner without root) is counted in
// Shortfalls and told once per kind.
//
// Threads: Owners and Shortfalls belong to one thread.  Units: seconds and nanoseconds.
#pragma once

#include <sys/stat.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "capture/item.h"

namespace lifeboat::source::files {

// An entry as the walk found it: parent/base, of this name within the tree.
struct Place {
  int parent = -1;
  std::string base;
  std::string name;
};

// nullopt: a socket, or something that no capture can hold.
std::optional<capture::ItemKind> kind_of(mode_t mode);

// User and group names by number, asked of the system once each.
class Owners {
 public:
  const std::string& user(uid_t uid);
  const std::string& group(gid_t gid);

 private:
  std::map<uid_t, std::string> users_;
  std::map<gid_t, std::string> groups_;
};

// Everything of `seen`, without names of owners, attributes and link text.
capture::FileMetadata numbers_of(const struct stat& seen);
Result<std::string> link_text(const Place& place);
Result<std::map<std::string, std::string>> attributes(const Place& place);

// Things that could not be put back, by kind, with the first of each.
class Shortfalls {
 public:
  void add(const std::string& what, const std::string& name, int number);
  std::vector<std::string> remarks() const;

 private:
  struct Told {
    std::uint64_t count = 0;
    std::string first, why;
  };
  std::map<std::string, Told> told_;
};

// Gives the entry all of `wanted`. Attributes that it has and `wanted` has not are removed.
void apply_metadata(const Place& place, const capture::Item& wanted, Shortfalls& shortfalls);

}  // namespace lifeboat::source::files
