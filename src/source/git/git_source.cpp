#include "source/git/git_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/bytes.h"
#include "base/temporary_folder.h"
#include "schema/json.h"
#include "source/git/local_repository.h"
#include "source/git/stale_locks.h"

namespace lifeboat::source {
namespace {

using namespace git;  // NOLINT: one concept, several files
using ErrorKind = Error::Kind;

constexpr const char* manifest_name = "manifest.json";
constexpr const char* pack_name = "objects.pack";
constexpr std::size_t manifest_limit_bytes = 64u << 20;
constexpr std::size_t branches_remembered = 200;

Result<References> read_manifest(const Operation& op, capture::Feed& feed) {
  TRY(const capture::Item item, feed.find(op, manifest_name));
  if (item.size_bytes > manifest_limit_bytes) {
    return fail(ErrorKind::corrupt, "manifest.json is too large");
  }
  TRY(const auto reader, feed.open(op, item));
  std::string text(item.size_bytes, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    TRY(const std::size_t got,
        reader->read(op,
                     {reinterpret_cast<std::uint8_t*>(text.data()) + have, text.size() - have}));
    if (got == 0) break;
    have += got;
  }
  TRY(const Value manifest, parse_json(text));
  return from_value(manifest);
}

// A repository elsewhere, fetched whole into a temporary folder.
struct Mirror {
  TemporaryFolder folder;
  LocalRepository repository;
};

class GitSource final : public Source {
 public:
  explicit GitSource(GitProgram program) : git_(std::move(program)) {}

  Result<void> preflight(const Operation& op) override {
    TRY_DO(git_.run(op, {.args = {"version"}}));
    if (is_local()) {
      TRY(const LocalRepository repository, existing());
      TRY_DO(repository.references(op));
    } else {
      std::size_t left_out = 0;
      TRY_DO(read_remote(op, git_, left_out));
    }
    return {};
  }

  Result<void> capture(const Operation& op, capture::Sink& sink) override {
    capture::Moments moments;
    moments.begin = op.clock->wall();
    if (!is_local()) return capture_remote(op, sink, moments);
    TRY(const LocalRepository repository, existing());
    moments.consistent_at = op.clock->wall();
    TRY(const References references, repository.references(op));
    TRY_DO(repository.remark(op, look_at(git_.address().path).bare, moments));
    return write(op, repository, references, {sink, moments});
  }

  Result<TargetState> target(const Operation& op) override {
    TRY(const Seen seen, look(op));
    TargetState state;
    state.identity = "git repository " + printable(git_.address().place());
    state.marker = seen.marker;
    state.summary = fmt::format("{}, {} references", state.identity, seen.references.ids.size());
    if (seen.place == Place::absent) {
      state.summary = state.identity + ", not there yet";
    } else if (seen.place == Place::empty_folder) {
      state.occupancy = Occupancy::empty;
      state.summary = state.identity + ", an empty folder yet";
    } else if (seen.place == Place::something_else) {
      state.occupancy = Occupancy::foreign;
      state.summary = printable(git_.address().place()) + " holds something that is not git";
    } else if (seen.marker) {
      state.occupancy = Occupancy::ours;
    } else {
      state.occupancy = seen.references.ids.empty() ? Occupancy::empty : Occupancy::foreign;
    }
    return state;
  }

  Result<RestoreReport> restore(const Operation& op, capture::Feed& feed,
                                const RestoreOptions& options) override {
    if (!options.only.empty()) {
      return fail(ErrorKind::invalid, "a git repository is restored as a whole, not in parts");
    }
    TRY(const References wanted, read_manifest(op, feed));
    TRY(const Seen seen, look(op));
    TRY_DO(refuse_foreign(wanted, seen, options));
    RestoreReport report;
    report.items = wanted.ids.size() + 1;
    if (is_local()) {
      TRY_DO(restore_here(op, {feed, options, wanted, seen, report}));
    } else {
      TRY_DO(restore_elsewhere(op, {feed, options, wanted, seen, report}));
    }
    return report;
  }

