// app/target.h - A system that a person names on the command line: where a source is restored to,
// or where an earlier restore kept something aside.
//
// What the platform file says of the source, where there is one, with the place and the login that
// the options give.
// Threads: one.  Ownership: the program outlives what is opened.
#pragma once

#include <memory>
#include <string>

#include "app/program.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the name that the library has
class App;
}

namespace lifeboat::app {

struct TargetOptions {
  std::string to, user, password_file;
};

// --to (required or not is the caller's), --user, --password-file.
void add_target_options(CLI::App& command, TargetOptions& options, const std::string& help_of_to);

struct Target {
  std::unique_ptr<source::Source> source;
  const source::SourceType* type = nullptr;
};

// A relative `to` is meant from where the person stands.
// Errors: invalid (a source type that this program does not know); those of the type.
Result<Target> open_target(const Operation& op, Program& program, const std::string& source,
                           const std::string& source_type, const TargetOptions& options);

}  // namespace lifeboat::app
