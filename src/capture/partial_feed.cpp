#include "capture/partial_feed.h"

#include <algorithm>

namespace lifeboat::capture {

bool within(std::string_view name, std::string_view folder) {
  return folder == root_name ||
         (name.size() > folder.size() && name.starts_with(folder) && name[folder.size()] == '/');
}

bool selected(std::string_view name, const std::vector<std::string>& only, bool or_leads_to) {
  if (only.empty()) return true;
  return std::ranges::any_of(only, [&](const std::string& each) {
    return name == each || within(name, each) || (or_leads_to && within(each, name));
  });
}

class PartialFeed::Selection final : public Cursor {
 public:
  Selection(PartialFeed& feed, std::unique_ptr<Cursor> all) : feed_(feed), all_(std::move(all)) {}

  Result<std::optional<Item>> next(const Operation& op) override {
    for (;;) {
      TRY(auto item, all_->next(op));
      if (!item) return std::optional<Item>();
      if (!selected(item->name, feed_.only_, item->kind == ItemKind::directory)) continue;
      TRY(Item restored, feed_.as_restored(op, *std::move(item)));
      return std::optional<Item>(std::move(restored));
    }
  }

 private:
  PartialFeed& feed_;
  const std::unique_ptr<Cursor> all_;
};

Result<std::unique_ptr<Cursor>> PartialFeed::items(const Operation& op) {
  TRY(auto all, whole_.items(op));
  return std::unique_ptr<Cursor>(std::make_unique<Selection>(*this, std::move(all)));
}

Result<Item> PartialFeed::as_restored(const Operation& op, Item item) {
  if (item.kind != ItemKind::hard_link || selected(item.file->link_target, only_, false)) {
    return item;
  }
  const std::string first = item.file->link_target;
  {
    MutexLock lock(mutex_);
    const auto [stand_in, is_first] = stand_ins_.emplace(first, item.name);
    if (!is_first && stand_in->second != item.name) {
      item.file->link_target = stand_in->second;
      return item;
    }
    stored_as_[item.name] = first;
  }
  TRY(Item content, whole_.find(op, first));
  content.name = item.name;
  return content;
}

Item PartialFeed::as_stored(const Item& item) const {
  MutexLock lock(mutex_);
  const auto found = stored_as_.find(item.name);
  if (found == stored_as_.end()) return item;
  Item stored = item;
  stored.name = found->second;
  return stored;
}

Result<Item> PartialFeed::find(const Operation& op, std::string_view name) {
  TRY(Item item, whole_.find(op, name));
  if (!selected(item.name, only_, item.kind == ItemKind::directory)) {
    return fail(Error::Kind::not_found, "'" + printable(name) + "' is not in the selected part");
  }
  return as_restored(op, std::move(item));
}

Result<std::unique_ptr<Reader>> PartialFeed::open(const Operation& op, const Item& item) {
  return whole_.open(op, as_stored(item));
}

Result<void> PartialFeed::fetch(const Operation& op, std::span<const Item> items,
                                const std::function<Result<void>(const Piece&)>& deliver) {
  std::vector<Item> stored;
  stored.reserve(items.size());
  for (const Item& item : items) stored.push_back(as_stored(item));
  return whole_.fetch(op, stored, deliver);
}

}  // namespace lifeboat::capture
