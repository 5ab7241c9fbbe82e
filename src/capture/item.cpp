#include "capture/item.h"

#include <algorithm>

namespace lifeboat::capture {
namespace {

// '/' ranks below every byte: what is in a folder follows the folder at once, before "folder.txt".
int rank(char byte) { return byte == '/' ? -1 : static_cast<unsigned char>(byte); }

}  // namespace

bool name_before(std::string_view a, std::string_view b) {
  const auto [left, right] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (right == b.end()) return false;
  return left == a.end() || rank(*left) < rank(*right);
}

}  // namespace lifeboat::capture
