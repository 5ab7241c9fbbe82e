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

std::string fields_table(const Record& record) {
  std::string out = "| field | type | |\n| --- | --- | --- |\n";
  for (const Field& field : record.fields) {
    out += field_row(field, "");
    if (!field.shape.record) continue;
    for (const Field& inner : field.shape.record->fields) {
      out += field_row(inner, field.name + ".");
    }
  }
  return out;
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

std::string type_tables(const source::SourceTypes& sources, const plan::StepTypes& steps) {
  std::string out;
  for (const auto& [name, type] : sources.all()) {
    out += fmt::format("### Source `{}`\n\n{}\n\n{}\n", name, type.help, fields_table(type.fields));
  }
  for (const auto& [name, type] : steps.all()) {
    out += fmt::format("### Step `{}`\n\n{} ({})\n\n{}\n", name, type.help, outputs_line(type),
                       fields_table(type.fields));
  }
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace lifeboat::app
