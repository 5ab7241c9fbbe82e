#include "source/files/open_files.h"

#include <unistd.h>

namespace lifeboat::source::files {

OpenFiles::~OpenFiles() {
  for (File& file : files_) {
    const int number = file.number.exchange(-1);
    if (number >= 0) Descriptor(number).close();
  }
}

Result<void> OpenFiles::with(std::size_t index, const std::function<Result<void>(int file)>& work) {
  std::atomic<int>& kept = files_[index].number;
  if (const int number = kept.load(); number >= 0) return work(number);
  TRY(Descriptor opened, open_(index));
  if (open_count_.load() >= open_max) return work(opened.number());
  int none = -1;
  if (!kept.compare_exchange_strong(none, opened.number())) return work(none);
  ++open_count_;
  return work(opened.release());
}

// Only the last piece sees the full sum, and by then no other piece of the file is in work.
void OpenFiles::came(std::size_t index, std::uint64_t bytes, std::uint64_t all_bytes) {
  File& file = files_[index];
  if (file.bytes.fetch_add(bytes) + bytes != all_bytes) return;
  const int number = file.number.exchange(-1);
  if (number < 0) return;
  Descriptor(number).close();
  --open_count_;
}

}  // namespace lifeboat::source::files
