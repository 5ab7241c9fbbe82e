// client/process/masker.h - Replaces secrets in text, in every form in which tools print them.
//
// A secret is known as it is, in base64 (standard and URL alphabet, at each of the three positions
// it can have inside a longer text), percent-encoded, as a JSON string (as UTF-8 and as ASCII
// only), and in hex; a secret of several lines also line by line. Secrets shorter than four bytes
// are not masked: they would turn every text to stars; nobody's password should be that short.
//
// Threads: add() and the rest may be called from any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/secret.h"

namespace lifeboat::process {

class Masker {
 public:
  void add(const Secret& secret);
  std::string masked(std::string_view text) const;
  // How many bytes of `text` may be masked and shown now: nothing that could be the beginning of a
  // secret, continued in bytes that are not here yet, is among them.
  std::size_t safe_prefix(std::string_view text) const;

 private:
  using Forms = std::vector<Secret>;  // longest first
  std::shared_ptr<const Forms> forms() const;

  mutable Mutex mutex_;
  std::shared_ptr<const Forms> forms_ GUARDED_BY(mutex_) = std::make_shared<Forms>();
};

// Cuts a byte stream into whole lines and hands them out masked. A line that never ends is handed
// out in pieces of bounded size, never through the middle of a secret.
class LineSplitter {
 public:
  LineSplitter(const Masker& masker, std::function<void(std::string_view)> on_line)
      : masker_(masker), on_line_(std::move(on_line)) {}
  void feed(std::string_view bytes);
  void finish();  // the rest, without a newline

 private:
  void emit(std::string_view line);
  const Masker& masker_;
  std::function<void(std::string_view)> on_line_;
  std::string rest_;
};

}  // namespace lifeboat::process
