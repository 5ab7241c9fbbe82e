// client/process/descriptor.h - Descriptors that are shared with a child: pipes, files in memory.
#pragma once

#include "base/bytes.h"
#include "base/descriptor.h"
#include "base/result.h"

namespace lifeboat::process {

using lifeboat::Descriptor;
using lifeboat::errno_text;
using lifeboat::read_all;
using lifeboat::write_all;
using lifeboat::write_quietly;

struct Pipe {
  Descriptor read, write;
};

// Both ends close on exec and have numbers above the ones that a child gets (0 to 9), so that they
// can be put there in any order.  Errors: unavailable (descriptors used up).
Result<Pipe> make_pipe();

// An anonymous file in memory with this content, positioned at its start.  Errors: unavailable.
Result<Descriptor> make_memory_file(ByteView content);

void set_nonblocking(int number);

}  // namespace lifeboat::process
