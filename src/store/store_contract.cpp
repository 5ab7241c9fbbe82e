#include "store/store_contract.h"

#include <fmt/format.h>

#include <algorithm>
#include <latch>
#include <thread>

#include "base/random.h"

namespace lifeboat::store {
namespace {

const SystemClock clock_of_the_machine;
const Operation op{.clock = &clock_of_the_machine};

// Collects violations in the words of the check.
class Findings {
 public:
  void require(bool holds, const std::string& what) {
    if (!holds) found_.push_back(what);
  }
  template <class T>
  void fails(const Result<T>& result, Error::Kind kind, const std::string& what) {
    if (result) {
      found_.push_back(what + ": it worked");
    } else if (result.error().kind != kind) {
      found_.push_back(fmt::format("{}: {} instead of {}", what, kind_name(result.error().kind),
                                   kind_name(kind)));
    }
  }
  Violations take() { return std::move(found_); }

 private:
  Violations found_;
};

Bytes sample(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  SeededRandom(seed).fill(bytes);
  return bytes;
}

bool holds(Store& store, const std::string& name, const Bytes& wanted) {
  const auto bytes = store.get(op, name);
  return bytes && *bytes == wanted;
}

Violations what_was_put_is_got(Store& store) {
  Findings findings;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{33} << 20}) {
    const std::string name = fmt::format("packs/a{}/object-{}.x_y", size % 7, size);
    const Bytes bytes = sample(size, size + 1);
    const auto put = store.put(op, name, bytes);
    findings.require(put && *put == Put::created, "a first put creates");
    findings.require(holds(store, name, bytes), fmt::format("{} bytes come back", size));
    const auto told = store.size(op, name);
    findings.require(told && *told == size, "size() tells the size");
  }
  return findings.take();
}

Violations an_object_is_never_replaced(Store& store) {
  Findings findings;
  const Bytes first = sample(1000, 1), second = sample(1000, 2);
  findings.require(store.put(op, "log/0", first).has_value(), "the first put works");
  const auto again = store.put(op, "log/0", second);
  findings.require(again && *again == Put::exists, "another put under the name answers exists");
  findings.require(holds(store, "log/0", first), "the first object stays");
  const auto same = store.put(op, "log/0", first);
  findings.require(same && *same == Put::created, "equal bytes again count as a lost reply");
  return findings.take();
}

Violations of_racing_writers_exactly_one_wins(Store& store) {
  constexpr std::size_t writers = 16;
  Findings findings;
  for (int round = 0; round < 8; ++round) {
    const std::string name = fmt::format("log/{}", round);
    std::vector<Result<Put>> answers(writers, Put::exists);
    std::latch start(writers);
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < writers; ++i) {
        threads.emplace_back([&, i] {
          const Bytes bytes = sample(5000 + i, i);
          start.arrive_and_wait();
          answers[i] = store.put(op, name, bytes);
        });
      }
    }
    const auto won = [](const Result<Put>& answer) { return answer && *answer == Put::created; };
    const auto winners = std::ranges::count_if(answers, won);
    findings.require(winners == 1, fmt::format("{} of 16 writers won", winners));
    for (std::size_t i = 0; i < writers && winners == 1; ++i) {
      if (won(answers[i])) {
        findings.require(holds(store, name, sample(5000 + i, i)), "the winner's bytes are there");
      }
    }
  }
  return findings.take();
}

Violations a_range_is_exactly_that_part(Store& store) {
  Findings findings;
  const Bytes bytes = sample(10000, 3);
  (void)store.put(op, "packs/00/p", bytes);
  for (const Range range :
       {Range{0, 1}, Range{9999, 1}, Range{1234, 4321}, Range{0, 10000}, Range{10000, 0}}) {
    const auto part = store.get(op, "packs/00/p", range);
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(range.offset_bytes);
    findings.require(
        part && *part == Bytes(from, from + static_cast<std::ptrdiff_t>(range.length_bytes)),
        fmt::format("{} bytes at {}", range.length_bytes, range.offset_bytes));
  }
  for (const Range range :
       {Range{0, 10001}, Range{10001, 0}, Range{9999, 2}, Range{UINT64_MAX, 2}}) {
    findings.fails(store.get(op, "packs/00/p", range), Error::Kind::corrupt,
                   "a range beyond the end");
  }
  return findings.take();
}

Violations what_is_not_there_is_not_found(Store& store) {
  Findings findings;
  (void)store.put(op, "index/there", sample(10, 1));
  for (const char* name : {"index/absent", "nowhere/at/all", "index/there-not"}) {
    findings.fails(store.get(op, name), Error::Kind::not_found, "get of an absent object");
    findings.fails(store.size(op, name), Error::Kind::not_found, "size of an absent object");
    findings.fails(store.get(op, name, Range{0, 1}), Error::Kind::not_found,
                   "range of an absent object");
  }
  return findings.take();
}

