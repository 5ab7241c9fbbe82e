#include "source/rabbitmq/stored_definitions.h"

#include <fmt/format.h>

#include "schema/json.h"

namespace lifeboat::source::rabbitmq {
namespace {

using ErrorKind = Error::Kind;
constexpr std::size_t item_limit_bytes = 64u << 20;

Result<std::string> read_item(const Operation& op, capture::Feed& feed, const capture::Item& item) {
  if (item.size_bytes > item_limit_bytes) {
    return fail(ErrorKind::invalid,
                fmt::format("item {} is too large: {} bytes", item.name, item.size_bytes));
  }
  TRY(const auto reader, feed.open(op, item));
  std::string text(item.size_bytes, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    TRY(const std::size_t got,
        reader->read(op,
                     {reinterpret_cast<std::uint8_t*>(text.data()) + have, text.size() - have}));
    if (got == 0) break;
    have += got;
  }
  text.resize(have);
  return text;
}

}  // namespace

Scope Captured::scope() const { return {text_list(manifest.at("vhosts")), {}}; }

Result<Captured> read_capture(const Operation& op, capture::Feed& feed) {
  Captured captured;
  TRY(const auto cursor, feed.items(op));
  for (;;) {
    TRY_DO(op.proceed());
    TRY(const auto item, cursor->next(op));
    if (!item) break;
    TRY(const std::string text, read_item(op, feed, *item));
    ++captured.items;
    captured.bytes += text.size();
    if (item->name == manifest_name) {
      TRY(captured.manifest, parse_json(text));
    } else {
      TRY_DO(from_item(item->name, text, captured.topology));
    }
  }
  if (!captured.manifest.is(Value::Type::map)) {
    return fail(ErrorKind::corrupt, "the capture has no manifest.json: not one of a broker");
  }
  return captured;
}

Value count_kinds(const Topology& topology) {
  std::map<Kind, std::int64_t> counts;
  for (const auto& [key, value] : topology) ++counts[key.kind];
  Value out{Value::Map{}};
  for (const auto& [kind, count] : counts) out.set(std::string(kind_plural(kind)), count);
  return out;
}

std::vector<std::string> text_list(const Value& list) {
  std::vector<std::string> out;
  if (!list.is(Value::Type::list)) return out;
  for (const Value& each : list.list()) out.push_back(each.string());
  return out;
}

}  // namespace lifeboat::source::rabbitmq
