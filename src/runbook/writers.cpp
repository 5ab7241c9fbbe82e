// The page as Markdown and as HTML. Every text that comes in is data and is escaped here.
#include <fmt/format.h>

#include <algorithm>

#include "runbook/runbook.h"
#include "schema/json.h"
#include "schema/page_text.h"

namespace lifeboat::runbook {
namespace {

using plan::Prose;
using Kind = Block::Kind;

// Names of plans and steps hold nothing that could end a comment ('>').
std::string stamp_comment(const Stamp& stamp) {
  Value value;
  value.set("plan", stamp.plan).set("variant", stamp.variant).set("digest", stamp.digest);
  value.set("made", stamp.made);
  Value steps{Value::Map{}};
  for (const auto& [name, digest] : stamp.steps) steps.set(name, digest);
  value.set("steps", std::move(steps));
  std::string text = to_json(value);
  std::erase(text, '>');
  return "<!-- lifeboat-runbook " + text + " -->\n";
}

std::size_t longest_backticks(std::string_view text) {
  std::size_t longest = 0, run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

// Longer than any run of backticks within: no text ends its block.
std::string fence_for(std::string_view text) {
  return std::string(std::max<std::size_t>(3, longest_backticks(text) + 1), '`');
}

// In a table even the '|' of code has to be escaped.
std::string code_span(std::string_view text, bool in_table) {
  std::string code(text);
  std::ranges::replace(code, '\n', ' ');
  code = visible(code);
  if (in_table) {
    for (std::size_t at = 0; (at = code.find('|', at)) != std::string::npos; at += 2) {
      code.insert(at, "\\");
    }
  }
  const std::string fence(longest_backticks(code) + 1, '`');
  // Spaces at both ends are taken away again; without them a backtick would lengthen the fence.
  const bool apart = code.starts_with('`') || code.ends_with('`') ||
                     (code.starts_with(' ') && code.ends_with(' '));
  return apart ? fence + " " + code + " " + fence : fence + code + fence;
}

enum class Place { line, cell };

// Own words are Markdown as they stand; what is data is escaped.
std::string markdown(const Prose& prose, Place place = Place::line) {
  std::string text;
  for (const Prose::Piece& piece : prose.pieces()) {
    switch (piece.kind) {
      case Prose::Kind::own:
        text += piece.text;
        break;
      case Prose::Kind::own_code:
      case Prose::Kind::code:
        text += code_span(piece.text, place == Place::cell);
        break;
      case Prose::Kind::data:
        text += markdown_text(piece.text);
    }
  }
  return text;
}

std::string markdown_table(const std::vector<std::vector<Prose>>& rows) {
  std::string text;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text += "|";
    for (const Prose& cell : rows[i]) text += " " + markdown(cell, Place::cell) + " |";
    text += "\n";
    if (i > 0) continue;
    text += "|";
    for (std::size_t column = 0; column < rows[i].size(); ++column) text += "---|";
    text += "\n";
  }
  return text;
}

std::string markdown_block(const Block& block) {
  switch (block.kind) {
    case Kind::heading:
      return std::string(static_cast<std::size_t>(block.level), '#') + " " + markdown(block.text) +
             "\n";
    case Kind::paragraph:
      return markdown(block.text) + "\n";
    case Kind::list: {
      std::string text;
      for (const Prose& item : block.items) text += "- " + markdown(item) + "\n";
      return text;
    }
    case Kind::code: {
      const std::string code = visible_lines(block.code);
      const std::string fence = fence_for(code);
      return fence + block.language + "\n" + code + fence + "\n";
    }
    case Kind::table:
      break;
  }
  return markdown_table(block.rows);
}

std::string html(const Prose& prose) {
  std::string text;
  for (const Prose::Piece& piece : prose.pieces()) {
    const bool is_code = piece.kind == Prose::Kind::own_code || piece.kind == Prose::Kind::code;
    text += is_code ? "<code>" + html_text(piece.text) + "</code>" : html_text(piece.text);
  }
  return text;
}

std::string html_table(const std::vector<std::vector<Prose>>& rows) {
  std::string text = "<table>\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool is_head = i == 0;
    const bool empty = is_head && std::ranges::all_of(rows[i], &Prose::empty);
    if (empty) continue;
    text += "<tr>";
    for (const Prose& cell : rows[i]) {
      text += fmt::format(fmt::runtime(is_head ? "<th>{}</th>" : "<td>{}</td>"), html(cell));
    }
    text += "</tr>\n";
  }
  return text + "</table>\n";
}

std::string html_block(const Block& block) {
  switch (block.kind) {
    case Kind::heading:
      return fmt::format("<h{0}>{1}</h{0}>\n", block.level, html(block.text));
    case Kind::paragraph:
      return "<p>" + html(block.text) + "</p>\n";
    case Kind::list: {
      std::string text = "<ul>\n";
      for (const Prose& item : block.items) text += "<li>" + html(item) + "</li>\n";
      return text + "</ul>\n";
    }
    case Kind::code:
      return "<pre><code>" + html_text(block.code) + "</code></pre>\n";
    case Kind::table:
      break;
  }
  return html_table(block.rows);
}

constexpr std::string_view style = R"(
body { font: 16px/1.45 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em;
  color: #111; background: #fff; }
h2 { border-top: 1px solid #999; padding-top: .8em; margin-top: 2em; }
pre { background: #f3f3f3; border: 1px solid #ccc; padding: .7em; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: 13px; }
table { border-collapse: collapse; } td, th { border: 1px solid #bbb; padding: .25em .6em;
  text-align: left; vertical-align: top; overflow-wrap: anywhere; }
@media print { body { font-size: 10pt; max-width: none; margin: 0; }
  h2, h3 { break-after: avoid; } tr, li { break-inside: avoid; }
  pre { font-size: 8pt; background: none; } @page { margin: 15mm; } }
)";

}  // namespace

std::string render_markdown(const Runbook& runbook) {
  std::string text = stamp_comment(runbook.stamp) + "# " + markdown(runbook.title) + "\n";
  for (const Block& block : runbook.blocks) text += "\n" + markdown_block(block);
  return text;
}

std::string render_html(const Runbook& runbook) {
  std::string text = "<!DOCTYPE html>\n<html lang=\"en\">\n" + stamp_comment(runbook.stamp) +
                     "<head>\n<meta charset=\"utf-8\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" "
                     "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  text += fmt::format("<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<h1>{}</h1>\n",
                      html(runbook.title), style, html(runbook.title));
  for (const Block& block : runbook.blocks) text += html_block(block);
  return text + "</body>\n</html>\n";
}

}  // namespace lifeboat::runbook
