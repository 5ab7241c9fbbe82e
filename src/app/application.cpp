#include "app/application.h"

#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stop_token>
#include <thread>

#include "app/commands/commands.h"
#include "app/program.h"
#include "app/version.h"
#include "client/process/launcher.h"
#include "client/process/watchdog.h"

namespace lifeboat::app {
namespace {

constexpr std::string_view about =
    "Lifeboat brings a whole platform back: from one binary, one repository and one key.";

constexpr std::string_view footer =
    "Start here:\n"
    "  lifeboat init --repository /mnt/elsewhere/lifeboat   platform file, repository, keys\n"
    "  lifeboat doctor                                      would it work?\n"
    "  lifeboat backup                                      one recovery point\n"
    "On the worst day, on a borrowed machine:\n"
    "  lifeboat recover PLAN --repository WHERE --identity KEY\n"
    "Exit status: 0 done and verified, 1 failed, 2 usage, 3 partial, 4 not ready, 5 needs a "
    "person,\n"
    "6 refused, 10 no repository, 11 another driver, 12 wrong key, 13 integrity, 14 no space,\n"
    "15 denied, 16 unreachable, 17 version too new, 124 timeout, 130 interrupted.";

// Turns SIGINT and SIGTERM into a stop request, so that work ends at a safe place; a second signal
// within it ends the process at once (the journal and the store make that safe).
class Signals {
 public:
  explicit Signals(std::stop_source& stop) {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      struct sigaction inherited{};
      sigaction(signal, nullptr, &inherited);
      // nohup, and shells without job control: who started us wants it ignored.
      if (inherited.sa_handler != SIG_IGN) sigaddset(&set_, signal);
    }
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    watcher_ = std::jthread([this, &stop](const std::stop_token& end) { watch(end, stop); });
  }
  // The signal that asked to stop; 0: none.
  int received() const { return received_; }

 private:
  void watch(const std::stop_token& end, std::stop_source& stop) {
    const timespec slice{0, 100'000'000};
    while (!end.stop_requested()) {
      const int signal = sigtimedwait(&set_, nullptr, &slice);
      if (signal <= 0) continue;
      if (received_ != 0) _exit(128 + signal);
      received_ = signal;
      stop.request_stop();
    }
  }