  Result<std::vector<Check>> verify(const Operation& op, capture::Feed& feed) override {
    TRY(const References wanted, read_manifest(op, feed));
    std::vector<Check> checks;
    if (is_local()) {
      TRY(const LocalRepository repository, existing());
      TRY(const References live, repository.references(op));
      compare(wanted, live, checks);
      checks.push_back(
          {"HEAD", printable(wanted.head), printable(live.head), wanted.head == live.head});
      TRY_DO(check_objects(op, repository, checks));
      return checks;
    }
    std::size_t left_out = 0;
    TRY(const References told, read_remote(op, git_, left_out));
    TRY(const Mirror mirror, fetch(op));
    TRY(References live, mirror.repository.references(op));
    compare(wanted, live, checks);
    // A branch that nobody has committed to yet is not told by this transport.
    if (wanted.ids.contains(wanted.head)) {
      checks.push_back(
          {"HEAD", printable(wanted.head), printable(told.head), wanted.head == told.head});
    }
    TRY_DO(check_objects(op, mirror.repository, checks));
    return checks;
  }

  Result<std::string> fingerprint(const Operation& op) override {
    TRY(const Seen seen, look(op));
    if (seen.place != Place::repository) {
      return seen.place == Place::something_else ? fail_not_git() : Result<std::string>("absent");
    }
    return digest(seen.references);
  }

  Result<std::vector<Kept>> kept(const Operation&) override { return std::vector<Kept>{}; }
  Result<void> remove_kept(const Operation&, const std::string& name) override {
    return fail(ErrorKind::not_found,
                fmt::format("nothing named '{}' is kept in a git repository", printable(name)),
                "what a restore replaced was captured into the repository: `lifeboat snapshots`");
  }

 private:
  struct Seen {
    Place place = Place::repository;
    bool bare = true;
    References references;
    std::optional<Marker> marker;
  };
  struct Writing {
    capture::Sink& sink;
    capture::Moments& moments;
  };
  struct Work {
    capture::Feed& feed;
    const RestoreOptions& options;
    const References& wanted;
    const Seen& seen;
    RestoreReport& report;
  };

  bool is_local() const { return git_.address().is_local(); }

  tl::unexpected<Error> fail_not_git() const {
    return fail(ErrorKind::not_found,
                printable(git_.address().place()) + " is not a git repository", "check the path");
  }

  Result<LocalRepository> existing() const {
    const Found found = look_at(git_.address().path);
    if (found.place != Place::repository) return fail_not_git();
    return LocalRepository(git_, found.git_dir);
  }

  Result<Seen> look(const Operation& op) const {
    Seen seen;
    if (is_local()) {
      const Found found = look_at(git_.address().path);
      seen.place = found.place;
      seen.bare = found.bare;
      TRY_DO(op.proceed());
      if (found.place != Place::repository) return seen;
      const LocalRepository repository(git_, found.git_dir);
      TRY(seen.references, repository.references(op));
      TRY(seen.marker, repository.marker(op, seen.references.marker_id));
      return seen;
    }
    std::size_t left_out = 0;
    TRY(seen.references, read_remote(op, git_, left_out));
    if (seen.references.marker_id.empty()) return seen;
    TRY(const TemporaryFolder folder, TemporaryFolder::make("git"));
    TRY(const LocalRepository scratch, LocalRepository::init(op, git_, folder.path() + "/m.git"));
    TRY_DO(scratch.run(op, {"fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
                            git_.address().url, std::string("+") + marker_ref + ":" + marker_ref}));
    TRY(seen.marker, scratch.marker(op, seen.references.marker_id));
    return seen;
  }

