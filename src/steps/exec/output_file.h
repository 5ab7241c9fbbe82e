// steps/exec/output_file.h - The file that a program writes its outputs to.
//
// Lies in a 0700 folder of its own, in memory (/dev/shm) where the machine has that: outputs may be
// secrets. Wiped and removed when the object goes.
//
// Threads: one.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "schema/fields.h"

namespace lifeboat::steps {

class OutputFile {
 public:
  static Result<OutputFile> make();
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  const std::string& path() const { return path_; }
  // What was written, checked against what is declared; secret outputs are tainted. Nothing written
  // counts as {}.  Errors: invalid, with the name of the output and never its value.
  Result<Value> read(const std::map<std::string, Shape>& declared) const;

 private:
  OutputFile() = default;
  std::string folder_, path_;
};

}  // namespace lifeboat::steps
