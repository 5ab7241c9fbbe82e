#include "steps/git_edit/branch_clone.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "source/git/stale_locks.h"

namespace lifeboat::steps {
namespace {

using source::git::GitCall;
using source::git::LocalRepository;
using ErrorKind = Error::Kind;

constexpr const char* history_searched = "1000";
constexpr char field_end = '\x1f', record_end = '\x1e';

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (true) {
    const auto end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const auto start = text.find_first_not_of("\n ");
  return start == std::string::npos ? std::string() : text.substr(start);
}

// Paths of a tree: no step outside of it, nothing of git's own.
bool is_tree_path(const std::string& file) {
  if (file.empty() || file.find('\0') != std::string::npos) return false;
  for (const std::string& part : split(file, '/')) {
    std::string lower = part;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
      return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    });
    if (part.empty() || part == "." || part == ".." || lower == ".git") return false;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<BranchClone>> BranchClone::open(const Operation& op,
                                                       const source::git::GitProgram& git,
                                                       const std::string& branch) {
  TRY(TemporaryFolder folder, TemporaryFolder::make("git"));
  TRY(LocalRepository clone, LocalRepository::init(op, git, folder.path() + "/clone.git"));
  auto made = std::make_unique<BranchClone>(git, std::move(folder), std::move(clone));
  made->branch_ = branch;
  if (branch.empty()) {
    TRY(const std::string told,
        git.run(op, {.args = {"ls-remote", "--symref", git.address().place(), "HEAD"}}));
    const std::string line = first_line(told);
    const auto tab = line.find('\t');
    if (!line.starts_with("ref: refs/heads/") || tab == std::string::npos) {
      return fail(ErrorKind::not_found,
                  fmt::format("{}: HEAD points to no branch", printable(git.address().place())),
                  "name the branch: `branch: main`");
    }
    made->branch_ = line.substr(16, tab - 16);
  }
  TRY_DO(made->refresh(op));
  return made;
}

Result<void> BranchClone::refresh(const Operation& op) {
  const std::string ref = "refs/heads/" + branch_;
  auto fetched =
      clone_.run(op, {"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--update-head-ok",
                      git_.address().place(), "+" + ref + ":refs/heads/lifeboat-edit"});
  if (!fetched && fetched.error().what.find("find remote ref") != std::string::npos) {
    return fail(ErrorKind::not_found,
                fmt::format("{}: there is no branch {}", printable(git_.address().place()),
                            printable(branch_)));
  }
  if (!fetched) return fail(std::move(fetched).error());
  TRY(const std::string tip,
      clone_.run(op, {"rev-parse", "--verify", "refs/heads/lifeboat-edit^{commit}"}));
  tip_ = first_line(tip);
  return {};
}

Result<std::optional<BranchClone::Own>> BranchClone::own_commit(const Operation& op,
                                                                const Trailers& of) {
  const auto trailer = [](const char* name) {
    return fmt::format("%(trailers:key=Lifeboat-{},valueonly)", name);
  };
  const std::string format = fmt::format("--format=%H%x1f{}%x1f{}%x1f{}%x1f{}%x1e", trailer("Run"),
                                         trailer("Step"), trailer("Generation"), trailer("Undo"));
  TRY(const std::string log, clone_.run(op, {"log", "-n", history_searched, format, tip_}));
  for (const std::string& record : split(log, record_end)) {
    const auto fields = split(record, field_end);
    if (fields.size() != 5 || trimmed(fields[1]) != of.run || trimmed(fields[2]) != of.step) {
      continue;
    }
    const std::string generation = trimmed(fields[3]);
    const bool is_number = !generation.empty() && generation.size() < 10 &&
                           generation.find_first_not_of("0123456789") == std::string::npos;
    return std::optional<Own>(
        {trimmed(fields[0]), is_number ? std::stoull(generation) : 0, !trimmed(fields[4]).empty()});
  }
  return std::optional<Own>();
}

Result<std::optional<BranchClone::Entry>> BranchClone::entry(const Operation& op,
                                                             const std::string& commit,
                                                             const std::string& file) {
  if (!is_tree_path(file)) {
    return fail(ErrorKind::invalid,
                fmt::format("'{}' is no path of a file in a repository", printable(file)), "",
                Error::Code::usage);
  }
  TRY(const std::string line,
      clone_.run(op, {"--literal-pathspecs", "ls-tree", "-z", commit, "--", file}));
  const auto tab = line.find('\t');
  const auto words = split(line.substr(0, tab), ' ');
  if (tab == std::string::npos || words.size() != 3) return std::optional<Entry>();
  if (words[0] != "100644" && words[0] != "100755") {
    return fail(ErrorKind::invalid,
                fmt::format("{}: is no regular file of branch {}", printable(file), branch_));
  }
  return std::optional<Entry>({words[0], words[2]});
}

Result<std::string> BranchClone::blob_id(const Operation& op, const std::string& commit,
                                         const std::string& file) {
  TRY(const auto found, entry(op, commit, file));
  return found ? found->id : std::string();
}

Result<std::string> BranchClone::read(const Operation& op, const std::string& commit,
                                      const std::string& file) {
  TRY(const auto found, entry(op, commit, file));
  if (!found) {
    return fail(ErrorKind::not_found,
                fmt::format("{}: there is no file {} on branch {}",
                            printable(git_.address().place()), printable(file), branch_));
  }
  return clone_.run(op, {"cat-file", "blob", found->id});
}

Result<std::vector<std::string>> BranchClone::remove_stale_locks(const Operation& op) const {
  if (!git_.address().is_local()) return std::vector<std::string>{};
  const auto found = source::git::look_at(git_.address().path);
  return source::git::remove_stale_locks(
      op, source::git::locks_of(found.git_dir, "refs/heads/" + branch_));
}

Result<std::string> BranchClone::commit_files(const Operation& op, const Draft& draft) {
  std::string entries;
  for (const auto& [file, content] : draft.contents) {
    TRY(const auto before, entry(op, tip_, file));
    TRY(const std::string id, clone_.run(op, {"hash-object", "-w", "--stdin"}, content));
    entries += fmt::format("{} {}\t{}", before ? before->mode : "100644", first_line(id), file);
    entries += '\0';
  }
  const std::map<std::string, std::string> index = {{"GIT_INDEX_FILE", folder_.path() + "/index"}};
  const auto with_index = [&](std::vector<std::string> args, std::string input) {
    return git_.run(op, {.args = std::move(args),
                         .git_dir = clone_.git_dir(),
                         .input = std::move(input),
                         .env = index});
  };
  TRY_DO(with_index({"read-tree", tip_}, ""));
  TRY_DO(with_index({"update-index", "-z", "--index-info"}, entries));
  TRY(const std::string tree, with_index({"write-tree"}, ""));
  GitCall commit{.args = {"commit-tree", first_line(tree), "-p", tip_, "-F", "-"},
                 .git_dir = clone_.git_dir()};
  commit.input = fmt::format("{}\n\nLifeboat-Run: {}\nLifeboat-Step: {}\nLifeboat-Generation: {}\n",
                             trimmed(draft.message), draft.trailers.run, draft.trailers.step,
                             draft.trailers.generation);
  if (draft.trailers.undo) commit.input += "Lifeboat-Undo: true\n";
  for (const char* who : {"AUTHOR", "COMMITTER"}) {
    commit.env[fmt::format("GIT_{}_NAME", who)] = draft.committer.name;
    commit.env[fmt::format("GIT_{}_EMAIL", who)] = draft.committer.email;
    commit.env[fmt::format("GIT_{}_DATE", who)] = fmt::format("@{} +0000", draft.committer.seconds);
  }
  TRY(const std::string made, git_.run(op, commit));
  const std::string id = first_line(made);
  // Without force: the server takes it only on top of what it has, and that has to be tip_.
  const std::string ref = "refs/heads/" + branch_;
  TRY_DO(clone_.run(op, {"push", "--quiet", fmt::format("--force-with-lease={}:{}", ref, tip_),
                         git_.address().place(), id + ":" + ref}));
  return id;
}

}  // namespace lifeboat::steps
