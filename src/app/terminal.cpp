#include "app/terminal.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "base/bytes.h"
#include "run/text.h"
#include "schema/json.h"

namespace lifeboat::app {
namespace {

using namespace std::chrono_literals;

// Width in characters of printable UTF-8 text (continuation bytes do not count).
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// How long progress is news, beside what stands.
constexpr auto progress_fresh = 2s;

// A line that is drawn again must not be broken into two.
std::size_t columns() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 100U;
}

std::string render(const Table& table) {
  std::vector<std::size_t> widths;
  for (const auto& column : table.columns) widths.push_back(width(column));
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += cells[i];
      if (i + 1 < cells.size()) text += std::string(widths[i] - width(cells[i]) + 2, ' ');
    }
    return text + "\n";
  };
  std::string out = line(table.columns);
  for (const auto& row : table.rows) out += line(row);
  return out;
}

}  // namespace

void Terminal::configure(Output output, std::string_view color, bool quiet) {
  output_ = output;
  quiet_ = quiet;
  const char* term = std::getenv("TERM");
  const bool forced = color == "always" || std::getenv("CLICOLOR_FORCE") != nullptr;
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  const char* no_color = std::getenv("NO_COLOR");
  const bool refused = color == "never" || (no_color != nullptr && *no_color != '\0');
  const auto colored = [&](int fd) { return !refused && (forced || (!dumb && ::isatty(fd) == 1)); };
  color_data_ = colored(STDOUT_FILENO);
  color_talk_ = colored(STDERR_FILENO);
  redraws_ = !dumb && ::isatty(STDERR_FILENO) == 1;
}

bool Terminal::interactive() const {
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
}

void Terminal::show(std::string_view kind, const Value& document, const Table& table) {
  if (output_ == Output::table) {
    print(render(table));
    return;
  }
  Value whole = document;
  whole.set("apiVersion", "lifeboat/v1");
  whole.set("kind", std::string(kind));
  print(to_pretty_json(whole) + "\n");
}

void Terminal::print(std::string_view text) {
  MutexLock lock(mutex_);
  clear_line();
  std::cout << text << std::flush;
}

void Terminal::say(std::string_view line) {
  if (!quiet_) alarm(line);
}

void Terminal::alarm(std::string_view line) {
  MutexLock lock(mutex_);
  clear_line();
  std::cerr << line << "\n";
  progress_.clear();
  if (!standing_.empty()) draw();
}

void Terminal::error(const Error& error) {
  MutexLock lock(mutex_);
  clear_line();
  const int status = exit_status(error.effective_code());
  if (output_ == Output::json) {
    Value line;
    line.set("apiVersion", "lifeboat/v1");
    line.set("kind", "Error");
    line.set("error", std::string(kind_name(error.kind)));
    line.set("exit", status);
    line.set("what", printable(error.what));
    line.set("hint", printable(error.hint));
    std::cerr << to_json(line) << "\n";
    return;
  }
  const auto indented = [](const std::string& text) {
    std::string out;
    for (std::size_t at = 0, end = 0; at <= text.size(); at = end + 1) {
      end = std::min(text.find('\n', at), text.size());
      out += (at == 0 ? "" : "\n  ") + printable(std::string_view(text).substr(at, end - at));
    }
    return out;
  };
  std::cerr << toned("lifeboat: error: ", Tone::bad) << indented(error.what) << "\n";
  if (!error.hint.empty()) std::cerr << "  next: " << indented(error.hint) << "\n";
}

void Terminal::progress(std::string_view what, std::uint64_t done, std::uint64_t total) {
  if (quiet_ || output_ == Output::json) return;
  MutexLock lock(mutex_);
  const auto now = clock_.boot();
  const auto [at, first] = shown_.try_emplace(std::string(what), Shown{now, now});
  if (!first && now - at->second.drawn < (redraws_ ? 200ms : 10'000ms)) return;
  at->second.drawn = now;
  std::string line = printable(what);
  if (done > 0) line += "  " + human_bytes(done);
  if (total > 0) {
    line += fmt::format(" of {} ({}%)", human_bytes(total), done * 100 / total);
    const auto elapsed = std::chrono::duration<double>(now - at->second.began);
    if (done > 0 && elapsed > 1s && done < total) {
      const double left =
          elapsed.count() / static_cast<double>(done) * static_cast<double>(total - done);
      line += "  ETA " +
              human_duration(std::chrono::nanoseconds(static_cast<std::int64_t>(left * 1e9)));
    }
  }
  if (redraws_) {
    progress_ = std::move(line);
    progress_drawn_ = now;
    draw();
  } else {
    std::cerr << line << "\n";
  }
}

void Terminal::end_progress() {
  MutexLock lock(mutex_);
  clear_line();
  shown_.clear();
  standing_.clear();
}

bool Terminal::standing(std::string_view line) {
  if (!redraws_ || quiet_ || output_ == Output::json) return false;
  MutexLock lock(mutex_);
  standing_ = printable(line);
  draw();
  return true;
}

void Terminal::draw() {
  const bool fresh = !progress_.empty() && clock_.boot() - progress_drawn_ < progress_fresh;
  std::string line = fresh ? progress_ : standing_;
  if (fresh && !standing_.empty()) line += "  |" + standing_;
  std::cerr << "\r\033[K" << run::cut(line, columns()) << std::flush;
  line_open_ = true;
}

void Terminal::clear_line() {
  if (line_open_) std::cerr << "\r\033[K" << std::flush;
  line_open_ = false;
}

std::string Terminal::toned(std::string_view text, Tone tone, Channel channel) const {
  const bool color = channel == Channel::data ? color_data_ : color_talk_;
  if (!color || tone == Tone::plain) return std::string(text);
  const std::string_view code = tone == Tone::good ? "32" : tone == Tone::bad ? "31" : "2";
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

bool Terminal::output_lost() {
  MutexLock lock(mutex_);
  return !std::cout;
}

Result<std::string> Terminal::ask(std::string_view question) {
  if (!interactive()) {
    return fail(Error::Kind::denied, "an answer is needed: " + std::string(question),
                "run it on a terminal, or give the answer by option (see --help)",
                Error::Code::needs_person);
  }
  {
    MutexLock lock(mutex_);
    clear_line();
    std::cerr << question << " " << std::flush;
  }
  TRY_DO(wait_for_answer());
  std::string answer;
  if (!std::getline(std::cin, answer)) {
    return fail(Error::Kind::cancelled, "no answer to: " + std::string(question));
  }
  return answer;
}

// Signals only set the stop token: a read that waits would not notice.
Result<void> Terminal::wait_for_answer() {
  for (;;) {
    if (stop_.stop_requested()) {
      return fail(Error::Kind::cancelled, "stopped at a question; nothing was changed");
    }
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (::poll(&input, 1, 200) > 0) return {};
  }
}

Result<std::string> Terminal::ask_hidden(std::string_view question) {
  termios shown{};
  if (::tcgetattr(STDIN_FILENO, &shown) != 0) return ask(question);
  termios hidden = shown;
  hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  auto answer = ask(question);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
  std::cerr << "\n";
  return answer;
}

std::string human_bytes(std::uint64_t bytes) {
  static constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace lifeboat::app
