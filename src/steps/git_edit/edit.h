// steps/git_edit/edit.h - Changes single values in the text of a YAML, JSON, .env or .properties
// file, and not one byte more.
//
// A library reads the file and tells where each value stands (yaml-cpp events, nlohmann's SAX);
// only those bytes are replaced, in the style that was there: comments, order, indentation and
// quotes stay. The result is read again: the named values are the new ones, all others are what
// they were, or nothing is changed.
//
// A value is named by its keys joined with dots: "db.host", "spec.env.0.value". In files of several
// YAML documents the name has to fit one of them only.  Pure: no I/O.  Threads: any.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "schema/value.h"

namespace lifeboat::steps {

enum class Form { yaml, json, env, properties };
// By the file's name.  Errors: invalid (usage).
Result<Form> form_of(const std::string& file);

// One value of a file and the bytes that say it.
struct Leaf {
  enum class Kind { string, number, boolean, null, alias, collection };
  enum class Style { plain, single_quoted, double_quoted, block, nothing };
  std::string path;
  std::string text;  // the value: without quotes and escapes
  Kind kind = Kind::string;
  Style style = Style::plain;
  std::size_t begin = 0, end = 0;
};
// All values of the file, in its order.  Errors: invalid, with the place.
Result<std::vector<Leaf>> read_leaves(Form form, std::string_view text);

struct Change {
  std::string path;
  Value value;  // a string, number, boolean or null
};
struct Edited {
  std::string text;
  // By path, as they were. What is tainted in a change is tainted here.
  std::map<std::string, Value> before;
  bool changed = false;
};
// Errors: invalid or not_found, with file, path and the nearest path that is there.
Result<Edited> edit(const std::string& file, std::string_view text,
                    const std::vector<Change>& changes);

// A scalar as the text that a leaf has.
std::string leaf_text(const Value& value);

// The parts of edit(), one form each.
Result<std::vector<Leaf>> yaml_leaves(std::string_view text);
Result<std::vector<Leaf>> json_leaves(std::string_view text);
Result<std::vector<Leaf>> env_leaves(std::string_view text, Form form);
std::string yaml_scalar(std::string_view file, const Leaf& leaf, const Value& value);
std::string json_scalar(const Leaf& leaf, const Value& value);
std::string env_scalar(const Leaf& leaf, const Value& value, Form form);

}  // namespace lifeboat::steps
