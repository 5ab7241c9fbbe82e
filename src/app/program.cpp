#include "app/program.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "app/key_input.h"
#include "app/registry.h"
#include "client/secret/secret_program.h"
#include "client/secret/secret_values.h"
#include "run/engine.h"
#include "store/directory.h"
#include "store/s3.h"

namespace lifeboat::app {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

// XDG directory of ours, "" when not even HOME is set.
std::string xdg(const char* variable, std::string_view below_home) {
  const char* base = std::getenv(variable);
  if (base != nullptr && *base == '/') return std::string(base) + "/lifeboat";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') return {};
  return fmt::format("{}/{}/lifeboat", home, below_home);
}

bool is_prefix(const Id& id, std::string_view word) {
  return word.size() >= 4 && id.hex().starts_with(word);
}

std::string own_binary() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).string();
}

}  // namespace

Program::Program()
    : terminal_(clock_, stop_.get_token()),
      source_types_(known_sources()),
      step_types_(known_steps(no_world_)),
      guard_kinds_(known_guards()) {}

Launcher& Program::launcher() {
  if (!launcher_) launcher_ = launcher_for("");
  return *launcher_;
}

std::unique_ptr<Launcher> Program::launcher_for(const std::string& run) const {
  return make_launcher(clock_, run, own_binary());
}

Operation Program::operation() const { return {.clock = &clock_, .stop = stop_.get_token()}; }

std::string Program::state_directory() const { return xdg("XDG_STATE_HOME", ".local/state"); }
std::string Program::cache_directory() const { return xdg("XDG_CACHE_HOME", ".cache"); }

repo::Environment Program::environment() {
  return {.clock = &clock_,
          .random = &random_,
          .host = host_name(),
          .cache = cache_directory(),
          .memory = state_directory()};
}

platform::Vocabulary Program::vocabulary() const {
  platform::Vocabulary words;
  for (const auto& [name, type] : source_types_.all()) {
    words.sources.push_back({name, type.help, type.fields});
  }
  words.steps = &step_types_;
  words.guards = &guard_kinds_;
  return words;
}

Result<platform::Platform> Program::read_platform(const std::string& path) {
  TRY(platform::Platform platform, platform::load_platform(path, vocabulary()));
  // Whoever works for us (a child, a source) may stand in another folder.
  std::error_code error;
  platform.directory = std::filesystem::weakly_canonical(platform.directory, error).string();
  if (error) return fail(Error::Kind::unavailable, path + ": " + error.message());
  return platform;
}

Result<backup::BundleFiles> Program::bundle_files(const platform::Platform& platform) const {
  TRY(const std::vector<std::string> names, platform::local_files(platform, vocabulary()));
  backup::BundleFiles files;
  for (const std::string& name : names) files[name] = platform.directory + "/" + name;
  files["lifeboat.yaml"] = platform.file;
  return files;
}

bool Program::names_platform_file() const {
  if (!options.config.empty()) return true;
  // A link that leads nowhere, or a folder of somebody else's, is no "there is none".
  std::error_code unknown;
  return std::filesystem::symlink_status("lifeboat.yaml", unknown).type() !=
         std::filesystem::file_type::not_found;
}

Result<platform::Platform> Program::platform_file() {
  const bool named = !options.config.empty();
  auto platform = read_platform(named ? options.config : "lifeboat.yaml");
  if (platform || platform.error().kind != Error::Kind::not_found) return platform;
  Error missing = std::move(platform).error();
  missing.hint = named ? "check --config or LIFEBOAT_CONFIG"
                       : "name it with --config; to begin with, `lifeboat init` makes one";
  missing.code = Error::Code::usage;
  return fail(std::move(missing));
}

void Program::key_from_environment() {
  const auto take = [](const char* variable, std::string& option) {
    if (const char* value = std::getenv(variable)) option = value;
  };
  if (!options.identity_file.empty() || !options.passphrase_file.empty() ||
      !options.passphrase_command.empty()) {
    return;
  }
  take("LIFEBOAT_IDENTITY", options.identity_file);
  take("LIFEBOAT_PASSPHRASE_FILE", options.passphrase_file);
  take("LIFEBOAT_PASSPHRASE_COMMAND", options.passphrase_command);
}

