// Bech32: what has a right checksum encodes to the same text, in lower case.
#include <algorithm>
#include <random>

#include "crypt/bech32.h"
#include "tests/fuzz/harness.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* bytes, std::size_t size,
                                        std::size_t size_max);

// Half of the changes are to what is encoded, with a new checksum: no other one gets past it.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  using namespace lifeboat;
  std::mt19937 dice(seed);
  auto decoded = crypt::bech32_decode(as_text(fuzz::view(bytes, size)));
  if (!decoded || dice() % 2 == 0) return LLVMFuzzerMutate(bytes, size, size_max);
  const std::size_t before = decoded->bytes.size();
  decoded->bytes.resize(before + 16);
  decoded->bytes.resize(LLVMFuzzerMutate(decoded->bytes.data(), before, before + 16));
  if (dice() % 4 == 0) decoded->prefix += static_cast<char>('a' + dice() % 26);
  const std::string text = crypt::bech32_encode(decoded->prefix, decoded->bytes);
  if (text.size() > size_max) return LLVMFuzzerMutate(bytes, size, size_max);
  std::copy(text.begin(), text.end(), bytes);
  return text.size();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  std::string text(as_text(fuzz::view(bytes, size)));
  const auto decoded = crypt::bech32_decode(text);
  if (!decoded) return 0;
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  HOLDS(crypt::bech32_encode(decoded->prefix, decoded->bytes) == text);
  // Seeds: 32 bytes, known prefixes.
  fuzz::plant(decoded->bytes.size() >= 40 && decoded->prefix.starts_with("age") &&
              decoded->prefix.size() >= 5);
  return 0;
}
