// source/rabbitmq/stored_definitions.h - A capture of a broker, read back whole: definitions are
// small by nature. Beside the items of topology.h it holds `manifest.json`: where and when, the
// virtual hosts that were asked for, counts a kind, and the depth of the queues at that moment.
//
// Threads: values.
#pragma once

#include <string_view>

#include "capture/feed.h"
#include "source/rabbitmq/topology.h"

namespace lifeboat::source::rabbitmq {

constexpr std::string_view manifest_name = "manifest.json";

struct Captured {
  Topology topology;
  Value manifest;
  std::uint64_t items = 0, bytes = 0;
  Scope scope() const;  // the virtual hosts that were captured
};

// Errors: as the feed's; corrupt when items are not what a capture of a broker holds.
Result<Captured> read_capture(const Operation& op, capture::Feed& feed);

// {"queues": 3, ...}: how many objects of each kind there are.
Value count_kinds(const Topology& topology);

// The strings of a list; empty when it is none.
std::vector<std::string> text_list(const Value& list);

}  // namespace lifeboat::source::rabbitmq
