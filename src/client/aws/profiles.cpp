#include "client/aws/profiles.h"

#include <fstream>

namespace lifeboat::aws {
namespace {

constexpr std::size_t file_bytes_most = 1u << 20;
constexpr std::string_view blanks = " \t\r";

std::string_view stripped(std::string_view text) {
  const std::size_t from = text.find_first_not_of(blanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(blanks) - from + 1);
}

std::string whole_file(const std::string& path) {
  std::ifstream file(path);
  std::string text(file_bytes_most, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

// "" for a section that holds no profile.
std::string section_profile(std::string_view name, bool is_config) {
  name = stripped(name);
  if (!is_config || name == "default") return std::string(name);
  constexpr std::string_view word = "profile";
  if (!name.starts_with(word) || name.size() == word.size()) return {};
  if (blanks.find(name[word.size()]) == std::string_view::npos) return {};
  return std::string(stripped(name.substr(word.size())));
}

}  // namespace

void read_profiles(std::string_view text, bool is_config, Profiles& profiles) {
  std::string profile;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool nested = !line.empty() && blanks.find(line.front()) != std::string_view::npos;
    const std::string_view content = stripped(line);
    if (content.empty() || nested || content.front() == '#' || content.front() == ';') continue;
    if (content.front() == '[') {
      profile = section_profile(content.substr(1, content.find(']') - 1), is_config);
      continue;
    }
    const std::size_t equals = content.find('=');
    if (equals == std::string_view::npos || profile.empty()) continue;
    std::string_view value = stripped(content.substr(equals + 1));
    if (const auto comment = value.find(" #"); comment != std::string_view::npos) {
      value = stripped(value.substr(0, comment));
    }
    profiles[profile][std::string(stripped(content.substr(0, equals)))] = std::string(value);
  }
}

Profiles read_profile_files(const Variables& variables) {
  const auto place = [&](const char* variable, const char* usual) {
    const std::string named = variables(variable);
    return named.empty() ? variables("HOME") + usual : named;
  };
  Profiles profiles;
  read_profiles(whole_file(place("AWS_CONFIG_FILE", "/.aws/config")), true, profiles);
  // Keys of the credentials file win over those of the other one.
  read_profiles(whole_file(place("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials")), false,
                profiles);
  return profiles;
}

std::string profile_name(const Variables& variables) {
  for (const char* variable : {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}) {
    if (std::string named = variables(variable); !named.empty()) return named;
  }
  return "default";
}

bool names_profile(const Variables& variables) {
  return !variables("AWS_PROFILE").empty() || !variables("AWS_DEFAULT_PROFILE").empty();
}

}  // namespace lifeboat::aws
