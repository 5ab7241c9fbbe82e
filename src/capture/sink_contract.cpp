// The checks. Contents are made from a seed, so that what is read can be compared without keeping
// what was written twice.
#include "capture/sink_contract.h"

#include <algorithm>

#include "base/mutex.h"
#include "base/random.h"

namespace lifeboat::capture {
namespace {

using Violations = std::vector<std::string>;

constexpr std::uint64_t mebibyte = 1u << 20;

// An item as it is written: its metadata and its parts in order.
struct Part {
  std::uint64_t hole_bytes = 0;  // not 0: a hole, and no data
  Bytes data;
};
struct Written {
  Item item;
  std::vector<Part> parts;

  Bytes content() const {
    Bytes all;
    for (const Part& part : parts) {
      all.resize(all.size() + part.hole_bytes);
      append(all, part.data);
    }
    return all;
  }
};

Bytes noise(std::uint64_t seed, std::size_t size) {
  Bytes bytes(size);
  SeededRandom(seed).fill(bytes);
  return bytes;
}

Written file(const std::string& name, std::vector<Part> parts) {
  Written written;
  written.item.name = name;
  written.item.kind = ItemKind::file;
  FileMetadata meta;
  meta.mode = 04751;
  meta.uid = 4'000'000'000;
  meta.gid = 7;
  meta.user = "someone";
  meta.mtime = {-86'400, 999'999'999};
  meta.ctime = {5'000'000'000, 1};
  meta.device = 0xfffffff1;
  meta.inode = 1ull << 63;
  meta.links = 3;
  meta.xattrs = {{"user.a", std::string("\0\xff", 2)}, {"user.empty", ""}};
  written.item.file = meta;
  written.parts = std::move(parts);
  return written;
}

Written other(const std::string& name, ItemKind kind, const std::string& target = "") {
  Written written = file(name, {});
  written.item.kind = kind;
  written.item.file->link_target = target;
  written.item.file->rdev = kind == ItemKind::char_device ? 0x103 : 0;
  return written;
}

// Every kind, odd names, holes everywhere, a large item; in canonical order.
std::vector<Written> sample() {
  std::vector<Written> all;
  all.push_back(other(".", ItemKind::directory));
  all.push_back(other("a", ItemKind::directory));
  all.push_back(file("a/empty", {}));
  all.push_back(file("a/small", {{0, noise(1, 1)}}));
  all.push_back(
      file("a/sparse",
           {{70'000, {}}, {0, noise(2, 5000)}, {3 * mebibyte, {}}, {0, noise(3, 10)}, {1, {}}}));
  all.push_back(file("a/tail-hole", {{0, noise(4, 100)}, {mebibyte, {}}}));
  all.push_back(file("a.b", {{0, noise(5, 300'000)}}));
  all.push_back(file("all-hole", {{5 * mebibyte + 1, {}}}));
  all.push_back(file("large", {{0, noise(6, 6 * mebibyte)}, {0, noise(6, 6 * mebibyte)}}));
  all.push_back(other("link", ItemKind::symlink, "../not\xff/there"));
  all.push_back(file("new\nline\xff", {{0, noise(7, 50)}}));
  all.push_back(other("null", ItemKind::char_device));
  all.push_back(other("second", ItemKind::hard_link, "a/small"));
  Written stream;
  stream.item.name = "stream";
  stream.item.facts = {{"rows", "12"}, {"empty", ""}};
  stream.parts = {{0, noise(8, 100'000)}};
  all.push_back(stream);
  std::sort(all.begin(), all.end(), [](const Written& left, const Written& right) {
    return name_before(left.item.name, right.item.name);
  });
  return all;
}

class Exam {
 public:
  explicit Exam(SinkWorld& world) : world_(world), op_{&world.clock()} {}
  const Operation& op() const { return op_; }
  bool holds(bool fact, const std::string& otherwise) {
    if (!fact) violations_.push_back(otherwise);
    return fact;
  }
  template <class T>
  bool works(const Result<T>& result, const std::string& what) {
    return holds(result.has_value(), what + " failed: " + (result ? "" : result.error().what));
  }
  Violations take() { return std::move(violations_); }

  Result<void> write(Sink& sink, const Written& written) {
    TRY_DO(sink.begin(op_, written.item));
    for (const Part& part : written.parts) {
      if (part.hole_bytes > 0) TRY_DO(sink.hole(op_, part.hole_bytes));
      // In pieces of odd sizes: how a source cuts its writes must not matter.
      for (std::size_t at = 0; at < part.data.size();) {
        const std::size_t count = std::min<std::size_t>(part.data.size() - at, 65'537);
        TRY_DO(sink.write(op_, ByteView(part.data).subspan(at, count)));
        at += count;
      }
    }
    return sink.finish(op_, written.item);
  }
  // A committed capture of these; null when that failed (and was said).
  std::shared_ptr<Feed> committed(const std::vector<Written>& all, const Moments& moments = {}) {
    const auto sink = world_.sink();
    for (const Written& written : all) {
      if (!works(write(*sink, written), "writing '" + written.item.name + "'")) return nullptr;
    }
    if (!works(sink->commit(op_, moments), "commit")) return nullptr;
    const auto feed = world_.feed();
    holds(feed != nullptr, "nothing can be read after commit");
    return feed;
  }
  Bytes read(Feed& feed, const Item& item) {
    Bytes all;
    const auto reader = feed.open(op_, item);
    if (!works(reader, "open '" + item.name + "'")) return all;
    Bytes buffer(100'003);
    for (;;) {
      const auto count = (*reader)->read(op_, buffer);
      if (!works(count, "reading '" + item.name + "'") || *count == 0) return all;
      append(all, ByteView(buffer).first(*count));
    }
  }
  std::vector<Item> items(Feed& feed) {
    std::vector<Item> all;
    const auto cursor = feed.items(op_);
    if (!works(cursor, "items")) return all;
    for (;;) {
      auto item = (*cursor)->next(op_);
      if (!works(item, "the next item") || !*item) return all;
      all.push_back(**std::move(item));
    }
  }
  // The feed holds exactly these.
  void equals(Feed& feed, const std::vector<Written>& all) {
    const std::vector<Item> read_items = items(feed);
    if (!holds(read_items.size() == all.size(), "another number of items is read than written")) {
      return;
    }
    for (std::size_t index = 0; index < all.size(); ++index) {
      Item expected = all[index].item;
      const Bytes content = all[index].content();
      expected.size_bytes = content.size();
      holds(read_items[index] == expected, "item '" + expected.name + "' is read differently");
      const auto found = feed.find(op_, expected.name);
      holds(found && *found == expected, "find('" + expected.name + "') answers another item");
      if (!content.empty()) {
        holds(read(feed, read_items[index]) == content,
              "the content of '" + expected.name + "' is read differently");
      }
    }
  }

  SinkWorld& world() { return world_; }

 private:
  SinkWorld& world_;
  Operation op_;
  Violations violations_;
};

Violations written_is_read(SinkWorld& world) {
  Exam exam(world);
  Moments moments;
  moments.begin = {-5};
  moments.consistent_at = {7};
  moments.end = {1'795'000'000'000'000'000};
  moments.position = "0/16B3748";
  moments.remarks = {"a: a remark", "b: another"};
  moments.partial = true;
  moments.facts = {{"version", "15.9"}};
  const auto all = sample();
  const auto feed = exam.committed(all, moments);
  if (!feed) return exam.take();
  exam.equals(*feed, all);
  const Moments& read = feed->moments();
  exam.holds(read.begin == moments.begin && read.consistent_at == moments.consistent_at &&
                 read.end == moments.end && read.position == moments.position &&
                 read.remarks == moments.remarks && read.partial && read.facts == moments.facts,
             "the moments are read differently");
  const auto missing = feed->find(exam.op(), "a/nothing");
  exam.holds(!missing && missing.error().kind == Error::Kind::not_found,
             "find() of what is not there does not say not_found");
  return exam.take();
}

Violations fetch_delivers_once(SinkWorld& world) {
  Exam exam(world);
  const auto all = sample();
  const auto feed = exam.committed(all);
  if (!feed) return exam.take();
  std::vector<Item> wanted;
  std::vector<Bytes> expected, got;
  std::vector<std::uint64_t> data_bytes, came;
  for (const Item& item : exam.items(*feed)) {
    if (item.kind == ItemKind::file || item.kind == ItemKind::stream) wanted.push_back(item);
  }
  for (const Written& written : all) {
    if (written.item.kind != ItemKind::file && written.item.kind != ItemKind::stream) continue;
    expected.push_back(written.content());
    got.emplace_back(expected.back().size());
    data_bytes.push_back(0);
    came.push_back(0);
    for (const Part& part : written.parts) data_bytes.back() += part.data.size();
  }
  Mutex mutex;
  const auto fetched = feed->fetch(exam.op(), wanted, [&](const Piece& piece) -> Result<void> {
    MutexLock lock(mutex);
    Bytes& content = got[piece.item];
    if (piece.offset_bytes + piece.bytes.size() > content.size()) {
      return fail(Error::Kind::corrupt, "a piece lies behind the end of its item");
    }
    std::copy(piece.bytes.begin(), piece.bytes.end(),
              content.begin() + static_cast<std::ptrdiff_t>(piece.offset_bytes));
    came[piece.item] += piece.bytes.size();
    return {};
  });
  if (!exam.works(fetched, "fetch")) return exam.take();
  for (std::size_t index = 0; index < wanted.size(); ++index) {
    exam.holds(got[index] == expected[index],
               "fetch delivers another content of '" + wanted[index].name + "'");
    exam.holds(came[index] == data_bytes[index], "fetch of '" + wanted[index].name + "' delivers " +
                                                     std::to_string(came[index]) + " bytes of " +
                                                     std::to_string(data_bytes[index]));
  }
  return exam.take();
}

Violations fetch_ends_with_first_error(SinkWorld& world) {
  Exam exam(world);
  const auto feed = exam.committed(sample());
  if (!feed) return exam.take();
  const auto items = exam.items(*feed);
  const auto fetched = feed->fetch(exam.op(), items, [](const Piece&) -> Result<void> {
    return fail(Error::Kind::denied, "no room", "", Error::Code::no_space);
  });
  exam.holds(!fetched && fetched.error().effective_code() == Error::Code::no_space,
             "an error of deliver() is not the answer of fetch()");
  return exam.take();
}

Violations invisible_before_commit(SinkWorld& world) {
  Exam exam(world);
  const auto all = sample();
  {
    const auto sink = world.sink();
    for (const Written& written : all) exam.works(exam.write(*sink, written), "writing");
    exam.holds(world.feed() == nullptr, "a capture can be read before it is committed");
  }
  exam.holds(world.feed() == nullptr, "a capture that was given up can be read");
  const auto feed = exam.committed({all.front()});
  if (feed) exam.equals(*feed, {all.front()});
  return exam.take();
}

Violations misuse_refused(SinkWorld& world) {
  Exam exam(world);
  const auto refused = [&](const Result<void>& result, const std::string& what) {
    exam.holds(!result && result.error().kind == Error::Kind::invalid,
               what + " is not refused as invalid");
  };
  const auto sink = world.sink();
  const Bytes bytes = noise(9, 10);
  refused(sink->write(exam.op(), bytes), "write() outside of an item");
  refused(sink->hole(exam.op(), 10), "hole() outside of an item");
  exam.works(exam.write(*sink, file("b", {})), "writing");
  refused(sink->begin(exam.op(), file("a", {}).item), "an item out of order");
  const auto second = world.sink();
  exam.works(second->begin(exam.op(), file("x", {}).item), "begin");
  refused(second->finish(exam.op(), file("y", {}).item), "finish() of another name");
  const auto third = world.sink();
  exam.works(third->begin(exam.op(), file("x", {}).item), "begin");
  refused(third->commit(exam.op(), {}), "commit() while an item is open");
  const auto fourth = world.sink();
  refused(fourth->unchanged(exam.op(), file("x", {}).item), "unchanged() without previous()");
  exam.holds(world.feed() == nullptr, "a capture can be read that was never committed");
  return exam.take();
}

Violations unchanged_keeps_content(SinkWorld& world) {
  Exam exam(world);
  const auto all = sample();
  if (!exam.committed(all)) return exam.take();
  const auto sink = world.sink();
  std::vector<Written> expected;
  for (const Written& written : all) {
    const auto before = sink->previous(exam.op(), written.item.name);
    if (!exam.works(before, "previous('" + written.item.name + "')")) return exam.take();
    if (!exam.holds(before->has_value(), "previous('" + written.item.name + "') knows nothing")) {
      return exam.take();
    }
    Item item = **before;
    exam.holds(item.size_bytes == written.content().size(), "previous() answers another size");
    Written next = written;
    if (item.kind == ItemKind::file) {
      item.file->links = 9;  // metadata may change while the content does not
      next.item.file->links = 9;
      exam.works(sink->unchanged(exam.op(), item), "unchanged");
    } else {
      exam.works(exam.write(*sink, written), "writing");
    }
    expected.push_back(next);
  }
  const auto nothing = sink->previous(exam.op(), "zzz");
  exam.holds(nothing && !*nothing, "previous() knows an item that never was");
  if (!exam.works(sink->commit(exam.op(), {}), "commit")) return exam.take();
  const auto feed = world.feed();
  if (exam.holds(feed != nullptr, "nothing can be read")) exam.equals(*feed, expected);
  return exam.take();
}

Violations stopped_is_cancelled(SinkWorld& world) {
  Exam exam(world);
  std::stop_source stop;
  const Operation stopped{&world.clock(), stop.get_token()};
  const auto sink = world.sink();
  exam.works(exam.write(*sink, file("a", {{0, noise(1, 100)}})), "writing");
  stop.request_stop();
  const auto done = sink->commit(stopped, {});
  exam.holds(!done && done.error().kind == Error::Kind::cancelled,
             "a commit that was stopped does not say cancelled");
  exam.holds(world.feed() == nullptr, "a commit that was stopped can be read");
  return exam.take();
}

Violations empty_capture(SinkWorld& world) {
  Exam exam(world);
  const auto feed = exam.committed({});
  if (feed) exam.equals(*feed, {});
  return exam.take();
}

}  // namespace

const std::vector<SinkCheck>& sink_contract() {
  static const std::vector<SinkCheck> checks = {
      {"WhatIsWrittenIsRead", written_is_read},
      {"FetchDeliversEveryByteOnceAndNoHole", fetch_delivers_once},
      {"FetchEndsWithTheFirstErrorOfItsReceiver", fetch_ends_with_first_error},
      {"NothingIsVisibleBeforeCommit", invisible_before_commit},
      {"CallsAndNamesOutOfOrderAreRefused", misuse_refused},
      {"UnchangedItemsKeepTheirContent", unchanged_keeps_content},
      {"AStoppedCommitCommitsNothing", stopped_is_cancelled},
      {"ACaptureOfNothingIsACapture", empty_capture},
  };
  return checks;
}

}  // namespace lifeboat::capture
