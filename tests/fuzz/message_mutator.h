// tests/fuzz/message_mutator.h - Changes messages (repo/wire.h) and leaves them messages.
//
// Plain mutations of bytes break a length almost always and end at the first check. Here fields are
// changed, doubled, dropped, added, nested and moved between messages, and lengths are written
// anew. One change in four is of the plain kind all the same.
//
// Threads: one.
#pragma once

#include <random>

#include "base/bytes.h"

namespace lifeboat::fuzz {

// Not minstd_rand: libFuzzer draws its seeds and its own choices from one, so that both would
// agree.
using Dice = std::mt19937;

Bytes mutate_message(ByteView message, std::size_t size_max, Dice& dice);
// libFuzzer's own mutation.
Bytes mutate_bytes(ByteView bytes, std::size_t size_max);

// For LLVMFuzzerCustomMutator: puts what `mutate` makes in the place of the input.
template <class Mutate>
std::size_t mutate_in_place(std::uint8_t* bytes, std::size_t size, std::size_t size_max,
                            const Mutate& mutate) {
  const Bytes mutated = mutate(ByteView(bytes, size));
  const std::size_t kept = mutated.size() < size_max ? mutated.size() : size_max;
  if (kept > 0) std::memcpy(bytes, mutated.data(), kept);
  return kept;
}

// True when a field that readers pass over may be in it, at whatever depth: its bytes then need not
// be those of the canonical encoding of what was understood.
bool may_hold_optional(ByteView message);

// What LLVMFuzzerTestOneInput answers of a message that was accepted. What readers pass over may be
// anything: such messages are tried, and not kept, or they would soon be most of what there is.
int kept(ByteView message);

}  // namespace lifeboat::fuzz

// For targets whose input is one message.
#define LIFEBOAT_MUTATES_MESSAGES                                                       \
  extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size, \
                                                 std::size_t size_max, unsigned seed) { \
    lifeboat::fuzz::Dice dice(seed);                                                    \
    return lifeboat::fuzz::mutate_in_place(                                             \
        bytes, size, size_max, [&](lifeboat::ByteView message) {                        \
          return lifeboat::fuzz::mutate_message(message, size_max, dice);               \
        });                                                                             \
  }
