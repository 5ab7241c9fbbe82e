#include "steps/restore/losses.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace lifeboat::steps {
namespace {

constexpr double nanoseconds_per_second = 1e9;

std::optional<double> rows_of(const repo::Snapshot& snapshot) {
  const auto fact = snapshot.moments.facts.find("rows");
  if (fact == snapshot.moments.facts.end()) return std::nullopt;
  std::uint64_t rows = 0;
  const char* end = fact->second.data() + fact->second.size();
  const auto read = std::from_chars(fact->second.data(), end, rows);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return static_cast<double>(rows);
}

double seconds_between(WallTime from, WallTime to) {
  return static_cast<double>(to.ns - from.ns) / nanoseconds_per_second;
}

// Rows a second between the last capture of the same source before `restored`, and `restored`.
std::optional<double> pace(const std::vector<repo::Snapshot>& snapshots,
                           const repo::Snapshot& restored) {
  const repo::Snapshot* before = nullptr;
  for (const repo::Snapshot& each : snapshots) {
    const bool same = each.about.kind == repo::SnapshotKind::source &&
                      each.about.source == restored.about.source && each.slot < restored.slot;
    if (same && rows_of(each)) before = &each;
  }
  if (before == nullptr) return std::nullopt;
  const double time_s =
      seconds_between(before->moments.consistent_at, restored.moments.consistent_at);
  if (time_s <= 0) return std::nullopt;
  return std::max(0.0, *rows_of(restored) - *rows_of(*before)) / time_s;
}

std::string written_since(const std::optional<double>& rows_per_second, double time_s) {
  if (!rows_per_second) {
    return fmt::format(
        "rows written in the {:.1f} s after the capture (how many is not known: "
        "there is no earlier capture to tell the pace)",
        time_s);
  }
  return fmt::format(
      "about {} rows, written in the {:.1f} s after the capture (estimated: {:.1f} "
      "rows a second before it)",
      std::llround(*rows_per_second * time_s), time_s, *rows_per_second);
}

}  // namespace

std::vector<std::string> losses_of(const std::vector<repo::Snapshot>& snapshots, const Id& restored,
                                   WallTime lost_at) {
  const auto found = std::ranges::find(snapshots, restored, &repo::Snapshot::id);
  if (found == snapshots.end()) return {};
  std::vector<std::string> losses;
  for (const auto& [fact, value] : found->moments.facts) {
    if (fact.starts_with("lost.")) losses.push_back(fact.substr(5) + ": " + value);
  }
  const double time_s = seconds_between(found->moments.consistent_at, lost_at);
  if (rows_of(*found) && time_s > 0) {
    losses.push_back(written_since(pace(snapshots, *found), time_s));
  }
  return losses;
}

}  // namespace lifeboat::steps
