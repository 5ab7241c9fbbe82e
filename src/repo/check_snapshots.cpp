// check(), snapshots: every tree is walked once, every reference looked up; what is lacking is told
// for each snapshot that needs it.
#include <algorithm>

#include "repo/checker.h"

namespace lifeboat::repo {
namespace {

constexpr std::size_t lacks_most = 20;  // remembered per tree: enough to name what is lost

bool lasting(const Error& error) {
  return error.kind == Error::Kind::corrupt || error.kind == Error::Kind::not_found;
}

// The object that an error names first; else what was looked for.
std::string object_of(const Error& error, const std::string& fallback) {
  for (const std::string_view folder : {"packs/", "index/"}) {
    const std::size_t at = error.what.find(folder);
    if (at != std::string::npos)
      return error.what.substr(at, error.what.find_first_of(":)", at) - at);
  }
  return fallback;
}

}  // namespace

Result<void> Checker::snapshots(const Operation& op) {
  const auto state = core_.log.state();
  for (const Snapshot& snapshot : state->snapshots()) {
    TRY_DO(check_snapshot(op, snapshot));
    MutexLock lock(mutex_);
    ++report_.snapshots;
  }
  check_points();
  return {};
}

void Checker::lose(const Snapshot& snapshot, const Lacks& lacks) {
  const std::string name =
      snapshot.about.kind == SnapshotKind::bundle ? "bundle" : "source " + snapshot.about.source;
  for (const Lack& lack : lacks) {
    broken(lack.object, lack.what, name + ", snapshot " + snapshot.id.brief() + ", " + lack.part);
  }
}

Result<void> Checker::check_snapshot(const Operation& op, const Snapshot& snapshot) {
  // Not kept beyond this call: a check of many snapshots holds one tree at a time.
  const std::shared_ptr<Core> core(&core_, [](Core*) {});
  const auto index = TreeIndex::open(op, core, snapshot.id);
  if (!index && !lasting(index.error())) return fail(index.error());
  if (!index) {
    lose(snapshot, {{object_of(index.error(), "snapshot " + snapshot.id.brief()),
                     index.error().what, "all of it"}});
    return {};
  }
  const SnapshotRoot& root = (*index)->root();
  if (root.items != snapshot.items || root.size_bytes != snapshot.size_bytes) {
    lose(snapshot, {{"snapshot " + snapshot.id.brief(), "its root and its log record differ", ""}});
  }
  for (std::size_t i = 0; i < (*index)->size(); ++i) {
    const Id& id = (*index)->tree_id(i);
    if (good_trees_.contains(id)) continue;
    const auto known = lacking_trees_.find(id);
    if (known != lacking_trees_.end()) {
      lose(snapshot, known->second);
      continue;
    }
    TRY(const Lacks lacks, check_tree(op, **index, i));
    lose(snapshot, lacks);
    if (lacks.empty()) {
      good_trees_.insert(id);
    } else {
      lacking_trees_.emplace(id, lacks);
    }
  }
  return {};
}

Result<Checker::Lacks> Checker::check_tree(const Operation& op, TreeIndex& index,
                                           std::size_t number) {
  Lacks lacks;
  const auto tree = index.tree(op, number);
  if (!tree && !lasting(tree.error())) return fail(tree.error());
  if (!tree) {
    lacks.push_back({object_of(tree.error(), "tree " + index.tree_id(number).brief()),
                     tree.error().what,
                     "the items of part " + std::to_string(number + 1) + " of " +
                         std::to_string(index.size())});
    return lacks;
  }
  for (const StoredItem& item : **tree) {
    TRY(const Lacks some, check_item(op, item));
    for (const Lack& lack : some) {
      if (lacks.size() < lacks_most) lacks.push_back(lack);
    }
  }
  return lacks;
}

Result<Checker::Lacks> Checker::check_item(const Operation& op, const StoredItem& item) {
  Lacks lacks;
  const std::string part = "item " + printable(item.item.name);
  std::vector<std::vector<ContentRef>> contents{item.content};
  for (const Id& list : item.lists) {
    TRY_DO(op.proceed());
    const auto blob = read_blob(op, core_, list, BlobType::list);
    if (!blob && !lasting(blob.error())) return fail(blob.error());
    auto content =
        blob ? decode_content(*blob) : Result<std::vector<ContentRef>>(fail(blob.error()));
    if (!content) {
      lacks.push_back(
          {object_of(content.error(), "list " + list.brief()), content.error().what, part});
      return lacks;
    }
    contents.push_back(*std::move(content));
  }
  std::uint64_t size = 0;
  for (const auto& content : contents) {
    for (const ContentRef& ref : content) {
      size += ref.length;
      if (!ref.blob) continue;
      auto lack = check_ref(*ref.blob, BlobType::data, ref.offset + ref.length);
      if (!lack || (!lacks.empty() && lacks.back().object == lack->object)) continue;
      lack->part = part;
      lacks.push_back(*std::move(lack));
    }
  }
  if (size != item.item.size_bytes) {
    lacks.push_back({part, "its content is not as long as it says", part});
  }
  return lacks;
}

// What stands in the way of reading this part of a blob.
std::optional<Checker::Lack> Checker::check_ref(const Id& blob, BlobType type, std::uint64_t end) {
  const auto found = locate(core_, blob, type);
  if (!found) {
    const auto segments = core_.broken_segments();
    const std::string object = segments.empty() ? "blob " + blob.brief() : segments.begin()->first;
    return Lack{object, found.error().what, ""};
  }
  const std::string path = pack_path(found->pack.name);
  if (end > found->entry.head.raw) return Lack{path, "a blob is shorter than its use", ""};
  MutexLock lock(mutex_);
  if (broken_blobs_.contains(blob)) return Lack{path, "a blob does not authenticate", ""};
  const auto lost = lost_from_.find(found->entry.pack);
  const std::uint64_t blob_end = std::uint64_t{found->entry.offset} + found->entry.head.stored;
  if (lost != lost_from_.end() && blob_end > lost->second) {
    return Lack{path, "is missing or cut short", ""};
  }
  return std::nullopt;
}

void Checker::check_points() {
  const auto state = core_.log.state();
  for (const Point& point : state->points()) {
    for (const Member& member : point.about.members) {
      const bool there = !member.snapshot || state->find_snapshot(*member.snapshot) != nullptr ||
                         state->forgotten(*member.snapshot);
      if (!there) {
        broken("point " + point.id.brief(), "names a snapshot that the log does not hold",
               "source " + member.source + ", snapshot " + member.snapshot->brief());
      }
    }
  }
}

}  // namespace lifeboat::repo
