#include "repo/tree_walk.h"

#include <algorithm>
#include <unordered_map>

namespace lifeboat::repo {
namespace {

constexpr std::size_t trees_kept = 8, trees_ahead = 8;
constexpr std::size_t lists_at_once = 16;
constexpr std::size_t blobs_cached = 4, cached_blob_bytes_most = 512u << 10;

Result<std::shared_ptr<const Tree>> decode(const Id& id, const Bytes& blob) {
  auto tree = decode_tree(blob);
  if (!tree) return wrap(tree.error(), "tree " + id.brief());
  return std::make_shared<const Tree>(*std::move(tree));
}

const StoredItem* search(const Tree& tree, std::string_view name) {
  const auto at = std::lower_bound(tree.begin(), tree.end(), name,
                                   [](const StoredItem& item, std::string_view key) {
                                     return capture::name_before(item.item.name, key);
                                   });
  return at != tree.end() && at->item.name == name ? &*at : nullptr;
}

bool starts_after(const Tree& tree, std::string_view name) {
  return !tree.empty() && capture::name_before(name, tree.front().item.name);
}
bool ends_before(const Tree& tree, std::string_view name) {
  return tree.empty() || capture::name_before(tree.back().item.name, name);
}

}  // namespace

Result<std::shared_ptr<TreeIndex>> TreeIndex::open(const Operation& op, std::shared_ptr<Core> core,
                                                   const Id& snapshot) {
  auto index = std::make_shared<TreeIndex>(std::move(core));
  TRY(const Bytes blob, read_blob(op, *index->core_, snapshot, BlobType::root));
  auto root = decode_root(blob);
  if (!root) return wrap(root.error(), "snapshot " + snapshot.brief());
  index->root_ = *std::move(root);
  const std::vector<Id>& ids = index->root_.ids;
  if (index->root_.depth == 0) {
    index->trees_ = ids;
    return index;
  }
  for (std::size_t at = 0; at < ids.size(); at += lists_at_once) {
    const auto some = std::span(ids).subspan(at, std::min(lists_at_once, ids.size() - at));
    TRY(const auto lists, read_blobs(op, *index->core_, some, BlobType::tree_list));
    for (const Bytes& list : lists) {
      TRY(const std::vector<Id> trees, split_ids(list));
      index->trees_.insert(index->trees_.end(), trees.begin(), trees.end());
    }
  }
  return index;
}

void TreeIndex::keep(std::size_t number, std::shared_ptr<const Tree> tree) {
  MutexLock lock(mutex_);
  recent_.remove_if([number](const auto& it) { return it.first == number; });
  recent_.emplace_front(number, std::move(tree));
  if (recent_.size() > trees_kept) recent_.pop_back();
}

std::shared_ptr<const Tree> TreeIndex::kept(std::size_t number) {
  MutexLock lock(mutex_);
  const auto found = std::find_if(recent_.begin(), recent_.end(),
                                  [number](const auto& it) { return it.first == number; });
  if (found == recent_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, found);
  return recent_.front().second;
}

Result<std::shared_ptr<const Tree>> TreeIndex::tree(const Operation& op, std::size_t number) {
  if (auto known = kept(number)) return known;
  TRY(const Bytes blob, read_blob(op, *core_, trees_[number], BlobType::tree));
  TRY(auto tree, decode(trees_[number], blob));
  keep(number, tree);
  return tree;
}

Result<std::vector<std::shared_ptr<const Tree>>> TreeIndex::trees(const Operation& op,
                                                                  std::size_t first,
                                                                  std::size_t count) {
  TRY(const auto blobs,
      read_blobs(op, *core_, std::span(trees_).subspan(first, count), BlobType::tree));
  std::vector<std::shared_ptr<const Tree>> trees;
  for (std::size_t i = 0; i < count; ++i) {
    TRY(auto tree, decode(trees_[first + i], blobs[i]));
    trees.push_back(std::move(tree));
  }
  return trees;
}

Result<TreeIndex::Place> TreeIndex::find(const Operation& op, std::string_view name,
                                         std::size_t near) {
  // First where it probably is, and the one after that; then by halves.
  std::size_t low = 0, high = trees_.size();
  for (int tried = 0; low < high; ++tried) {
    const bool guess = tried < 2 && near >= low && near < high;
    const std::size_t number = guess ? near : low + (high - low) / 2;
    TRY(auto tree, this->tree(op, number));
    if (const StoredItem* item = search(*tree, name)) return Place{std::move(tree), item, number};
    if (starts_after(*tree, name)) {
      high = number;
    } else if (ends_before(*tree, name)) {
      low = number + 1;
      near = low;
    } else {
      break;
    }
  }
  return fail(Error::Kind::not_found, "the snapshot has no item \"" + printable(name) + "\"");
}

Result<const StoredItem*> TreeWalk::next(const Operation& op) {
  for (;;) {
    if (at_tree_ < ahead_.size() && at_item_ < ahead_[at_tree_]->size()) {
      return &(*ahead_[at_tree_])[at_item_++];
    }
    if (at_tree_ < ahead_.size()) {
      ++at_tree_;
      at_item_ = 0;
      continue;
    }
    if (next_tree_ == index_->size()) return nullptr;
    TRY_DO(op.proceed());
    const std::size_t count = std::min(trees_ahead, index_->size() - next_tree_);
    TRY(ahead_, index_->trees(op, next_tree_, count));
    next_tree_ += count;
    at_tree_ = at_item_ = 0;
  }
}

std::shared_ptr<const Bytes> BlobCache::find(const Id& blob) {
  MutexLock lock(mutex_);
  const auto found = std::find_if(recent_.begin(), recent_.end(),
                                  [&](const auto& it) { return it.first == blob; });
  return found == recent_.end() ? nullptr : found->second;
}

void BlobCache::keep(const Id& blob, const std::shared_ptr<const Bytes>& plain) {
  if (plain->size() > cached_blob_bytes_most) return;
  MutexLock lock(mutex_);
  recent_.emplace_front(blob, plain);
  if (recent_.size() > blobs_cached) recent_.pop_back();
}

ContentWalk::ContentWalk(std::shared_ptr<Core> core, StoredItem item,
                         std::shared_ptr<BlobCache> cache)
    : core_(std::move(core)),
      item_(std::move(item)),
      cache_(std::move(cache)),
      refs_(item_.content) {}

Result<std::vector<ContentRef>> ContentWalk::next_refs(const Operation& op,
                                                       std::uint64_t raw_bytes_most) {
  if (at_ == refs_.size()) {
    refs_.clear();
    at_ = 0;
    if (next_list_ == item_.lists.size()) return std::vector<ContentRef>{};
    TRY(const Bytes list, read_blob(op, *core_, item_.lists[next_list_], BlobType::list));
    TRY(refs_, decode_content(list));
    ++next_list_;
  }
  std::vector<ContentRef> some;
  std::uint64_t raw = 0;
  for (; at_ < refs_.size(); ++at_) {
    const ContentRef& ref = refs_[at_];
    const std::uint64_t cost = ref.blob ? ref.length : 0;
    if (!some.empty() && raw + cost > raw_bytes_most) break;
    raw += cost;
    some.push_back(ref);
  }
  return some;
}

Result<std::vector<ContentWalk::Part>> ContentWalk::next_parts(const Operation& op,
                                                               std::uint64_t raw_bytes_most) {
  TRY(const std::vector<ContentRef> refs, next_refs(op, raw_bytes_most));
  std::vector<Found> found;
  std::unordered_map<Id, std::shared_ptr<const Bytes>> opened;
  for (const ContentRef& ref : refs) {
    if (!ref.blob) continue;
    TRY(const Found place, locate(*core_, *ref.blob, BlobType::data));
    if (ref.offset + ref.length > place.entry.head.raw || ref.offset + ref.length < ref.offset) {
      return fail(Error::Kind::corrupt, "content reaches beyond its blob", "",
                  Error::Code::integrity);
    }
    if (auto known = cache_->find(*ref.blob)) {
      opened.emplace(*ref.blob, std::move(known));
    } else {
      found.push_back(place);
    }
  }
  for (const BlobRange& range : plan_ranges(std::move(found), raw_bytes_most)) {
    TRY_DO(read_range(op, *core_, range, coder_,
                      [&](const IndexEntry& entry, Bytes plain) -> Result<void> {
                        auto shared = std::make_shared<const Bytes>(std::move(plain));
                        cache_->keep(entry.head.id, shared);
                        opened[entry.head.id] = std::move(shared);
                        return {};
                      }));
  }
  std::vector<Part> parts;
  for (const ContentRef& ref : refs) {
    parts.push_back({ref.blob ? opened.at(*ref.blob) : nullptr, ref.offset, ref.length});
  }
  return parts;
}

}  // namespace lifeboat::repo
