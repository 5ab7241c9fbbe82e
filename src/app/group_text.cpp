#include "app/group_text.h"

#include <fmt/format.h>

namespace lifeboat::app {
namespace {

double seconds_of(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e9; }

}  // namespace

std::string group_line(const repo::GroupMoment& group) {
  const std::string name = "group " + printable(group.name);
  if (!group.consistent) return name + ": NOT CONSISTENT, " + printable(group.reason);
  return fmt::format("{}: skew {} of {}", name,
                     human_duration(group.skew.value_or(std::chrono::nanoseconds::zero())),
                     human_duration(group.max_skew));
}

Value group_value(const repo::GroupMoment& group) {
  Value sources{Value::List{}};
  for (const std::string& source : group.sources) sources.push(printable(source));
  Value row;
  row.set("group", printable(group.name));
  row.set("sources", std::move(sources));
  row.set("consistent", group.consistent);
  if (group.skew) row.set("skew_seconds", seconds_of(*group.skew));
  row.set("max_skew_seconds", seconds_of(group.max_skew));
  if (!group.consistent) row.set("reason", printable(group.reason));
  return row;
}

}  // namespace lifeboat::app
