// backup/moment_sink.h - A sink that notices when the moment of a capture is safe from change.
//
// That is at the first item of a source that holds its moment itself, and at commit() for all
// others. If what had to stand still had been thawed before, the capture may mix moments: it is
// committed as partial, with the reason.
//
// Threads: as every sink.  Ownership: the inner sink outlives it.
#pragma once

#include <functional>
#include <string>

#include "capture/sink.h"

namespace lifeboat::backup {

class MomentSink final : public capture::Sink {
 public:
  struct Watch {
    bool holds_its_moment = false;
    std::function<bool()> holding;  // is all frozen that should be?
    std::function<void()> safe;     // called once
  };
  MomentSink(capture::Sink& inner, Watch watch) : inner_(inner), watch_(std::move(watch)) {}

  Result<void> begin(const Operation& op, const capture::Item& item, capture::Cut cut) override {
    if (watch_.holds_its_moment) reached();
    return inner_.begin(op, item, cut);
  }
  Result<void> write(const Operation& op, ByteView bytes) override {
    return inner_.write(op, bytes);
  }
  Result<void> hole(const Operation& op, std::uint64_t length_bytes) override {
    return inner_.hole(op, length_bytes);
  }
  Result<void> finish(const Operation& op, const capture::Item& item) override {
    return inner_.finish(op, item);
  }
  Result<std::optional<capture::Item>> previous(const Operation& op,
                                                std::string_view name) override {
    return inner_.previous(op, name);
  }
  Result<void> unchanged(const Operation& op, const capture::Item& item) override {
    if (watch_.holds_its_moment) reached();
    return inner_.unchanged(op, item);
  }
  Result<void> commit(const Operation& op, const capture::Moments& moments) override {
    reached();
    if (!thawed_early_) return inner_.commit(op, moments);
    capture::Moments told = moments;
    told.partial = true;
    told.remarks.insert(told.remarks.begin(),
                        "thawed before the capture was over: it may mix moments (hook's limit)");
    return inner_.commit(op, told);
  }

  bool thawed_early() const { return thawed_early_; }

 private:
  void reached() {
    if (reached_) return;
    reached_ = true;
    thawed_early_ = !watch_.holding();
    watch_.safe();
  }

  capture::Sink& inner_;
  const Watch watch_;
  bool reached_ = false, thawed_early_ = false;
};

}  // namespace lifeboat::backup
