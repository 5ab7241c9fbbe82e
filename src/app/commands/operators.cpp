// `lifeboat operators`: the keys of the people who may approve and command runs.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>

#include "app/commands/commands.h"
#include "app/operator_input.h"
#include "base/descriptor.h"
#include "crypt/operator_key.h"

namespace lifeboat::app {
namespace {

Result<void> write_new_key(const std::string& path, const Secret& pem) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const bool written = file.open() && write_all(file.number(), as_bytes(pem.reveal())) &&
                       ::fsync(file.number()) == 0;
  if (written) return {};
  const int error = errno;
  if (file.open()) ::unlink(path.c_str());
  return fail(Error::Kind::invalid,
              fmt::format("operator key {}: {}", printable(path), std::strerror(error)),
              error == EEXIST ? "a key is never overwritten; name another file" : "",
              Error::Code::usage);
}

int show_public(Program& program, const crypt::SigningKey& key) {
  Value document;
  document.set("key", crypt::verify_key_text(key.verify_key));
  if (program.terminal().output() == Output::json) {
    program.terminal().show("OperatorKey", document, {});
  } else {
    program.terminal().print(document.text("key") + "\n");
  }
  return 0;
}

Result<int> make_key(Program& program, const std::string& path) {
  const auto key = crypt::SigningKey::from(crypt::Key::random(program.random()));
  TRY_DO(write_new_key(path, crypt::operator_key_to_pem(key)));
  program.terminal().say(fmt::format(
      "Wrote {} (mode 0600). Put a passphrase on it: openssl pkey -aes256 -in {} -out ...\n"
      "Its public half, for `operators:` of the platform file:",
      printable(path), shell_word(path)));
  return show_public(program, key);
}

Result<int> show_key(const Operation& op, Program& program, const std::string& path) {
  program.options.operator_key_file = path;
  TRY(const auto key, operator_key(op, program));
  return show_public(program, *key);
}

}  // namespace

void add_operators(CLI::App& root, Program& program) {
  auto* operators = root.add_subcommand("operators", "Keys of the people who may approve");
  operators->require_subcommand(1);
  operators->footer("Example:\n  lifeboat operators new alice.pem");
  auto path = std::make_shared<std::string>();
  auto* made = operators->add_subcommand("new", "Make a key; prints its public half");
  made->add_option("file", *path, "where to write the private key (PEM)")->required();
  made->footer("Example:\n  lifeboat operators new ~/.config/lifeboat/alice.pem");
  made->callback([&program, path] {
    program.chosen = [&program, path](const Operation&) { return make_key(program, *path); };
  });
  auto* shown = operators->add_subcommand("show", "Print the public half of a key");
  shown->add_option("file", *path, "private key (PEM)")->required();
  shown->footer("Example:\n  lifeboat operators show alice.pem");
  shown->callback([&program, path] {
    program.chosen = [&program, path](const Operation& op) { return show_key(op, program, *path); };
  });
}

}  // namespace lifeboat::app
