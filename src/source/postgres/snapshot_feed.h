// source/postgres/snapshot_feed.h - What a feed of this source holds, by database.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "source/postgres/server.h"

namespace lifeboat::source::pg {

struct Captured {
  std::string name;
  std::string folder;  // "databases/NAME"
  Value manifest;
};

struct SnapshotFeed {
  capture::Feed* feed = nullptr;
  std::map<std::string, capture::Item> items;
  std::vector<Captured> databases;
  Value roles;  // null: none captured

  const capture::Item* find(const std::string& name) const;
};

// Reads names, manifests and roles. `only` (item names or folders) limits to whole databases and
// "roles.json".  Errors: invalid (a name in `only` that is none of these); corrupt.
Result<SnapshotFeed> read_feed(const Operation& op, capture::Feed& feed,
                               const std::vector<std::string>& only = {});
// A whole item as text, "" when there is none of this name.
Result<std::string> read_text(const Operation& op, const SnapshotFeed& snapshot,
                              const std::string& name);

}  // namespace lifeboat::source::pg
