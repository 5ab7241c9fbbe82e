#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <sstream>

#include "base/bytes.h"
#include "base/mutex.h"
#include "base/temporary_folder.h"
#include "guard/by_hand.h"
#include "guard/guards.h"
#include "source/git/git_program.h"

namespace lifeboat::guards {
namespace {

using source::git::GitProgram;

constexpr auto look_at_most = std::chrono::minutes(2);  // a server may know no filter
constexpr std::size_t roots_kept = 64;                  // 41 bytes each

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

using Roots = std::set<std::string>;

std::string joined(const Roots& roots) { return fmt::format("{}", fmt::join(roots, " ")); }

Roots words_of(const std::string& text) {
  std::istringstream words(text);
  Roots roots;
  for (std::string word; words >> word;) roots.insert(word);
  return roots;
}

// The commits that the history of all branches begins with.
Result<Roots> roots_of(const Operation& op, const GitProgram& git, const std::string& git_dir) {
  TRY(const std::string text,
      git.run(op, {.args = {"rev-list", "--max-parents=0", "--branches"}, .git_dir = git_dir}));
  return words_of(text);
}

// The roots by the tips of the branches, which say by their digests what they begin with: as long
// as no branch moves nothing is copied again.
class KnownRoots {
 public:
  std::optional<Roots> of(const std::string& tips) const {
    MutexLock lock(mutex_);
    return tips == tips_ ? std::optional(roots_) : std::nullopt;
  }
  void keep(const std::string& tips, const Roots& roots) {
    MutexLock lock(mutex_);
    tips_ = tips;
    roots_ = roots;
  }

 private:
  mutable Mutex mutex_;
  std::string tips_ GUARDED_BY(mutex_);
  Roots roots_ GUARDED_BY(mutex_);
};

// More than one after a merge of what was unrelated, or with a branch of its own history.
plan::Fingerprint fingerprint_of(const Roots& roots, const std::string& place) {
  Roots some = roots;
  while (some.size() > roots_kept) some.erase(std::prev(some.end()));
  return {joined(some), place, joined(roots)};
}

Result<plan::Fingerprint> look_at_root(const Operation& given, const Value& config,
                                       const plan::GuardSurroundings& around, KnownRoots& known) {
  const Operation op = given.within(look_at_most);
  TRY(const GitProgram git, program(config, around));
  const std::string place = git.address().place();
  TRY(const std::string tips, git.run(op, {.args = {"ls-remote", "--heads", "--", place}}));
  if (tips.empty()) {
    return fail(Error::Kind::not_found, printable(place) + ": a repository without any commit");
  }
  if (const auto roots = known.of(tips)) return fingerprint_of(*roots, place);
  // The history only: what its files hold stays where it is. A repository in a folder sends all the
  // same unless it is asked like one elsewhere, and told that it may leave things out.
  TRY(const TemporaryFolder folder, TemporaryFolder::make("guard"));
  const std::string copy = folder.path() + "/copy";
  TRY_DO(git.run(op, {.args = {"-c", "uploadpack.allowFilter=true", "clone", "--quiet", "--bare",
                               "--no-local", "--no-tags", "--filter=tree:0", "--", place, copy}}));
  TRY(const Roots roots, roots_of(op, git, copy));
  known.keep(tips, roots);
  return fingerprint_of(roots, place);
}

bool all_there(const Roots& wanted, const plan::Fingerprint& found) {
  const Roots roots = words_of(found.read);
  return !wanted.empty() && std::ranges::includes(roots, wanted);
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
  kind.look = [known = std::make_shared<KnownRoots>()](const Operation& op, const Value& config,
                                                       const plan::GuardSurroundings& around) {
    return look_at_root(op, config, around, *known);
  };
  kind.holds = [](const std::string& expected, const plan::Fingerprint& found) {
    return all_there({expected}, found);
  };
  // Somebody may begin a history of its own beside: it is the same repository.
  kind.same = [](const std::string& adopted, const plan::Fingerprint& found) {
    return all_there(words_of(adopted), found);
  };
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
