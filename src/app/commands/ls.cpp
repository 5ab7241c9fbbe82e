// `lifeboat ls SNAPSHOT [FOLDER]` and `lifeboat cat SNAPSHOT ITEM`: look into a snapshot.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "app/commands/commands.h"
#include "schema/json.h"

namespace lifeboat::app {
namespace {

struct Given {
  std::string snapshot, item;
};

std::string_view kind_name(capture::ItemKind kind) {
  switch (kind) {
    case capture::ItemKind::file:
      return "file";
    case capture::ItemKind::directory:
      return "directory";
    case capture::ItemKind::symlink:
      return "symlink";
    case capture::ItemKind::hard_link:
      return "hard link";
    case capture::ItemKind::fifo:
      return "fifo";
    case capture::ItemKind::char_device:
      return "char device";
    case capture::ItemKind::block_device:
      return "block device";
    case capture::ItemKind::stream:
      return "stream";
  }
  return "stream";
}

Value document_of(const capture::Item& item) {
  Value row;
  row.set("apiVersion", "lifeboat/v1");
  row.set("kind", "Item");
  set_text_or_base64(row, "path", item.name);
  row.set("type", std::string(kind_name(item.kind)));
  row.set("size_bytes", item.size_bytes);
  row.set("changed_while_read", item.changed_while_read);
  if (item.file) {
    row.set("mode", fmt::format("{:04o}", item.file->mode));
    row.set("uid", std::int64_t{item.file->uid});
    row.set("gid", std::int64_t{item.file->gid});
    row.set("mtime_seconds", item.file->mtime.seconds);
    row.set("mtime_nanoseconds", std::int64_t{item.file->mtime.nanoseconds});
    if (!item.file->link_target.empty()) set_text_or_base64(row, "link", item.file->link_target);
  }
  Value facts{Value::Map{}};
  for (const auto& [key, value] : item.facts) facts.set(key, printable(value));
  if (!item.facts.empty()) row.set("facts", std::move(facts));
  return row;
}

bool below(std::string_view name, std::string_view folder) {
  return folder.empty() || name == folder ||
         (name.starts_with(folder) && name.size() > folder.size() && name[folder.size()] == '/');
}

// Streams: a snapshot may hold millions of items. JSON is one item a line (NDJSON).
Result<int> list_items(const Operation& op, Program& program, const Given& given) {
  TRY(Opened opened, program.open_repository(op));
  TRY(const repo::Snapshot snapshot, find_snapshot(*opened.repository, given.snapshot));
  TRY(const auto feed, opened.repository->feed(op, snapshot.id));
  TRY(const auto cursor, feed->items(op));
  std::uint64_t shown = 0;
  for (;;) {
    TRY(const std::optional<capture::Item> item, cursor->next(op));
    if (!item) break;
    if (!below(item->name, given.item)) continue;
    ++shown;
    if (program.terminal().output() == Output::json) {
      program.terminal().print(to_json(document_of(*item)) + "\n");
      continue;
    }
    const std::string mode = item->file ? fmt::format("{:04o}", item->file->mode) : "    ";
    std::string line = fmt::format("{} {:>12} {:<12} {}", mode, item->size_bytes,
                                   kind_name(item->kind), printable(item->name));
    if (item->file && !item->file->link_target.empty()) {
      line += " -> " + printable(item->file->link_target);
    }
    program.terminal().print(line + "\n");
  }
  if (shown == 0 && !given.item.empty()) {
    return fail(Error::Kind::not_found,
                "snapshot " + given.snapshot + " holds nothing below " + printable(given.item),
                "`lifeboat ls " + given.snapshot + "` lists all");
  }
  return 0;
}

Result<int> print_item(const Operation& op, Program& program, const Given& given) {
  TRY(Opened opened, program.open_repository(op));
  TRY(const repo::Snapshot snapshot, find_snapshot(*opened.repository, given.snapshot));
  TRY(const auto feed, opened.repository->feed(op, snapshot.id));
  TRY(const capture::Item item, feed->find(op, given.item));
  TRY(const auto reader, feed->open(op, item));
  Bytes buffer(1u << 20);
  for (;;) {
    TRY(const std::size_t got, reader->read(op, buffer));
    if (got == 0) break;
    if (std::fwrite(buffer.data(), 1, got, stdout) != got) {
      return fail(Error::Kind::unavailable, "standard output is closed or full");
    }
  }
  if (std::fflush(stdout) != 0) {
    return fail(Error::Kind::unavailable, "standard output is closed or full");
  }
  return 0;
}

}  // namespace

void add_ls(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("ls", "List what a snapshot holds");
  auto given = std::make_shared<Given>();
  command->add_option("snapshot", given->snapshot, "id, prefix of an id, or SOURCE for its newest")
      ->required();
  command->add_option("folder", given->item, "only below this folder");
  command->footer("Examples:\n  lifeboat ls 3f2a91\n  lifeboat ls uploads images --output json");
  command->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return list_items(op, program, *given);
    };
  });
}

void add_cat(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("cat", "Write one item of a snapshot to standard output");
  auto given = std::make_shared<Given>();
  command->add_option("snapshot", given->snapshot, "id, prefix of an id, or SOURCE for its newest")
      ->required();
  command->add_option("item", given->item, "name of the item, as `ls` shows it")->required();
  command->footer("Example:\n  lifeboat cat uploads images/logo.svg > logo.svg");
  command->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return print_item(op, program, *given);
    };
  });
}

}  // namespace lifeboat::app
