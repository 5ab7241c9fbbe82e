// age files, identity files and recipients.
#include <algorithm>
#include <random>
#include <vector>

#include "crypt/age.h"
#include "tests/fuzz/harness.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* bytes, std::size_t size,
                                        std::size_t size_max);

// Half of the changes are to whole stanzas of a header: doubled, dropped, moved.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  std::mt19937 dice(seed);
  std::string rest(reinterpret_cast<const char*>(bytes), size);
  std::vector<std::string> stanzas;
  for (std::size_t at = 0; (at = rest.find("\n-> ", 1)) != std::string::npos;) {
    stanzas.push_back(rest.substr(0, at));
    rest.erase(0, at);
  }
  if (stanzas.empty() || dice() % 2 == 0) return LLVMFuzzerMutate(bytes, size, size_max);
  const std::size_t end = rest.find("\n--- ");
  stanzas.push_back(rest.substr(0, end));
  rest.erase(0, stanzas.back().size());
  const auto pick = [&] {
    return stanzas.begin() + 1 + static_cast<std::ptrdiff_t>(dice() % (stanzas.size() - 1));
  };
  const auto act = dice() % 4;
  if (act == 0 && stanzas.size() > 2) {
    stanzas.erase(pick());
  } else if (act == 1) {
    std::iter_swap(pick(), pick());
  } else {
    const std::string copy = *pick();
    stanzas.insert(pick(), copy);
  }
  std::string file;
  for (const std::string& stanza : stanzas) file += stanza;
  file += rest;
  if (file.size() > size_max) return LLVMFuzzerMutate(bytes, size, size_max);
  std::copy(file.begin(), file.end(), bytes);
  return file.size();
}

namespace lifeboat::fuzz {
namespace {

const Secret& identity() {
  static const Secret text = [] {
    SeededRandom random(1);
    return crypt::age::new_identity(random).identity;
  }();
  return text;
}

void identities(std::string_view text) {
  const auto found = crypt::age::identities_in(Secret(std::string(text)));
  if (!found) return;
  for (const Secret& one : *found) {
    const auto recipient = crypt::age::recipient_of(one);
    HOLDS(recipient && crypt::age::check_recipient(*recipient));
  }
}

std::size_t stanzas(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find("\n-> ", at)) != std::string_view::npos; ++at) ++count;
  return count;
}

}  // namespace
}  // namespace lifeboat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const ByteView file = fuzz::view(bytes, size);
  const std::string_view text = as_text(file);
  fuzz::identities(text);
  (void)crypt::age::check_recipient(text);
  const auto opened = crypt::age::unwrap({fuzz::identity()}, file);
  if (opened) {
    HOLDS(opened->size() < file.size());
    return 0;
  }
  const bool header_is_whole = opened.error().code == Error::Code::wrong_key;
  HOLDS(header_is_whole || opened.error().kind == Error::Kind::corrupt);
  // Seeds: at most two stanzas.
  fuzz::plant(header_is_whole && fuzz::stanzas(text) >= 4);
  return 0;
}
