#include "plan/by_hand.h"

#include <algorithm>
#include <cctype>

#include "base/bytes.h"
#include "schema/fields.h"
#include "schema/json.h"
#include "schema/page_text.h"

namespace lifeboat::plan {
namespace {

constexpr std::size_t name_max = 60;

bool is_word(char c) { return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0; }

// Lower case and with a '_': POSIX keeps such names for people, none of them means anything to a
// shell, a linker or a program.
std::string variable_from(const std::string& expression) {
  std::string name;
  for (const char c : expression.substr(0, name_max)) {
    if (is_word(c)) {
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0) {
    name.insert(0, "value_");
  }
  return name.find('_') == std::string::npos ? name + "_value" : name;
}

// Bytes that would speak to a terminal, or that an eye cannot see, are written as escapes that
// printf turns back. Newlines at the end, which the shell would take away, stay outside of it.
std::string escaped_word(std::string_view text) {
  constexpr char digits[] = "01234567";
  const std::size_t end = text.find_last_not_of('\n') + 1;
  std::string argument;
  for (const char c : text.substr(0, end)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\' && c != '\'') {
      argument += c;
      continue;
    }
    argument += "\\0";
    for (const int shift : {6, 3, 0}) argument += digits[(byte >> shift) & 7];
  }
  std::string word = "\"$(printf %b '" + argument + "')\"";
  if (end < text.size()) word += shell_word(text.substr(end));
  return word;
}

std::vector<std::string> keys_of(const std::vector<Value>& path) {
  std::vector<std::string> keys;
  for (const Value& key : path) {
    keys.push_back(key.is(Value::Type::string) ? key.string() : to_json(key));
  }
  return keys;
}

}  // namespace

std::string shell_text(std::string_view literal) {
  return visible_lines(literal) == literal ? shell_word(literal) : escaped_word(literal);
}

bool is_shell_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), is_word) &&
         std::isdigit(static_cast<unsigned char>(name.front())) == 0;
}

HandNames::HandNames(const Plan& plan, Scope known) : known_(std::move(known)) {
  for (const InputField& input : plan.inputs) {
    paths_["inputs." + input.name] = {"inputs", input.name};
    variable("inputs." + input.name);
  }
  for (const StepNode& step : plan.steps) add_references(step.config);
  for (const GuardRule& guard : plan.guards) add_references(guard.config);
}

void HandNames::add_references(const Value& config) {
  if (config.is(Value::Type::list)) {
    for (const Value& item : config.list()) add_references(item);
  }
  if (config.is(Value::Type::map)) {
    for (const auto& [key, member] : config.map()) add_references(member);
  }
  if (!config.is(Value::Type::string)) return;
  const auto parsed = parse_template(config.string());
  if (!parsed) return;  // compile() has said so
  for (const Template::Part& part : parsed->parts) {
    if (part.expression && !known(*part.expression)) add_expression(part);
  }
}

void HandNames::add_expression(const Template::Part& part) {
  if (part.expression->kind == Expression::Kind::path) {
    paths_[part.source] = keys_of(part.expression->path);
    variable(part.source);
    return;
  }
  asked(part.source);
  std::vector<Reference> inner;  // a person needs these to work it out
  collect_references(*part.expression, inner);
  for (const Reference& each : inner) {
    paths_[each.text()] = keys_of(each.path);
    variable(each.text());
  }
}

const std::string& HandNames::variable(const std::string& expression) {
  const auto found = variables_.find(expression);
  if (found != variables_.end()) return found->second;
  const std::string wanted = variable_from(expression);
  std::string name = wanted;
  for (int i = 2; taken_.contains(name); ++i) name = wanted + "_" + std::to_string(i);
  taken_.insert(name);
  return variables_[expression] = name;
}

const std::string& HandNames::asked(const std::string& expression) {
  asked_.insert(expression);
  return variable(expression);
}

std::optional<Value> HandNames::known(const Expression& expression) const {
  std::vector<Reference> references;
  collect_references(expression, references);
  for (const Reference& each : references) {
    const std::string& root = each.path.front().string();
    if (root != "sources" && root != "platform") return std::nullopt;
  }
  auto value = evaluate(expression, known_);
  if (!value) return std::nullopt;
  return *std::move(value);
}

