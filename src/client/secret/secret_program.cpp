#include "client/secret/secret_program.h"

#include <cstdlib>

namespace lifeboat {
namespace {

constexpr const char* passed_on[] = {
    "PATH", "USER", "LOGNAME", "TERM",
    // where stores and settings lie
    "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "GNUPGHOME", "PASSWORD_STORE_DIR",
    "AWS_PROFILE", "AWS_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "VAULT_ADDR",
    "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY",
    // agents, and the screen that they ask on
    "SSH_AUTH_SOCK", "GPG_TTY", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY",
    "XAUTHORITY"};

}  // namespace

Result<Secret> ask_secret_program(const Operation& op, Launcher& launcher, Command command) {
  for (const char* name : passed_on) {
    if (const char* value = std::getenv(name)) command.env[name] = value;
  }
  if (const char* home = std::getenv("HOME")) command.home = home;
  TRY(Finished done, launcher.run(op, command));
  if (done.status != 0) {
    return fail(Error::Kind::unavailable,
                printable(command.argv.front()) + " (asked for a secret) ended with status " +
                    std::to_string(done.status),
                "run it by hand to see what it says (it is not shown: it may hold the secret)");
  }
  if (done.output.ends_with('\n')) done.output.pop_back();
  return Secret(std::move(done.output));
}

}  // namespace lifeboat
