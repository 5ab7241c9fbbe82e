#include "source/files/sample_tree.h"

#include <fcntl.h>
#include <sys/acl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/clock.h"
#include "base/operation.h"
#include "client/process/descriptor.h"
#include "source/files/tree.h"

namespace lifeboat::source::files {
namespace {

void must(bool done, const std::string& what) {
  if (done) return;
  std::fprintf(stderr, "test set-up: %s: %s\n", what.c_str(), std::strerror(errno));
  std::abort();
}

// Writes `bytes` at an offset; what lies before stays a hole.
void write_at(const std::string& path, off_t offset, const std::string& bytes) {
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  const auto size = static_cast<ssize_t>(bytes.size());
  must(file.open() && pwrite(file.number(), bytes.data(), bytes.size(), offset) == size, path);
}

void make_socket(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  must(path.size() < sizeof address.sun_path, "socket path too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const Descriptor socket_file(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  must(bind(socket_file.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
       path);
}

// Twenty folders of 250 bytes: the path of the file is longer than any call takes at once.
void make_deep_path(const std::string& path) {
  const std::string component(250, 'd');
  Descriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int level = 0; level < 20; ++level) {
    must(mkdirat(folder.number(), component.c_str(), 0755) == 0, "a deep folder");
    folder =
        Descriptor(openat(folder.number(), component.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    must(folder.open(), "a deep folder");
  }
  const Descriptor file(openat(folder.number(), "bottom", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  must(file.open() && write(file.number(), "deep", 4) == 4, "the file at the bottom");
}

void fill_names(const std::string& path) {
  for (const char* name : {"new\nline", " blank ", "-rf", "!before-dot", "not\xff\xfeutf8", "ü",
                           "tab\tand\x1b[31mred", ".hidden", "a", "a.b", "quote\"'\\"}) {
    write_file(path + "/" + name, std::string("content of ") + name);
  }
  write_file(path + "/" + std::string(255, 'n'), "a long name");
  make_folder(path + "/a-folder");
  write_file(path + "/a-folder/x", "x");
  write_file(path + "/a-folder.txt", "between");
}

void fill_contents(const std::string& path) {
  write_file(path + "/empty", "");
  std::string large;
  for (int line = 0; large.size() < 3'000'000; ++line) large += std::to_string(line) + "\n";
  write_file(path + "/large", large);
  write_at(path + "/sparse", 5 << 20, "island");
  write_at(path + "/sparse", 20 << 20, "end");
  write_at(path + "/sparse-tail", 0, "start");
  must(truncate((path + "/sparse-tail").c_str(), 8 << 20) == 0, "sparse-tail");
  write_at(path + "/hole", 0, "");
  must(truncate((path + "/hole").c_str(), 3'000'001) == 0, "hole");
}

void fill_links(const std::string& path) {
  must(symlink("../nowhere", (path + "/dangling").c_str()) == 0, "dangling");
  must(symlink("/etc/passwd", (path + "/absolute").c_str()) == 0, "absolute");
  must(symlink("..", (path + "/zz-up").c_str()) == 0, "zz-up");
  must(symlink(std::string(1000, 'l').c_str(), (path + "/long-link").c_str()) == 0, "long-link");
  set_time(path + "/dangling", -1'000'000'000, 7);
  write_file(path + "/linked-first", "one content, three names");
  make_folder(path + "/links");
  must(link((path + "/linked-first").c_str(), (path + "/links/second").c_str()) == 0, "second");
  must(link((path + "/linked-first").c_str(), (path + "/zz-third").c_str()) == 0, "third");
  must(mkfifo((path + "/fifo").c_str(), 0640) == 0, "fifo");
  make_socket(path + "/socket");
}

void fill_metadata(const std::string& path) {
  write_file(path + "/old", "before 1970");
  set_time(path + "/old", -86400LL * 365 * 30, 123456789);
  write_file(path + "/future", "after 2106");
  set_time(path + "/future", 5'000'000'000LL, 999999999);
  for (const auto& [name, mode] : {std::pair{"setuid", 04755},
                                   {"setgid", 02755},
                                   {"none", 0},
                                   {"readonly", 0400},
                                   {"everything", 0777}}) {
    write_file(path + "/" + name, name);
    must(chmod((path + "/" + name).c_str(), static_cast<mode_t>(mode)) == 0, name);
  }
  write_file(path + "/tagged", "with attributes");
  set_attribute(path + "/tagged", "user.comment", "a value\nof two lines");
  set_attribute(path + "/tagged", "user.empty", "");
  set_attribute(path + "/tagged", "user.bytes", std::string("\0\xff\x01", 3));
  make_folder(path + "/shared", 0777);
  must(chmod((path + "/shared").c_str(), 03777) == 0, "shared");
  set_attribute(path + "/shared", "user.folder", "yes");
  write_file(path + "/shared/inside", "inside");
  set_time(path + "/shared", 1'000'000'000, 1);
}

void set_acl(const std::string& path, acl_type_t type, const char* text) {
  const acl_t acl = acl_from_text(text);
  must(acl != nullptr && acl_set_file(path.c_str(), type, acl) == 0, "ACL of " + path);
  acl_free(acl);
}

void fill_as_root(const std::string& path) {
  write_file(path + "/owned", "by somebody");
  must(chown((path + "/owned").c_str(), 1234, 5678) == 0, "owned");
  must(lchown((path + "/dangling").c_str(), 4321, 8765) == 0, "dangling");
  must(mknod((path + "/null-device").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0, "null-device");
  must(mknod((path + "/block-device").c_str(), S_IFBLK | 0600, makedev(7, 200)) == 0, "block");
  write_file(path + "/with-acl", "acl");
  set_acl(path + "/with-acl", ACL_TYPE_ACCESS, "u::rw-,u:1234:r--,g::r--,g:5678:rw-,m::rw-,o::---");
  make_folder(path + "/default-acl");
  set_acl(path + "/default-acl", ACL_TYPE_DEFAULT, "u::rwx,u:1234:rwx,g::r-x,m::rwx,o::---");
  write_file(path + "/default-acl/plain", "made before the restore");
  set_attribute(path + "/tagged", "trusted.secret", "for root");
  write_file(path + "/capable", "a program");
  // VFS_CAP_REVISION_2 with effective bit: cap_net_bind_service permitted.
  set_attribute(path + "/capable", "security.capability",
                std::string("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00"
                            "\x00\x00\x00\x00\x00\x00\x00\x00",
                            20));
}

std::string temporary() {
  const char* below = std::getenv("TMPDIR");
  return below != nullptr ? below : "/tmp";
}

}  // namespace

ScratchFolder::ScratchFolder(const std::string& below) {
  std::string pattern = below + "/lifeboat-files-XXXXXX";
  must(mkdtemp(pattern.data()) != nullptr, pattern);
  path_ = pattern;
}

ScratchFolder::ScratchFolder() : ScratchFolder(temporary()) {}

ScratchFolder ScratchFolder::in_memory() {
  const std::string memory = "/dev/shm";
  bool keeps_attributes = false;
  if (access(memory.c_str(), W_OK) == 0) {
    const ScratchFolder trial(memory);
    keeps_attributes = lsetxattr(trial.path_.c_str(), "user.trial", "x", 1, 0) == 0;
  }
  return ScratchFolder(keeps_attributes ? memory : temporary());
}

ScratchFolder::~ScratchFolder() {
  const SystemClock clock;
  const auto above = open_root(std::filesystem::path(path_).parent_path().string());
  if (!above) return;
  const auto gone = remove_tree(Operation{&clock}, above->number(), base_of(path_));
  if (!gone) std::fprintf(stderr, "test clean-up: %s\n", gone.error().what.c_str());
}

void make_folder(const std::string& path, unsigned mode) {
  must(mkdir(path.c_str(), mode) == 0 && chmod(path.c_str(), mode) == 0, path);
}

void write_file(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content;
  must(file.flush().good(), path);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

void set_time(const std::string& path, long long seconds, long nanoseconds) {
  const timespec times[2] = {{0, UTIME_OMIT}, {seconds, nanoseconds}};
  must(utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0, path);
}

void set_attribute(const std::string& path, const std::string& name, const std::string& value) {
  must(lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) == 0, name);
}

bool exists(const std::string& path) {
  struct stat seen = {};
  return lstat(path.c_str(), &seen) == 0;
}

bool running_as_root() { return geteuid() == 0; }

void fill_sample_tree(const std::string& path) {
  fill_names(path);
  fill_contents(path);
  fill_links(path);
  fill_metadata(path);
  make_deep_path(path);
  if (running_as_root()) fill_as_root(path);
  // Last, or its owner could put nothing into it.
  make_folder(path + "/closed");
  write_file(path + "/closed/inside", "behind a closed door");
  must(chmod((path + "/closed").c_str(), running_as_root() ? 0 : 0500) == 0, "closed");
  set_time(path, 1'234'567'890, 987654321);
}

}  // namespace lifeboat::source::files
