// `lifeboat schema`: the JSON Schema of the platform file, for editors.
#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "schema/json.h"

namespace lifeboat::app {

void add_schema(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("schema", "Print the JSON Schema of the platform file");
  command->footer(
      "Example:\n  lifeboat schema > lifeboat.schema.json\n"
      "  # first line of lifeboat.yaml: # yaml-language-server: $schema=lifeboat.schema.json");
  command->callback([&program] {
    program.chosen = [&program](const Operation&) -> Result<int> {
      const Value schema = platform::platform_schema(program.vocabulary());
      program.terminal().print(to_pretty_json(schema) + "\n");
      return 0;
    };
  });
}

}  // namespace lifeboat::app
