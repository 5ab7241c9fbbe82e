// app/written_page.h - A page or report in a file that a person named: a whole one, or the old one.
//
// A file that is there stays until the new text is whole and durable, also where the name is a
// link to it. What is no file (a pipe, a device, /dev/stdout) is written as it is.
//
// Threads: functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace lifeboat::app {

// What errno says of a file. no_space has its own exit status; not_found, denied, invalid (no
// file), else unavailable.
Error file_error(const std::string& path, int number);

// Mode 0600.  Errors: file_error().
Result<void> write_page(const std::string& path, std::string_view text);

}  // namespace lifeboat::app
