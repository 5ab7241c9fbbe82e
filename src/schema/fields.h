// schema/fields.h - Tables of typed fields: the one truth for validation, JSON Schema and docs.
//
// A source type or step type says what it accepts as a Record: a list of Fields. From the same
// table the platform file is checked (every finding with line, column and the nearest right word),
// the JSON Schema of `lifeboat schema` is generated, and the tables in docs/ are made.
//
// Scalars get their type from here, never from YAML's guesses: a string field that says `no` is the
// string "no".  Threads: immutable after construction.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "schema/value.h"

namespace lifeboat {

struct Record;

// The shape that one field accepts.
struct Shape {
  enum class Kind {
    string,
    boolean,
    integer,
    number,
    duration,  // "90s", "1h30m"; kept as a string, proven to parse
    time,      // RFC 3339
    secret,    // {env: NAME} | {file: PATH} | {exec: [..]} | "${reference}"; never a literal
    choice,    // one of `choices`
    list,      // of `inner`
    map,       // any keys -> `inner`
    record,    // of `record`
    any,       // any tree
  };
  Kind kind = Kind::string;
  std::vector<std::string> choices = {};
  std::shared_ptr<const Shape> inner = {};
  std::shared_ptr<const Record> record = {};
  // A scalar is read as the one-element list or as the record's `short_form` field.
  bool scalar_is_list = false;
};

struct Field {
  std::string name;
  Shape shape = {};
  std::string help = {};  // one line, for docs, schema and completion
  bool required = false;
  Value fallback = {};  // null: none
};

struct Record {
  std::string name = {};  // for errors: "restore", "postgres"
  std::string help = {};
  std::vector<Field> fields = {};
  std::string short_form = {};  // the field that a lone scalar sets; "" = none
  // Words of a later version: refused by name with "not in this version", never ignored.
  std::vector<std::string> reserved = {};
  const Field* find(std::string_view name) const;
};

namespace shape {
Shape string();
Shape boolean();
Shape integer();
Shape number();
Shape duration();
Shape time();
Shape secret();
Shape any();
Shape choice(std::vector<std::string> choices);
Shape list(Shape inner);
Shape string_or_list();  // "x" or ["x", "y"]
Shape map(Shape inner);
Shape record(Record record);
}  // namespace shape

// One thing that is wrong with an input, where it is, and what to write instead.
struct Finding {
  Mark mark;
  std::string path;          // "plans.shop-lost.steps.orders.restore.into"
  std::string message;       // "unknown key 'itno'"
  std::string hint;          // "did you mean 'into'?"
  std::string text() const;  // "lifeboat.yaml:12:7: plans.x: unknown key 'itno' (did you mean ...)"
};

struct ValidateOptions {
  std::string path;                 // where `value` stands, for findings
  bool references_allowed = false;  // a string that contains "${" is accepted for every shape
  bool scalars_as_text = false;     // a string field takes the number 5432 as "5432"
};
// Checks `value` against `record`, sets fallbacks, turns scalars into their typed form (file
// scalars arrive as strings). Appends every finding; the value is fit for use only if none was.
void validate(Value& value, const Record& record, const ValidateOptions& options,
              std::vector<Finding>& findings);
void validate(Value& value, const Shape& shape, const ValidateOptions& options,
              std::vector<Finding>& findings);

// JSON Schema (2020-12 vocabulary that draft-07 readers understand) of a shape. It accepts what
// validate() accepts of a YAML file, as far as JSON Schema can say it.
Value json_schema(const Shape& shape, bool references_allowed = false);
Value json_schema(const Record& record, bool references_allowed = false);

// Only the map form of a record: no short form, no empty value.
Value object_schema(const Record& record, bool references_allowed = false);

// "a string", "a list of strings", "one of a, b": for errors and docs.
std::string shape_name(const Shape& shape);
// The text of a string, number or boolean: how scalars appear inside text. "" for all else.
std::string scalar_text(const Value& value);
// True when the text holds a `${` that is not escaped as `$${`.
bool has_reference(std::string_view text);

// The candidate nearest to `word` (edit distance at most a third of its length + 1); "" if none.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
// The hint for a wrong word: "did you mean 'into'?", or else `lead` with up to 12 candidates
// ("known: into, source"); "" when there are none.
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates,
                       std::string_view lead = "known: ");

// All findings in one Error (kind invalid, code usage), one line each, at most 20 shown.
Error findings_error(const std::vector<Finding>& findings);

}  // namespace lifeboat
