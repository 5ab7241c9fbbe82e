#include "repo/log_state.h"

#include <algorithm>

#include "repo/envelope.h"

namespace lifeboat::repo {
namespace {

tl::unexpected<Error> broken(std::uint64_t slot, std::string_view how) {
  return fail(Error::Kind::corrupt, log_path(slot) + ": " + std::string(how),
              "run `lifeboat check`; fetch this object from a second copy of the repository",
              Error::Code::integrity);
}

}  // namespace

std::uint64_t LogState::sequence_of(const Id& writer) const {
  const auto found = sequences_.find(writer);
  return found == sequences_.end() ? 0 : found->second;
}

const SessionState* LogState::session(const Id& session) const {
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? nullptr : &found->second;
}

std::vector<Snapshot> LogState::snapshots() const {
  std::vector<Snapshot> visible;
  for (const Snapshot& snapshot : snapshots_) {
    if (!forgotten_.contains(snapshot.id)) visible.push_back(snapshot);
  }
  return visible;
}

const Snapshot* LogState::find_snapshot(const Id& id) const {
  if (forgotten_.contains(id)) return nullptr;
  const auto found = std::find_if(snapshots_.begin(), snapshots_.end(),
                                  [&](const Snapshot& it) { return it.id == id; });
  return found == snapshots_.end() ? nullptr : &*found;
}

// False: a void record. Only what needs an open session can be void here.
bool LogState::admit(const LogRecord& record) const {
  if (std::holds_alternative<SessionOpen>(record.body) ||
      std::holds_alternative<SessionClose>(record.body) ||
      std::holds_alternative<Optional>(record.body)) {
    return true;
  }
  const SessionState* opened = session(record.session);
  return opened != nullptr && opened->open && opened->writer == record.writer;
}

void LogState::take(const LogRecord& record) {
  struct Taker {
    LogState& state;
    const LogRecord& record;

    void operator()(const SessionOpen& body) {
      state.sessions_.try_emplace(record.session,
                                  SessionState{record.writer, body.domain, body.host, true, 0});
    }
    void operator()(const SessionClose& body) {
      const auto found = state.sessions_.find(body.session);
      if (found != state.sessions_.end()) found->second.open = false;
    }
    void operator()(const SnapshotCommit& body) {
      Snapshot snapshot = body.snapshot;
      snapshot.slot = record.slot;
      snapshot.writer = record.writer;
      state.snapshots_.push_back(std::move(snapshot));
      SessionState& session = state.sessions_.at(record.session);
      session.index_segments = std::max(session.index_segments, body.index_segments);
    }
    void operator()(const PointCommit& body) {
      Point point = body.point;
      point.slot = record.slot;
      point.created = record.time;
      state.points_.push_back(std::move(point));
    }
    void operator()(const RunAnnounced& body) {
      RunRecord run = body.run;
      run.slot = record.slot;
      run.created = record.time;
      state.runs_.push_back(std::move(run));
    }
    void operator()(const Forget& body) { state.forgotten_.insert(body.snapshot); }
    void operator()(const Optional&) {}
  };
  std::visit(Taker{*this, record}, record.body);
}

Result<void> LogState::apply(const KeyTree& keys, const Writers& writers, ByteView stored) {
  const std::uint64_t slot = slots_;
  const Binding binding{ObjectType::log, "log", log_path(slot)};
  TRY(const Opened opened, open_envelope(keys, keys.metadata, binding, stored));
  auto decoded = decode_log_record(opened.message);
  if (!decoded) return wrap(decoded.error(), log_path(slot));
  const LogRecord& record = *decoded;
  if (record.slot != slot) return broken(slot, "says that it is another slot");
  if (record.previous != last_hash_) {
    return broken(slot, "does not follow the record before it: the chain is broken");
  }
  const Certificate* writer = writers.find(record.writer);
  const bool certified = writer != nullptr && (writer->rights & Certificate::may_write) != 0;
  if (certified) {
    TRY_DO(proven_by(writer->verify_key, keys, binding, opened));
    if (record.sequence != sequence_of(record.writer)) {
      return broken(slot, "its writer's sequence has a gap");
    }
  }
  if (certified && admit(record)) {
    take(record);
    ++sequences_[record.writer];
  } else {
    ++voids_;
  }
  ++slots_;
  last_hash_ = crypt::sha256(stored);
  written_ = record.time;
  return {};
}

}  // namespace lifeboat::repo
