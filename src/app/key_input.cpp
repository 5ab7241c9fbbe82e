#include "app/key_input.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace lifeboat::app {

Result<Secret> read_secret_file(const std::string& path) {
  constexpr std::size_t limit_bytes = 64u << 10;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return fail(errno == EACCES ? Error::Kind::denied : Error::Kind::not_found,
                fmt::format("key file {}: {}", path, std::strerror(errno)), "", Error::Code::usage);
  }
  std::string text(limit_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > limit_bytes) {
    return fail(Error::Kind::invalid, "key file " + path + " is larger than 64 KiB", "",
                Error::Code::usage);
  }
  if (text.ends_with('\n')) text.pop_back();
  return Secret(std::move(text));
}

Result<Secret> new_passphrase(Program& program, const std::string& file) {
  constexpr std::size_t shortest = 12;
  Secret passphrase;
  if (!file.empty()) {
    TRY(passphrase, read_secret_file(file));
  } else {
    if (program.options.no_input) {
      return fail(Error::Kind::denied, "a new passphrase is needed",
                  "give it with --new-passphrase-file", Error::Code::needs_person);
    }
    TRY(std::string first, program.terminal().ask_hidden("New passphrase:"));
    TRY(std::string second, program.terminal().ask_hidden("Once more:"));
    const bool same = first == second;
    passphrase = Secret(std::move(first));
    const Secret wiped(std::move(second));
    if (!same) {
      return fail(Error::Kind::invalid, "the two passphrases differ", "", Error::Code::usage);
    }
  }
  if (passphrase.reveal().size() < shortest) {
    return fail(Error::Kind::invalid,
                fmt::format("the passphrase is shorter than {} characters", shortest),
                "take five or more random words", Error::Code::usage);
  }
  return passphrase;
}

}  // namespace lifeboat::app
