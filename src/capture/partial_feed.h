// capture/partial_feed.h - A feed as if only some of its items had been captured.
//
// What a restore of parts is compared with: the items that are named, what lies within them, and
// the folders that lead there. A hard link whose first name is left out appears as a restore makes
// it: the first one that is seen is the file, later ones are its links.
//
// Threads: as the feed behind it; one cursor at a time (it learns which links stand for files).
// Ownership: the feed behind it outlives this one.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "capture/feed.h"

namespace lifeboat::capture {

// The name of the folder that holds all others, where there is one.
constexpr std::string_view root_name = ".";

// True when `name` lies below `folder`; everything lies below the root.
bool within(std::string_view name, std::string_view folder);

// True when `name` is one of `only`, or lies within one; with `or_leads_to`, also when one of them
// lies within it. An empty `only` takes everything.
bool selected(std::string_view name, const std::vector<std::string>& only, bool or_leads_to);

class PartialFeed final : public Feed {
 public:
  PartialFeed(Feed& whole, std::vector<std::string> only) : whole_(whole), only_(std::move(only)) {}

  const Moments& moments() const override { return whole_.moments(); }
  Result<std::unique_ptr<Cursor>> items(const Operation& op) override;
  Result<Item> find(const Operation& op, std::string_view name) override;
  Result<std::unique_ptr<Reader>> open(const Operation& op, const Item& item) override;
  Result<void> fetch(const Operation& op, std::span<const Item> items,
                     const std::function<Result<void>(const Piece&)>& deliver) override;

 private:
  class Selection;
  Result<Item> as_restored(const Operation& op, Item item);
  Item as_stored(const Item& item) const;

  Feed& whole_;
  const std::vector<std::string> only_;
  mutable Mutex mutex_;
  std::map<std::string, std::string> stand_ins_ GUARDED_BY(mutex_);  // first name -> its stand-in
  std::map<std::string, std::string> stored_as_ GUARDED_BY(mutex_);  // stand-in -> first name
};

}  // namespace lifeboat::capture
