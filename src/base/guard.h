// base/guard.h - Where exceptions of libraries become Errors; and ASSERT, for our own mistakes.
#pragma once

#include <exception>
#include <type_traits>

#include "base/result.h"

namespace lifeboat {

// Runs `work` (which answers Result<T>); an exception becomes an Error of `kind` with `context`.
// std::bad_alloc is not caught: running out of memory ends the process, the journal makes it safe.
template <class Work>
auto guard(Error::Kind kind, std::string_view context, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    return fail(kind, std::string(context) + ": " + error.what());
  }
}

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace lifeboat

// Always on, in release too: a broken invariant ends the process. Never for input.
#define ASSERT(condition) \
  ((condition) ? void(0) : ::lifeboat::assertion_failed(#condition, __FILE__, __LINE__))