  sigset_t set_{};
  std::atomic<int> received_ = 0;
  std::jthread watcher_;
};

void add_global_options(CLI::App& root, Program& program) {
  Options& options = program.options;
  root.add_option("-C,--config", options.config,
                  "platform file (default: ./lifeboat.yaml; recover and plan evaluate: that of the "
                  "recovery point. See docs/plan-file.md)")
      ->envname("LIFEBOAT_CONFIG");
  root.add_option("-r,--repository", options.repository,
                  "the repository: a directory, or s3://BUCKET/PREFIX")
      ->envname("LIFEBOAT_REPOSITORY");
  // Their environment variables are read by Program::key_from_environment().
  auto* file = root.add_option("--passphrase-file", options.passphrase_file,
                               "file with the passphrase (LIFEBOAT_PASSPHRASE_FILE)");
  auto* command =
      root.add_option("--passphrase-command", options.passphrase_command,
                      "program that prints the passphrase (LIFEBOAT_PASSPHRASE_COMMAND)");
  root.add_option("--identity", options.identity_file, "age identity file (LIFEBOAT_IDENTITY)")
      ->excludes(file)
      ->excludes(command);
  file->excludes(command);
  root.add_option("--operator-key", options.operator_key_file,
                  "your operator key, for what you ask of runs")
      ->envname("LIFEBOAT_OPERATOR_KEY");
  root.add_option("-o,--output", options.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->envname("LIFEBOAT_OUTPUT_FORMAT");
  root.add_option("--color", options.color, "auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  root.add_flag("--no-input", options.no_input, "never ask; fail with exit 5 instead");
  root.set_version_flag("--version", version_line());
  root.add_flag("-q,--quiet", options.quiet, "no talk on standard error but errors");
}

void add_commands(CLI::App& root, Program& program) {
  add_init(root, program);
  add_doctor(root, program);
  add_backup(root, program);
  add_points(root, program);
  add_snapshots(root, program);
  add_ls(root, program);
  add_cat(root, program);
  add_restore(root, program);
  add_check(root, program);
  add_keys(root, program);
  add_kept(root, program);
  add_plan(root, program);
  add_runbook(root, program);
  add_recover(root, program);
  add_runs(root, program);
  add_evidence(root, program);
  add_operators(root, program);
  add_schema(root, program);
  add_completion(root, program);
  add_version(root, program);
}

int finish(Program& program, const Result<int>& result, int signal) {
  program.terminal().end_progress();
  if (result && program.terminal().output_lost()) {
    return finish(program, fail(Error::Kind::unavailable, "standard output is closed or full"),
                  signal);
  }
  if (result) return *result;
  Error told = result.error();
  if (told.kind == Error::Kind::corrupt && told.hint.empty()) {
    told.hint =
        "nothing was overwritten; `lifeboat check --read-data` names what is lost, an earlier "
        "snapshot may be whole (`lifeboat points`)";
  }
  program.terminal().error(told);
  if (signal != 0 && result.error().kind == Error::Kind::cancelled) return 128 + signal;
  return exit_status(result.error().effective_code());
}

// The options are not known yet when the words of the command line are refused.
bool asks_for_json(const std::vector<std::string>& words) {
  const char* chosen = std::getenv("LIFEBOAT_OUTPUT_FORMAT");
  bool json = chosen != nullptr && std::string_view(chosen) == "json";
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool option = words[i] == "-o" || words[i] == "--output";
    if (option && i + 1 < words.size()) json = words[i + 1] == "json";
    if (words[i].starts_with("--output=")) json = words[i] == "--output=json";
  }
  return json;
}

// `lifeboat help recover` is `lifeboat recover --help`.
std::vector<std::string> without_help_command(std::vector<std::string> words) {
  if (words.empty() || words.front() != "help") return words;
  words.erase(words.begin());
  words.emplace_back("--help");
  return words;
}

// A group of commands, and none of them: its help is what was wanted. It is no data.
bool only_names_a_group(const CLI::App& group, const CLI::App& root, const CLI::ParseError& error) {
  const auto any = [](const CLI::App*) { return true; };
  return error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) &&
         !group.get_subcommands(any).empty() && root.remaining(true).empty();
}

int refuse_words(Program& program, const CLI::App& root, const CLI::ParseError& error,
                 const std::vector<std::string>& words) {
  program.terminal().configure(asks_for_json(words) ? Output::json : Output::table, "auto", false);
  Error told{Error::Kind::invalid, error.what(), "lifeboat --help", Error::Code::usage};
  const CLI::App* command = &root;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  if (only_names_a_group(*command, root, error) && !asks_for_json(words)) {
    std::cerr << root.help();
    return exit_status(Error::Code::usage);
  }
  if (command != &root) {
    for (const CLI::App* at = command; at != &root; at = at->get_parent()) {
      told.hint = at->get_name() + (at == command ? "" : " " + told.hint);
    }
    told.hint = "lifeboat " + told.hint + " --help";
  }
  const bool incomplete = !command->get_subcommands([](const CLI::App*) { return true; }).empty();
  const std::vector<std::string> rest = root.remaining(true);
  if (incomplete && !rest.empty()) {
    std::vector<std::string> known;
    for (const auto* one : command->get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(one->get_name());
    }
    const std::string& word = rest.front();
    const std::string near = nearest(word, known);
    if (!word.starts_with('-')) told.what = "there is no command " + word;
    if (!near.empty()) told.hint = "did you mean " + near + "? Otherwise " + told.hint;
  }
  program.terminal().error(told);
  return exit_status(Error::Code::usage);
}

int run(int argc, char** argv) {
  Program program;
  CLI::App root{std::string(about), "lifeboat"};
  root.footer(std::string(footer));
  root.require_subcommand(1);
  root.fallthrough();
  add_global_options(root, program);
  add_commands(root, program);
  const auto words = without_help_command({argv + std::min(argc, 1), argv + argc});
  try {
    root.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    const std::vector<std::string> rest = root.remaining();
    const bool unknown =
        root.get_subcommands().empty() && !rest.empty() && !rest.front().starts_with('-');
    if (error.get_exit_code() == 0 && !unknown) return root.exit(error);  // --help
    return refuse_words(program, root, error, words);
  }
  program.terminal().configure(program.options.output == "json" ? Output::json : Output::table,
                               program.options.color, program.options.quiet);
  program.key_from_environment();
  Signals signals(program.stop());
  const Result<int> result = program.chosen(program.operation());
  return finish(program, result, signals.received());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "supervise") return supervise(argc, argv);
  if (argc > 1 && std::string_view(argv[1]) == "watchdog") return keep_watch(argc, argv);
  // Whatever we create is for this user alone, unless a restore says otherwise.
  ::umask(0077);
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "lifeboat: internal error: " << error.what() << "\n";
    return 1;
  }
}

}  // namespace lifeboat::app
