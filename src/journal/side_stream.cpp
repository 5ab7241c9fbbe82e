#include "journal/side_stream.h"

#include "crypt/crypt.h"
#include "journal/objects.h"
#include "journal/segment.h"
#include "schema/json.h"

namespace lifeboat::journal {
namespace {

constexpr std::size_t waiting_bytes_max = 4u << 20;
constexpr std::size_t line_bytes_max = 16u << 10;
constexpr std::size_t chunk_lines_max = 20'000;
// What a line costs besides its text, in memory and as JSON: without it empty ones would be free.
constexpr std::size_t line_overhead_bytes = 128;

std::size_t cost(const std::string& step, const std::string& text) {
  return step.size() + text.size() + line_overhead_bytes;
}

}  // namespace

SideStream::SideStream(repo::Repository& repository, const std::string& run, std::string driver)
    : repository_(repository),
      run_(run),
      driver_(std::move(driver)),
      prefix_("runs/" + run + "/log/") {}

void SideStream::add(const std::string& step, std::string_view line) {
  std::string text = is_utf8(line) ? std::string(line) : printable(line);
  if (text.size() > line_bytes_max) text = printable(text.substr(0, line_bytes_max)) + " [cut]";
  const WallTime now = repository_.environment().clock->wall();
  MutexLock lock(mutex_);
  const std::size_t bytes = cost(step, text);
  if (waiting_bytes_ + bytes > waiting_bytes_max) {
    ++dropped_;
    return;
  }
  waiting_bytes_ += bytes;
  waiting_.push_back({step, std::move(text), now});
}

bool SideStream::empty() const {
  MutexLock lock(mutex_);
  return waiting_.empty() && dropped_ == 0;
}

Result<SideStream::Chunk> SideStream::store(const Operation& op, const std::vector<Line>& lines) {
  if (!next_) {
    TRY(next_, first_absent(op, repository_.store(), prefix_));
  }
  Value::List items;
  for (const Line& line : lines) {
    Value item;
    item.set("step", line.step);
    item.set("text", line.text);
    item.set("time", line.time.ns);
    items.push_back(std::move(item));
  }
  for (;;) {
    Chunk chunk{prefix_ + number_hex(*next_), *next_, lines.size(), {}};
    Value value;
    value.set("version", segment_version);
    value.set("run", run_);
    value.set("number", chunk.number);
    value.set("driver", driver_);
    value.set("lines", items);
    TRY(const Bytes sealed,
        repository_.seal(log_kind, chunk.object, as_bytes(std::string_view(to_json(value)))));
    TRY(const bool ours, put_settled(op, repository_.store(), chunk.object, sealed));
    ++*next_;
    if (!ours) continue;  // the driver before us was a little faster
    chunk.hash = crypt::sha256(sealed);
    return chunk;
  }
}

Result<std::optional<SideStream::Chunk>> SideStream::write(const Operation& op) {
  std::vector<Line> lines;
  {
    MutexLock lock(mutex_);
    while (writing_) changed_.wait(mutex_);
    if (dropped_ > 0) {
      waiting_.push_back({"", std::to_string(dropped_) + " lines dropped: they came too fast",
                          repository_.environment().clock->wall()});
      dropped_ = 0;
    }
    if (waiting_.empty()) return std::optional<Chunk>();
    const std::size_t count = std::min(waiting_.size(), chunk_lines_max);
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
    lines.assign(waiting_.begin(), end);
    writing_ = true;
  }
  auto chunk = store(op, lines);
  MutexLock lock(mutex_);
  writing_ = false;
  ++written_;
  changed_.notify_all();
  if (!chunk) return fail(chunk.error());
  for (const Line& line : lines) {
    waiting_bytes_ -= std::min(waiting_bytes_, cost(line.step, line.text));
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(lines.size()));
  return std::optional<Chunk>(*std::move(chunk));
}

Result<std::vector<std::string>> SideStream::read_stored(const Operation& op,
                                                         const std::string& step) {
  std::vector<std::string> found;
  TRY(const std::uint64_t count, first_absent(op, repository_.store(), prefix_));
  for (std::uint64_t number = 0; number < count; ++number) {
    const std::string object = prefix_ + number_hex(number);
    TRY(const Bytes sealed, repository_.store().get(op, object));
    TRY(const Bytes plain, repository_.unseal(log_kind, object, sealed));
    auto value = parse_json(as_text(plain));
    if (!value || !value->at("lines").is(Value::Type::list)) {
      return fail(Error::Kind::corrupt, object + ": not a chunk of a log");
    }
    for (const Value& line : value->at("lines").list()) {
      if (line.text("step") == step) found.push_back(line.text("text"));
    }
  }
  return found;
}

// While a chunk is written its lines stand in the store and in waiting_: what was read then is read
// again, or lines would be missing or doubled.
Result<std::vector<std::string>> SideStream::read(const Operation& op, const std::string& step) {
  for (;;) {
    TRY_DO(op.proceed());
    std::uint64_t before = 0;
    {
      MutexLock lock(mutex_);
      while (writing_) changed_.wait(mutex_);
      before = written_;
    }
    TRY(std::vector<std::string> found, read_stored(op, step));
    MutexLock lock(mutex_);
    if (writing_ || written_ != before) continue;
    for (const Line& line : waiting_) {
      if (line.step == step) found.push_back(line.text);
    }
    return found;
  }
}

}  // namespace lifeboat::journal
