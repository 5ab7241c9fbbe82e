#include "app/type_tables.h"

#include <fmt/format.h>

#include "schema/json.h"

namespace lifeboat::app {
namespace {

std::string in_cell(std::string text) {
  for (std::size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) {
    text.insert(at, "\\");
  }
  return text;
}

std::string field_row(const Field& field, const std::string& path) {
  std::string help = field.help;
  if (field.required) help += " (required)";
  if (!field.fallback.is_null()) help += fmt::format(" (default `{}`)", to_json(field.fallback));
  return fmt::format("| `{}` | {} | {} |\n", path + field.name, in_cell(shape_name(field.shape)),
                     in_cell(help));
}

// The words of a record within a field, and how a path to them goes on: of a list `requests[].`, of
// a map `users.NAME.`; null where there are none.
const Record* record_within(const Shape& shape, std::string& path) {
  if (shape.record) {
    path += ".";
    return shape.record.get();
  }
  if (!shape.inner) return nullptr;
  path += shape.kind == Shape::Kind::list ? "[]" : ".NAME";
  return record_within(*shape.inner, path);
}

std::string field_rows(const Record& record, const std::string& path) {
  std::string out;
  for (const Field& field : record.fields) {
    out += field_row(field, path);
    std::string below = path + field.name;
    const Record* inner = record_within(field.shape, below);
    if (inner != nullptr) out += field_rows(*inner, below);
  }
  return out;
}

std::string fields_table(const Record& record) {
  return "| field | type | |\n| --- | --- | --- |\n" + field_rows(record, "");
}

std::string outputs_line(const plan::StepType& type) {
  std::vector<std::string> names;
  for (const auto& [name, shape] : type.outputs) {
    names.push_back(fmt::format("`{}` ({})", name, shape_name(shape)));
  }
  if (!type.outputs_field.empty()) names.push_back("what `" + type.outputs_field + "` declares");
  std::string line =
      names.empty() ? "no outputs" : fmt::format("outputs: {}", fmt::join(names, ", "));
  return line + (type.fence == plan::Fence::native ? "; native fence" : "; no fence");
}

}  // namespace

std::string type_tables(const source::SourceTypes& sources, const plan::StepTypes& steps,
                        const plan::GuardKinds& guards) {
  std::string out;
  for (const auto& [name, type] : sources.all()) {
    out += fmt::format("### Source `{}`\n\n{}\n\n{}\n", name, type.help, fields_table(type.fields));
  }
  for (const auto& [name, type] : steps.all()) {
    out += fmt::format("### Step `{}`\n\n{} ({})\n\n{}\n", name, type.help, outputs_line(type),
                       fields_table(type.fields));
  }
  for (const auto& [name, kind] : guards.all()) {
    out += fmt::format("### Guard `{}`\n\n{}\n\n{}\n", name, kind.help, fields_table(kind.fields));
  }
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace lifeboat::app
