// KEY=VALUE lines: shell-like .env files (quotes, `export`, comments behind a value) and Java's
// .properties (KEY=VALUE or KEY: VALUE, no quotes, comments on lines of their own).
#include <algorithm>

#include "steps/git_edit/edit.h"

namespace lifeboat::steps {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::size_t skip_blanks(std::string_view text, std::size_t at, std::size_t end) {
  while (at < end && is_blank(text[at])) ++at;
  return at;
}

// What stands between double quotes, or bare in .properties, without its escapes.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      out += text[i] == 'n' ? '\n' : text[i] == 't' ? '\t' : text[i];
    } else {
      out += text[i];
    }
  }
  return out;
}
std::string escaped(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

void read_quoted(std::string_view text, Leaf& leaf, std::size_t end) {
  const char quote = text[leaf.begin];
  std::size_t at = leaf.begin + 1;
  while (at < end && text[at] != quote) at += quote == '"' && text[at] == '\\' ? 2 : 1;
  leaf.end = std::min(at + 1, end);
  const std::string_view inner = text.substr(leaf.begin + 1, std::min(at, end) - leaf.begin - 1);
  leaf.style = quote == '"' ? Leaf::Style::double_quoted : Leaf::Style::single_quoted;
  leaf.text = quote == '"' ? unescaped(inner) : std::string(inner);
}

void read_plain(std::string_view text, Leaf& leaf, std::size_t end, Form form) {
  leaf.end = end;
  if (form == Form::env) {
    for (std::size_t at = leaf.begin; at < end; ++at) {
      if (text[at] == '#' && (at == leaf.begin || is_blank(text[at - 1]))) {
        leaf.end = at;
        break;
      }
    }
  }
  while (leaf.end > leaf.begin && (is_blank(text[leaf.end - 1]) || text[leaf.end - 1] == '\r')) {
    --leaf.end;
  }
  const std::string_view bare = text.substr(leaf.begin, leaf.end - leaf.begin);
  leaf.text = form == Form::properties ? unescaped(bare) : std::string(bare);
}

}  // namespace

Result<std::vector<Leaf>> env_leaves(std::string_view text, Form form) {
  std::vector<Leaf> leaves;
  for (std::size_t line = 0; line < text.size();) {
    const std::size_t end = std::min(text.find('\n', line), text.size());
    std::size_t at = skip_blanks(text, line, end);
    line = end + 1;
    if (at == end || text[at] == '#' || (form == Form::properties && text[at] == '!')) continue;
    if (form == Form::env && text.substr(at, end - at).starts_with("export ")) {
      at = skip_blanks(text, at + 7, end);
    }
    const auto sign = text.find_first_of(form == Form::env ? "=" : "=:", at);
    if (sign == std::string_view::npos || sign >= end) continue;
    std::string_view key = text.substr(at, sign - at);
    while (!key.empty() && is_blank(key.back())) key.remove_suffix(1);
    Leaf leaf;
    leaf.path = std::string(key);
    leaf.begin = form == Form::env ? sign + 1 : skip_blanks(text, sign + 1, end);
    const bool quoted = form == Form::env && leaf.begin < end &&
                        (text[leaf.begin] == '"' || text[leaf.begin] == '\'');
    if (quoted)
      read_quoted(text, leaf, end);
    else
      read_plain(text, leaf, end, form);
    leaves.push_back(std::move(leaf));
  }
  return leaves;
}

std::string env_scalar(const Leaf& leaf, const Value& value, Form form) {
  const std::string text = leaf_text(value);
  if (form == Form::properties) {
    const bool leads = !text.empty() && is_blank(text.front());
    return (leads ? "\\" : "") + escaped(text, "\\");
  }
  if (leaf.style == Leaf::Style::single_quoted && text.find_first_of("'\n") == std::string::npos) {
    return "'" + text + "'";
  }
  const bool bare = leaf.style == Leaf::Style::plain &&
                    text.find_first_of(" \t\n#\"'\\$`&|;<>()") == std::string::npos;
  return bare ? text : "\"" + escaped(text, "\"\\$`") + "\"";
}

}  // namespace lifeboat::steps
