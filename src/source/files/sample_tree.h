// source/files/sample_tree.h - Folders of every hard kind for the tests of the files source.
//
// Threads: one.  Ownership: ScratchFolder removes its folder when it goes.
#pragma once

#include <string>

namespace lifeboat::source::files {

// A new folder below the system's temporary one, with everything in it gone afterwards.
class ScratchFolder {
 public:
  ScratchFolder();
  // In memory where the machine has a file system there that keeps user attributes: for tests that
  // make trees by the hundred, whose restores would wait for the disk each time.
  static ScratchFolder in_memory();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  explicit ScratchFolder(const std::string& below);
  std::string path_;
};

// Each ends the program with a message when the system says no: a test must not go on without.
void make_folder(const std::string& path, unsigned mode = 0755);
void write_file(const std::string& path, const std::string& content);
std::string read_file(const std::string& path);
void set_time(const std::string& path, long long seconds, long nanoseconds);
void set_attribute(const std::string& path, const std::string& name, const std::string& value);
bool exists(const std::string& path);
bool running_as_root();

// Fills the folder: names with newlines, blanks and bytes that are not UTF-8, of 255 bytes, beside
// "." in the order; a path above 4,096 bytes; empty and large files; sparse files with data at
// start, middle and end, and one that is all hole; symbolic links (dangling, absolute, to "..");
// hard links across folders; FIFOs; folders without rights; times before 1970 and after 2106;
// setuid, setgid, sticky; user attributes; a socket. As root: owners, device nodes, ACLs,
// capabilities, trusted attributes.
void fill_sample_tree(const std::string& path);

}  // namespace lifeboat::source::files
