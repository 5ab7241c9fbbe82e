// runbook/blocks.h - Making the pieces of a page.
// Threads: pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "runbook/runbook.h"

namespace lifeboat::runbook {

inline plan::Prose data(std::string text) { return plan::Prose().data(std::move(text)); }
inline Block heading(int level, plan::Prose text) {
  Block block;
  block.kind = Block::Kind::heading;
  block.level = level;
  block.text = std::move(text);
  return block;
}
inline Block paragraph(plan::Prose text) {
  Block block;
  block.text = std::move(text);
  return block;
}
inline Block list(std::vector<plan::Prose> items) {
  Block block;
  block.kind = Block::Kind::list;
  block.items = std::move(items);
  return block;
}
inline Block code(std::string text, std::string language = "sh") {
  Block block;
  block.kind = Block::Kind::code;
  block.code = std::move(text);
  block.language = std::move(language);
  return block;
}
inline Block table(std::vector<std::vector<plan::Prose>> rows) {
  Block block;
  block.kind = Block::Kind::table;
  block.rows = std::move(rows);
  return block;
}

}  // namespace lifeboat::runbook