std::vector<WantedOutput> HandNames::wanted(const std::string& root) const {
  std::vector<WantedOutput> found;
  for (const auto& [expression, path] : paths_) {
    if (path.front() != root) continue;
    found.push_back({{path.begin() + 1, path.end()}, variables_.at(expression)});
  }
  return found;
}

std::vector<std::pair<std::string, std::string>> HandNames::computed() const {
  std::vector<std::pair<std::string, std::string>> found;
  for (const std::string& each : asked_) found.emplace_back(variables_.at(each), each);
  return found;
}

std::optional<Value> ByHand::take(const Template::Part& part) {
  auto value = names_.known(*part.expression);
  // Nothing that tells a secret: of a short one a digest would.
  if (value && !value->tainted()) taken_.set(part.source, *value);
  return value;
}

std::string ByHand::part(const Template::Part& part) {
  if (!part.expression) return text(part.text);
  const auto value = take(part);
  const bool scalar = value && !value->is_null() && !value->is(Value::Type::list) &&
                      !value->is(Value::Type::map) && !value->tainted();
  if (scalar) return text(scalar_text(*value));
  return "\"$" + names_.variable(part.source) + "\"";
}

std::string ByHand::word(const Value& value) {
  if (value.tainted()) return "\"$" + names_.asked("secret of " + step_.name) + "\"";
  if (value.is_null()) return "''";
  if (!value.is(Value::Type::string)) return text(to_json(value));
  const auto parsed = parse_template(value.string());
  if (!parsed) return text(value.string());
  std::string joined;
  for (const Template::Part& each : parsed->parts) joined += part(each);
  return joined.empty() ? "''" : joined;
}

std::string ByHand::json(const Value& value) {
  if (value.is(Value::Type::list)) {
    std::string joined = "'['";
    for (const Value& item : value.list()) {
      joined += (joined.size() > 3 ? "','" : "") + json(item);
    }
    return joined + "']'";
  }
  if (value.is(Value::Type::map)) {
    std::string joined = "'{'";
    for (const auto& [key, member] : value.map()) {
      joined += (joined.size() > 3 ? "','" : "") + text(to_json(Value(key)) + ":") + json(member);
    }
    return joined + "'}'";
  }
  const auto parsed =
      value.is(Value::Type::string) ? parse_template(value.string()) : Result<Template>(Template());
  const bool refers = parsed && std::any_of(parsed->parts.begin(), parsed->parts.end(),
                                            [](const auto& each) { return each.expression; });
  if (!refers) return text(to_json(value));
  uses(HandTool::json_text);
  return "\"$(json_text " + word(value) + ")\"";
}

std::string ByHand::secret(const Value& value) {
  if (value.is(Value::Type::string)) return word(value);
  if (value.has("env")) {
    const std::string name = value.text("env");
    if (is_shell_name(name)) {
      environment_.insert(name);
      return "\"$" + name + "\"";
    }
  }
  // Relative names are below the folder of the platform file, which may hold what no bundle does.
  if (value.has("file")) {
    return "\"$(cd \"$bundle\" && cat -- " + word(value.at("file")) + ")\"";
  }
  if (value.at("exec").is(Value::Type::list)) {
    std::string line;
    for (const Value& each : value.at("exec").list())
      line += (line.empty() ? "" : " ") + word(each);
    return "\"$(cd \"$bundle\" && " + line + ")\"";
  }
  return "\"$" + names_.asked("secret of " + step_.name) + "\"";
}

std::optional<Value> ByHand::known(const Value& value) {
  if (!value.is(Value::Type::string)) return value;
  const auto parsed = parse_template(value.string());
  if (!parsed) return std::nullopt;
  if (parsed->whole()) return take(parsed->parts.front());
  for (const Template::Part& each : parsed->parts) {
    if (each.expression) return std::nullopt;
  }
  return value;
}

std::string ByHand::remark(std::string_view text) {
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return "# " + visible(line);
}

}  // namespace lifeboat::plan
