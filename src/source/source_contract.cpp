// The checks. Each makes what it needs from the world, so that none depends on another; each goes
// on after a violation as long as that tells more.
#include "source/source_contract.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "capture/memory_capture.h"
#include "source/interrupted_feed.h"

namespace lifeboat::source {
namespace {

using capture::Feed;
using capture::MemoryCapture;

constexpr std::uint64_t mebibyte = 1u << 20;
constexpr std::uint64_t memory_bound_bytes = 96 * mebibyte;

const Marker first_marker = {"run-1", "contract/restore", 1, "4f2a91c05d11", false};

// Collects what is wrong in one check.
class Exam {
 public:
  explicit Exam(World& world) : world_(world), op_{&world.clock()} {}

  World& world() { return world_; }
  const Operation& op() const { return op_; }
  bool holds(bool fact, std::string otherwise) {
    if (!fact) violations_.push_back(std::move(otherwise));
    return fact;
  }
  template <class T>
  bool works(const Result<T>& result, const std::string& what) {
    return holds(result.has_value(), what + " failed: " + (result ? "" : result.error().what));
  }
  Violations take() { return std::move(violations_); }

  // The filled system, captured; null when that did not work (and was said).
  std::shared_ptr<Feed> captured(System& system) {
    MemoryCapture sink;
    const auto done = system.open()->capture(op_, sink);
    if (!works(done, "capture")) return nullptr;
    if (!holds(sink.committed(), "capture answered success and committed nothing")) return nullptr;
    return sink.feed();
  }
  std::string fingerprint(System& system, const std::string& of) {
    const auto text = system.open()->fingerprint(op_);
    return works(text, "fingerprint of " + of) ? *text : "";
  }
  Result<RestoreReport> restore(System& system, Feed& feed, const RestoreOptions& options) {
    return system.open()->restore(op_, feed, options);
  }
  void verifies(System& system, Feed& feed, const std::string& when) {
    const auto checks = system.open()->verify(op_, feed);
    if (!works(checks, "verify " + when)) return;
    holds(!checks->empty(), "verify " + when + " compared nothing");
    for (const Check& check : *checks) {
      holds(check.ok, "verify " + when + ": " + check.name + ": expected " + check.expected +
                          ", actual " + check.actual);
    }
  }
  // verify() must not be green: it says so by a check, or that it cannot look.
  void does_not_verify(System& system, Feed& feed, const std::string& when) {
    const auto checks = system.open()->verify(op_, feed);
    if (!checks) return;
    holds(std::any_of(checks->begin(), checks->end(), [](const Check& c) { return !c.ok; }),
          "verify " + when + " is green");
  }
  // The target holds what the feed tells, and its marker says done.
  void restored(System& system, Feed& feed, const std::string& like, const std::string& when) {
    verifies(system, feed, when);
    holds(fingerprint(system, "the restored system") == like,
          "the fingerprint " + when + " is not that of the captured system");
    const auto state = system.open()->target(op_);
    if (!works(state, "target " + when)) return;
    holds(state->occupancy == Occupancy::ours && state->marker && state->marker->done,
          "target() " + when + " reports no marker that is done");
    holds(!state->marker ||
              (state->marker->run == first_marker.run && state->marker->step == first_marker.step &&
               state->marker->snapshot == first_marker.snapshot),
          "the marker " + when + " names another run, step or snapshot");
  }

