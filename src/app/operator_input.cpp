#include "app/operator_input.h"

#include <pwd.h>
#include <unistd.h>

#include <array>

#include "app/key_input.h"
#include "crypt/operator_key.h"

namespace lifeboat::app {

Result<std::optional<crypt::SigningKey>> operator_key(const Operation& op, Program& program) {
  const std::string& path = program.options.operator_key_file;
  if (path.empty()) return std::optional<crypt::SigningKey>();
  TRY(const Secret pem, read_key_file(op, path));
  const auto ask = [&]() -> Result<Secret> {
    if (program.options.no_input) {
      return fail(Error::Kind::denied, "the operator key has a passphrase", "run it in a terminal",
                  Error::Code::needs_person);
    }
    TRY(std::string typed,
        program.terminal().ask_hidden("Passphrase of operator key " + path + ":"));
    return Secret(std::move(typed));
  };
  auto key = crypt::operator_key_from_pem(pem, ask);
  if (!key) return wrap(std::move(key).error(), printable(path));
  return std::optional(*key);
}

std::string user_at_host(Program& program) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const bool known =
      getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
  const std::string user = known ? found->pw_name : "uid " + std::to_string(getuid());
  return user + "@" + program.environment().host;
}

}  // namespace lifeboat::app
