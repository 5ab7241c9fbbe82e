// base/result.h - How every fallible call in Lifeboat answers: a value or an Error.
//
// Error::Kind names what the CALLER can do, not what went wrong inside; the story is in `what`.
// Error::Code refines it for the person and the script: the exit status follows from the code
// (docs/exit-codes.md, tested). An error is returned, never logged and swallowed; it is printed
// once, at the top.
// Swap tl::expected for std::expected once GCC >= 13 and clang-tidy >= 19 are the floor.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace lifeboat {

struct Error {
  enum class Kind {
    invalid,      // the request can never work: fix the input
    not_found,    // the named thing is absent
    conflict,     // it exists already, or another writer won
    denied,       // credentials or policy refuse: a person must act
    unavailable,  // may work later: the only kind that is ever retried (is_transient())
    corrupt,      // stored bytes do not prove themselves: stop, never overwrite
    cancelled,    // the deadline passed or a person stopped it
  };
  // What a script can tell apart. `automatic` takes the code that goes with the kind.
  enum class Code {
    automatic,
    general,             // exit 1
    usage,               // exit 2: command line or platform file
    partial,             // exit 3: finished, listed items missing
    not_ready,           // exit 4: a check found FAIL
    needs_person,        // exit 5: waits for a person
    refused,             // exit 6: a safety rule says no (wrong target, foreign data)
    repository_missing,  // exit 10
    lease_held,          // exit 11: another driver has the run
    wrong_key,           // exit 12
    integrity,           // exit 13
    no_space,            // exit 14
    denied,              // exit 15
    unreachable,         // exit 16
    version_too_new,     // exit 17
    timeout,             // exit 124
    interrupted,         // exit 130
  };
  Kind kind = Kind::invalid;
  std::string what;  // one sentence, with the name of the thing: "pack 4f2a: checksum differs"
  std::string hint;  // what the person on call can do next; empty when nothing is known
  Code code = Code::automatic;

  // The code itself, or the one that goes with the kind.
  Code effective_code() const;
};

// Whether trying again can be worth it without anyone doing something in between: unavailable, and
// no full disk.
bool is_transient(const Error& error);
// Exit status of a command that ends with this error: docs/exit-codes.md.
int exit_status(Error::Code code);
std::string_view kind_name(Error::Kind kind);

template <class T>
struct [[nodiscard]] Result : tl::expected<T, Error> {
  using tl::expected<T, Error>::expected;
};

inline tl::unexpected<Error> fail(Error::Kind kind, std::string what, std::string hint = {},
                                  Error::Code code = Error::Code::automatic) {
  return tl::unexpected<Error>(Error{kind, std::move(what), std::move(hint), code});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

// Puts "context: " before the cause; kind, code and hint stay.
inline tl::unexpected<Error> wrap(Error error, std::string_view context) {
  error.what = std::string(context) + ": " + error.what;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace lifeboat

// TRY(auto pack, store.get(op, key)): binds the value, or returns the Error to our caller.
#define LIFEBOAT_JOIN_(a, b) a##b
#define LIFEBOAT_JOIN(a, b) LIFEBOAT_JOIN_(a, b)
#define LIFEBOAT_TRY_(tmp, decl, expr)                                          \
  auto tmp = (expr);                                                            \
  if (!tmp) return ::tl::unexpected<::lifeboat::Error>(std::move(tmp).error()); \
  decl = *std::move(tmp)
#define TRY(decl, expr) LIFEBOAT_TRY_(LIFEBOAT_JOIN(try_, __COUNTER__), decl, expr)

// TRY_DO(sink.commit()): the same, for calls that answer no value.
#define LIFEBOAT_TRY_DO_(tmp, expr) \
  if (auto tmp = (expr); !tmp) return ::tl::unexpected<::lifeboat::Error>(std::move(tmp).error())
#define TRY_DO(expr) LIFEBOAT_TRY_DO_(LIFEBOAT_JOIN(done_, __COUNTER__), expr)
