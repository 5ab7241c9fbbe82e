// `lifeboat keys`: who can open the repository.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "app/key_input.h"

namespace lifeboat::app {
namespace {

struct Given {
  std::string age, new_passphrase_file, label;
  bool passphrase = false;
  unsigned slot = 0;
};

std::string shown_label(const repo::KeyRecord& key) {
  const bool both = !key.label.empty() && !key.recipient.empty();
  return printable(key.label + (both ? ", " : "") + key.recipient);
}

Result<int> list_keys(const Operation& op, Program& program) {
  TRY(Opened opened, program.open_repository(op));
  TRY(const std::vector<repo::KeyRecord> keys, opened.repository->keys(op));
  Value items{Value::List{}};
  Table table{.columns = {"SLOT", "KIND", "LABEL", "CREATED"}, .rows = {}};
  for (const repo::KeyRecord& key : keys) {
    Value row;
    row.set("slot", std::int64_t{key.slot});
    row.set("kind", key.kind);
    row.set("label", printable(key.label));
    if (!key.recipient.empty()) row.set("recipient", printable(key.recipient));
    row.set("created", rfc3339(key.created));
    items.push(std::move(row));
    table.rows.push_back(
        {std::to_string(key.slot), key.kind, shown_label(key), rfc3339(key.created)});
  }
  Value document;
  document.set("items", std::move(items));
  program.terminal().show("KeyList", document, table);
  return 0;
}

Result<int> add_one_key(const Operation& op, Program& program, const Given& given) {
  if (given.age.empty() == !given.passphrase) {
    return fail(Error::Kind::invalid, "say which key to add: --age RECIPIENT or --passphrase", "",
                Error::Code::usage);
  }
  TRY(Opened opened, program.open_repository(op));
  repo::NewKey key = repo::AgeRecipient{given.age};
  if (given.passphrase) {
    TRY(Secret text, new_passphrase(program, given.new_passphrase_file));
    key = repo::Passphrase{std::move(text)};
  }
  TRY(const repo::KeyRecord added, opened.repository->add_key(op, key, given.label));
  program.terminal().say(fmt::format("Added {} key in slot {}.", added.kind, added.slot));
  return 0;
}

Result<int> remove_one_key(const Operation& op, Program& program, const Given& given) {
  TRY(Opened opened, program.open_repository(op));
  TRY_DO(opened.repository->remove_key(op, given.slot));
  program.terminal().say(fmt::format(
      "Removed the key in slot {}. Whoever opened the repository with it may have kept what it "
      "opens: see SECURITY.md.",
      given.slot));
  return 0;
}

}  // namespace

void add_keys(CLI::App& root, Program& program) {
  auto* keys = root.add_subcommand("keys", "List, add and remove the keys of the repository");
  keys->require_subcommand(1);
  keys->footer("Example:\n  lifeboat keys list");
  auto given = std::make_shared<Given>();
  auto* list = keys->add_subcommand("list", "List the keys");
  list->footer("Examples:\n  lifeboat keys list\n  lifeboat keys list --output json");
  list->callback([&program] {
    program.chosen = [&program](const Operation& op) { return list_keys(op, program); };
  });
  auto* add = keys->add_subcommand("add", "Add a key; two of different kinds are a good number");
  add->add_option("--age", given->age, "an age recipient (age1...)");
  add->add_flag("--passphrase", given->passphrase, "a passphrase, asked for or from a file");
  add->add_option("--new-passphrase-file", given->new_passphrase_file, "file with the passphrase");
  add->add_option("--label", given->label, "a word for people: whose it is, where it is kept");
  add->footer("Example:\n  lifeboat keys add --age age1... --label 'safe in Zurich'");
  add->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return add_one_key(op, program, *given);
    };
  });
  auto* remove = keys->add_subcommand("remove", "Remove a key; the last one stays");
  remove->add_option("slot", given->slot, "as `keys list` shows it")->required();
  remove->footer("Example:\n  lifeboat keys remove 1");
  remove->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return remove_one_key(op, program, *given);
    };
  });
}

}  // namespace lifeboat::app
