// plan/prose.h - A sentence for people: our own words, commands in them, and data.
//
// Own words are literals of the program, and what stands between backticks in them is code. Data
// comes from outside (names, texts of the platform file, answers of systems) and gets in as data()
// only: whoever writes a page escapes that, and nothing else needs it.
//
// Threads: as a string.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lifeboat::plan {

class Prose {
 public:
  enum class Kind { own, own_code, data, code };  // code: data that is shown as code
  struct Piece {
    Kind kind;
    std::string text;
  };

  Prose() = default;
  Prose(const char* own) { add(own); }  // implicit: a literal reads as it is

  Prose& add(const char* own) {
    bool is_code = false;
    for (std::string_view rest = own; !rest.empty(); is_code = !is_code) {
      const std::size_t end = rest.find('`');
      push(is_code ? Kind::own_code : Kind::own, std::string(rest.substr(0, end)));
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
    return *this;
  }
  Prose& data(std::string text) { return push(Kind::data, std::move(text)); }
  Prose& code(std::string text) { return push(Kind::code, std::move(text)); }
  Prose& add(const Prose& other) {
    for (const Piece& piece : other.pieces_) push(piece.kind, piece.text);
    return *this;
  }

  bool empty() const { return pieces_.empty(); }
  const std::vector<Piece>& pieces() const { return pieces_; }
  // As it is, for tests and for what is no page.
  std::string text() const {
    std::string all;
    for (const Piece& piece : pieces_) all += piece.text;
    return all;
  }

 private:
  Prose& push(Kind kind, std::string text) {
    if (!text.empty()) pieces_.push_back({kind, std::move(text)});
    return *this;
  }
  std::vector<Piece> pieces_;
};

}  // namespace lifeboat::plan