Violations removing_twice_equals_removing_once(Store& store) {
  Findings findings;
  (void)store.put(op, "heartbeats/r/1", sample(10, 1));
  findings.require(store.remove(op, "heartbeats/r/1").has_value(), "the first remove works");
  findings.fails(store.get(op, "heartbeats/r/1"), Error::Kind::not_found, "get after remove");
  findings.require(store.remove(op, "heartbeats/r/1").has_value(), "the second remove works");
  findings.require(store.remove(op, "never/was").has_value(), "remove of what never was works");
  const auto put = store.put(op, "heartbeats/r/1", sample(10, 2));
  findings.require(put && *put == Put::created, "a removed name is free again");
  return findings.take();
}

Violations a_list_is_sorted_and_below_its_prefix(Store& store) {
  Findings findings;
  const std::vector<std::string> names{"config", "keys/00",    "log/0",     "log/1",
                                       "logs/2", "packs/0a/1", "packs/0b/2"};
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    (void)store.put(op, *name, as_bytes(*name));
  }
  const auto listed = [&](const std::string& prefix) {
    const auto list = store.list(op, prefix);
    return list ? *list : std::vector<std::string>{"failed"};
  };
  findings.require(listed("") == names, "all names, sorted");
  findings.require(listed("log/") == std::vector<std::string>{"log/0", "log/1"}, "below log/");
  findings.require(listed("packs/") == std::vector<std::string>{"packs/0a/1", "packs/0b/2"},
                   "folders within a prefix");
  findings.require(listed("absent/").empty(), "an absent prefix is empty");
  findings.fails(store.list(op, "log"), Error::Kind::invalid, "a prefix without its slash");
  return findings.take();
}

Violations bad_names_are_refused_by_every_call(Store& store) {
  Findings findings;
  for (const std::string& name :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"), std::string(".."),
        std::string("a/../b"), std::string("a/./b"), std::string("A"), std::string("a b"),
        std::string("a\0b", 3), std::string("\xc3\xa9"), std::string("tmp"), std::string("tmp/x"),
        std::string(201, 'a')}) {
    const std::string shown = "name '" + printable(name) + "'";
    findings.fails(store.put(op, name, sample(1, 1)), Error::Kind::invalid, "put of " + shown);
    findings.fails(store.get(op, name), Error::Kind::invalid, "get of " + shown);
    findings.fails(store.size(op, name), Error::Kind::invalid, "size of " + shown);
    findings.fails(store.remove(op, name), Error::Kind::invalid, "remove of " + shown);
  }
  const auto longest = store.put(op, std::string(200, 'a'), sample(1, 1));
  findings.require(longest && *longest == Put::created, "200 characters are a name");
  return findings.take();
}

Violations a_stopped_operation_changes_nothing(Store& store) {
  Findings findings;
  std::stop_source stop;
  stop.request_stop();
  const Operation stopped{.clock = &clock_of_the_machine, .stop = stop.get_token()};
  (void)store.put(op, "log/0", sample(10, 1));
  findings.fails(store.put(stopped, "log/1", sample(10, 1)), Error::Kind::cancelled, "put");
  findings.fails(store.remove(stopped, "log/0"), Error::Kind::cancelled, "remove");
  findings.fails(store.get(stopped, "log/0"), Error::Kind::cancelled, "get");
  const auto list = store.list(op, "");
  findings.require(list && *list == std::vector<std::string>{"log/0"}, "nothing changed");
  return findings.take();
}

Violations threads_do_not_disturb_each_other(Store& store) {
  Findings findings;
  std::vector<Violations> per_thread(8);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < per_thread.size(); ++i) {
      threads.emplace_back([&, i] {
        for (std::uint64_t n = 0; n < 40; ++n) {
          const std::string name = fmt::format("packs/{:02x}/{}-{}", n, i, n);
          const Bytes bytes = sample(n * 100, i * 1000 + n);
          const auto put = store.put(op, name, bytes);
          if (!put || *put != Put::created || !holds(store, name, bytes)) {
            per_thread[i].push_back(name + " is not what was put");
          }
          if (n % 3 == 0 && !store.remove(op, name)) per_thread[i].push_back("remove of " + name);
        }
      });
    }
  }
  for (const Violations& found : per_thread) {
    for (const std::string& violation : found) findings.require(false, violation);
  }
  const auto list = store.list(op, "packs/");
  findings.require(list && list->size() == 8 * 26, "exactly what was not removed is listed");
  return findings.take();
}

}  // namespace

const std::vector<StoreCheck>& store_checks() {
  static const std::vector<StoreCheck> checks{
      {"WhatWasPutIsGot", what_was_put_is_got},
      {"AnObjectIsNeverReplaced", an_object_is_never_replaced},
      {"OfRacingWritersExactlyOneWins", of_racing_writers_exactly_one_wins},
      {"ARangeIsExactlyThatPart", a_range_is_exactly_that_part},
      {"WhatIsNotThereIsNotFound", what_is_not_there_is_not_found},
      {"RemovingTwiceEqualsRemovingOnce", removing_twice_equals_removing_once},
      {"AListIsSortedAndBelowItsPrefix", a_list_is_sorted_and_below_its_prefix},
      {"BadNamesAreRefusedByEveryCall", bad_names_are_refused_by_every_call},
      {"AStoppedOperationChangesNothing", a_stopped_operation_changes_nothing},
      {"ThreadsDoNotDisturbEachOther", threads_do_not_disturb_each_other}};
  return checks;
}

}  // namespace lifeboat::store
