#include "source/source.h"

#include "schema/json.h"

namespace lifeboat::source {

std::string Marker::text() const {
  Value value;
  value.set("lifeboat", 1);
  value.set("run", run);
  value.set("step", step);
  value.set("generation", generation);
  value.set("snapshot", snapshot);
  value.set("done", done);
  return to_json(value);
}

std::optional<Marker> Marker::parse(std::string_view text) {
  const JsonLimits limits{.depth = 4, .size_bytes = 64u << 10};
  const Result<Value> value = parse_json(text, limits);
  if (!value || !value->is(Value::Type::map)) return std::nullopt;
  const auto is = [&](std::string_view key, Value::Type type) { return value->at(key).is(type); };
  if (!is("lifeboat", Value::Type::integer) || value->at("lifeboat").integer() != 1 ||
      !is("run", Value::Type::string) || !is("step", Value::Type::string) ||
      !is("generation", Value::Type::integer) || value->at("generation").integer() < 0 ||
      !is("snapshot", Value::Type::string) || !is("done", Value::Type::boolean)) {
    return std::nullopt;
  }
  Marker marker;
  marker.run = value->at("run").string();
  marker.step = value->at("step").string();
  marker.generation = static_cast<std::uint64_t>(value->at("generation").integer());
  marker.snapshot = value->at("snapshot").string();
  marker.done = value->at("done").boolean();
  return marker;
}

}  // namespace lifeboat::source
