// tests/fuzz/tree_mutator.h - Changes JSON and leaves it JSON: nodes are replaced by others of the
// same tree, doubled, dropped, and given the values at which programs break.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lifeboat::fuzz {

// One change in four is libFuzzer's own, of plain bytes.
std::size_t mutate_json(std::uint8_t* bytes, std::size_t size, std::size_t size_max, unsigned seed);

}  // namespace lifeboat::fuzz