  Result<Mirror> fetch(const Operation& op) const {
    TRY(TemporaryFolder folder, TemporaryFolder::make("git"));
    TRY(LocalRepository scratch, LocalRepository::init(op, git_, folder.path() + "/m.git"));
    std::vector<std::string> args = {"fetch",
                                     "--quiet",
                                     "--no-tags",
                                     "--no-write-fetch-head",
                                     "--update-head-ok",
                                     git_.address().url,
                                     "+refs/*:refs/*"};
    for (const char* out : {"lifeboat", "pull", "merge-requests", "keep-around", "pipelines"}) {
      args.push_back(fmt::format("^refs/{}/*", out));
    }
    TRY_DO(scratch.run(op, args));
    return Mirror{std::move(folder), std::move(scratch)};
  }

  Result<void> capture_remote(const Operation& op, capture::Sink& sink, capture::Moments& moments) {
    moments.consistent_at = op.clock->wall();
    std::size_t left_out = 0;
    TRY(const References told, read_remote(op, git_, left_out));
    TRY(const Mirror mirror, fetch(op));
    TRY(References references, mirror.repository.references(op));
    references.head = told.head;
    if (left_out > 0) {
      moments.remarks.push_back(fmt::format(
          "{} references of the forge itself (pull requests) are not captured", left_out));
    }
    TRY_DO(mirror.repository.remark(op, true, moments));
    return write(op, mirror.repository, references, {sink, moments});
  }

  Result<void> write(const Operation& op, const LocalRepository& repository,
                     const References& references, const Writing& to) {
    capture::Item manifest;
    manifest.name = manifest_name;
    manifest.facts["digest"] = digest(references);
    manifest.facts["references"] = std::to_string(references.ids.size());
    TRY(const auto before, to.sink.previous(op, manifest_name));
    TRY_DO(remember_branches(op, repository, references, {manifest, before, to.moments}));
    TRY_DO(to.sink.begin(op, manifest));
    const std::string text = to_pretty_json(to_value(references)) + "\n";
    TRY_DO(to.sink.write(op, as_bytes(text)));
    TRY_DO(to.sink.finish(op, manifest));
    const bool same = before && before->facts.contains("digest") &&
                      before->facts.at("digest") == manifest.facts.at("digest");
    TRY(const std::string objects, write_pack(op, repository, references, {to.sink, same}));
    to.moments.position = references.head;
    const auto head = references.ids.find(references.head);
    if (head != references.ids.end()) to.moments.position = head->second;
    to.moments.facts["references"] = manifest.facts.at("references");
    to.moments.facts["objects"] = objects;
    to.moments.facts["identity"] = "git repository " + printable(git_.address().place());
    to.moments.end = op.clock->wall();
    TRY_DO(op.proceed());
    return to.sink.commit(op, to.moments);
  }

  struct PackTo {
    capture::Sink& sink;
    bool same_as_before;
  };
  // Equal references are equal objects: then nothing is read again.
  static Result<std::string> write_pack(const Operation& op, const LocalRepository& repository,
                                        const References& references, const PackTo& to) {
    const bool detached = !references.head.empty() && !references.head.starts_with("refs/");
    if (references.ids.empty() && !detached) return std::string("0");
    TRY(const auto before, to.sink.previous(op, pack_name));
    if (to.same_as_before && before) {
      TRY_DO(to.sink.unchanged(op, *before));
      const auto count = before->facts.find("objects");
      return count == before->facts.end() ? std::string() : count->second;
    }
    capture::Item pack;
    pack.name = pack_name;
    TRY_DO(to.sink.begin(op, pack));
    TRY(const std::uint64_t objects, repository.send_pack(op, references, to.sink));
    pack.facts["objects"] = std::to_string(objects);
    TRY_DO(to.sink.finish(op, pack));
    return pack.facts.at("objects");
  }

