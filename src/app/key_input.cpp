#include "app/key_input.h"

#include <fmt/format.h>

#include "client/secret/secret_file.h"

namespace lifeboat::app {

Result<Secret> read_key_file(const Operation& op, const std::string& path) {
  auto text = read_secret_file(op, path);
  if (text || text.error().kind == Error::Kind::cancelled) return text;
  Error error = std::move(text).error();
  error.code = Error::Code::usage;
  return fail(std::move(error));
}

Result<Secret> new_passphrase(Program& program, const std::string& file) {
  constexpr std::size_t shortest = 12;
  Secret passphrase;
  if (!file.empty()) {
    TRY(passphrase, read_key_file(program.operation(), file));
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
