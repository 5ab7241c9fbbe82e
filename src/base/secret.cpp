#include "base/secret.h"

#include <sodium.h>

namespace lifeboat {

void Secret::wipe() noexcept {
  // Short strings live inside the object, so the whole capacity is wiped, not only the length.
  sodium_memzero(value_.data(), value_.capacity());
  value_.clear();
}

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) {
    wipe();
    value_ = other.value_;
  }
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    value_ = other.value_;
    other.wipe();
  }
  return *this;
}

}  // namespace lifeboat
