#include "repo/log_record.h"

#include <algorithm>
#include <limits>

namespace lifeboat::repo {
namespace {

constexpr std::uint64_t first_optional_kind = 64;
constexpr std::uint32_t tag_group = 64;  // of a point; earlier versions pass over it

enum Kind : std::uint64_t {
  kind_open = 1,
  kind_close = 2,
  kind_snapshot = 3,
  kind_point = 4,
  kind_run = 5,
  kind_forget = 6,
};

Bytes encode_group(const GroupMoment& group) {
  Writer out;
  out.text(1, group.name);
  for (const std::string& source : group.sources) out.message(2, as_bytes(source));
  if (group.skew) out.uint(3, static_cast<std::uint64_t>(group.skew->count()) + 1);
  out.uint(4, static_cast<std::uint64_t>(group.max_skew.count()));
  out.flag(5, group.consistent);
  out.text(6, group.reason);
  return out.take();
}

Result<GroupMoment> decode_group(ByteView encoded) {
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  Fields fields(encoded);
  GroupMoment group;
  group.name = fields.text(1);
  while (const auto source = fields.message(2)) group.sources.emplace_back(as_text(*source));
  const std::uint64_t skew_and_one = fields.uint(3), allowed = fields.uint(4);
  if (skew_and_one > most || allowed > most) fields.refuse("has a skew that is no time");
  if (skew_and_one > 0) group.skew = std::chrono::nanoseconds(skew_and_one - 1);
  group.max_skew = std::chrono::nanoseconds(allowed);
  group.consistent = fields.flag(5);
  group.reason = fields.text(6);
  TRY_DO(fields.done("group of a point"));
  return group;
}

struct Encoder {
  std::uint64_t kind = 0;
  Writer out;

