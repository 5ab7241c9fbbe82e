#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "base/bytes.h"
#include "base/temporary_folder.h"
#include "guard/by_hand.h"
#include "guard/guards.h"
#include "source/git/git_program.h"

namespace lifeboat::guards {
namespace {

using source::git::GitProgram;

Result<GitProgram> program(const Value& config, const plan::GuardSurroundings& around) {
  TRY(source::git::Address address,
      source::git::read_address(config.text("url"), around.directory));
  if (config.has("user")) address.user = config.text("user");
  if (config.has("password")) address.password = Secret(config.text("password"));
  address.ca_file = config.text("ca_file");
  if (!address.ca_file.empty() && !address.ca_file.starts_with('/')) {
    address.ca_file = around.directory + "/" + address.ca_file;
  }
  return GitProgram(*around.launcher, std::move(address));
}

// The commits that the history of all branches begins with, sorted: more than one after a merge of
// what was unrelated.
Result<std::string> roots_of(const Operation& op, const GitProgram& git,
                             const std::string& git_dir) {
  TRY(const std::string text,
      git.run(op, {.args = {"rev-list", "--max-parents=0", "--branches", "--remotes"},
                   .git_dir = git_dir}));
  std::istringstream lines(text);
  std::set<std::string> roots;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) roots.insert(line);
  }
  if (roots.empty()) {
    return fail(Error::Kind::not_found,
                printable(git.address().place()) + ": a repository without any commit");
  }
  return fmt::format("{}", fmt::join(roots, " "));
}

Result<plan::Fingerprint> look_at_root(const Operation& op, const Value& config,
                                       const plan::GuardSurroundings& around) {
  TRY(const GitProgram git, program(config, around));
  // The history only: what its files hold stays where it is.
  TRY(const TemporaryFolder folder, TemporaryFolder::make("guard"));
  const std::string copy = folder.path() + "/copy";
  TRY_DO(git.run(op, {.args = {"clone", "--quiet", "--bare", "--no-tags", "--filter=tree:0", "--",
                               git.address().place(), copy}}));
  TRY(const std::string roots, roots_of(op, git, copy));
  return plan::Fingerprint{roots, git.address().place()};
}

bool holds_root(const std::string& expected, const std::string& found) {
  std::istringstream words(found);
  for (std::string root; words >> root;) {
    if (root == expected) return true;
  }
  return false;
}

Result<plan::Fingerprint> look_at_ref(const Operation& op, const Value& config,
                                      const plan::GuardSurroundings& around) {
  TRY(const GitProgram git, program(config, around));
  const std::string ref = config.text("ref");
  if (!ref.starts_with("refs/")) {
    return fail(Error::Kind::invalid, "ref " + printable(ref) + " is no whole name",
                "write refs/heads/NAME or refs/tags/NAME", Error::Code::usage);
  }
  TRY(const std::string text,
      git.run(op, {.args = {"ls-remote", "--", git.address().place(), ref}}));
  std::istringstream lines(text);
  for (std::string commit, name; lines >> commit >> name;) {
    if (name == ref) return plan::Fingerprint{commit, git.address().place() + " " + ref};
  }
  return fail(Error::Kind::not_found,
              printable(git.address().place()) + " has no " + printable(ref));
}

std::vector<Field> address_fields() {
  return {{.name = "url",
           .shape = shape::string(),
           .help = "path, file://, http(s)://, ssh:// or host:path",
           .required = true},
          {.name = "user", .shape = shape::string(), .help = "for http(s)"},
          {.name = "password", .shape = shape::secret(), .help = "for http(s)"},
          {.name = "ca_file",
           .shape = shape::string(),
           .help = "certificates to trust instead of the system's"}};
}

}  // namespace

plan::GuardKind git_guard() {
  plan::GuardKind kind;
  kind.name = "git";
  kind.help = "A Git repository, by a commit that its history begins with.";
  kind.fields.fields = address_fields();
  kind.fields.fields.push_back({.name = "root_commit",
                                .shape = shape::string(),
                                .help = "as `git rev-list --max-parents=0 HEAD` answers it"});
  kind.expected = "root_commit";
  kind.look = look_at_root;
  kind.holds = holds_root;
  kind.by_hand = by_hand::git;
  return kind;
}

plan::GuardKind git_ref_guard() {
  plan::GuardKind kind;
  kind.name = "git-ref";
  kind.help = "A Git repository, by the commit that one of its refs is at: one that nothing moves.";
  kind.fields.fields = address_fields();
  kind.fields.fields.push_back({.name = "ref",
                                .shape = shape::string(),
                                .help = "refs/heads/NAME or refs/tags/NAME",
                                .required = true});
  kind.fields.fields.push_back(
      {.name = "commit", .shape = shape::string(), .help = "all digits of it"});
  kind.expected = "commit";
  kind.look = look_at_ref;
  kind.by_hand = by_hand::git_ref;
  return kind;
}

}  // namespace lifeboat::guards
