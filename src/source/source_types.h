// source/source_types.h - The known source types, by name. Filled once, in app/registry.cpp.
//
// Threads: immutable once filled.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "source/source.h"

namespace lifeboat::source {

class SourceTypes {
 public:
  void add(SourceType type) {
    const std::string name = type.name;
    types_.insert_or_assign(name, std::move(type));
  }
  const SourceType* find(std::string_view name) const {
    const auto found = types_.find(name);
    return found == types_.end() ? nullptr : &found->second;
  }
  const std::map<std::string, SourceType, std::less<>>& all() const { return types_; }

 private:
  std::map<std::string, SourceType, std::less<>> types_;
};

}  // namespace lifeboat::source
