// journal/side_stream.h - What steps print: lines in sealed chunks runs/RUN/log/<n>.
//
// add() never waits; write() stores what has come together. Lines that come while more than a bound
// of them waits (a few MiB, each with its overhead) are dropped, and the stream says how many.
//
// Threads: all methods from any thread.  Source: docs/format.md, "Runs".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "repo/repository.h"

namespace lifeboat::journal {

class SideStream {
 public:
  struct Chunk {
    std::string object;
    std::uint64_t number = 0, lines = 0;
    Id hash;  // SHA-256 of the stored bytes
  };

  SideStream(repo::Repository& repository, const std::string& run, std::string driver);
  void add(const std::string& step, std::string_view line);
  bool empty() const;
  // Stores what waits; nullopt when nothing did. On an error the lines wait on.
  Result<std::optional<Chunk>> write(const Operation& op);
  // All stored lines of one step, then those that wait.
  Result<std::vector<std::string>> read(const Operation& op, const std::string& step);

 private:
  struct Line {
    std::string step, text;
    WallTime time;
  };
  Result<Chunk> store(const Operation& op, const std::vector<Line>& lines);
  Result<std::vector<std::string>> read_stored(const Operation& op, const std::string& step);

  repo::Repository& repository_;
  const std::string run_, driver_, prefix_;
  mutable Mutex mutex_;
  Condition changed_;
  std::vector<Line> waiting_ GUARDED_BY(mutex_);
  std::size_t waiting_bytes_ GUARDED_BY(mutex_) = 0;
  std::uint64_t dropped_ GUARDED_BY(mutex_) = 0;
  bool writing_ GUARDED_BY(mutex_) = false;
  std::uint64_t written_ GUARDED_BY(mutex_) = 0;  // chunks, or tries at one
  std::optional<std::uint64_t> next_;             // of the thread that holds writing_
};

}  // namespace lifeboat::journal