Result<repo::Unlock> Program::unlock(const Operation& op, std::string_view question) {
  if (!options.identity_file.empty()) {
    TRY(Secret text, read_key_file(op, options.identity_file));
    return repo::Unlock(repo::Identity{std::move(text)});
  }
  if (!options.passphrase_file.empty()) {
    TRY(Secret text, read_key_file(op, options.passphrase_file));
    return repo::Unlock(repo::Passphrase{std::move(text)});
  }
  if (!options.passphrase_command.empty()) {
    Command command;
    command.argv = {"/bin/sh", "-c", options.passphrase_command};
    std::error_code error;  // relative paths in it mean what they mean in the shell
    command.directory = std::filesystem::current_path(error).string();
    auto told = ask_secret_program(op, launcher(), std::move(command));
    if (!told && told.error().kind == Error::Kind::unavailable) {
      Error refused = std::move(told).error();
      refused.kind = Error::Kind::denied;
      refused.code = Error::Code::wrong_key;
      return wrap(std::move(refused), "the passphrase command");
    }
    TRY(Secret passphrase, std::move(told));
    return repo::Unlock(repo::Passphrase{std::move(passphrase)});
  }
  if (options.no_input || !terminal_.interactive()) {
    return fail(Error::Kind::denied, "the repository needs a key",
                "give --identity FILE, --passphrase-file FILE or --passphrase-command",
                Error::Code::needs_person);
  }
  TRY(std::string typed, terminal_.ask_hidden(question));
  return repo::Unlock(repo::Passphrase{Secret(std::move(typed))});
}

Result<std::string> Program::repository_place() {
  if (!options.repository.empty()) return options.repository;
  if (!names_platform_file()) {
    return fail(Error::Kind::invalid, "no repository named, and there is no lifeboat.yaml here",
                "name it: --repository WHERE or LIFEBOAT_REPOSITORY", Error::Code::usage);
  }
  TRY(const platform::Platform platform, platform_file());
  if (platform.repository.empty()) {
    return fail(Error::Kind::invalid, "no repository is named",
                "give --repository, or `repository:` in the platform file", Error::Code::usage);
  }
  if (store::is_s3_place(platform.repository)) return platform.repository;
  // Like every path in the file it is below the file's folder, wherever we were started.
  return (std::filesystem::path(platform.directory) / platform.repository).lexically_normal();
}

Result<std::unique_ptr<store::Store>> Program::open_store(const std::string& place, bool create) {
  if (store::is_s3_place(place)) return store::open_s3(place, launcher(), clock_);
  return store::open_directory(place, create, clock_);
}

Result<Opened> Program::open_repository(const Operation& op) {
  TRY(const std::string place, repository_place());
  Opened opened;
  TRY(opened.store, open_store(place, false));
  TRY(opened.key, unlock(op, "Passphrase of " + place + ":"));
  auto repository = repo::Repository::open(op, *opened.store, opened.key, environment());
  if (!repository && repository.error().effective_code() == Error::Code::wrong_key) {
    const bool words = std::holds_alternative<repo::Passphrase>(opened.key);
    return fail(Error::Kind::denied,
                fmt::format("repository {} does not open with this {}", printable(place),
                            words ? "passphrase" : "identity"),
                words ? "give another one: --passphrase-file, --passphrase-command, or --identity"
                      : "give another one: --identity, or --passphrase-file",
                Error::Code::wrong_key);
  }
  TRY(opened.repository, std::move(repository));
  TRY(opened.head, opened.repository->refresh(op));
  return opened;
}

Result<std::vector<backup::NamedSource>> Program::make_sources(
    const Operation& op, const platform::Platform& platform,
    const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const auto& [name, entry] : platform.sources) known.push_back(name);
  for (const std::string& name : names) {
    if (platform.sources.contains(name)) continue;
    const std::string near = nearest(name, known);
    return fail(Error::Kind::not_found, "there is no source " + printable(name),
                near.empty() ? "sources are under `sources:`" : "did you mean " + near + "?",
                Error::Code::usage);
  }
  std::vector<backup::NamedSource> made;
  for (const auto& [name, entry] : platform.sources) {
    if (!names.empty() && std::ranges::find(names, name) == names.end()) continue;
    const source::SourceType* type = source_types_.find(entry.type);
    backup::NamedSource named{.name = name, .type = entry.type, .source = nullptr, .broken = {}};
    named.holds_its_moment = type->holds_its_moment;
    if (entry.hooks) {
      named.freezer = make_freezer(hook_world(platform), "source " + name, *entry.hooks);
    }
    Value config = entry.config;
    const auto make = [&]() -> Result<std::unique_ptr<source::Source>> {
      TRY_DO(reveal_secrets(op, config, type->fields,
                            {.launcher = &launcher(), .directory = platform.directory}));
      return type->make(
          config, {.clock = &clock_, .launcher = &launcher(), .directory = platform.directory});
    };
    auto source = make();
    if (source) {
      named.source = *std::move(source);
    } else {
      named.broken = std::move(source).error();
    }
    made.push_back(std::move(named));
  }
  return made;
}

