#include "backup/bundle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/descriptor.h"

namespace lifeboat::backup {
namespace {

// Bundles are configuration: a plan that names gigabytes has made a mistake.
constexpr std::uint64_t bundle_file_limit_bytes = 64u << 20;

tl::unexpected<Error> file_error(const std::string& path) {
  const int error = errno;
  const auto kind = error == ENOENT                     ? Error::Kind::not_found
                    : error == EACCES || error == EPERM ? Error::Kind::denied
                                                        : Error::Kind::unavailable;
  const auto code =
      error == ENOSPC || error == EDQUOT ? Error::Code::no_space : Error::Code::automatic;
  return fail(kind, "bundle file " + printable(path) + ": " + std::strerror(error), "", code);
}

Result<void> store_file(const Operation& op, capture::Sink& sink, const std::string& name,
                        const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!file.open() || ::fstat(file.number(), &status) != 0) return file_error(path);
  if (!S_ISREG(status.st_mode) ||
      static_cast<std::uint64_t>(status.st_size) > bundle_file_limit_bytes) {
    return fail(Error::Kind::invalid,
                "bundle file " + printable(path) + " is no regular file of at most 64 MiB",
                "name only configuration and scripts in `include:` and in steps",
                Error::Code::usage);
  }
  capture::Item item;
  item.name = name;
  item.kind = capture::ItemKind::file;
  capture::FileMetadata metadata;
  metadata.mode = static_cast<std::uint32_t>(status.st_mode & 0777);
  metadata.mtime = {status.st_mtim.tv_sec, static_cast<std::uint32_t>(status.st_mtim.tv_nsec)};
  item.file = metadata;
  TRY_DO(sink.begin(op, item));
  Bytes buffer(1u << 20);
  for (;;) {
    const ssize_t got = ::read(file.number(), buffer.data(), buffer.size());
    if (got < 0) return file_error(path);
    if (got == 0) break;
    TRY_DO(sink.write(op, ByteView(buffer).first(static_cast<std::size_t>(got))));
  }
  return sink.finish(op, item);
}

bool stays_inside(const std::string& name) {
  const std::filesystem::path path(name);
  return !name.empty() && !path.is_absolute() && name.find('\0') == std::string::npos &&
         std::ranges::none_of(path, [](const auto& part) { return part == ".." || part == "."; });
}

// Makes what is missing of `folder`, from the outside in, each for its owner alone: scripts and
// plans name hosts and users.
Result<void> make_folder(const std::filesystem::path& folder) {
  std::filesystem::path made;
  for (const std::filesystem::path& part : folder) {
    made /= part;
    if (::mkdir(made.c_str(), 0700) != 0 && errno != EEXIST) return file_error(made);
  }
  return {};
}

Result<void> unpack_file(const Operation& op, capture::Feed& feed, const capture::Item& item,
                         const std::filesystem::path& target) {
  TRY_DO(make_folder(target.parent_path()));
  const bool program = item.file && (item.file->mode & 0100) != 0;
  const Descriptor file(::open(target.c_str(),
                               O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                               program ? 0700 : 0600));
  if (!file.open()) return file_error(target);
  TRY(std::unique_ptr<capture::Reader> reader, feed.open(op, item));
  Bytes buffer(1u << 20);
  for (;;) {
    TRY(const std::size_t got, reader->read(op, buffer));
    if (got == 0) return {};
    if (!write_all(file.number(), ByteView(buffer).first(got))) return file_error(target);
  }
}

}  // namespace

Result<repo::Snapshot> store_bundle(const Operation& op, repo::Session& session,
                                    const BackupOptions& options) {
  repo::SnapshotDraft draft;
  draft.kind = repo::SnapshotKind::bundle;
  draft.facts["platform"] = options.platform;
  TRY(std::unique_ptr<repo::SnapshotSink> sink, session.snapshot(op, draft));
  std::vector<std::string> names;
  for (const auto& [name, path] : options.bundle) names.push_back(name);
  std::ranges::sort(names, capture::name_before);
  capture::Moments moments;
  moments.begin = moments.consistent_at = op.clock->wall();
  for (const std::string& name : names) {
    TRY_DO(store_file(op, *sink, name, options.bundle.at(name)));
  }
  moments.end = op.clock->wall();
  TRY_DO(sink->commit(op, moments));
  return sink->snapshot();
}

Result<std::vector<std::string>> unpack_bundle(const Operation& op, repo::Repository& repository,
                                               const Id& bundle, const std::string& directory) {
  TRY(const std::shared_ptr<capture::Feed> feed, repository.feed(op, bundle));
  TRY(std::unique_ptr<capture::Cursor> cursor, feed->items(op));
  TRY_DO(make_folder(directory));
  std::vector<std::string> names;
  for (;;) {
    TRY(const std::optional<capture::Item> item, cursor->next(op));
    if (!item) return names;
    if (item->kind != capture::ItemKind::file) {
      return fail(Error::Kind::corrupt,
                  "the bundle holds something that is no file: " + printable(item->name));
    }
    if (!stays_inside(item->name)) {
      return fail(Error::Kind::corrupt,
                  "the bundle holds a hostile name: " + printable(item->name));
    }
    TRY_DO(unpack_file(op, *feed, *item, std::filesystem::path(directory) / item->name));
    names.push_back(item->name);
  }
}

}  // namespace lifeboat::backup
