// json_schema(): the tables, told to editors. Plain scalars of YAML reach a JSON Schema already
// typed, so a string field must take what looks like a number or a boolean, as validate() does.
#include "schema/fields.h"

namespace lifeboat {
namespace {

Value strings(const std::vector<std::string>& words) {
  Value list(Value::List{});
  for (const std::string& word : words) list.push(word);
  return list;
}

Value typed(const char* type) {
  Value schema;
  schema.set("type", type);
  return schema;
}

Value pattern(const char* expression) {
  Value schema = typed("string");
  schema.set("pattern", expression);
  return schema;
}

// What stands in a file as a string: plain text that looks like a number is text too.
Value text_schema() {
  Value schema;
  schema.set("type", strings({"string", "number", "boolean"}));
  return schema;
}

// A `${` that is not escaped.
Value reference_schema() { return pattern("(^|[^$])\\$\\{"); }

Value one_key(const char* key, Value inner) {
  Value schema = typed("object");
  Value properties;
  properties.set(key, std::move(inner));
  schema.set("properties", std::move(properties));
  schema.set("required", strings({key}));
  schema.set("additionalProperties", false);
  return schema;
}

Value any_of(std::vector<Value> options) {
  Value schema;
  Value list(Value::List{});
  for (Value& option : options) list.push(std::move(option));
  schema.set("anyOf", std::move(list));
  return schema;
}

Value secret_schema(bool references) {
  Value arguments = typed("array");
  arguments.set("items", text_schema());
  arguments.set("minItems", 1);
  std::vector<Value> options = {one_key("env", text_schema()), one_key("file", text_schema()),
                                one_key("exec", any_of({text_schema(), std::move(arguments)}))};
  if (references) options.push_back(reference_schema());
  return any_of(std::move(options));
}

Value with_references(Value schema, bool references) {
  return references ? any_of({std::move(schema), reference_schema()}) : schema;
}

Value list_schema(const Shape& shape, bool references) {
  Value schema = typed("array");
  schema.set("items", json_schema(*shape.inner, references));
  if (!shape.scalar_is_list) return schema;
  return any_of({json_schema(*shape.inner, references), std::move(schema)});
}

Value map_schema(const Shape& shape, bool references) {
  Value schema = typed("object");
  schema.set("additionalProperties", json_schema(*shape.inner, references));
  return schema;
}

}  // namespace

Value json_schema(const Shape& shape, bool references) {
  switch (shape.kind) {
    case Shape::Kind::string:
      return text_schema();
    case Shape::Kind::boolean:
      return with_references(typed("boolean"), references);
    case Shape::Kind::integer:
      return with_references(typed("integer"), references);
    case Shape::Kind::number:
      return with_references(typed("number"), references);
    case Shape::Kind::duration:
      return with_references(pattern("^([0-9]+(ms|s|m|h|d|w))+$"), references);
    case Shape::Kind::time:
      return with_references(pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}"), references);
    case Shape::Kind::secret:
      return secret_schema(references);
    case Shape::Kind::choice: {
      Value schema;
      schema.set("enum", strings(shape.choices));
      return with_references(std::move(schema), references);
    }
    case Shape::Kind::list:
      return with_references(list_schema(shape, references), references);
    case Shape::Kind::map:
      return with_references(map_schema(shape, references), references);
    case Shape::Kind::record:
      return with_references(json_schema(*shape.record, references), references);
    case Shape::Kind::any:
      return Value(Value::Map{});
  }
  return Value(Value::Map{});
}

Value object_schema(const Record& record, bool references) {
  Value properties(Value::Map{});
  std::vector<std::string> required;
  for (const Field& field : record.fields) {
    Value schema = json_schema(field.shape, references);
    if (!field.help.empty()) schema.set("description", field.help);
    if (!field.fallback.is_null()) schema.set("default", field.fallback);
    properties.set(field.name, std::move(schema));
    if (field.required) required.push_back(field.name);
  }
  Value object = typed("object");
  if (!record.help.empty()) object.set("description", record.help);
  object.set("properties", std::move(properties));
  object.set("additionalProperties", false);
  if (!required.empty()) object.set("required", strings(required));
  return object;
}

Value json_schema(const Record& record, bool references) {
  std::vector<Value> options{object_schema(record, references)};
  bool empty_is_right = true;
  for (const Field& field : record.fields) empty_is_right = empty_is_right && !field.required;
  if (const Field* field = record.find(record.short_form)) {
    options.push_back(json_schema(field->shape, references));
  }
  if (empty_is_right) options.push_back(typed("null"));
  return options.size() == 1 ? std::move(options.front()) : any_of(std::move(options));
}

}  // namespace lifeboat
