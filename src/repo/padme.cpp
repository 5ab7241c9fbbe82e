#include "repo/padme.h"

#include <algorithm>
#include <bit>

#include "repo/wire.h"

namespace lifeboat::repo {
namespace {

constexpr std::size_t least_padded = 256;

std::uint64_t padded_size(std::uint64_t message) {
  return padme(std::max<std::uint64_t>(message + 4, least_padded));
}

}  // namespace

std::uint64_t padme(std::uint64_t bytes) {
  if (bytes < 2) return bytes;
  const auto e = static_cast<int>(std::bit_width(bytes)) - 1;
  const auto s = static_cast<int>(std::bit_width(static_cast<unsigned>(e)));
  if (s >= e) return bytes;
  const std::uint64_t mask = (std::uint64_t{1} << (e - s)) - 1;
  return (bytes + mask) & ~mask;
}

Bytes pad(ByteView message) {
  Bytes padded;
  padded.reserve(padded_size(message.size()));
  append_u32(padded, static_cast<std::uint32_t>(message.size()));
  append(padded, message);
  padded.resize(padded_size(message.size()), 0);
  return padded;
}

Result<ByteView> unpad(ByteView padded) {
  if (padded.size() < least_padded) return fail(Error::Kind::corrupt, "padding is too short");
  const std::uint32_t length = read_u32(padded.data());
  if (length > padded.size() - 4 || padded_size(length) != padded.size()) {
    return fail(Error::Kind::corrupt, "padding does not fit its length");
  }
  const ByteView rest = padded.subspan(4 + length);
  if (std::any_of(rest.begin(), rest.end(), [](std::uint8_t byte) { return byte != 0; })) {
    return fail(Error::Kind::corrupt, "padding is not zero");
  }
  return padded.subspan(4, length);
}

}  // namespace lifeboat::repo
