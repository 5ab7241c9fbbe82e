// Any tree comes back: random names, kinds, contents, holes, modes, times, attributes and links;
// captured, restored elsewhere, compared; then changed at random and captured on top of the first.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/memory_capture.h"
#include "client/process/descriptor.h"
#include "source/files/files_source.h"
#include "source/files/sample_tree.h"

namespace lifeboat::source::files {
namespace {

using capture::MemoryCapture;

// One byte of a name: '/' and NUL cannot be, bytes that sort around '/' and '.' often are.
rc::Gen<char> name_byte() {
  return rc::gen::oneOf(
      rc::gen::element('-', '.', '0', 'a', 'b', ' ', '\n', '\xff', '\x80', '!'),
      rc::gen::suchThat(rc::gen::arbitrary<char>(), [](char c) { return c != '\0' && c != '/'; }));
}

rc::Gen<std::string> name() {
  return rc::gen::suchThat(
      rc::gen::mapcat(
          rc::gen::inRange<std::size_t>(1, 12),
          [](std::size_t size) { return rc::gen::container<std::string>(size, name_byte()); }),
      [](const std::string& text) { return text != "." && text != ".."; });
}

enum class Make { file, folder, link, hard_link, fifo };

struct Act {
  Make make = Make::file;
  std::size_t within = 0;  // of the folders made so far
  std::string name;
  std::uint32_t mode = 0;
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  std::size_t data_bytes = 0, hole_bytes = 0;
  std::string attribute;
};

rc::Gen<Act> act() {
  return rc::gen::build<Act>(
      rc::gen::set(&Act::make, rc::gen::weightedElement<Make>({{6, Make::file},
                                                               {3, Make::folder},
                                                               {1, Make::link},
                                                               {2, Make::hard_link},
                                                               {1, Make::fifo}})),
      rc::gen::set(&Act::within, rc::gen::inRange<std::size_t>(0, 1000)),
      rc::gen::set(&Act::name, name()), rc::gen::set(&Act::mode, rc::gen::inRange(0u, 010000u)),
      rc::gen::set(&Act::seconds, rc::gen::inRange<std::int64_t>(-2'000'000'000, 6'000'000'000)),
      rc::gen::set(&Act::nanoseconds, rc::gen::inRange(0u, 1'000'000'000u)),
      rc::gen::set(&Act::data_bytes, rc::gen::element<std::size_t>(0, 1, 4095, 4096, 70'000)),
      rc::gen::set(&Act::hole_bytes, rc::gen::element<std::size_t>(0, 1, 4096, 300'000)),
      rc::gen::set(&Act::attribute, rc::gen::string<std::string>()));
}

// The tree as it grows: what was made, so that links have something to link to.
class Growing {
 public:
  explicit Growing(const std::string& root) { folders_.push_back(root); }

  void make(const Act& act) {
    const std::string path = folders_[act.within % folders_.size()] + "/" + act.name;
    if (exists(path)) return;
    switch (act.make) {
      case Make::file:
        write(path, act);
        files_.push_back(path);
        break;
      case Make::folder:
        make_folder(path);
        folders_.push_back(path);
        break;
      case Make::link:
        RC_ASSERT(symlink(act.name.c_str(), path.c_str()) == 0);
        break;
      case Make::hard_link:
        if (files_.empty()) return;
        RC_ASSERT(link(files_[act.within % files_.size()].c_str(), path.c_str()) == 0);
        break;
      case Make::fifo:
        RC_ASSERT(mkfifo(path.c_str(), 0600) == 0);
        break;
    }
    made_.emplace_back(path, act);
  }
  // Afterwards, because making entries changes the times of folders; deepest first.
  void settle() {
    for (auto entry = made_.rbegin(); entry != made_.rend(); ++entry) {
      const auto& [path, act] = *entry;
      const bool plain = act.make == Make::file || act.make == Make::folder;
      if (plain && !act.attribute.empty()) set_attribute(path, "user.a", act.attribute);
      if (act.make != Make::link && running_as_root()) {
        RC_ASSERT(chmod(path.c_str(), act.mode) == 0);
      }
      set_time(path, act.seconds, static_cast<long>(act.nanoseconds));
    }
    made_.clear();
  }
  void rewrite(std::size_t which, const Act& act) {
    if (!files_.empty()) write(files_[which % files_.size()], act);
  }

 private:
  static void write(const std::string& path, const Act& act) {
    const process::Descriptor file(
        open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    RC_ASSERT(file.open());
    const auto hole = static_cast<off_t>(act.hole_bytes);
    std::string data(act.data_bytes, act.name.front());
    data += act.name;
    const auto size = static_cast<ssize_t>(data.size());
    RC_ASSERT(pwrite(file.number(), data.data(), data.size(), hole) == size);
    RC_ASSERT(ftruncate(file.number(), 2 * hole + size) == 0);
  }
  std::vector<std::string> folders_, files_;
  std::vector<std::pair<std::string, Act>> made_;
};

void comes_back(const std::string& from, const std::string& to, MemoryCapture& capture) {
  const SystemClock clock;
  const Operation op{&clock};
  FilesSource original(from, {}, clock), copy(to, {}, clock);
  const auto captured = original.capture(op, capture);
  RC_ASSERT(captured.has_value());
  RestoreOptions options;
  options.marker.run = "run-1";
  const auto restored = copy.restore(op, *capture.feed(), options);
  if (!restored) RC_FAIL(restored.error().what);
  const auto checks = copy.verify(op, *capture.feed());
  RC_ASSERT(checks.has_value());
  for (const Check& check : *checks) {
    if (!check.ok) RC_FAIL(check.name + ": " + check.expected + " / " + check.actual);
  }
  RC_ASSERT(*original.fingerprint(op) == *copy.fingerprint(op));
}

TEST(FilesProperty, AnyTreeComesBackAndItsNextCaptureToo) {
  const bool held = rc::check([] {
    const auto acts = *rc::gen::scale(0.4, rc::gen::container<std::vector<Act>>(act()));
    const auto later = *rc::gen::scale(0.4, rc::gen::container<std::vector<Act>>(act()));
    const ScratchFolder scratch = ScratchFolder::in_memory();
    make_folder(scratch / "from");
    Growing tree(scratch / "from");
    for (const Act& each : acts) tree.make(each);
    tree.settle();
    MemoryCapture first;
    comes_back(scratch / "from", scratch / "to", first);
    for (const Act& each : later) {
      tree.rewrite(each.within, each);
      tree.make(each);
    }
    tree.settle();
    MemoryCapture second({.previous = &first, .fail_after_bytes = {}, .failure = {}});
    comes_back(scratch / "from", scratch / "to-2", second);
  });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace lifeboat::source::files
