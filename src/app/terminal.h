// app/terminal.h - What a person sees: tables, progress, errors; and what a script reads: JSON.
//
// Data goes to stdout, talk to stderr. On a terminal progress is one line that redraws itself; else
// a plain line every ten seconds and at every change of state. Colour only on a terminal, never
// without the word that says the same, and never with NO_COLOR, TERM=dumb or --color=never.
// Names that come from outside are made printable before they reach the terminal.
//
// Threads: progress() and say() from any thread; the rest from one.
#pragma once

#include <chrono>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "schema/value.h"

namespace lifeboat::app {

enum class Output { table, json };
enum class Tone { plain, good, bad, faint };
enum class Channel { data, talk };  // stdout, stderr

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

class Terminal {
 public:
  Terminal(const Clock& clock, std::stop_token stop) : clock_(clock), stop_(std::move(stop)) {}

  void configure(Output output, std::string_view color, bool quiet);
  Output output() const { return output_; }
  bool interactive() const;  // stdin and stderr are terminals

  // A document of `kind`: as JSON with apiVersion and kind, or else as the table.
  void show(std::string_view kind, const Value& document, const Table& table);
  void print(std::string_view text);  // to stdout, as it is
  bool output_lost();                 // something that was printed did not get out
  void say(std::string_view line);    // to stderr, unless --quiet
  void alarm(std::string_view line);  // to stderr, whatever was asked for: somebody has to act
  void error(const Error& error);     // what, hint; with --output json one JSON line (kind Error)

  // The current state of the work, at most 5 times a second; `done` of `total` units (total 0:
  // unknown). Bytes are units unless said otherwise.
  void progress(std::string_view what, std::uint64_t done, std::uint64_t total);
  void end_progress();
  // A line that stands below what is said, drawn again whenever it changes, and behind the progress
  // of a moment ago. Answers false where lines cannot be drawn again: nothing was shown then.
  bool standing(std::string_view line);

  // Coloured if the channel it is meant for is a terminal that shows colours.
  std::string toned(std::string_view text, Tone tone, Channel channel = Channel::talk) const;
  // Asks on the terminal.  Errors: needs_person without one.
  // Errors also: cancelled, when a person stops the program instead.
  Result<std::string> ask(std::string_view question);
  Result<std::string> ask_hidden(std::string_view question);

 private:
  void clear_line() REQUIRES(mutex_);
  void draw() REQUIRES(mutex_);
  Result<void> wait_for_answer();

  struct Shown {  // of one thing whose progress is told
    std::chrono::nanoseconds began{0}, drawn{0};
  };

  const Clock& clock_;
  const std::stop_token stop_;
  Output output_ = Output::table;
  bool color_data_ = false, color_talk_ = false, quiet_ = false;
  bool redraws_ = false;  // the progress line: on a terminal that can
  Mutex mutex_;
  bool line_open_ GUARDED_BY(mutex_) = false;
  std::string standing_ GUARDED_BY(mutex_), progress_ GUARDED_BY(mutex_);
  std::chrono::nanoseconds progress_drawn_ GUARDED_BY(mutex_){0};
  std::map<std::string, Shown, std::less<>> shown_ GUARDED_BY(mutex_);
};

// "1.4 GiB", "312 B".
std::string human_bytes(std::uint64_t bytes);

}  // namespace lifeboat::app
