// steps/exec/output_file.h - The file that a program writes its outputs to.
//
// Lies in a 0700 folder of its own, in memory (/dev/shm) where the machine has that: outputs may be
// secrets. Wiped and removed when the object goes; if we are killed before
// that, the next one removes it.
//
// Threads: one.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/temporary_folder.h"
#include "schema/fields.h"

namespace lifeboat::steps {

class OutputFile {
 public:
  static Result<OutputFile> make();
  OutputFile(OutputFile&& other) noexcept
      : folder_(std::move(other.folder_)), path_(std::exchange(other.path_, {})) {}
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  const std::string& path() const { return path_; }
  // What was written, checked against what is declared; secret outputs are tainted. Nothing written
  // counts as {}.  Errors: invalid, with the name of the output and never its value.
  Result<Value> read(const std::map<std::string, Shape>& declared) const;

 private:
  explicit OutputFile(TemporaryFolder folder)
      : folder_(std::move(folder)), path_(folder_.path() + "/output.json") {}
  TemporaryFolder folder_;
  std::string path_;
};

}  // namespace lifeboat::steps