 private:
  World& world_;
  Operation op_;
  Violations violations_;
};

RestoreOptions options_for(std::uint64_t generation, Foreign foreign = Foreign::refuse) {
  RestoreOptions options;
  options.marker = first_marker;
  options.marker.generation = generation;
  options.foreign = foreign;
  return options;
}

Violations restoring_elsewhere(World& world) {
  Exam exam(world);
  const auto original = world.filled();
  exam.works(original->open()->preflight(exam.op()), "preflight");
  const std::string before = exam.fingerprint(*original, "the filled system");
  const auto feed = exam.captured(*original);
  if (!feed) return exam.take();
  exam.holds(exam.fingerprint(*original, "the captured system") == before,
             "capturing changed the fingerprint of the system");
  exam.holds(feed->moments().begin <= feed->moments().end, "the capture ends before it begins");
  exam.holds(!feed->moments().partial, "the capture of a quiet system is called partial");
  const auto target = world.empty();
  const auto report = exam.restore(*target, *feed, options_for(1));
  if (!exam.works(report, "restore")) return exam.take();
  exam.holds(report->items > 0, "restore reports no items");
  exam.holds(report->kept_aside.empty(), "restore into an empty target kept something aside");
  exam.restored(*target, *feed, before, "after the restore");
  return exam.take();
}

Violations restoring_twice(World& world) {
  Exam exam(world);
  const auto original = world.filled();
  const std::string before = exam.fingerprint(*original, "the filled system");
  const auto feed = exam.captured(*original);
  if (!feed) return exam.take();
  const auto target = world.empty();
  for (const std::uint64_t generation : {1u, 2u}) {
    const auto report = exam.restore(*target, *feed, options_for(generation, Foreign::keep_aside));
    if (!exam.works(report, "restore number " + std::to_string(generation))) return exam.take();
    exam.holds(report->kept_aside.empty(), "our own restored data was kept aside as foreign");
  }
  exam.restored(*target, *feed, before, "after the second restore");
  return exam.take();
}

Violations empty_target_is_seen(World& world) {
  Exam exam(world);
  const auto target = world.empty();
  const auto state = target->open()->target(exam.op());
  if (!exam.works(state, "target of an empty system")) return exam.take();
  exam.holds(state->occupancy == Occupancy::absent || state->occupancy == Occupancy::empty,
             "an empty target is called neither absent nor empty");
  exam.holds(!state->marker, "an empty target has a marker");
  const auto original = world.filled();
  const auto feed = exam.captured(*original);
  if (feed) exam.does_not_verify(*target, *feed, "of an empty target");
  return exam.take();
}

Violations stopped_capture(World& world) {
  Exam exam(world);
  const auto original = world.filled();
  std::stop_source stop;
  stop.request_stop();
  const Operation stopped = {exam.op().clock, stop.get_token()};
  MemoryCapture sink;
  const auto done = original->open()->capture(stopped, sink);
  exam.holds(!done, "a capture that was stopped before it began answered success");
  exam.holds(done || done.error().kind == Error::Kind::cancelled,
             "a stopped capture answers another kind than cancelled");
  exam.holds(!sink.committed(), "a capture that was stopped before it began was committed");
  for (const std::uint64_t calls : {1u, 3u}) {
    std::stop_source later;
    StoppingSink stopping(later, calls);
    const auto cut = original->open()->capture({exam.op().clock, later.get_token()}, stopping);
    exam.holds(!cut && !stopping.committed(),
               "a capture that was stopped in its middle was committed");
  }
  return exam.take();
}

Violations failing_sink(World& world) {
  Exam exam(world);
  const auto original = world.filled();
  MemoryCapture whole;
  if (!exam.works(original->open()->capture(exam.op(), whole), "capture")) return exam.take();
  for (const std::uint64_t limit : {std::uint64_t{0}, whole.written_bytes() / 2}) {
    MemoryCapture::Options options;
    options.fail_after_bytes = limit;
    options.failure = {Error::Kind::unavailable, "the store is full", "", Error::Code::no_space};
    MemoryCapture sink(options);
    const auto done = original->open()->capture(exam.op(), sink);
    exam.holds(!done, "the sink failed and capture answered success");
    exam.holds(done || done.error().effective_code() == Error::Code::no_space,
               "the error of the sink was replaced by another");
    exam.holds(!sink.committed(), "the sink failed and the capture was committed");
  }
  return exam.take();
}

Violations foreign_refused(World& world) {
  Exam exam(world);
  const auto original = world.filled();
  const auto feed = exam.captured(*original);
  if (!feed) return exam.take();
  const auto target = world.foreign();
  const auto state = target->open()->target(exam.op());
  exam.holds(state && state->occupancy == Occupancy::foreign,
             "foreign data in the target is not called foreign");
  const std::string before = exam.fingerprint(*target, "the foreign system");
  const auto done = exam.restore(*target, *feed, options_for(1));
  if (exam.holds(!done, "restore over foreign data was not refused")) {
    exam.holds(done.error().kind == Error::Kind::conflict &&
                   done.error().effective_code() == Error::Code::refused,
               "the refusal has another kind or code than conflict, refused: " + done.error().what);
  }
  exam.holds(exam.fingerprint(*target, "the foreign system") == before,
             "a refused restore changed the foreign data");
  const auto after = target->open()->target(exam.op());
  exam.holds(after && after->occupancy == Occupancy::foreign && !after->marker,
             "a refused restore left a marker");
  return exam.take();
}

// For sources that rename: what was kept is what was there, is listed with its run, and can be
// removed.
void kept_and_removed(Exam& exam, System& target, const RestoreReport& report,
                      const std::string& was_there) {
  if (!exam.holds(!report.kept_aside.empty(), "restore reports nothing that was kept aside")) {
    return;
  }
  const auto kept = target.open()->kept(exam.op());
  if (!exam.works(kept, "kept")) return;
  for (const std::string& name : report.kept_aside) {
    const auto entry = std::find_if(kept->begin(), kept->end(),
                                    [&](const Kept& each) { return each.name == name; });
    if (!exam.holds(entry != kept->end(), "kept() does not list '" + name + "'")) continue;
    exam.holds(target.look(name) == was_there,
               "what was kept aside as '" + name + "' is not what was there");
    exam.holds(entry->run == first_marker.run, "kept() names another run for '" + name + "'");
    exam.works(target.open()->remove_kept(exam.op(), name), "remove_kept(" + name + ")");
    exam.holds(target.look(name).empty(), "remove_kept(" + name + ") left its content there");
  }
  const auto left = target.open()->kept(exam.op());
  exam.holds(left && left->empty(), "remove_kept() left something behind");
  exam.holds(!target.open()->remove_kept(exam.op(), "never-kept_before_run-1"),
             "remove_kept() of something that was never kept answered success");
}

Violations foreign_kept_aside(World& world) {
  Exam exam(world);
  const auto original = world.filled();
  const std::string before = exam.fingerprint(*original, "the filled system");
  const auto feed = exam.captured(*original);
  if (!feed) return exam.take();
  const auto target = world.foreign();
  const bool renames = world.keeps_aside() == KeepsAside::by_rename;
  const std::string was_there = renames ? target->look("") : "";
  exam.holds(!renames || !was_there.empty(), "the world cannot look at its foreign data");
  const auto report = exam.restore(*target, *feed, options_for(1, Foreign::keep_aside));
  if (!exam.works(report, "restore that keeps aside")) return exam.take();
  exam.restored(*target, *feed, before, "after foreign data was kept aside");
  if (renames) kept_and_removed(exam, *target, *report, was_there);
  exam.restored(*target, *feed, before, "after what was kept aside was removed");
  return exam.take();
}

Violations other_run_refused(World& world) {
  Exam exam(world);
  const auto original = world.filled();
  const auto feed = exam.captured(*original);
  if (!feed) return exam.take();
  const auto target = world.empty();
  if (!exam.works(exam.restore(*target, *feed, options_for(1)), "restore")) return exam.take();
  RestoreOptions other = options_for(1);
  other.marker.run = "run-2";
  const auto done = exam.restore(*target, *feed, other);
  exam.holds(!done && done.error().effective_code() == Error::Code::refused,
             "a second run restored over what the first had put there, without being asked");
  return exam.take();
}

// Restores with a stop after `events` reads of the feed, then again in a new process, as it were.
void interrupted_at(Exam& exam, Feed& feed, const std::string& like, std::uint64_t events) {
  const std::string when = "after a restore that was stopped at read " + std::to_string(events);
  const auto target = exam.world().empty();
  std::stop_source stop;
  InterruptedFeed cut(feed, stop, events);
  const auto done =
      target->open()->restore({exam.op().clock, stop.get_token()}, cut, options_for(1));
  const auto state = target->open()->target(exam.op());
  if (!exam.works(state, "target " + when)) return;
  const bool says_done = state->marker && state->marker->done;
  exam.holds(done.has_value() == says_done, when + ": restore answered " +
                                                (done ? "success" : "an error") +
                                                " and the marker says the opposite");
  exam.holds(done || done.error().kind == Error::Kind::cancelled,
             when + ": another error than cancelled: " + (done ? "" : done.error().what));
  exam.holds(state->occupancy != Occupancy::foreign, when + ": the target is called foreign");
  if (!done) exam.does_not_verify(*target, feed, when);
  if (!exam.works(exam.restore(*target, feed, options_for(2)), "the second restore " + when)) {
    return;
  }
  exam.restored(*target, feed, like, when + " and again");
}

Violations interrupted_restore(World& world) {
  Exam exam(world);
  const auto original = world.filled();
  const std::string before = exam.fingerprint(*original, "the filled system");
  const auto feed = exam.captured(*original);
  if (!feed) return exam.take();
  std::stop_source never;
  InterruptedFeed counting(*feed, never, 0);
  const auto target = world.empty();
  if (!exam.works(exam.restore(*target, counting, options_for(1)), "restore")) return exam.take();
  const std::uint64_t all = counting.events();
  exam.holds(all > 2, "a restore reads less than three times: nothing to interrupt");
  for (const std::uint64_t events : {std::uint64_t{1}, all / 3, all / 2, all * 4 / 5}) {
    interrupted_at(exam, *feed, before, std::max<std::uint64_t>(events, 1));
  }
  return exam.take();
}

Violations alteration_seen(World& world) {
  Exam exam(world);
  const auto original = world.filled();
  const auto feed = exam.captured(*original);
  if (!feed) return exam.take();
  const auto target = world.empty();
  if (!exam.works(exam.restore(*target, *feed, options_for(1)), "restore")) return exam.take();
  const std::string before = exam.fingerprint(*target, "the restored system");
  target->alter();
  exam.does_not_verify(*target, *feed, "after an alteration");
  exam.holds(exam.fingerprint(*target, "the altered system") != before,
             "the fingerprint is the same after an alteration");
  return exam.take();
}

// Peak of resident memory since reset_peak(), in bytes.
std::uint64_t peak_memory_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
  }
  return 0;
}
void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

