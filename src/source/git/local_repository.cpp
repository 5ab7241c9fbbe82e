#include "source/git/local_repository.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <set>
#include <sstream>

#include "base/bytes.h"
#include "base/temporary_folder.h"

namespace lifeboat::source::git {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t buffer_bytes = 256u << 10;

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// Bytes 8 to 11 of a pack are the number of its objects.
std::uint64_t objects_in(ByteView header) {
  if (header.size() < 12) return 0;
  std::uint64_t count = 0;
  for (std::size_t i = 8; i < 12; ++i) count = count << 8 | header[i];
  return count;
}

// What `git init` lays down, HEAD before config and objects last.
const std::set<std::string, std::less<>> made_by_init = {
    "HEAD",        "HEAD.lock", "branches", "config",  "config.lock",
    "description", "hooks",     "info",     "objects", "refs"};

bool holds_a_file(const std::string& folder) {
  std::error_code error;
  for (fs::recursive_directory_iterator each(folder, error), end; !error && each != end;
       each.increment(error)) {
    if (!each->is_directory(error)) return true;
  }
  return false;
}

// An init that was interrupted: running it again completes it, and overwrites nothing.
bool half_made(const std::string& path) {
  std::error_code error;
  fs::directory_iterator each(path, error);
  for (; !error && each != fs::directory_iterator(); each.increment(error)) {
    if (!made_by_init.contains(each->path().filename().string())) return false;
  }
  if (error || (fs::exists(path + "/config", error) && !fs::exists(path + "/HEAD", error))) {
    return false;
  }
  return !holds_a_file(path + "/objects") && !holds_a_file(path + "/refs");
}

}  // namespace

Found look_at(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return {Place::absent, "", true};
  if (fs::exists(path + "/objects", error) && fs::exists(path + "/HEAD", error)) {
    return {Place::repository, path, true};
  }
  if (fs::exists(path + "/.git", error)) return {Place::repository, path + "/.git", false};
  if (fs::is_directory(path, error) && half_made(path)) {
    return {Place::empty_folder, "", true};
  }
  return {Place::something_else, "", true};
}

Result<LocalRepository> LocalRepository::init(const Operation& op, const GitProgram& git,
                                              const std::string& path) {
  // Left by an init that was killed; it would refuse to go on.
  std::error_code ignored;
  for (const char* lock : {"/HEAD.lock", "/config.lock"}) fs::remove(path + lock, ignored);
  TRY_DO(git.run(op, {.args = {"init", "--quiet", "--bare", path}}));
  return LocalRepository(git, path);
}

Result<std::string> LocalRepository::run(const Operation& op, std::vector<std::string> args,
                                         std::string input) const {
  return git_->run(op, {.args = std::move(args), .git_dir = git_dir_, .input = std::move(input)});
}

Result<Finished> LocalRepository::attempt(const Operation& op,
                                          std::vector<std::string> args) const {
  return git_->attempt(op, {.args = std::move(args), .git_dir = git_dir_});
}

Result<References> LocalRepository::references(const Operation& op) const {
  return read_local(op, *git_, git_dir_);
}

Result<std::optional<Marker>> LocalRepository::marker(const Operation& op,
                                                      const std::string& marker_id) const {
  if (marker_id.empty()) return std::optional<Marker>();
  TRY(const std::string text, run(op, {"cat-file", "blob", marker_id}));
  return Marker::parse(first_line(text));
}

Result<void> LocalRepository::write_marker(const Operation& op, const Marker& marker) const {
  TRY(const std::string id, run(op, {"hash-object", "-w", "--stdin"}, marker.text() + "\n"));
  TRY_DO(run(op, {"update-ref", marker_ref, first_line(id)}));
  return {};
}

Result<std::uint64_t> LocalRepository::send_pack(const Operation& op, const References& references,
                                                 capture::Sink& sink) const {
  const GitCall call{
      .args = {"pack-objects", "--quiet", "--stdout", "--revs", "--delta-base-offset"},
      .git_dir = git_dir_};
  std::set<std::string> ids;
  for (const auto& [name, id] : references.ids) ids.insert(id);
  if (!references.head.starts_with("refs/") && !references.head.empty()) {
    ids.insert(references.head);
  }
  std::string wanted;
  for (const std::string& id : ids) wanted += id + "\n";
  TRY(const std::unique_ptr<Child> child, git_->start(op, call));
  // When git has ended early this fails; its own words, below, say why.
  const auto told = child->write(op, as_bytes(wanted));
  if (!told && told.error().kind == Error::Kind::cancelled) return fail(told.error());
  TRY_DO(child->close_input());
  Bytes buffer(buffer_bytes), header;
  for (;;) {
    TRY(const std::size_t got, child->read(op, buffer));
    if (got == 0) break;
    const ByteView piece(buffer.data(), got);
    if (header.size() < 12) append(header, piece.first(std::min(got, 12 - header.size())));
    TRY_DO(sink.write(op, piece));
  }
  TRY(const Finished finished, child->wait(op));
  if (finished.status != 0) return fail(git_->failure(call, finished));
  return objects_in(header);
}

