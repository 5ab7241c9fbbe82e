// tests/fuzz/signed_by_root.h - Signs what a fuzzer made, so that it gets past the signature.
//
// The root key is a fixed one; seeds name its verify key. Threads: any.
#pragma once

#include <string_view>

#include "repo/keys.h"

namespace lifeboat::fuzz {

inline constexpr repo::RepositoryId repository_id{'f', 'u', 'z', 'z'};

inline const repo::KeyTree& root_keys() {
  static const repo::KeyTree keys = repo::KeyTree::derive(crypt::Key(), repository_id);
  return keys;
}

inline Bytes framed(repo::ObjectType type, ByteView message) {
  const auto head = repo::header(type);
  Bytes object(head.begin(), head.end());
  append(object, message);
  return object;
}

}  // namespace lifeboat::fuzz
