#include "evidence/pages.h"

#include <fmt/format.h>

#include "evidence/sections.h"
#include "schema/page_text.h"

namespace lifeboat::evidence {
namespace {

constexpr std::string_view style = R"(
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.4em; border-left: .4em solid; padding-left: .6em; }
h1.good { border-color: #1a7f37; }
h1.bad { border-color: #b35900; }
h2 { font-size: 1.1em; margin-top: 2em; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25em .6em; border: 1px solid #8888;
  overflow-wrap: anywhere; unicode-bidi: isolate; }
th[scope=row] { width: 16em; font-weight: 600; }
@media print {
  body { font-size: 10px; max-width: none; margin: 0; }
  h2 { break-after: avoid; }
  tr { break-inside: avoid; }
  thead { display: table-header-group; }
}
)";

std::string html_row(const std::vector<std::string>& cells, bool named) {
  std::string row = "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const bool head = named && i == 0;
    row += fmt::format("<{0}>{1}</{2}>", head ? "th scope=\"row\"" : "td", html_text(cells[i]),
                       head ? "th" : "td");
  }
  return row + "</tr>\n";
}

std::string html_section(const Section& section) {
  std::string text = "<section>\n";
  if (!section.title.empty()) text += "<h2>" + html_text(section.title) + "</h2>\n";
  if (!section.note.empty()) text += "<p>" + html_text(section.note) + "</p>\n";
  if (!section.rows.empty()) {
    text += "<table>\n";
    if (!section.columns.empty()) {
      text += "<thead><tr>";
      for (const std::string& column : section.columns) {
        text += "<th scope=\"col\">" + html_text(column) + "</th>";
      }
      text += "</tr></thead>\n";
    }
    text += "<tbody>\n";
    for (const auto& row : section.rows) text += html_row(row, section.columns.empty());
    text += "</tbody>\n</table>\n";
  }
  if (!section.lines.empty()) {
    text += "<ul>\n";
    for (const std::string& line : section.lines) text += "<li>" + html_text(line) + "</li>\n";
    text += "</ul>\n";
  }
  return text + "</section>\n";
}

std::string markdown_row(const std::vector<std::string>& cells) {
  std::string row = "|";
  for (const std::string& cell : cells) row += " " + markdown_text(cell) + " |";
  return row + "\n";
}

std::string markdown_section(const Section& section) {
  std::string text;
  if (!section.title.empty()) text += "\n## " + markdown_text(section.title) + "\n";
  if (!section.note.empty()) text += "\n" + markdown_text(section.note) + "\n";
  if (!section.rows.empty()) {
    const std::size_t width = section.rows.front().size();
    text += "\n";
    text +=
        markdown_row(section.columns.empty() ? std::vector<std::string>(width) : section.columns);
    text += "|";
    for (std::size_t i = 0; i < width; ++i) text += "---|";
    text += "\n";
    for (const auto& row : section.rows) text += markdown_row(row);
  }
  if (!section.lines.empty()) text += "\n";
  for (const std::string& line : section.lines) text += "- " + markdown_text(line) + "\n";
  return text;
}

}  // namespace

std::string html_page(const Value& document) {
  const std::string title = html_text("Evidence of run " + document.text("run"));
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n<p>{}</p>\n"
      "<h1 class=\"{}\">{}</h1>\n",
      title, style, title, is_recovered(document) ? "good" : "bad", html_text(headline(document)));
  for (const Section& section : sections_of(document)) page += html_section(section);
  return page +
         "<footer><p>The files beside this page, and their signatures: lifeboat evidence verify "
         "FOLDER</p></footer>\n</main>\n</body>\n</html>\n";
}

std::string markdown_page(const Value& document) {
  std::string page = "# " + markdown_text(headline(document)) + "\n\nEvidence of run " +
                     markdown_text(document.text("run")) + ".\n";
  for (const Section& section : sections_of(document)) page += markdown_section(section);
  return page +
         "\nThe files beside this one, and their signatures: `lifeboat evidence verify "
         "FOLDER`\n";
}

}  // namespace lifeboat::evidence
