#include "journal/segment.h"

#include <fmt/format.h>

#include "base/guard.h"
#include "schema/json.h"

namespace lifeboat::journal {
namespace {

constexpr JsonLimits limits{.depth = 256, .size_bytes = 64u << 20};

Value to_value(const Event& event) {
  ASSERT(!event.facts.tainted());  // secrets go to the vault; an event is for every holder of a key
  Value value;
  value.set("kind", event.kind);
  value.set("time", event.time.ns);
  value.set("facts", event.facts);
  return value;
}

auto broken(std::string what) {
  return fail(Error::Kind::corrupt, "journal segment: " + std::move(what), "",
              Error::Code::integrity);
}

Result<Event> event_from(const Value& value, std::uint64_t segment) {
  const bool whole = value.at("kind").is(Value::Type::string) &&
                     value.at("time").is(Value::Type::integer) &&
                     (value.at("facts").is(Value::Type::map) || value.at("facts").is_null());
  if (!whole) return broken("an event without kind, time or facts");
  return Event{value.at("kind").string(), value.at("facts"), {value.at("time").integer()}, segment};
}

}  // namespace

std::string number_hex(std::uint64_t number) { return fmt::format("{:016x}", number); }

std::optional<std::uint64_t> number_from_hex(std::string_view text) {
  if (text.size() != 16) return std::nullopt;
  std::uint64_t number = 0;
  for (const char digit : text) {
    const std::size_t value = std::string_view("0123456789abcdef").find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    number = number << 4 | value;
  }
  return number;
}

std::string segment_name(const std::string& run, std::uint64_t number) {
  return "runs/" + run + "/" + number_hex(number);
}

Value to_value(const Driver& driver) {
  Value value;
  value.set("id", driver.id);
  value.set("host", driver.host);
  value.set("pid", driver.pid);
  value.set("boot", driver.boot);
  return value;
}

Driver driver_from(const Value& value) {
  return {value.text("id"), value.text("host"), static_cast<int>(value.integer("pid", 0)),
          value.text("boot")};
}

Bytes encode(const Segment& segment) {
  Value value;
  value.set("version", segment_version);
  value.set("run", segment.run);
  value.set("number", segment.number);
  value.set("previous", segment.previous ? segment.previous->hex() : std::string());
  value.set("driver", to_value(segment.driver));
  Value::List events;
  for (const Event& event : segment.events) events.push_back(to_value(event));
  value.set("events", std::move(events));
  return to_bytes(to_json(value));
}

Result<Segment> decode(ByteView plain) {
  auto parsed = parse_json(as_text(plain), limits);
  if (!parsed) return broken(parsed.error().what);
  const Value& value = *parsed;
  if (!value.at("version").is(Value::Type::integer)) return broken("no version");
  if (value.at("version").integer() > segment_version) {
    return fail(Error::Kind::invalid,
                fmt::format("the run was written in journal version {}, this program reads {}",
                            value.at("version").integer(), segment_version),
                "use the Lifeboat version that began the run, or a newer one",
                Error::Code::version_too_new);
  }
  const bool whole =
      value.at("run").is(Value::Type::string) && value.at("number").is(Value::Type::integer) &&
      value.at("previous").is(Value::Type::string) && value.at("driver").is(Value::Type::map) &&
      value.at("events").is(Value::Type::list);
  if (!whole) return broken("a field is missing or of the wrong type");
  Segment segment{value.text("run"),
                  static_cast<std::uint64_t>(value.at("number").integer()),
                  std::nullopt,
                  driver_from(value.at("driver")),
                  {}};
  if (const std::string& previous = value.at("previous").string(); !previous.empty()) {
    const auto bytes = from_hex(previous);
    segment.previous = bytes ? Id::from(*bytes) : std::nullopt;
    if (!segment.previous) return broken("the previous hash is no hash");
  }
  for (const Value& item : value.at("events").list()) {
    TRY(auto event, event_from(item, segment.number));
    segment.events.push_back(std::move(event));
  }
  return segment;
}

}  // namespace lifeboat::journal
