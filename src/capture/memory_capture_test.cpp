// The memory capture passes the contract of sinks, and broken variants of it do not.
#include "capture/memory_capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "capture/sink_contract.h"

namespace lifeboat::capture {
namespace {

enum class Fault { none, loses_holes, forgets_unchanged_metadata, accepts_any_order };

// A capture that passes everything on but for its fault.
class FaultySink final : public Sink {
 public:
  FaultySink(MemoryCapture& sink, Fault fault) : sink_(sink), fault_(fault) {}
  Result<void> begin(const Operation& op, const Item& item, Cut cut) override {
    const auto begun = sink_.begin(op, item, cut);
    return fault_ == Fault::accepts_any_order ? Result<void>() : begun;
  }
  Result<void> write(const Operation& op, ByteView bytes) override {
    return sink_.write(op, bytes);
  }
  Result<void> hole(const Operation& op, std::uint64_t length_bytes) override {
    return fault_ == Fault::loses_holes ? op.proceed() : sink_.hole(op, length_bytes);
  }
  Result<void> finish(const Operation& op, const Item& item) override {
    return sink_.finish(op, item);
  }
  Result<std::optional<Item>> previous(const Operation& op, std::string_view name) override {
    TRY(last_, sink_.previous(op, name));
    return last_;
  }
  Result<void> unchanged(const Operation& op, const Item& item) override {
    const bool old = fault_ == Fault::forgets_unchanged_metadata && last_;
    return sink_.unchanged(op, old ? *last_ : item);
  }
  Result<void> commit(const Operation& op, const Moments& moments) override {
    return sink_.commit(op, moments);
  }

 private:
  MemoryCapture& sink_;
  Fault fault_;
  std::optional<Item> last_;
};

class MemoryWorld final : public SinkWorld {
 public:
  explicit MemoryWorld(Fault fault = Fault::none) : fault_(fault) {}
  const Clock& clock() override { return clock_; }
  std::unique_ptr<Sink> sink() override {
    MemoryCapture::Options options;
    options.previous = last();
    captures_.push_back(std::make_unique<MemoryCapture>(options));
    return std::make_unique<FaultySink>(*captures_.back(), fault_);
  }
  std::shared_ptr<Feed> feed() override { return last() == nullptr ? nullptr : last()->feed(); }

 private:
  const MemoryCapture* last() const {
    const MemoryCapture* found = nullptr;
    for (const auto& capture : captures_) {
      if (capture->committed()) found = capture.get();
    }
    return found;
  }
  SystemClock clock_;
  Fault fault_;
  std::vector<std::unique_ptr<MemoryCapture>> captures_;
};

LIFEBOAT_SINK_CONTRACT(MemoryCaptureContract, [] { return std::make_unique<MemoryWorld>(); });

class BrokenSink : public testing::TestWithParam<Fault> {};

TEST_P(BrokenSink, FailsTheContract) {
  std::vector<std::string> violations;
  for (const SinkCheck& check : sink_contract()) {
    MemoryWorld world(GetParam());
    for (const std::string& each : check.violations(world)) violations.push_back(each);
  }
  EXPECT_THAT(violations, testing::Not(testing::IsEmpty()));
}

INSTANTIATE_TEST_SUITE_P(Sink, BrokenSink,
                         testing::Values(Fault::loses_holes, Fault::forgets_unchanged_metadata,
                                         Fault::accepts_any_order));

TEST(MemoryCapture, FailsAfterSoManyBytesWithTheErrorThatWasAskedFor) {
  const SystemClock clock;
  const Operation op{&clock};
  MemoryCapture::Options options;
  options.fail_after_bytes = 10;
  options.failure = {Error::Kind::denied, "disk full", "", Error::Code::no_space};
  MemoryCapture sink(options);
  Item item;
  item.name = "a";
  ASSERT_TRUE(sink.begin(op, item));
  EXPECT_TRUE(sink.write(op, as_bytes("0123456789")));
  const auto failed = sink.write(op, as_bytes("x"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().effective_code(), Error::Code::no_space);
  EXPECT_FALSE(sink.committed());
  EXPECT_EQ(sink.feed(), nullptr);
}

}  // namespace
}  // namespace lifeboat::capture
