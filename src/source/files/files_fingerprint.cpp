// Every field goes into the digest with its length before it, so that no two different trees can
// give the same bytes.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "base/guard.h"
#include "crypt/crypt.h"
#include "source/files/files_compare.h"

namespace lifeboat::source::files {
namespace {

using capture::ItemKind;

class Digest {
 public:
  void bytes(ByteView bytes) { hash_.add(bytes); }
  void number(std::int64_t value) { text(std::to_string(value)); }
  void text(std::string_view text) {
    const std::string length = std::to_string(text.size()) + ":";
    bytes(as_bytes(length));
    bytes(as_bytes(text));
  }
  std::string hex() { return hash_.finish().hex(); }

 private:
  crypt::Sha256 hash_;
};

class Fingerprint {
 public:
  Result<std::string> run(const Operation& op, const std::string& path, WalkOptions options) {
    std::optional<Error> trouble;
    options.trouble = [&](const std::string& name, const Error& why) {
      if (!trouble) trouble = Error{why.kind, printable(name) + ": " + why.what, why.hint, {}};
    };
    TRY(Walk walk, Walk::begin(path, std::move(options)));
    for (;;) {
      TRY(const auto found, walk.next(op));
      if (trouble) return fail(*trouble);
      if (!found) return digest_.hex();
      TRY_DO(add(op, *found));
    }
  }

 private:
  Result<void> add(const Operation& op, const Found& found) {
    const auto kind = kind_of(found.seen.st_mode);
    if (!kind) return {};
    const capture::FileMetadata file = numbers_of(found.seen);
    digest_.text(found.place.name);
    const bool linked = *kind == ItemKind::file && found.seen.st_nlink > 1;
    if (linked) {
      const auto [first, made] =
          first_names_.try_emplace({found.seen.st_dev, found.seen.st_ino}, found.place.name);
      if (!made) {
        digest_.number(static_cast<int>(ItemKind::hard_link));
        digest_.text(first->second);
        return {};
      }
    }
    digest_.number(static_cast<int>(*kind));
    digest_.number(file.uid);
    digest_.number(file.gid);
    digest_.number(file.mtime.seconds);
    digest_.number(file.mtime.nanoseconds);
    if (*kind == ItemKind::symlink) {
      TRY(const std::string text, link_text(found.place));
      digest_.text(text);
      return {};
    }
    digest_.number(file.mode);
    digest_.number(static_cast<std::int64_t>(file.rdev));
    TRY(const auto xattrs, attributes(found.place));
    digest_.number(static_cast<std::int64_t>(xattrs.size()));
    for (const auto& [name, value] : xattrs) {
      digest_.text(name);
      digest_.text(value);
    }
    return *kind == ItemKind::file ? add_content(op, found) : Result<void>();
  }

  Result<void> add_content(const Operation& op, const Found& found) {
    const Place& place = found.place;
    const Descriptor file(
        openat(place.parent, place.base.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file.open()) return fail(system_error(errno, place.name));
    digest_.number(found.seen.st_size);
    for (;;) {
      TRY_DO(op.proceed());
      const ssize_t count = read(file.number(), buffer_.data(), buffer_.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return fail(system_error(errno, place.name));
      if (count == 0) return {};
      digest_.bytes(ByteView(buffer_).first(static_cast<std::size_t>(count)));
    }
  }

  Digest digest_;
  std::map<std::pair<dev_t, ino_t>, std::string> first_names_;
  Bytes buffer_ = Bytes(1u << 20);
};

}  // namespace

Result<std::string> tree_fingerprint(const Operation& op, const std::string& path,
                                     WalkOptions options) {
  return Fingerprint().run(op, path, std::move(options));
}

}  // namespace lifeboat::source::files
