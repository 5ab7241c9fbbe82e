// Segments of a run's journal, and the run that replaying them gives.
#include "journal/segment.h"
#include "run/events.h"
#include "run/state.h"
#include "schema/json.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/tree_mutator.h"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  return lifeboat::fuzz::mutate_json(bytes, size, size_max, seed);
}

namespace lifeboat::fuzz {
namespace {

bool replays(const journal::Segment& segment) {
  const auto state = run::replay(segment.events);
  if (!state) return false;
  (void)state->view(WallTime{});
  (void)plan::graph_dot(state->pins.plan);
  // What a run pinned is pinned the same when it is written again.
  const Value pins = run::event::to_value(state->pins);
  const auto again = run::event::pins_from(pins);
  HOLDS(again && to_json(run::event::to_value(*again)) == to_json(pins));
  // Seeds: two drivers.
  plant(state->drivers.size() >= 3);
  return true;
}

}  // namespace
}  // namespace lifeboat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const auto segment = journal::decode(fuzz::view(bytes, size));
  if (!segment) return fuzz::not_kept;
  const Bytes written = journal::encode(*segment);
  const auto again = journal::decode(written);
  HOLDS(again && as_text(journal::encode(*again)) == as_text(written));
  HOLDS(again->events.size() == segment->events.size() && again->previous == segment->previous);
  return fuzz::replays(*segment) ? 0 : fuzz::not_kept;
}
