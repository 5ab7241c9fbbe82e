// repo/writer_session.h - The Session that writes: one pack writer, shared by its sinks.
//
// Threads: as Session.
#pragma once

#include "repo/pack_writer.h"
#include "repo/session.h"

namespace lifeboat::repo {

// What a session and its sinks hold together.
struct Visit {
  Visit(std::shared_ptr<Core> its_core, const Id& its_id)
      : core(std::move(its_core)), id(its_id), writer(core, id) {}

  // Makes everything durable, then the snapshot visible. Fills slot, writer, host, stored bytes.
  Result<void> commit(const Operation& op, Snapshot& snapshot,
                      const std::atomic<std::uint64_t>& stored);

  const std::shared_ptr<Core> core;
  const Id id;
  PackWriter writer;
};

class WriterSession final : public Session {
 public:
  static Result<std::unique_ptr<Session>> open(const Operation& op, std::shared_ptr<Core> core);
  explicit WriterSession(std::shared_ptr<Visit> visit) : visit_(std::move(visit)) {}

  Result<std::unique_ptr<SnapshotSink>> snapshot(const Operation& op,
                                                 const SnapshotDraft& draft) override;
  Result<Point> commit_point(const Operation& op, const PointDraft& draft) override;
  Result<RunRecord> announce_run(const Operation& op, const std::string& run,
                                 const std::string& plan) override;
  Result<void> forget_kept(const Operation& op, const Id& snapshot) override;
  Result<void> close(const Operation& op) override;

 private:
  const std::shared_ptr<Visit> visit_;
  std::atomic<bool> closed_ = false;
};

}  // namespace lifeboat::repo
