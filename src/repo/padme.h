// repo/padme.h - Lengths on the Padmé ladder: what an outsider learns of a size is its magnitude.
//
// Threads: any.  Source: docs/format.md, 1.2; Nikitin et al., "Reducing Metadata Leakage from
// Encrypted Files and Communication with PURBs" (2019).
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace lifeboat::repo {

// The next rung at or above `bytes`; at most 12 % more, and padme(padme(n)) == padme(n).
std::uint64_t padme(std::uint64_t bytes);

// Length, message and zeros, together of a length on the ladder and at least 256 bytes.
Bytes pad(ByteView message);
// The message in it.  Errors: corrupt.
Result<ByteView> unpad(ByteView padded);

}  // namespace lifeboat::repo
