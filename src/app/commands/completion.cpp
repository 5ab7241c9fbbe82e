// `lifeboat completion SHELL`: a completion script made from the command tree itself.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"

namespace lifeboat::app {
namespace {

// The words that may follow a command: its subcommands and its long options.
std::vector<std::string> words_after(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!child->get_group().empty()) words.push_back(child->get_name());
  }
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  }
  return words;
}

// Path of a command ("keys add") -> the words that may follow it.
void collect(const CLI::App& app, const std::string& path,
             std::vector<std::pair<std::string, std::string>>& out) {
  out.emplace_back(path, fmt::format("{}", fmt::join(words_after(app), " ")));
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (child->get_group().empty()) continue;
    collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), out);
  }
}

std::string bash_script(const CLI::App& root) {
  std::vector<std::pair<std::string, std::string>> table;
  collect(root, "", table);
  std::string cases;
  for (const auto& [path, words] : table) {
    cases += fmt::format("    \"{}\") words=\"{}\" ;;\n", path, words);
  }
  return "_lifeboat() {\n"
         "  local path=\"\" word words\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case \"$word\" in -*) ;; *) path=\"${path:+$path }$word\" ;; esac\n"
         "  done\n"
         "  case \"$path\" in\n" +
         cases +
         "    *) COMPREPLY=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\")); return ;;\n"
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "}\n"
         "complete -o default -F _lifeboat lifeboat\n";
}

std::string fish_script(const CLI::App& root) {
  std::string out = "complete -c lifeboat -f\n";
  for (const CLI::App* child : root.get_subcommands([](const CLI::App*) { return true; })) {
    if (child->get_group().empty()) continue;
    out += fmt::format("complete -c lifeboat -n __fish_use_subcommand -a {} -d '{}'\n",
                       child->get_name(), child->get_description());
    for (const std::string& word : words_after(*child)) {
      out += word.starts_with("--")
                 ? fmt::format("complete -c lifeboat -n '__fish_seen_subcommand_from {}' -l {}\n",
                               child->get_name(), word.substr(2))
                 : fmt::format("complete -c lifeboat -n '__fish_seen_subcommand_from {}' -a {}\n",
                               child->get_name(), word);
    }
  }
  return out;
}

Result<int> print_script(Program& program, const CLI::App& root, const std::string& shell) {
  if (shell == "fish") {
    program.terminal().print(fish_script(root));
  } else if (shell == "zsh") {
    program.terminal().print("#compdef lifeboat\nautoload -U +X bashcompinit && bashcompinit\n" +
                             bash_script(root));
  } else {
    program.terminal().print(bash_script(root));
  }
  return 0;
}

}  // namespace

void add_completion(CLI::App& root, Program& program) {
  auto* command = root.add_subcommand("completion", "Print a completion script");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer("Example:\n  source <(lifeboat completion bash)");
  command->callback([&program, &root, shell] {
    program.chosen = [&program, &root, shell](const Operation&) {
      return print_script(program, root, *shell);
    };
  });
}

}  // namespace lifeboat::app