HookWorld Program::hook_world(const platform::Platform& platform) {
  return {.launcher = &launcher(),
          .self = own_binary(),
          .directory = platform.directory,
          .left_frozen = [this](const std::string& what, const std::string& why) {
            left_frozen_ = true;
            terminal().alarm(terminal().toned("STILL FROZEN", Tone::bad, Channel::talk) + " " +
                             printable(what) + ": " + printable(why));
          }};
}

std::vector<backup::CaptureGroup> Program::make_groups(const platform::Platform& platform,
                                                       const std::vector<std::string>& names) {
  std::vector<backup::CaptureGroup> made;
  for (const auto& [name, group] : platform.groups) {
    const bool asked = names.empty() || std::ranges::any_of(group.sources, [&](const auto& source) {
                         return std::ranges::find(names, source) != names.end();
                       });
    if (!asked) continue;
    backup::CaptureGroup one;
    one.name = name;
    one.sources = group.sources;
    one.max_skew = group.max_skew;
    one.attempts = group.attempts;
    if (group.hooks) {
      one.freezer = make_freezer(hook_world(platform), "group " + name, *group.hooks);
    }
    made.push_back(std::move(one));
  }
  return made;
}

Result<repo::Snapshot> find_snapshot(const repo::Repository& repository, const std::string& word) {
  std::vector<repo::Snapshot> found;
  std::optional<repo::Snapshot> newest_of_source;
  for (const repo::Snapshot& snapshot : repository.snapshots()) {
    if (is_prefix(snapshot.id, word)) found.push_back(snapshot);
    if (snapshot.about.source == word && snapshot.about.kind == repo::SnapshotKind::source) {
      newest_of_source = snapshot;
    }
  }
  if (newest_of_source) return *newest_of_source;
  if (found.size() == 1) return found.front();
  if (found.size() > 1) {
    return fail(Error::Kind::invalid,
                fmt::format("{} snapshots begin with {}", found.size(), printable(word)),
                "type more digits", Error::Code::usage);
  }
  return fail(Error::Kind::not_found, "there is no snapshot " + printable(word),
              "`lifeboat snapshots` lists them", Error::Code::usage);
}

Result<repo::Point> find_point(const repo::Repository& repository, const std::string& word) {
  const std::vector<repo::Point> points = repository.points();
  const auto time = parse_rfc3339(word);
  std::optional<repo::Point> best;
  std::size_t partial = 0, matches = 0;
  for (const repo::Point& point : points) {
    if (word.empty() || word == "latest") {
      if (point.about.complete) best = point;
      partial += point.about.complete ? 0 : 1;
    } else if (is_prefix(point.id, word)) {
      best = point;
      ++matches;
    } else if (time && point.about.complete && point.latest <= *time) {
      best = point;
    }
  }
  if (matches > 1) {
    return fail(Error::Kind::invalid,
                fmt::format("{} points begin with {}", matches, printable(word)),
                "type more digits", Error::Code::usage);
  }
  if (best) return *best;
  if (word.empty() || word == "latest") {
    return fail(Error::Kind::not_found,
                fmt::format("there is no complete recovery point ({} partial)", partial),
                partial > 0 ? "choose a partial one by name: `lifeboat points`, then --point ID"
                            : "`lifeboat backup` makes one");
  }
  return fail(Error::Kind::not_found, "there is no recovery point " + printable(word),
              "`lifeboat points` lists them; a time is RFC 3339: 2026-11-21T04:00:00Z",
              Error::Code::usage);
}

Result<std::string> find_run(const Operation& op, repo::Repository& repository,
                             const std::string& word) {
  if (word != "latest") return word;
  TRY(const auto newest, run::newest_run(op, repository));
  if (newest) return *newest;
  return fail(Error::Kind::not_found, "no run was ever begun in this repository",
              "lifeboat recover PLAN begins one", Error::Code::usage);
}

}  // namespace lifeboat::app
