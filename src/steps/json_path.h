// steps/json_path.h - Places in JSON, and whether what is there is what a plan wants.
//
// Threads: any; pure.
#pragma once

#include <string>

#include "base/result.h"
#include "schema/value.h"

namespace lifeboat::steps {

// What `path` names in `tree`: "order.items[0].id", or a JSON pointer (RFC 6901: "/order/items/0",
// where keys hold dots), or "" for all of it. Answers null where nothing is.
// Errors: invalid (neither of the two).
Result<Value> at_path(const Value& tree, const std::string& path);

// Equal, or the text of the same scalar: values of a plan are texts where YAML says no type, so
// "17" is equal to 17.
bool equals_wanted(const Value& actual, const Value& wanted);

}  // namespace lifeboat::steps
