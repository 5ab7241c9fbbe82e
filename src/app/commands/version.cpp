// `lifeboat version`: what this binary is and which repository formats it reads.
#include "app/version.h"

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"

namespace lifeboat::app {

void add_version(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("version", "Show the version");
  command->footer("Examples:\n  lifeboat version\n  lifeboat version --output json");
  command->callback([&program] {
    program.chosen = [&program](const Operation&) -> Result<int> {
      if (program.terminal().output() == Output::json) {
        Value document;
        document.set("version", program_version);
        document.set("repository_formats", Value(Value::List{Value(1)}));
        program.terminal().show("Version", document, {});
      } else {
        program.terminal().print(version_line() + "\n");
      }
      return 0;
    };
  });
}

}  // namespace lifeboat::app