Result<void> LocalRepository::take_pack(const Operation& op, capture::Feed& feed,
                                        const capture::Item& item,
                                        const std::function<void(std::uint64_t)>& progress) const {
  const GitCall call{.args = {"index-pack", "--stdin"}, .git_dir = git_dir_};
  TRY(const std::unique_ptr<capture::Reader> reader, feed.open(op, item));
  TRY(const std::unique_ptr<Child> child, git_->start(op, call));
  Bytes buffer(buffer_bytes);
  std::uint64_t done = 0;
  for (;;) {
    TRY(const std::size_t got, reader->read(op, buffer));
    if (got == 0) break;
    const auto written = child->write(op, ByteView(buffer.data(), got));
    if (!written) {
      TRY_DO(op.proceed());
      break;  // git has ended; why, it says below
    }
    done += got;
    if (progress) progress(done);
  }
  TRY_DO(op.proceed());
  TRY_DO(child->close_input());
  TRY(const Finished finished, child->wait(op));
  if (finished.status == 0) return {};
  Error error = git_->failure(call, finished);
  if (error.kind == Error::Kind::invalid) error.kind = Error::Kind::corrupt;
  return fail(std::move(error));
}

Result<void> LocalRepository::move(const Operation& op, const References& wanted) const {
  TRY(const References live, references(op));
  std::string gone, moved;
  for (const auto& [name, id] : live.ids) {
    if (!wanted.ids.contains(name)) gone += "delete " + name + "\n";
  }
  for (const auto& [name, id] : wanted.ids) {
    const auto found = live.ids.find(name);
    if (found == live.ids.end() || found->second != id) {
      moved += fmt::format("update {} {}\n", name, id);
    }
  }
  // Two transactions: "refs/heads/a" has to be gone before "refs/heads/a/b" can be made.
  if (!gone.empty()) TRY_DO(run(op, {"update-ref", "--no-deref", "--stdin"}, gone));
  if (!moved.empty()) TRY_DO(run(op, {"update-ref", "--no-deref", "--stdin"}, moved));
  if (wanted.head.empty() || wanted.head == live.head) return {};
  if (wanted.head.starts_with("refs/")) {
    TRY_DO(run(op, {"symbolic-ref", "HEAD", wanted.head}));
  } else {
    TRY_DO(run(op, {"update-ref", "--no-deref", "HEAD", wanted.head}));
  }
  return {};
}

Result<void> LocalRepository::remark(const Operation& op, bool bare,
                                     capture::Moments& moments) const {
  TRY(const std::string shallow, run(op, {"rev-parse", "--is-shallow-repository"}));
  if (first_line(shallow) == "true") {
    moments.partial = true;
    moments.remarks.push_back("a shallow repository: older history is not here, nor captured");
  }
  TRY(const Finished born, attempt(op, {"rev-parse", "--quiet", "--verify", "HEAD^{commit}"}));
  if (born.status != 0) return {};
  TRY(const Finished modules, attempt(op, {"cat-file", "-e", "HEAD:.gitmodules"}));
  if (modules.status == 0) {
    moments.remarks.push_back("submodules are captured as links: their repositories are not");
  }
  TRY(const Finished lfs,
      attempt(op, {"grep", "--quiet", "-I", "-e", "filter=lfs", "HEAD", "--", "*.gitattributes"}));
  if (lfs.status == 0) {
    moments.remarks.push_back("Git LFS is in use: pointers are captured, the large files are not");
  }
  if (bare) return {};
  TRY(const auto changed, has_uncommitted(op));
  if (!changed) {
    moments.remarks.push_back("whether the working tree has uncommitted changes cannot be told");
  } else if (*changed) {
    moments.remarks.push_back("uncommitted changes in the working tree are not captured");
  }
  return {};
}

// `git status` runs the filters that the repository's configuration names, and nothing switches
// them off. So its index, objects and working tree are looked at through a scratch repository,
// whose configuration names none. Submodules have configurations of their own: left out.
Result<std::optional<bool>> LocalRepository::has_uncommitted(const Operation& op) const {
  TRY(const Finished told,
      attempt(op, {"rev-parse", "--show-object-format", "--git-path", "index", "--git-path",
                   "objects", "--git-path", "info/exclude", "--verify", "HEAD^{commit}"}));
  std::vector<std::string> lines;
  std::istringstream text(told.output);
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  if (told.status != 0 || lines.size() != 5) return std::optional<bool>();
  const std::string tree = fs::path(git_dir_).parent_path().string();
  TRY(const TemporaryFolder folder, TemporaryFolder::make("git"));
  const std::string scratch = folder.path() + "/s.git";
  TRY_DO(git_->run(
      op, {.args = {"init", "--quiet", "--bare", "--object-format=" + lines[0], scratch}}));
  const std::map<std::string, std::string> seen = {{"GIT_INDEX_FILE", lines[1]},
                                                   {"GIT_OBJECT_DIRECTORY", lines[2]}};
  TRY_DO(git_->run(
      op,
      {.args = {"update-ref", "--no-deref", "HEAD", lines[4]}, .git_dir = scratch, .env = seen}));
  TRY(const Finished status, git_->attempt(op, {.args = {"--work-tree=" + tree, "-C", tree, "-c",
                                                         "core.excludesFile=" + lines[3], "status",
                                                         "--porcelain", "--ignore-submodules=all"},
                                                .git_dir = scratch,
                                                .env = seen}));
  if (status.status != 0) return std::optional<bool>();
  return std::optional<bool>(!status.output.empty());
}

Result<bool> LocalRepository::was_rewritten(const Operation& op, const std::string& before,
                                            const std::string& now) const {
  TRY(const Finished finished, attempt(op, {"merge-base", "--is-ancestor", before, now}));
  return finished.status != 0;  // 1: no ancestor; 128: the old commit is gone altogether
}

Result<std::string> LocalRepository::complaints(const Operation& op) const {
  TRY(const Finished finished, attempt(op, {"fsck", "--full", "--no-dangling", "--no-progress"}));
  if (finished.status == 0) return std::string();
  const std::string said = first_line(finished.errors + finished.output);
  return said.empty() ? fmt::format("status {}", finished.status) : printable(said);
}

}  // namespace lifeboat::source::git
