#include "source/git/references.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "crypt/crypt.h"

namespace lifeboat::source::git {
namespace {

constexpr std::string_view own_prefix = "refs/lifeboat/";

template <class Each>
void for_lines(std::string_view text, Each&& each) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    if (end > 0) each(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void add(References& references, const std::string& name, const std::string& id) {
  if (name == marker_ref) references.marker_id = id;
  if (!name.starts_with(own_prefix)) references.ids[name] = id;
}

bool is_of_the_forge(std::string_view name) {
  return name.starts_with("refs/pull/") || name.starts_with("refs/merge-requests/") ||
         name.starts_with("refs/keep-around/") || name.starts_with("refs/pipelines/");
}

std::string some_names(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, names.size()); ++i) {
    text += (i == 0 ? "" : ", ") + printable(names[i]);
  }
  if (names.size() > shown) text += ", ...";
  return text;
}

}  // namespace

Result<References> read_local(const Operation& op, const GitProgram& git,
                              const std::string& git_dir) {
  References references;
  TRY(const std::string listed,
      git.run(op,
              {.args = {"for-each-ref", "--format=%(objectname) %(refname)"}, .git_dir = git_dir}));
  for_lines(listed, [&](std::string_view line) {
    const auto space = line.find(' ');
    if (space == std::string_view::npos) return;
    add(references, std::string(line.substr(space + 1)), std::string(line.substr(0, space)));
  });
  TRY(const Finished symbolic,
      git.attempt(op, {.args = {"symbolic-ref", "-q", "HEAD"}, .git_dir = git_dir}));
  if (symbolic.status == 0) {
    references.head = symbolic.output.substr(0, symbolic.output.find('\n'));
    return references;
  }
  TRY(const std::string id,
      git.run(op, {.args = {"rev-parse", "--verify", "HEAD"}, .git_dir = git_dir}));
  references.head = id.substr(0, id.find('\n'));
  return references;
}

Result<References> read_remote(const Operation& op, const GitProgram& git, std::size_t& left_out) {
  References references;
  TRY(const std::string listed,
      git.run(op, {.args = {"ls-remote", "--symref", git.address().url}}));
  std::string detached;
  for_lines(listed, [&](std::string_view line) {
    const auto tab = line.find('\t');
    if (tab == std::string_view::npos) return;
    const std::string left(line.substr(0, tab)), name(line.substr(tab + 1));
    if (name.ends_with("^{}")) return;  // what an annotated tag points at
    if (name == "HEAD") {
      if (left.starts_with("ref: "))
        references.head = left.substr(5);
      else
        detached = left;
    } else if (is_of_the_forge(name)) {
      ++left_out;
    } else {
      add(references, name, left);
    }
  });
  if (references.head.empty()) references.head = detached;
  return references;
}

Value to_value(const References& references) {
  Value ids{Value::Map{}};
  for (const auto& [name, id] : references.ids) ids.set(name, id);
  Value value{Value::Map{}};
  value.set("head", references.head);
  value.set("refs", std::move(ids));
  return value;
}

Result<References> from_value(const Value& value) {
  const Value& ids = value.at("refs");
  if (!ids.is(Value::Type::map) || !value.at("head").is(Value::Type::string)) {
    return fail(Error::Kind::corrupt, "the capture's manifest.json is not one of a git repository");
  }
  References references;
  references.head = value.at("head").string();
  for (const auto& [name, id] : ids.map()) {
    const bool fits = id.is(Value::Type::string) && name.starts_with("refs/") &&
                      name.find_first_of(" \n\t") == std::string::npos &&
                      (id.string().size() == 40 || id.string().size() == 64) &&
                      from_hex(id.string()).has_value();
    if (!fits) {
      return fail(Error::Kind::corrupt,
                  fmt::format("manifest.json: '{}' is no reference", printable(name)));
    }
    references.ids[name] = id.string();
  }
  return references;
}

std::string digest(const References& references) {
  std::string text = "HEAD " + references.head + "\n";
  for (const auto& [name, id] : references.ids) text += id + " " + name + "\n";
  return crypt::sha256(as_bytes(text)).hex();
}

std::string differences(const References& wanted, const References& live) {
  std::vector<std::string> missing, different, extra;
  for (const auto& [name, id] : wanted.ids) {
    const auto found = live.ids.find(name);
    if (found == live.ids.end())
      missing.push_back(name);
    else if (found->second != id)
      different.push_back(name);
  }
  for (const auto& [name, id] : live.ids) {
    if (!wanted.ids.contains(name)) extra.push_back(name);
  }
  std::string text;
  const auto tell = [&text](const std::vector<std::string>& names, const char* word) {
    if (names.empty()) return;
    text += fmt::format("{}{} {} ({})", text.empty() ? "" : ", ", names.size(), word,
                        some_names(names));
  };
  tell(missing, "missing");
  tell(different, "different");
  tell(extra, "not captured");
  return text;
}

}  // namespace lifeboat::source::git
