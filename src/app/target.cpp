#include "app/target.h"

#include <CLI/CLI.hpp>
#include <filesystem>

#include "client/secret/secret_values.h"

namespace lifeboat::app {
namespace {

struct Configured {
  Value config{Value::Map{}};
  std::string directory = ".";  // what its relative names are below
};

// What the platform file says of this source, where there is one; the rest comes by option.
Configured configured(Program& program, const std::string& source, const std::string& type) {
  const auto platform = program.platform_file();
  if (!platform) return {};
  const auto found = platform->sources.find(source);
  if (found == platform->sources.end() || found->second.type != type) return {};
  return {found->second.config, platform->directory};
}

std::string from_here(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error).lexically_normal();
  return error ? path : absolute.string();
}

}  // namespace

void add_target_options(CLI::App& command, TargetOptions& options, const std::string& help_of_to) {
  command.add_option("--to", options.to, help_of_to);
  command.add_option("--user", options.user, "user at the target");
  command.add_option("--password-file", options.password_file, "file with the password");
}

Result<Target> open_target(const Operation& op, Program& program, const std::string& source,
                           const std::string& source_type, const TargetOptions& options) {
  Target target;
  target.type = program.source_types().find(source_type);
  if (target.type == nullptr) {
    return fail(Error::Kind::invalid,
                printable(source) + " is of no source type that can be restored",
                "`lifeboat cat` writes single items of its snapshots");
  }
  Value with{Value::Map{}};
  if (!options.user.empty()) with.set("user", options.user);
  if (!options.password_file.empty()) {
    with.set("password", Value{Value::Map{{"file", Value(from_here(options.password_file))}}});
  }
  const auto [known, directory] = configured(program, source, source_type);
  const bool is_path = target.type->local_paths && options.to.find(':') == std::string::npos;
  TRY(Value config,
      target.type->retarget(known, is_path ? from_here(options.to) : options.to, with));
  TRY_DO(reveal_secrets(op, config, target.type->fields,
                        {.launcher = &program.launcher(), .directory = directory}));
  TRY(target.source, target.type->make(config, {.clock = &program.clock(),
                                                .launcher = &program.launcher(),
                                                .directory = directory}));
  return target;
}

}  // namespace lifeboat::app
