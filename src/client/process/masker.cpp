#include "client/process/masker.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"

namespace lifeboat::process {
namespace {

constexpr std::size_t shortest_secret = 4;
constexpr std::size_t longest_line_bytes = 64 << 10;
constexpr std::string_view stars = "***";

// The characters of base64 that depend on the secret alone when `shift` bytes stand before it.
std::string base64_core(std::string_view secret, std::size_t shift) {
  const std::string padded = std::string(shift, '\0') + std::string(secret);
  const std::string text = to_base64(as_bytes(padded));
  const std::size_t first = (shift * 8 + 5) / 6;
  const std::size_t end = padded.size() * 8 / 6;
  return text.substr(first, end - first);
}

std::string url_alphabet(std::string text) {
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

std::string percent(std::string_view text, std::string_view digits) {
  std::string out;
  for (const char c : text) {
    if (unreserved(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

std::string u_escape(std::uint32_t unit, std::string_view digits) {
  std::string out = "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += digits[unit >> shift & 15];
  return out;
}

// The character at `at` of valid UTF-8; `at` then stands behind it.
std::uint32_t next_character(std::string_view text, std::size_t& at) {
  const auto first = static_cast<unsigned char>(text[at++]);
  if (first < 0x80) return first;
  const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  std::uint32_t character = first & (0x3Fu >> more);
  for (int i = 0; i < more; ++i) {
    character = character << 6 | (static_cast<unsigned char>(text[at++]) & 0x3Fu);
  }
  return character;
}

// What stands for a character below 0x80 inside a JSON string.
std::string json_ascii(char c, std::string_view digits) {
  static constexpr std::string_view plain = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
  if (const auto at = plain.find(c); at != plain.npos) return {'\\', letters[at]};
  const bool control = static_cast<unsigned char>(c) < 0x20;
  return control ? u_escape(static_cast<unsigned char>(c), digits) : std::string(1, c);
}

std::string json_form(std::string_view text, std::string_view digits) {
  std::string out;
  for (const char c : text) out += json_ascii(c, digits);
  return out;
}

// As Python prints JSON, and PHP: nothing but printable ASCII, the rest in units of UTF-16.
std::string ascii_json_form(std::string_view text, std::string_view digits) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::uint32_t character = next_character(text, at);
    if (character < 0x7F) {
      out += json_ascii(static_cast<char>(character), digits);
    } else if (character < 0x10000) {
      out += u_escape(character, digits);
    } else {
      out += u_escape(0xD800 + ((character - 0x10000) >> 10), digits);
      out += u_escape(0xDC00 + ((character - 0x10000) & 0x3FF), digits);
    }
  }
  return out;
}

// PHP writes "\/" for a slash, which JSON allows.
std::string with_escaped_slashes(std::string_view json) {
  std::string out;
  for (const char c : json) out += c == '/' ? "\\/" : std::string(1, c);
  return out;
}

void add_forms(std::string_view secret, std::set<std::string>& forms) {
  if (secret.size() < shortest_secret) return;
  forms.emplace(secret);
  for (const std::string_view digits : {"0123456789ABCDEF", "0123456789abcdef"}) {
    for (const std::string& form :
         {json_form(secret, digits), is_utf8(secret) ? ascii_json_form(secret, digits) : ""}) {
      if (form.empty()) continue;
      forms.insert(form);
      forms.insert(with_escaped_slashes(form));
    }
    forms.insert(percent(secret, digits));
  }
  const std::string hex = to_hex(as_bytes(secret));
  forms.insert(hex);
  std::string upper = hex;
  for (char& c : upper) c = static_cast<char>(c >= 'a' ? c - 'a' + 'A' : c);
  forms.insert(upper);
  for (std::size_t shift = 0; shift < 3; ++shift) {
    const std::string core = base64_core(secret, shift);
    if (core.size() < shortest_secret) continue;
    forms.insert(core);
    forms.insert(url_alphabet(core));
  }
}

}  // namespace

std::shared_ptr<const Masker::Forms> Masker::forms() const {
  MutexLock lock(mutex_);
  return forms_;
}

void Masker::add(const Secret& secret) {
  std::set<std::string> fresh;
  const std::string_view text = secret.reveal();
  add_forms(text, fresh);
  for (std::size_t at = 0; at < text.size();) {  // a key of several lines, printed line by line
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end - at >= 2 * shortest_secret) add_forms(text.substr(at, end - at), fresh);
    at = end + 1;
  }
  MutexLock lock(mutex_);
  auto forms = std::make_shared<Forms>(*forms_);
  for (const std::string& form : fresh) {
    const bool known = std::any_of(forms->begin(), forms->end(),
                                   [&](const Secret& old) { return old.reveal() == form; });
    if (!known) forms->emplace_back(form);
  }
  std::sort(forms->begin(), forms->end(),
            [](const Secret& a, const Secret& b) { return a.reveal().size() > b.reveal().size(); });
  forms_ = std::move(forms);
}

std::string Masker::masked(std::string_view text) const {
  const auto known = forms();
  std::string out(text);
  for (const Secret& form : *known) {
    for (std::size_t at = 0; (at = out.find(form.reveal(), at)) != std::string::npos;) {
      out.replace(at, form.reveal().size(), stars);
      at += stars.size();
    }
  }
  return out;
}

std::size_t Masker::safe_prefix(std::string_view text) const {
  const auto known = forms();
  std::size_t safe = text.size();
  // A cut is unsafe while some form begins before it and may end behind it; moving the cut to the
  // begin of that form may bring another form across it, hence the outer loop.
  for (bool moved = true; moved && safe > 0;) {
    moved = false;
    for (const Secret& form : *known) {
      const std::string_view word = form.reveal();
      const std::size_t from = safe >= word.size() ? safe - word.size() + 1 : 0;
      for (std::size_t at = from; at < safe; ++at) {
        const std::size_t here = std::min(word.size(), text.size() - at);
        if (text.substr(at, here) != word.substr(0, here)) continue;
        safe = at;
        moved = true;
        break;
      }
    }
  }
  return safe;
}

void LineSplitter::emit(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (on_line_) on_line_(masker_.masked(line));
}

void LineSplitter::feed(std::string_view bytes) {
  if (!on_line_) return;
  rest_ += bytes;
  std::size_t at = 0;
  for (std::size_t end = 0; (end = rest_.find('\n', at)) != std::string::npos; at = end + 1) {
    emit(std::string_view(rest_).substr(at, end - at));
  }
  rest_.erase(0, at);
  while (rest_.size() > longest_line_bytes) {
    std::size_t cut = masker_.safe_prefix(rest_);
    if (cut == 0) cut = rest_.size();  // one secret longer than a line: masked() takes it whole
    emit(std::string_view(rest_).substr(0, cut));
    rest_.erase(0, cut);
  }
}

void LineSplitter::finish() {
  if (!rest_.empty()) emit(rest_);
  rest_.clear();
}

}  // namespace lifeboat::process
