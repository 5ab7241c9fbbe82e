// tests/fuzz/harness.h - What every fuzz target states: what holds, and where its planted bug is.
//
// A target decodes one input and checks, with HOLDS, what the format promises of anything that is
// accepted (mostly: it encodes to the same bytes). plant() stands where only an input gets that
// passed the whole parser with a property that no seed has; in fuzz_NAME_planted it ends the
// process, and run.py fails when the fuzzer does not find it. So a rig that mutates nothing, or
// gets stuck at the first check of a parser, is seen.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "base/bytes.h"

namespace lifeboat::fuzz {

extern const bool planted;

inline void plant(bool property) {
  if (!planted || !property) return;
  std::fputs("the planted bug was found\n", stderr);
  std::abort();
}

[[noreturn]] inline void does_not_hold(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
  std::abort();
}

// What LLVMFuzzerTestOneInput answers of an input that is not to be kept and changed further.
// Parsers end at the first thing that is wrong, so what is wrong already leads nowhere, and among
// many such inputs the few good ones would hardly get a turn.
inline constexpr int not_kept = -1;

inline ByteView view(const std::uint8_t* bytes, std::size_t size) { return {bytes, size}; }

}  // namespace lifeboat::fuzz

#define HOLDS(condition) \
  ((condition) ? void(0) : ::lifeboat::fuzz::does_not_hold(#condition, __FILE__, __LINE__))
