#include "base/result.h"

namespace lifeboat {

Error::Code Error::effective_code() const {
  if (code != Code::automatic) return code;
  switch (kind) {
    case Kind::invalid:
    case Kind::not_found:
    case Kind::conflict:
      return Code::general;
    case Kind::denied:
      return Code::denied;
    case Kind::unavailable:
      return Code::unreachable;
    case Kind::corrupt:
      return Code::integrity;
    case Kind::cancelled:
      return Code::interrupted;
  }
  return Code::general;
}

bool is_transient(const Error& error) {
  return error.kind == Error::Kind::unavailable && error.code != Error::Code::no_space;
}

int exit_status(Error::Code code) {
  switch (code) {
    case Error::Code::automatic:
    case Error::Code::general:
      return 1;
    case Error::Code::usage:
      return 2;
    case Error::Code::partial:
      return 3;
    case Error::Code::not_ready:
      return 4;
    case Error::Code::needs_person:
      return 5;
    case Error::Code::refused:
      return 6;
    case Error::Code::repository_missing:
      return 10;
    case Error::Code::lease_held:
      return 11;
    case Error::Code::wrong_key:
      return 12;
    case Error::Code::integrity:
      return 13;
    case Error::Code::no_space:
      return 14;
    case Error::Code::denied:
      return 15;
    case Error::Code::unreachable:
      return 16;
    case Error::Code::version_too_new:
      return 17;
    case Error::Code::timeout:
      return 124;
    case Error::Code::interrupted:
      return 130;
  }
  return 1;
}

std::string_view kind_name(Error::Kind kind) {
  switch (kind) {
    case Error::Kind::invalid:
      return "invalid";
    case Error::Kind::not_found:
      return "not_found";
    case Error::Kind::conflict:
      return "conflict";
    case Error::Kind::denied:
      return "denied";
    case Error::Kind::unavailable:
      return "unavailable";
    case Error::Kind::corrupt:
      return "corrupt";
    case Error::Kind::cancelled:
      return "cancelled";
  }
  return "invalid";
}

}  // namespace lifeboat
