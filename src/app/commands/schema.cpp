// `lifeboat schema`: the JSON Schema of the platform file, for editors.
#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "app/type_tables.h"
#include "schema/json.h"

namespace lifeboat::app {
namespace {

Result<int> print_schema(Program& program, bool markdown) {
  const platform::Vocabulary words = program.vocabulary();
  program.terminal().print(markdown
                               ? type_tables(program.source_types(), *words.steps, *words.guards)
                               : to_pretty_json(platform::platform_schema(words)) + "\n");
  return 0;
}

}  // namespace

void add_schema(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("schema", "Print the JSON Schema of the platform file");
  auto markdown = std::make_shared<bool>(false);
  command->add_flag("--markdown", *markdown, "the tables of sources, steps and guards, for people");
  command->footer(
      "Example:\n  lifeboat schema > lifeboat.schema.json\n"
      "  # first line of lifeboat.yaml: # yaml-language-server: $schema=lifeboat.schema.json");
  command->callback([&program, markdown] {
    program.chosen = [&program, markdown](const Operation&) {
      return print_schema(program, *markdown);
    };
  });
}

}  // namespace lifeboat::app
