// What this machine says of itself: its name, and small files on it.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/descriptor.h"
#include "crypt/crypt.h"
#include "guard/by_hand.h"
#include "guard/guards.h"

namespace lifeboat::guards {
namespace {

constexpr std::size_t file_max_bytes = 4096, line_max_bytes = 64;

tl::unexpected<Error> file_error(const std::string& path, int number) {
  const std::string what = "file " + printable(path) + ": " + std::strerror(number);
  if (number == ENOENT || number == ENOTDIR) return fail(Error::Kind::not_found, what);
  return fail(number == EACCES || number == EPERM ? Error::Kind::denied : Error::Kind::unavailable,
              what);
}

// One short line is what it says, as in /etc/machine-id. Of anything else the digest: what is in a
// file may be no business of a journal.
std::string identity_of(const std::string& text) {
  const std::string line = text.substr(0, text.find('\n'));
  const bool alone = text.size() <= line.size() + 1 && line.size() <= line_max_bytes;
  return alone ? line : "sha256:" + crypt::sha256(as_bytes(text)).hex();
}

Result<plan::Fingerprint> look_at_file(const Operation&, const Value& config,
                                       const plan::GuardSurroundings& around) {
  std::string path = config.text("path");
  if (!path.starts_with('/')) path = around.directory + "/" + path;
  // O_NONBLOCK: opening a pipe would wait for a writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts{};
  if (!file.open() || ::fstat(file.number(), &facts) != 0) return file_error(path, errno);
  std::array<char, file_max_bytes + 1> buffer{};
  std::size_t size = 0;
  while (S_ISREG(facts.st_mode) && size < buffer.size()) {
    const ssize_t got = ::read(file.number(), buffer.data() + size, buffer.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error(path, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (!S_ISREG(facts.st_mode) || size > file_max_bytes) {
    return fail(Error::Kind::invalid,
                fmt::format("file {}: not a regular file of at most {} bytes", printable(path),
                            file_max_bytes),
                "a fingerprint is a small file: /etc/machine-id, a marker of one's own");
  }
  std::string text(buffer.data(), size);
  return plan::Fingerprint{identity_of(text), path, std::move(text)};
}

Result<plan::Fingerprint> look_at_host(const Operation&, const Value&,
                                       const plan::GuardSurroundings&) {
  struct utsname name{};
  if (::uname(&name) != 0) {
    return fail(Error::Kind::unavailable, std::string("host name: ") + std::strerror(errno));
  }
  return plan::Fingerprint{static_cast<const char*>(name.nodename), "this machine"};
}

}  // namespace

plan::GuardKind file_guard() {
  plan::GuardKind kind;
  kind.name = "file";
  kind.help = "A small file of this machine, by what it holds.";
  kind.fields.fields = {
      {.name = "path",
       .shape = shape::string(),
       .help = "absolute, or below the folder of the platform file",
       .required = true},
      {.name = "contains", .shape = shape::string(), .help = "a text that has to be in it"}};
  kind.expected = "contains";
  kind.look = look_at_file;
  kind.holds = [](const std::string& expected, const plan::Fingerprint& found) {
    return !expected.empty() && found.read.find(expected) != std::string::npos;
  };
  kind.by_hand = by_hand::file;
  return kind;
}

plan::GuardKind host_guard() {
  plan::GuardKind kind;
  kind.name = "host";
  kind.help = "The machine that the run is driven from, by its name.";
  kind.fields.fields = {
      {.name = "name", .shape = shape::string(), .help = "as `uname -n` answers it"}};
  kind.expected = "name";
  kind.look = look_at_host;
  kind.by_hand = by_hand::host;
  return kind;
}

}  // namespace lifeboat::guards
