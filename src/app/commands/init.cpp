// `lifeboat init`: platform file, repository and keys; and what to keep where.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "app/commands/commands.h"
#include "app/key_input.h"
#include "crypt/age.h"
#include "schema/json.h"
#include "store/s3.h"

namespace lifeboat::app {
namespace {

struct Given {
  std::string platform = "my-platform";
  std::string new_passphrase_file, age_identity_file;
  std::vector<std::string> age_recipients;
};

constexpr std::string_view template_text =
    R"(# lifeboat.yaml - what holds state here, and how it comes back.
# Complete reference: docs/plan-file.md; editors complete it with `lifeboat schema`.
version: 1
platform: {platform}
repository: {repository}
objectives: {{ rto: 45m, rpo: 1h }}

# Every thing that holds state which Git and Terraform cannot re-create.
# The name is yours, the next key is the type.
sources:
  uploads:
    files: {{ path: {example} }}
#  orders:
#    postgres:
#      url: postgresql://backup@127.0.0.1:5432/postgres
#      password: {{ env: PGPASSWORD }}          # or {{ file: /run/secrets/pg }}
#  broker:
#    rabbitmq: {{ url: "http://127.0.0.1:15672", user: admin, password: {{ env: MQPASSWORD }} }}
#  deploy:
#    git: {{ path: /srv/git/deploy.git }}

# How it comes back. Steps run as soon as what they refer to is there; `${{...}}` makes the order.
plans:
  lost:
    scenario: The host with everything on it is gone
    inputs:
      target: {{ type: string, ask: Folder to restore the uploads into }}
    steps:
      uploads: {{ restore: {{ source: uploads, into: "${{inputs.target}}" }} }}
)";

// Creates `path` with 0600 only if it is not there.  Answers false when it is.
Result<bool> write_new(const std::string& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return false;
  if (fd < 0 && errno == ENOENT) {
    return fail(Error::Kind::not_found, path + ": the folder is not there", "make it first",
                Error::Code::usage);
  }
  if (fd < 0) {
    return fail(Error::Kind::denied, fmt::format("{}: {}", path, std::strerror(errno)),
                "name a file in a folder of yours");
  }
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  ::close(fd);
  if (!written) {
    ::unlink(path.c_str());
    return fail(Error::Kind::unavailable, path + ": cannot be written", "is the disk full?",
                Error::Code::no_space);
  }
  return true;
}

// The keys of the new repository: a passphrase, and age recipients that are given or made.
Result<std::vector<repo::NewKey>> choose_keys(Program& program, const Given& given) {
  std::vector<repo::NewKey> keys;
  const bool asked = given.age_recipients.empty() && given.age_identity_file.empty();
  if (!given.new_passphrase_file.empty() || asked) {
    TRY(Secret passphrase, new_passphrase(program, given.new_passphrase_file));
    keys.emplace_back(repo::Passphrase{std::move(passphrase)});
  }
  for (const std::string& recipient : given.age_recipients) {
    TRY_DO(crypt::age::check_recipient(recipient));
    keys.emplace_back(repo::AgeRecipient{recipient});
  }
  if (!given.age_identity_file.empty()) {
    const crypt::age::NewIdentity made = crypt::age::new_identity(program.random());
    const std::string text =
        fmt::format("# age identity of a Lifeboat repository\n# public key: {}\n{}\n",
                    made.recipient, made.identity.reveal());
    TRY(const bool written, write_new(given.age_identity_file, text));
    if (!written) {
      return fail(Error::Kind::conflict, given.age_identity_file + " is there already",
                  "name a new file, or give its recipient with --age", Error::Code::usage);
    }
    keys.emplace_back(repo::AgeRecipient{made.recipient});
  }
  return keys;
}

void tell_what_to_keep(Program& program, const std::string& place, const Given& given,
                       std::size_t keys) {
  Terminal& terminal = program.terminal();
  terminal.say("");
  terminal.say("Keep, each in another place than the platform:");
  terminal.say("  1. this binary:      for Debian 12, with the packages that README.md names");
  terminal.say("  2. the repository:   " + place);
  if (!given.age_identity_file.empty()) {
    terminal.say("  3. the age identity: " + given.age_identity_file +
                 "  (move it to a safe, off this machine)");
  }
  if (given.age_identity_file.empty() || !given.new_passphrase_file.empty()) {
    terminal.say(fmt::format("  {}. the passphrase:   on paper, in two places",
                             given.age_identity_file.empty() ? 3 : 4));
  }
  if (keys < 2) {
    terminal.say(
        "Only one key opens this repository. Add one of another kind: `lifeboat keys add`.");
  }
  terminal.say("Next: edit the platform file, then `lifeboat doctor`, then `lifeboat backup`.");
}

// Everything that can go wrong is asked before anything is made: init can then be run again.
Result<void> look_first(const std::string& path, const Given& given) {
  for (const std::string& file : {path, given.age_identity_file}) {
    if (file.empty()) continue;
    const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
    if (::access(folder.c_str(), W_OK) != 0) {
      return fail(Error::Kind::invalid,
                  fmt::format("{}: {}", folder.string(), std::strerror(errno)),
                  "make that folder, or name another; nothing was made", Error::Code::usage);
    }
  }
  if (!given.age_identity_file.empty() && std::filesystem::exists(given.age_identity_file)) {
    return fail(Error::Kind::conflict, given.age_identity_file + " is there already",
                "name a new file, or give its recipient with --age", Error::Code::usage);
  }
  return {};
}

std::string absolute_place(const std::string& place) {
  return store::is_s3_place(place) ? place : std::filesystem::absolute(place).string();
}

Result<int> run_init(const Operation& op, Program& program, const Given& given) {
  const std::string path =
      program.options.config.empty() ? "lifeboat.yaml" : program.options.config;
  TRY_DO(look_first(path, given));
  auto place = program.repository_place();
  if (!place && std::filesystem::exists(path)) return fail(std::move(place).error());
  if (!place) {
    return fail(Error::Kind::invalid, "where shall the repository be?",
                "lifeboat init --repository /mnt/elsewhere/lifeboat, or s3://BUCKET/PREFIX",
                Error::Code::usage);
  }
  const std::string text = fmt::format(
      fmt::runtime(template_text), fmt::arg("platform", to_json(Value(given.platform))),
      fmt::arg("repository", to_json(Value(absolute_place(*place)))),
      fmt::arg("example", to_json(Value(std::filesystem::current_path().string() + "/uploads"))));
  TRY_DO(platform::read_platform(text, path, program.vocabulary()));
  TRY(auto store, program.open_store(*place, true));
  const std::string attempt = to_hex(program.random().array<16>());
  TRY_DO(store::prove_put_if_absent(op, *store, 16, attempt));
  if (store->size(op, "config")) {  // before anybody is asked for a passphrase
    return fail(Error::Kind::conflict, store->describe() + " holds a repository already",
                "choose another place, or use the repository that is there", Error::Code::refused);
  }
  TRY(const auto keys, choose_keys(program, given));
  const auto repository = repo::Repository::create(op, *store, keys, program.environment());
  if (!repository) {  // the identity opens nothing, and stands in the way of the next try
    if (!given.age_identity_file.empty()) ::unlink(given.age_identity_file.c_str());
    return fail(repository.error());
  }
  TRY(const bool wrote, write_new(path, text));
  program.terminal().say(wrote ? "Wrote " + path + "." : "Kept " + path + " as it is.");
  program.terminal().say(fmt::format("Created repository {} with {} key(s) at {}.",
                                     (*repository)->id(), keys.size(), *place));
  tell_what_to_keep(program, *place, given, keys.size());
  return 0;
}

}  // namespace

void add_init(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("init", "Write a platform file, create repository and keys");
  auto given = std::make_shared<Given>();
  command->add_option("--platform", given->platform, "name of the platform");
  command->add_option("--new-passphrase-file", given->new_passphrase_file,
                      "file with the passphrase (asked for when missing)");
  command->add_option("--age", given->age_recipients, "age recipient that may open it (age1...)");
  command->add_option("--new-age-identity", given->age_identity_file,
                      "make an age identity and write it to this file");
  command->footer(
      "Examples:\n  lifeboat init --repository /mnt/usb/lifeboat\n"
      "  lifeboat init --repository /backup --new-age-identity /mnt/usb/key.txt");
  command->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return run_init(op, program, *given);
    };
  });
}

}  // namespace lifeboat::app
