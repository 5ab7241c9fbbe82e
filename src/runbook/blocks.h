// runbook/blocks.h - Making the pieces of a page.
// Threads: pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "runbook/runbook.h"

namespace lifeboat::runbook {

inline Block heading(int level, std::string text) {
  Block block;
  block.kind = Block::Kind::heading;
  block.level = level;
  block.text = std::move(text);
  return block;
}
inline Block paragraph(std::string text) {
  Block block;
  block.text = std::move(text);
  return block;
}
inline Block list(std::vector<std::string> items) {
  Block block;
  block.kind = Block::Kind::list;
  block.items = std::move(items);
  return block;
}
inline Block code(std::string text, std::string language = "sh") {
  Block block;
  block.kind = Block::Kind::code;
  block.text = std::move(text);
  block.language = std::move(language);
  return block;
}
inline Block table(std::vector<std::vector<std::string>> rows) {
  Block block;
  block.kind = Block::Kind::table;
  block.rows = std::move(rows);
  return block;
}

}  // namespace lifeboat::runbook
