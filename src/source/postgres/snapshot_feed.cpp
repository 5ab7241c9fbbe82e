#include "source/postgres/snapshot_feed.h"

#include <algorithm>

#include "capture/partial_feed.h"
#include "schema/json.h"

namespace lifeboat::source::pg {
namespace {

constexpr std::size_t longest_text_bytes = 256u << 20;
constexpr std::string_view databases_folder = "databases/";

// The folder "databases/NAME" that an item stands in, "" for none.
std::string database_folder(const std::string& item) {
  if (!item.starts_with(databases_folder)) return {};
  return item.substr(0, item.find('/', databases_folder.size()));
}

Result<void> check_names(const SnapshotFeed& snapshot, const std::vector<std::string>& only) {
  for (const std::string& one : only) {
    const bool known =
        one == "roles.json" || one == "databases" ||
        (database_folder(one) == one && snapshot.items.contains(one + "/manifest.json"));
    if (!known) {
      return fail(Error::Kind::invalid, "'" + printable(one) + "' cannot be restored by itself",
                  "name roles.json, or a whole database as databases/NAME");
    }
  }
  return {};
}

}  // namespace

const capture::Item* SnapshotFeed::find(const std::string& name) const {
  const auto found = items.find(name);
  return found == items.end() ? nullptr : &found->second;
}

Result<std::string> read_text(const Operation& op, const SnapshotFeed& snapshot,
                              const std::string& name) {
  const capture::Item* item = snapshot.find(name);
  if (item == nullptr) return std::string();
  if (item->size_bytes > longest_text_bytes) {
    return fail(Error::Kind::invalid, name + " is larger than 256 MiB");
  }
  TRY(const auto reader, snapshot.feed->open(op, *item));
  std::string text;
  Bytes part(256 << 10);
  while (true) {
    TRY_DO(op.proceed());
    TRY(const std::size_t count, reader->read(op, part));
    if (count == 0) return text;
    text += as_text(ByteView(part).first(count));
  }
}

Result<SnapshotFeed> read_feed(const Operation& op, capture::Feed& feed,
                               const std::vector<std::string>& only) {
  SnapshotFeed snapshot;
  snapshot.feed = &feed;
  TRY(const auto cursor, feed.items(op));
  while (true) {
    TRY_DO(op.proceed());
    TRY(const std::optional<capture::Item> item, cursor->next(op));
    if (!item) break;
    snapshot.items.emplace(item->name, *item);
  }
  TRY_DO(check_names(snapshot, only));
  for (const auto& [name, item] : snapshot.items) {
    const std::string folder = database_folder(name);
    if (folder.empty() || name != folder + "/manifest.json" ||
        !capture::selected(folder, only, false))
      continue;
    TRY(const std::string text, read_text(op, snapshot, name));
    auto manifest = parse_json(text);
    if (!manifest || manifest->integer("format", 0) != 1) {
      return fail(Error::Kind::corrupt, name + ": not a manifest that this version can read");
    }
    snapshot.databases.push_back({manifest->text("database"), folder, *std::move(manifest)});
  }
  if (snapshot.find("roles.json") != nullptr && capture::selected("roles.json", only, false)) {
    TRY(const std::string text, read_text(op, snapshot, "roles.json"));
    auto roles = parse_json(text);
    if (!roles) return fail(Error::Kind::corrupt, "roles.json: " + roles.error().what);
    snapshot.roles = *std::move(roles);
  }
  return snapshot;
}

}  // namespace lifeboat::source::pg