  struct Memory {
    capture::Item& manifest;
    const std::optional<capture::Item>& before;
    capture::Moments& moments;
  };
  // Branches are facts of the manifest, so that the next capture sees whose history was rewritten.
  static Result<void> remember_branches(const Operation& op, const LocalRepository& repository,
                                        const References& references, const Memory& memory) {
    std::size_t remembered = 0;
    for (const auto& [name, id] : references.ids) {
      if (!name.starts_with("refs/heads/") || ++remembered > branches_remembered) continue;
      memory.manifest.facts["ref." + name] = id;
    }
    if (!memory.before) return {};
    for (const auto& [fact, id] : memory.before->facts) {
      if (!fact.starts_with("ref.")) continue;
      const std::string name = fact.substr(4);
      const auto now = references.ids.find(name);
      if (now == references.ids.end()) {
        memory.moments.remarks.push_back(
            fmt::format("{} is gone since the capture before; it was {}", printable(name), id));
        continue;
      }
      if (now->second == id) continue;
      TRY(const bool rewritten, repository.was_rewritten(op, id, now->second));
      if (rewritten) {
        memory.moments.remarks.push_back(fmt::format(
            "{} was rewritten since the capture before; it was {}", printable(name), id));
      }
    }
    return {};
  }

  Result<void> refuse_foreign(const References& wanted, const Seen& seen,
                              const RestoreOptions& options) const {
    const std::string place = printable(git_.address().place());
    if (seen.place == Place::something_else) {
      return fail(ErrorKind::conflict, place + " holds something that is not a git repository",
                  "restore into another folder", Error::Code::refused);
    }
    if (options.foreign == Foreign::keep_aside) return {};
    constexpr const char* hint =
        "restore into a new repository, or let the plan keep aside what is there";
    if (seen.marker) {
      if (seen.marker->run == options.marker.run && seen.marker->step == options.marker.step) {
        return {};
      }
      return fail(ErrorKind::conflict,
                  fmt::format("{}: was restored by run {}, step {}", place, seen.marker->run,
                              seen.marker->step),
                  hint, Error::Code::refused);
    }
    for (const auto& [name, id] : seen.references.ids) {
      const auto found = wanted.ids.find(name);
      if (found != wanted.ids.end() && found->second == id) continue;
      return fail(ErrorKind::conflict,
                  fmt::format("{}: holds what is not of this capture: {}", place, printable(name)),
                  hint, Error::Code::refused);
    }
    return {};
  }

  Result<void> take_objects(const Operation& op, const LocalRepository& into,
                            const Work& work) const {
    if (work.wanted.ids.empty() && work.wanted.head.starts_with("refs/")) return {};
    auto found = work.feed.find(op, pack_name);
    if (!found && found.error().kind == ErrorKind::not_found && work.wanted.ids.empty()) return {};
    TRY(const capture::Item pack, std::move(found));
    work.report.bytes = pack.size_bytes;
    const std::uint64_t total = pack.size_bytes;
    return into.take_pack(op, work.feed, pack, [&work, total](std::uint64_t done) {
      if (work.options.progress) work.options.progress(done, total);
    });
  }

  Result<void> restore_here(const Operation& op, const Work& work) {
    if (work.seen.place != Place::repository) {
      TRY_DO(LocalRepository::init(op, git_, git_.address().path));
    }
    TRY(const LocalRepository repository, existing());
    TRY_DO(unlock(op, repository, work));
    Marker marker = work.options.marker;
    marker.done = false;
    TRY_DO(repository.write_marker(op, marker));
    TRY_DO(take_objects(op, repository, work));
    TRY_DO(repository.move(op, work.wanted));
    if (!work.seen.bare) {
      work.report.remarks.push_back(
          fmt::format("the working tree of {} was left as it was; git reset --hard makes it new",
                      printable(git_.address().path)));
    }
    marker.done = true;
    return repository.write_marker(op, marker);
  }

  // What this restore left when it was killed; elsewhere than in the middle of it, our marker only.
  static Result<void> unlock(const Operation& op, const LocalRepository& repository,
                             const Work& work) {
    const Marker& ours = work.options.marker;
    const auto& there = work.seen.marker;
    const bool in_the_middle =
        there ? there->run == ours.run && there->step == ours.step && !there->done
              : work.seen.references.ids.empty();
    const std::string& folder = repository.git_dir();
    TRY(const auto removed,
        remove_stale_locks(op, in_the_middle ? all_locks(folder) : locks_of(folder, marker_ref)));
    for (const std::string& lock : removed) {
      work.report.remarks.push_back(printable(lock) + ": left by a git that was killed; removed");
    }
    return {};
  }

