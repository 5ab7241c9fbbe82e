// platform/yaml.h - YAML text to a tree of Values, strictly and within bounds.
//
// yaml-cpp reads events; the tree is built here, so that size (1 MiB), depth (64), aliases and
// duplicate keys are stopped before they cost anything. Scalars stay text: unquoted ones are
// plain() Values whose type the schema decides. Every Value and key knows its line and column
// (columns count characters).
//
// Refused, each with its place: anything but UTF-8, byte order marks, control characters, tabs as
// indentation, anchors and aliases, tags, several documents, keys that are not scalars.
//
// Threads: pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schema/fields.h"
#include "schema/value.h"

namespace lifeboat::platform {

inline constexpr std::size_t yaml_size_max_bytes = 1u << 20;
inline constexpr std::size_t yaml_depth_max = 64;

// Appends findings; the tree is fit for use only when none was added. `file` names it in marks.
Value parse_yaml(std::string_view text, const std::string& file, std::vector<Finding>& findings);

// The checks of the text alone, before any parser sees it.
void check_text(std::string_view text, const std::string& file, std::vector<Finding>& findings);

}  // namespace lifeboat::platform