  void operator()(const SessionOpen& body) {
    kind = kind_open;
    out.id(1, body.domain);
    out.text(2, body.host);
    out.text(3, body.program);
  }
  void operator()(const SessionClose& body) {
    kind = kind_close;
    out.id(1, body.session);
  }
  void operator()(const SnapshotCommit& body) {
    kind = kind_snapshot;
    const Snapshot& it = body.snapshot;
    out.id(1, it.id);
    encode_about(out, it.about, 2);
    out.message(7, encode_moments(it.moments, remarks_in_log));
    out.text(8, it.host);
    out.sint(9, it.clock_offset_ns);
    out.uint(10, it.items);
    out.uint(11, it.size_bytes);
    out.uint(12, it.stored_bytes);
    out.id(13, it.previous);
    out.uint(14, body.index_segments);
  }
  void operator()(const PointCommit& body) {
    kind = kind_point;
    const Point& it = body.point;
    out.id(1, it.id);
    for (const Member& member : it.about.members) {
      Writer encoded;
      encoded.text(1, member.source);
      encoded.id(2, member.snapshot);
      encoded.text(3, member.reason);
      encoded.flag(4, member.partial);
      out.message(2, encoded.view());
    }
    out.id(3, it.about.bundle);
    out.flag(4, it.about.complete);
    out.flag(5, it.about.verified);
    out.sint(6, it.earliest.ns);
    out.sint(7, it.latest.ns);
    for (const GroupMoment& group : it.about.groups) {
      out.message(tag_group, encode_group(group));
    }
  }
  void operator()(const RunAnnounced& body) {
    kind = kind_run;
    out.text(1, body.run.run);
    out.text(2, body.run.plan);
  }
  void operator()(const Forget& body) {
    kind = kind_forget;
    out.id(1, body.snapshot);
    out.text(2, body.reason);
  }
  void operator()(const Optional& body) { kind = body.kind; }
};

Result<LogBody> decode_snapshot(Fields& fields) {
  SnapshotCommit body;
  Snapshot& it = body.snapshot;
  it.id = fields.id(1);
  it.about = decode_about(fields, 2);
  TRY(it.moments, decode_moments(fields.message(7), remarks_in_log));
  it.host = fields.text(8);
  it.clock_offset_ns = fields.sint(9);
  it.items = fields.uint(10);
  it.size_bytes = fields.uint(11);
  it.stored_bytes = fields.uint(12);
  it.previous = fields.optional_id(13);
  body.index_segments = fields.uint(14);
  return body;
}

Result<LogBody> decode_point(Fields& fields) {
  PointCommit body;
  Point& it = body.point;
  it.id = fields.id(1);
  while (const auto encoded = fields.message(2)) {
    Fields entry(*encoded);
    Member member;
    member.source = entry.text(1);
    member.snapshot = entry.optional_id(2);
    member.reason = entry.text(3);
    member.partial = entry.flag(4);
    TRY_DO(entry.done("member of a point"));
    it.about.members.push_back(std::move(member));
  }
  it.about.bundle = fields.optional_id(3);
  it.about.complete = fields.flag(4);
  it.about.verified = fields.flag(5);
  it.earliest.ns = fields.sint(6);
  it.latest.ns = fields.sint(7);
  while (const auto encoded = fields.message(tag_group)) {
    TRY(GroupMoment group, decode_group(*encoded));
    it.about.groups.push_back(std::move(group));
  }
  return body;
}

Result<LogBody> decode_body(std::uint64_t kind, Fields& fields) {
  switch (kind) {
    case kind_open: {
      SessionOpen body;
      body.domain = fields.id(1);
      body.host = fields.text(2);
      body.program = fields.text(3);
      return body;
    }
    case kind_close:
      return SessionClose{fields.id(1)};
    case kind_snapshot:
      return decode_snapshot(fields);
    case kind_point:
      return decode_point(fields);
    case kind_run: {
      RunAnnounced body;
      body.run.run = fields.text(1);
      body.run.plan = fields.text(2);
      return body;
    }
    case kind_forget: {
      Forget body;
      body.snapshot = fields.id(1);
      body.reason = fields.text(2);
      return body;
    }
    default:
      return fail(Error::Kind::invalid, "log record of a kind that this version does not know",
                  "use the newest lifeboat: a later version wrote this repository",
                  Error::Code::version_too_new);
  }
}

}  // namespace

void encode_about(Writer& to, const SnapshotDraft& about, std::uint32_t first_tag) {
  to.uint(first_tag, static_cast<std::uint64_t>(about.kind));
  to.text(first_tag + 1, about.source);
  to.text(first_tag + 2, about.source_type);
  to.text(first_tag + 3, about.run);
  to.map(first_tag + 4, about.facts);
}

SnapshotDraft decode_about(Fields& from, std::uint32_t first_tag) {
  SnapshotDraft about;
  const std::uint64_t kind = from.uint(first_tag);
  if (kind < 1 || kind > 3) from.refuse("is of an unknown kind of snapshot");
  about.kind = static_cast<SnapshotKind>(kind);
  about.source = from.text(first_tag + 1);
  about.source_type = from.text(first_tag + 2);
  about.run = from.text(first_tag + 3);
  about.facts = from.map(first_tag + 4);
  return about;
}

Bytes encode_moments(const capture::Moments& moments, std::size_t remarks_most) {
  Writer out;
  out.sint(1, moments.begin.ns);
  out.sint(2, moments.consistent_at.ns);
  out.sint(3, moments.end.ns);
  out.text(4, moments.position);
  const std::size_t count = moments.remarks.size();
  const std::size_t kept = count > remarks_most ? remarks_most - 1 : count;
  for (std::size_t i = 0; i < kept; ++i) out.message(5, as_bytes(moments.remarks[i]));
  if (kept < count) {
    out.message(5, as_bytes("and " + std::to_string(count - kept) + " more remarks"));
  }
  out.flag(6, moments.partial);
  out.map(7, moments.facts);
  return out.take();
}

Result<capture::Moments> decode_moments(std::optional<ByteView> message, std::size_t remarks_most) {
  if (!message) return fail(Error::Kind::corrupt, "moments of a snapshot are missing");
  Fields fields(*message);
  capture::Moments moments;
  moments.begin.ns = fields.sint(1);
  moments.consistent_at.ns = fields.sint(2);
  moments.end.ns = fields.sint(3);
  moments.position = fields.text(4);
  while (const auto remark = fields.message(5)) moments.remarks.emplace_back(as_text(*remark));
  moments.partial = fields.flag(6);
  moments.facts = fields.map(7);
  if (moments.remarks.size() > remarks_most) fields.refuse("have too many remarks");
  TRY_DO(fields.done("moments of a snapshot"));
  return moments;
}

Bytes encode(const LogRecord& record) {
  Encoder body;
  std::visit(body, record.body);
  Writer out;
  out.uint(1, record.slot);
  out.id(2, record.previous);
  out.id(3, record.writer);
  out.uint(4, record.sequence);
  out.id(5, record.session);
  out.uint(6, body.kind);
  out.sint(7, record.time.ns);
  out.message(8, record.attempt);
  out.message(9, body.out.view());
  out.uint(10, record.epoch);
  return out.take();
}

Result<LogRecord> decode_log_record(ByteView message) {
  Fields fields(message);
  LogRecord record;
  record.slot = fields.uint(1);
  record.previous = fields.id(2);
  record.writer = fields.id(3);
  record.sequence = fields.uint(4);
  record.session = fields.id(5);
  const std::uint64_t kind = fields.uint(6);
  record.time.ns = fields.sint(7);
  record.attempt = fields.array<16>(8);
  const auto body = fields.message(9);
  record.epoch = fields.uint(10);
  if (!body) fields.refuse("has no body");
  TRY_DO(fields.done("log record"));
  if (kind >= first_optional_kind) {
    record.body = Optional{kind};
    return record;
  }
  Fields inner(*body);
  TRY(record.body, decode_body(kind, inner));
  TRY_DO(inner.done("log record's body"));
  return record;
}

}  // namespace lifeboat::repo
