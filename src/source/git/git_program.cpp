#include "source/git/git_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "base/bytes.h"
#include "base/temporary_folder.h"
#include "client/http/http.h"

namespace lifeboat::source::git {
namespace {

using ErrorKind = Error::Kind;

constexpr std::size_t output_limit_bytes = 256u << 20;

struct Setting {
  const char* key;  // section.name
  const char* value;
};
// What git is told, twice: as its only configuration file, which children that forget their
// environment read too (a remote's upload-pack on this machine), and through the environment, which
// outweighs what the repository itself says. A repository may belong to somebody else: nothing that
// its configuration names is run. Memory of git is bounded here: large blobs are streamed.
constexpr std::array settings{
    Setting{"safe.directory", "*"},
    Setting{"core.hooksPath", "/dev/null"},
    Setting{"core.fsmonitor", "false"},
    Setting{"core.alternateRefsCommand", "true"},  // the program of that name, which tells nothing
    Setting{"core.askPass", ""},
    Setting{"core.fsync", "all"},  // done is what a power cut does not undo
    Setting{"core.quotePath", "false"},
    Setting{"core.bigFileThreshold", "16m"},
    Setting{"gc.auto", "0"},
    Setting{"gc.recentObjectsHook", ""},
    Setting{"maintenance.auto", "false"},
    Setting{"receive.autogc", "false"},
    Setting{"receive.denyCurrentBranch", "refuse"},  // else a push could run filters
    Setting{"submodule.recurse", "false"},
    Setting{"pack.threads", "1"},
    Setting{"pack.windowMemory", "64m"},
    Setting{"http.lowSpeedLimit", "1"},
    Setting{"http.lowSpeedTime", "60"},
    Setting{"advice.detachedHead", "false"},
    Setting{"init.defaultBranch", "main"},
    Setting{"transfer.credentialsInUrl", "die"},
    Setting{"credential.helper", ""},  // none but the one that may follow
};
// printf is the shell's own: the password is in no argument of any process.
constexpr const char* credential_helper =
    R"(!f() { test "$1" = get && printf 'username=%s\npassword=%s\n')"
    R"( "$LIFEBOAT_GIT_USER" "$LIFEBOAT_GIT_PASSWORD"; }; f)";

std::string configuration() {
  std::string text;
  for (const Setting& one : settings) {
    const std::string_view key(one.key);
    const auto dot = key.find('.');
    text += fmt::format("[{}]\n  {} = {}\n", key.substr(0, dot), key.substr(dot + 1), one.value);
  }
  return text;
}

void set_in_environment(std::map<std::string, std::string>& env, bool with_helper) {
  std::size_t count = 0;
  const auto set = [&](const char* key, const char* value) {
    env[fmt::format("GIT_CONFIG_KEY_{}", count)] = key;
    env[fmt::format("GIT_CONFIG_VALUE_{}", count++)] = value;
  };
  for (const Setting& one : settings) set(one.key, one.value);
  if (with_helper) set("credential.helper", credential_helper);
  env["GIT_CONFIG_COUNT"] = std::to_string(count);
}

// A push into a folder starts receive-pack there, with an environment that says nothing of ours.
std::string receive_pack() {
  std::string words = "--receive-pack=git";
  for (const Setting& one : settings) words += fmt::format(" -c '{}={}'", one.key, one.value);
  return words + " receive-pack";
}

void pass_on(std::map<std::string, std::string>& env, const char* name) {
  const char* value = std::getenv(name);
  if (value != nullptr && *value != 0) env[name] = value;
}

// The line of git's complaint that says most: the last one with "fatal:", "error:" or a rejection.
std::string complaint_of(const std::string& errors) {
  std::string best, last;
  std::size_t at = 0;
  while (at < errors.size()) {
    const auto end = std::min(errors.find('\n', at), errors.size());
    const std::string line = errors.substr(at, end - at);
    at = end + 1;
    if (line.empty()) continue;
    last = line;
    for (const char* mark : {"fatal:", "error:", "rejected", "ERR ", "remote: fatal"}) {
      if (line.find(mark) != std::string::npos && best.empty()) best = line;
    }
  }
  return printable(best.empty() ? last : best);
}

struct Meaning {
  const char* words;
  ErrorKind kind;
  const char* hint;
  Error::Code code = Error::Code::automatic;
};
constexpr const char* login_hint = "check user and password, and that they may read (or write) it";
constexpr const char* network_hint = "is the server up, and reachable from here?";
constexpr std::array<Meaning, 27> meanings{{
    {"No space left on device", ErrorKind::unavailable, "free some space", Error::Code::no_space},
    {"Authentication failed", ErrorKind::denied, login_hint},
    {"could not read Username", ErrorKind::denied, "it wants a login: give user and password"},
    {"could not read Password", ErrorKind::denied, "it wants a login: give user and password"},
    {"returned error: 403", ErrorKind::denied, login_hint},
    {"Permission denied", ErrorKind::denied, login_hint},
    {"Host key verification failed", ErrorKind::denied, "connect once by hand: ssh HOST"},
    {"SSL certificate problem", ErrorKind::denied, "give the authority's certificate: ca_file"},
    {"server certificate verification failed", ErrorKind::denied, "give ca_file"},
    {"insufficient permission", ErrorKind::denied, "check who owns the folder"},
    {"denyCurrentBranch", ErrorKind::conflict, "push to a bare repository, or another branch"},
    {"branch is currently checked out", ErrorKind::conflict, "push to a bare repository"},
    {"stale info", ErrorKind::conflict, "somebody pushed in between: read again"},
    {"fetch first", ErrorKind::conflict, "somebody pushed in between: read again"},
    {"non-fast-forward", ErrorKind::conflict, "somebody pushed in between: read again"},
    {"cannot lock ref", ErrorKind::conflict, "somebody else writes to it: read again"},
    {"[remote rejected]", ErrorKind::conflict, "the server's rules refuse it"},
    {"Could not resolve host", ErrorKind::unavailable, "check the name of the server"},
    {"Failed to connect", ErrorKind::unavailable, network_hint},
    {"Connection refused", ErrorKind::unavailable, network_hint},
    {"Connection timed out", ErrorKind::unavailable, network_hint},
    {"Operation too slow", ErrorKind::unavailable, network_hint},
    {"hung up unexpectedly", ErrorKind::unavailable, network_hint},
    {"returned error: 5", ErrorKind::unavailable, "the server has a problem: try again later"},
    {"not found", ErrorKind::not_found, "check the address; a new repository is made at its host"},
    {"does not appear to be a git repository", ErrorKind::not_found, "check the address"},
    {"not a git repository", ErrorKind::not_found, "check the path"},
}};
constexpr std::array<const char*, 5> damage{"bad object", "missing blob", "missing tree",
                                            "is corrupt", "unable to read"};

bool is_scp_like(const std::string& text) {
  const auto colon = text.find(':');
  return colon != std::string::npos && colon > 0 && text.find('/') > colon;
}

}  // namespace

Result<Address> read_address(const std::string& text, const std::string& directory) {
  Address address;
  const auto absolute = [&](const std::string& path) {
    const std::filesystem::path given(path);
    return (given.is_absolute() ? given : std::filesystem::path(directory) / given)
        .lexically_normal()
        .string();
  };
  const bool has_scheme = text.find("://") != std::string::npos;
  if (text.empty() || text.front() == '-' || text.find("::") != std::string::npos) {
    return fail(ErrorKind::invalid,
                fmt::format("'{}' is no address of a git repository",
                            has_scheme ? shown_url(text) : printable(text)),
                "", Error::Code::usage);
  }
  if (text.starts_with("file://")) {
    address.path = absolute(text.substr(7));
  } else if (!has_scheme && !is_scp_like(text)) {
    address.path = absolute(text);
  } else if (!has_scheme) {
    address.url = text;
  } else {
    TRY(UrlParts parts, parse_url(text));
    if (parts.scheme != "http" && parts.scheme != "https" && parts.scheme != "ssh") {
      return fail(ErrorKind::invalid,
                  fmt::format("{}: git by {} is not known", shown_url(text), parts.scheme),
                  "use a path, http, https or ssh", Error::Code::usage);
    }
    address.url = shown_url(text);
    if (parts.scheme == "ssh") {
      if (!parts.user.empty()) address.url.insert(6, parts.user + "@");
    } else {
      address.user = parts.user;
      address.password = parts.password;
    }
  }
  while (address.path.size() > 1 && address.path.ends_with('/')) address.path.pop_back();
  return address;
}

Command GitProgram::command(const GitCall& call) const {
  Command command;
  command.argv = {"git"};
  if (!call.git_dir.empty()) command.argv.push_back("--git-dir=" + call.git_dir);
  command.argv.insert(command.argv.end(), call.args.begin(), call.args.end());
  if (address_.is_local() && !call.args.empty() && call.args.front() == "push") {
    command.argv.insert(std::find(command.argv.begin(), command.argv.end(), "push") + 1,
                        receive_pack());
  }
  command.env = call.env;
  command.env["GIT_TERMINAL_PROMPT"] = "0";
  command.env["GIT_CONFIG_NOSYSTEM"] = "1";
  command.env["GIT_NO_REPLACE_OBJECTS"] = "1";
  command.env["GIT_OPTIONAL_LOCKS"] = "0";
  command.env["GIT_NO_LAZY_FETCH"] = "1";  // or a promised object is asked of any program
  command.env["GIT_ALLOW_PROTOCOL"] = "file:http:https:ssh";
  command.env["GIT_CEILING_DIRECTORIES"] = TemporaryFolder::disk_folder();  // HOME is below
  command.env["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes";
  if (!address_.ca_file.empty()) command.env["GIT_SSL_CAINFO"] = address_.ca_file;
  set_in_environment(command.env, !address_.password.empty());
  if (!address_.password.empty()) {
    command.env["LIFEBOAT_GIT_USER"] = address_.user;
    command.secret_env["LIFEBOAT_GIT_PASSWORD"] = address_.password;
  }
  command.secret_files["GIT_CONFIG_GLOBAL"] = Secret(configuration());
  if (address_.is_local()) return command;
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"}) {
    pass_on(command.env, name);
  }
  const char* direct = std::getenv("no_proxy");
  command.env["no_proxy"] =
      std::string("localhost,127.0.0.1,::1") + (direct == nullptr ? "" : "," + std::string(direct));
  if (!address_.url.starts_with("http")) {  // keys and known hosts of whoever runs us
    pass_on(command.env, "SSH_AUTH_SOCK");
    const char* home = std::getenv("HOME");
    if (home != nullptr) command.home = home;
  }
  return command;
}

Result<Finished> GitProgram::attempt(const Operation& op, const GitCall& call) const {
  Command started = command(call);
  started.output_limit_bytes = output_limit_bytes;
  return launcher_->run(op, started, as_bytes(call.input));
}

Result<std::string> GitProgram::run(const Operation& op, const GitCall& call) const {
  TRY(Finished finished, attempt(op, call));
  if (finished.status != 0) return fail(failure(call, finished));
  return std::move(finished.output);
}

Result<std::unique_ptr<Child>> GitProgram::start(const Operation& op, const GitCall& call) const {
  return launcher_->start(op, command(call));
}

Error GitProgram::failure(const GitCall& call, const Finished& finished) const {
  const std::string verb = call.args.empty() ? "" : call.args.front();
  const std::string what = fmt::format("{}: git {}: {}", printable(address_.place()), verb,
                                       complaint_of(finished.errors));
  const auto says = [&](const char* words) {
    return finished.errors.find(words) != std::string::npos;
  };
  const auto known = std::find_if(meanings.begin(), meanings.end(),
                                  [&](const Meaning& each) { return says(each.words); });
  if (known != meanings.end()) return {known->kind, what, known->hint, known->code};
  if (std::any_of(damage.begin(), damage.end(), says)) {
    return {ErrorKind::corrupt, what, "the repository is damaged: look with git fsck --full"};
  }
  if (finished.status > 128 && finished.status != 128) {
    return {ErrorKind::unavailable,
            fmt::format("{} (ended by signal {})", what, finished.status - 128), ""};
  }
  return {ErrorKind::invalid, what, ""};
}

}  // namespace lifeboat::source::git