  // The marker travels alone before and after: what is between is one push, of all or nothing.
  Result<void> restore_elsewhere(const Operation& op, const Work& work) {
    TRY(const TemporaryFolder folder, TemporaryFolder::make("git"));
    TRY(const LocalRepository scratch, LocalRepository::init(op, git_, folder.path() + "/m.git"));
    Marker marker = work.options.marker;
    marker.done = false;
    TRY_DO(push_marker(op, scratch, marker));
    TRY_DO(take_objects(op, scratch, work));
    const References& wanted = work.wanted;
    TRY_DO(scratch.move(op, wanted));
    TRY_DO(clear_the_way(op, scratch, wanted, work.seen.references));
    if (!wanted.ids.empty() || !work.seen.references.ids.empty()) {
      TRY_DO(scratch.run(op, {"push", "--quiet", "--mirror", "--atomic", git_.address().url}));
    }
    std::size_t left_out = 0;
    TRY(const References told, read_remote(op, git_, left_out));
    if (wanted.ids.contains(wanted.head) && told.head != wanted.head) {
      work.report.remarks.push_back(
          fmt::format("HEAD of {} is {}: set its default branch to {} where it is hosted",
                      git_.address().url, printable(told.head), printable(wanted.head)));
    }
    marker.done = true;
    return push_marker(op, scratch, marker);
  }

  // A server cannot remove "refs/heads/a" and make "refs/heads/a/b" in one push.
  Result<void> clear_the_way(const Operation& op, const LocalRepository& scratch,
                             const References& wanted, const References& live) const {
    const auto holds_below = [](const References& references, const std::string& name) {
      const auto next = references.ids.lower_bound(name + "/");
      return next != references.ids.end() && next->first.starts_with(name + "/");
    };
    std::vector<std::string> args = {"push", "--quiet", git_.address().url};
    const std::size_t none = args.size();
    for (const auto& [name, id] : live.ids) {
      if (!wanted.ids.contains(name) && holds_below(wanted, name)) args.push_back(":" + name);
    }
    for (const auto& [name, id] : wanted.ids) {
      if (live.ids.contains(name) || !holds_below(live, name)) continue;
      for (auto each = live.ids.lower_bound(name + "/");
           each != live.ids.end() && each->first.starts_with(name + "/"); ++each) {
        args.push_back(":" + each->first);
      }
    }
    if (args.size() > none) TRY_DO(scratch.run(op, args));
    return {};
  }

  Result<void> push_marker(const Operation& op, const LocalRepository& scratch,
                           const Marker& marker) const {
    TRY_DO(scratch.write_marker(op, marker));
    TRY_DO(scratch.run(op, {"push", "--quiet", git_.address().url,
                            std::string("+") + marker_ref + ":" + marker_ref}));
    return {};
  }

  static void compare(const References& wanted, const References& live,
                      std::vector<Check>& checks) {
    const std::string found = differences(wanted, live);
    checks.push_back({"references", fmt::format("{} equal", wanted.ids.size()),
                      found.empty() ? fmt::format("{} equal", live.ids.size()) : found,
                      found.empty()});
  }

  static Result<void> check_objects(const Operation& op, const LocalRepository& repository,
                                    std::vector<Check>& checks) {
    TRY(const std::string said, repository.complaints(op));
    checks.push_back({"git fsck --full", "clean", said.empty() ? "clean" : said, said.empty()});
    return {};
  }

  GitProgram git_;
};

}  // namespace

std::unique_ptr<Source> make_git_source(GitProgram program) {
  return std::make_unique<GitSource>(std::move(program));
}

}  // namespace lifeboat::source
