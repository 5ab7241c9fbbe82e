// The memory source passes the contract, and seven broken variants of it do not.
#include "source/memory/memory_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "capture/memory_capture.h"
#include "source/source_contract.h"

namespace lifeboat::source {
namespace {

using Make = std::function<std::unique_ptr<Source>(MemorySystem&, const Clock&)>;

class MemoryUnderTest final : public System {
 public:
  MemoryUnderTest(MemorySystem& system, const Make& make, const Clock& clock)
      : system_(system), make_(make), clock_(clock) {}
  std::unique_ptr<Source> open() override { return make_(system_, clock_); }
  void alter() override { system_.rows.begin()->second += "!"; }
  std::string look(const std::string& kept) override {
    if (kept.empty()) return shown(system_.rows);
    const auto found = system_.kept.find(kept);
    return found == system_.kept.end() ? "" : shown(found->second.rows);
  }

 private:
  static std::string shown(const Rows& rows) {
    std::string all;
    for (const auto& [name, text] : rows) all += name + "=" + text + ";";
    return all;
  }
  MemorySystem& system_;
  const Make& make_;
  const Clock& clock_;
};

class MemoryWorld final : public World {
 public:
  explicit MemoryWorld(Make make) : make_(std::move(make)) {}
  const Clock& clock() override { return clock_; }
  KeepsAside keeps_aside() const override { return KeepsAside::by_rename; }
  std::unique_ptr<System> filled() override {
    MemorySystem system;
    system.rows = {{"orders/1", "three chairs"},
                   {"orders/2", std::string(10'000, 'x') + "end"},
                   {"orders", "a folder's own row"},
                   {"stock", "7"},
                   {"empty", ""}};
    return add(std::move(system));
  }
  std::unique_ptr<System> empty() override { return add({}); }
  std::unique_ptr<System> foreign() override {
    MemorySystem system;
    system.rows = {{"orders/1", "somebody else's chairs"}, {"other", "theirs"}};
    return add(std::move(system));
  }
  std::unique_ptr<System> huge(std::uint64_t) override { return nullptr; }

 private:
  std::unique_ptr<System> add(MemorySystem system) {
    systems_.push_back(std::move(system));
    return std::make_unique<MemoryUnderTest>(systems_.back(), make_, clock_);
  }
  SystemClock clock_;
  Make make_;
  std::deque<MemorySystem> systems_;
};

template <class T>
std::unique_ptr<World> world_of() {
  return std::make_unique<MemoryWorld>([](MemorySystem& system, const Clock& clock) {
    return std::unique_ptr<Source>(std::make_unique<T>(system, clock));
  });
}

LIFEBOAT_SOURCE_CONTRACT(MemoryContract, world_of<MemorySource>);

// Passes a sink on, without its commit.
class WithoutCommit final : public capture::Sink {
 public:
  explicit WithoutCommit(capture::Sink& sink) : sink_(sink) {}
  Result<void> begin(const Operation& op, const capture::Item& item, capture::Cut cut) override {
    return sink_.begin(op, item, cut);
  }
  Result<void> write(const Operation& op, ByteView bytes) override {
    return sink_.write(op, bytes);
  }
  Result<void> hole(const Operation& op, std::uint64_t length_bytes) override {
    return sink_.hole(op, length_bytes);
  }
  Result<void> finish(const Operation& op, const capture::Item& item) override {
    return sink_.finish(op, item);
  }
  Result<std::optional<capture::Item>> previous(const Operation& op,
                                                std::string_view name) override {
    return sink_.previous(op, name);
  }
  Result<void> unchanged(const Operation& op, const capture::Item& item) override {
    return sink_.unchanged(op, item);
  }
  Result<void> commit(const Operation&, const capture::Moments&) override { return {}; }

 private:
  capture::Sink& sink_;
};

class NeverCommits final : public MemorySource {
 public:
  using MemorySource::MemorySource;
  Result<void> capture(const Operation& op, capture::Sink& sink) override {
    WithoutCommit without(sink);
    return MemorySource::capture(op, without);
  }
};

class CommitsAfterStop final : public MemorySource {
 public:
  using MemorySource::MemorySource;
  Result<void> capture(const Operation& op, capture::Sink& sink) override {
    Operation deaf = op;
    deaf.stop = {};
    return MemorySource::capture(deaf, sink);
  }
};

class KeepsForeignRows final : public MemorySource {
 public:
  using MemorySource::MemorySource;
  Result<RestoreReport> restore(const Operation& op, capture::Feed& feed,
                                const RestoreOptions& options) override {
    const Rows before = system_.rows;
    const bool marked = system_.marker.has_value();
    TRY(auto report, MemorySource::restore(op, feed, options));
    if (!marked) system_.rows.insert(before.begin(), before.end());
    return report;
  }
};

class KeepsOnlyNames final : public MemorySource {
 public:
  using MemorySource::MemorySource;
  Result<RestoreReport> restore(const Operation& op, capture::Feed& feed,
                                const RestoreOptions& options) override {
    TRY(auto report, MemorySource::restore(op, feed, options));
    for (auto& [name, kept] : system_.kept) kept.rows = system_.rows;
    return report;
  }
};

class VerifyIsAlwaysOk final : public MemorySource {
 public:
  using MemorySource::MemorySource;
  Result<std::vector<Check>> verify(const Operation& op, capture::Feed& feed) override {
    TRY(auto checks, MemorySource::verify(op, feed));
    for (Check& check : checks) check.ok = true;
    return checks;
  }
};

class FingerprintIsConstant final : public MemorySource {
 public:
  using MemorySource::MemorySource;
  Result<std::string> fingerprint(const Operation&) override { return std::string("5e1f"); }
};

class LosesTheLastByte final : public MemorySource {
 public:
  using MemorySource::MemorySource;
  Result<RestoreReport> restore(const Operation& op, capture::Feed& feed,
                                const RestoreOptions& options) override {
    TRY(auto report, MemorySource::restore(op, feed, options));
    system_.rows["stock"].clear();
    return report;
  }
};

struct Broken {
  std::string name;
  std::function<std::unique_ptr<World>()> world;
  std::string told;  // part of one violation
  friend void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }
};

class BrokenSource : public testing::TestWithParam<Broken> {};

TEST_P(BrokenSource, FailsTheContractForItsFault) {
  const auto world = GetParam().world();
  EXPECT_THAT(violated_checks(*world), testing::Contains(testing::HasSubstr(GetParam().told)));
}

INSTANTIATE_TEST_SUITE_P(
    Source, BrokenSource,
    testing::Values(
        Broken{"NeverCommits", world_of<NeverCommits>, "committed nothing"},
        Broken{"CommitsAfterStop", world_of<CommitsAfterStop>, "was committed"},
        Broken{"KeepsForeignRows", world_of<KeepsForeignRows>,
               "ForeignDataIsKeptAsideWhenAsked: verify after foreign data was kept aside"},
        Broken{"KeepsOnlyNames", world_of<KeepsOnlyNames>,
               "ForeignDataIsKeptAsideWhenAsked: what was kept aside as 'memory_before_run-1' is "
               "not what was there"},
        Broken{"VerifyIsAlwaysOk", world_of<VerifyIsAlwaysOk>,
               "verify after an alteration is green"},
        Broken{"FingerprintIsConstant", world_of<FingerprintIsConstant>,
               "the fingerprint is the same after an alteration"},
        Broken{"LosesTheLastByte", world_of<LosesTheLastByte>,
               "is not that of the captured system"}),
    [](const auto& parameter) { return parameter.param.name; });

TEST(MemorySource, RestoresOnlyWhatWasAskedFor) {
  SystemClock clock;
  const Operation op{&clock};
  MemorySystem from;
  from.rows = {{"a", "1"}, {"b", "2"}, {"b/c", "3"}};
  capture::MemoryCapture sink;
  ASSERT_TRUE(MemorySource(from, clock).capture(op, sink));
  MemorySystem to;
  RestoreOptions options;
  options.marker.run = "run-1";
  options.only = {"b"};
  const auto feed = sink.feed();
  ASSERT_TRUE(MemorySource(to, clock).restore(op, *feed, options));
  EXPECT_EQ(to.rows, (Rows{{"b", "2"}, {"b/c", "3"}}));
}

}  // namespace
}  // namespace lifeboat::source