Violations huge_item(World& world) {
  Exam exam(world);
  const char* wanted = std::getenv("LIFEBOAT_LONG");
  const bool in_full = wanted != nullptr && std::string_view(wanted) == "1";
  const std::uint64_t size_bytes = (in_full ? 4096 : 256) * mebibyte;
  const auto original = world.huge(size_bytes);
  if (!original) return {};
  reset_peak();
  const std::uint64_t at_rest = peak_memory_bytes();
  exam.holds(at_rest > 0, "the peak of memory cannot be read");
  const auto feed = exam.captured(*original);
  if (!feed) return exam.take();
  const auto target = world.empty();
  if (!exam.works(exam.restore(*target, *feed, options_for(1)), "restore")) return exam.take();
  exam.verifies(*target, *feed, "of the huge item");
  // The kernel counts pages in batches per thread: a peak may read a little below what was at rest.
  const std::uint64_t growth = std::max(peak_memory_bytes(), at_rest) - at_rest;
  exam.holds(growth < memory_bound_bytes, "an item of " + std::to_string(size_bytes / mebibyte) +
                                              " MiB took " + std::to_string(growth / mebibyte) +
                                              " MiB of memory");
  return exam.take();
}

}  // namespace

std::string System::look(const std::string&) { return ""; }

const std::vector<ContractCheck>& source_contract() {
  static const std::vector<ContractCheck> checks = {
      {"RestoringElsewhereGivesTheSameFingerprint", restoring_elsewhere},
      {"RestoringTwiceEqualsRestoringOnce", restoring_twice},
      {"AnEmptyTargetIsSeenAndDoesNotVerify", empty_target_is_seen},
      {"AStoppedCaptureCommitsNothing", stopped_capture},
      {"AFailingSinkIsReportedAndCommitsNothing", failing_sink},
      {"ForeignDataIsRefusedAndLeftAlone", foreign_refused},
      {"ForeignDataIsKeptAsideWhenAsked", foreign_kept_aside},
      {"WhatAnotherRunRestoredIsRefused", other_run_refused},
      {"AnInterruptedRestoreIsMarkedAndThenCompleted", interrupted_restore},
      {"AnAlterationIsSeen", alteration_seen},
      {"AHugeItemStreamsInLittleMemory", huge_item},
  };
  return checks;
}

Violations violated_checks(World& world) {
  Violations all;
  for (const ContractCheck& check : source_contract()) {
    for (const std::string& violation : check.violations(world)) {
      all.push_back(check.name + ": " + violation);
    }
  }
  return all;
}

}  // namespace lifeboat::source
