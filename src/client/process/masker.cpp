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

std::string json_form(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += c;
    }
  }
  return out;
}

void add_forms(std::string_view secret, std::set<std::string>& forms) {
  if (secret.size() < shortest_secret) return;
  forms.emplace(secret);
  forms.insert(json_form(secret));
  forms.insert(percent(secret, "0123456789ABCDEF"));
  forms.insert(percent(secret, "0123456789abcdef"));
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
