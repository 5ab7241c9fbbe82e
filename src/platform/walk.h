// platform/walk.h - A validated configuration and its table, walked side by side. Inside the
// platform module only.
#pragma once

#include <functional>
#include <string>

#include "schema/fields.h"
#include "schema/value.h"

namespace lifeboat::platform {

struct Visited {
  const Value& value;
  const Shape& shape;  // any, where the table does not say
  std::string key;     // the nearest key above
  std::string path;    // from the start of the walk, "steps.a.run.password"
};
// Calls `visit` for every node from the top; it answers whether to go on below that node.
void walk(const Visited& node, const std::function<bool(const Visited&)>& visit);

// Where a secret comes from ({env|file|exec: ...}), in words: "file secrets/pw". "" when `node`
// is no such thing. A field of any shape (`with:` of restore) holds secrets in the same form.
std::string secret_origin(const Visited& node);
// The path of a secret that comes from a file; "" for all else.
std::string secret_file(const Visited& node);

}  // namespace lifeboat::platform
