// source/files/open_files.h - The files of one batch while their pieces arrive, in any order.
//
// Pieces come from several threads. A file is opened by the thread that needs it first and closed
// by the one that brought its last byte; no lock is held. Above `open_max` files at once, further
// pieces open and close by themselves.
//
// Threads: at() and came() from any thread.  Ownership: closes what is still open at the end.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "source/files/tree.h"

namespace lifeboat::source::files {

class OpenFiles {
 public:
  using Open = std::function<Result<Descriptor>(std::size_t index)>;
  OpenFiles(std::size_t count, Open open) : files_(count), open_(std::move(open)) {}
  OpenFiles(const OpenFiles&) = delete;
  OpenFiles& operator=(const OpenFiles&) = delete;
  ~OpenFiles();

  // Calls `work` with a descriptor of file `index`.
  Result<void> with(std::size_t index, const std::function<Result<void>(int file)>& work);
  // So many bytes of file `index` are dealt with; with `all_bytes` in sum it is closed.
  void came(std::size_t index, std::uint64_t bytes, std::uint64_t all_bytes);
  std::uint64_t bytes_of(std::size_t index) const { return files_[index].bytes; }

 private:
  struct File {
    std::atomic<int> number = -1;
    std::atomic<std::uint64_t> bytes = 0;
  };
  static constexpr int open_max = 192;
  std::vector<File> files_;
  Open open_;
  std::atomic<int> open_count_ = 0;
};

}  // namespace lifeboat::source::files
