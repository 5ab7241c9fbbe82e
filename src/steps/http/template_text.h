// steps/http/template_text.h - `{{name}}` in texts.
//
// Threads: any; pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "schema/value.h"

namespace lifeboat::steps {

// `text` with every `{{name}}` replaced from `saved` (a map). Only scalars go into a text. What is
// built from a secret is one.  Errors: invalid (nothing saved under that name).
Result<Value> filled_text(const std::string& text, const Value& saved);
// The same for all texts of a tree; a text that is one `{{name}}` alone becomes that value.
Result<Value> filled(const Value& tree, const Value& saved);

}  // namespace lifeboat::steps
