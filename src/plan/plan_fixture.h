// plan/plan_fixture.h - Step types and trees for the tests of plans. Tests only.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plan/plan.h"
#include "schema/json.h"

namespace lifeboat::plan {

inline Field test_field(const char* name, Shape shape, bool required = false) {
  Field field;
  field.name = name;
  field.shape = std::move(shape);
  field.required = required;
  return field;
}

// "run": text, port, list, secret and free fields, outputs url, port, hosts, facts and what
// `outputs` declares. "restore": names a source.
inline StepTypes test_types() {
  StepTypes types;
  StepType run;
  run.name = "run";
  run.fields.fields = {test_field("text", shape::string()),
                       test_field("port", shape::integer()),
                       test_field("hosts", shape::string_or_list()),
                       test_field("env", shape::map(shape::string())),
                       test_field("password", shape::secret()),
                       test_field("free", shape::any()),
                       test_field("outputs", shape::map(shape::string()))};
  run.fields.short_form = "text";
  run.outputs = {{"url", shape::string()},
                 {"port", shape::integer()},
                 {"hosts", shape::list(shape::string())},
                 {"facts", shape::map(shape::integer())},
                 {"token", shape::string()}};
  run.outputs_field = "outputs";
  run.secret_outputs = {"token"};
  types.add(run);
  StepType restore;
  restore.name = "restore";
  restore.fields.fields = {test_field("source", shape::string(), true),
                           test_field("into", shape::string(), true)};
  restore.outputs = {{"items", shape::integer()}};
  types.add(restore);
  return types;
}

// Text of JSON as a tree of the file: every scalar plain, every value with a mark.
inline Value file_tree(Value value, int& line) {
  value.at_mark({"plan.yaml", line, 9}).at_key(line, 5);
  ++line;
  if (value.is(Value::Type::string)) value.set_plain();
  if (value.is(Value::Type::list)) {
    for (Value& item : value.list()) item = file_tree(item, line);
  }
  if (value.is(Value::Type::map)) {
    for (auto& [key, member] : value.map()) member = file_tree(member, line);
  }
  return value;
}

struct Compiled {
  Plan plan;
  std::vector<std::string> findings;
};

inline Compiled compile_tree(const Value& tree) {
  static const StepTypes types = test_types();
  CompileContext context;
  context.types = &types;
  context.sources["orders"] = *parse_json(R"({"type":"postgres","url":"postgresql://db/orders"})");
  std::vector<Finding> findings;
  Compiled compiled;
  compiled.plan = compile("lost", tree, context, findings);
  for (const Finding& finding : findings) compiled.findings.push_back(finding.text());
  return compiled;
}

inline Compiled compile_json(const std::string& json) {
  int line = 1;
  return compile_tree(file_tree(*parse_json(json), line));
}

}  // namespace lifeboat::plan
