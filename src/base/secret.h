// base/secret.h - A value that must never be printed: passwords, keys, passphrases.
//
// There is no operator<< and no conversion to string: whoever needs the bytes says reveal(), and a
// reader can find every such place. Memory is wiped when the value goes.
#pragma once

#include <string>
#include <string_view>

namespace lifeboat {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other);
  Secret(Secret&& other) noexcept : value_(other.value_) { other.wipe(); }
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(); }

  std::string_view reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  void wipe() noexcept;
  std::string value_;
};

}  // namespace lifeboat
