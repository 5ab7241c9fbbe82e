#include "client/process/spec.h"

#include <cstdlib>

namespace lifeboat::process {
namespace {

void put_number(Bytes& out, std::uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8) {
    out.push_back(static_cast<std::uint8_t>(number >> shift));
  }
}
void put_text(Bytes& out, std::string_view text) {
  put_number(out, text.size());
  append(out, as_bytes(text));
}
void put_map(Bytes& out, const std::map<std::string, std::string>& map) {
  put_number(out, map.size());
  for (const auto& [key, value] : map) {
    put_text(out, key);
    put_text(out, value);
  }
}

// Reads what was put; `good` turns false for good at the first thing that is not there.
struct Decoder {
  ByteView rest;
  bool good = true;

  std::uint64_t number() {
    if (rest.size() < 8) {
      good = false;
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) value |= std::uint64_t{rest[i]} << (8 * i);
    rest = rest.subspan(8);
    return value;
  }
  std::string text() {
    const std::uint64_t size = number();
    if (size > rest.size()) {
      good = false;
      return {};
    }
    std::string value(as_text(rest.first(size)));
    rest = rest.subspan(size);
    return value;
  }
  std::map<std::string, std::string> map() {
    std::map<std::string, std::string> out;
    for (std::uint64_t count = number(); good && count > 0; --count) {
      std::string key = text();
      out[std::move(key)] = text();
    }
    return out;
  }
};

}  // namespace

Bytes encode_spec(const Spec& spec) {
  Bytes out;
  put_text(out, spec.program);
  put_number(out, spec.argv.size());
  for (const std::string& argument : spec.argv) put_text(out, argument);
  put_map(out, spec.env);
  put_map(out, spec.secret_files);
  put_text(out, spec.directory);
  put_text(out, spec.home);
  put_number(out, spec.may_leave_daemons ? 1 : 0);
  put_number(out, static_cast<std::uint64_t>(spec.launcher_pid));
  return out;
}

std::optional<Spec> decode_spec(ByteView bytes) {
  Decoder in{bytes};
  Spec spec;
  spec.program = in.text();
  for (std::uint64_t count = in.number(); in.good && count > 0; --count) {
    spec.argv.push_back(in.text());
  }
  spec.env = in.map();
  spec.secret_files = in.map();
  spec.directory = in.text();
  spec.home = in.text();
  spec.may_leave_daemons = in.number() == 1;
  spec.launcher_pid = static_cast<int>(in.number());
  if (!in.good || !in.rest.empty()) return std::nullopt;
  return spec;
}

Report parse_report(std::string_view text) {
  Report report;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, space);
    const std::string rest(line.substr(std::min(space + 1, line.size())));
    const std::size_t second = std::min(rest.find(' '), rest.size());
    if (word == "started") report.started = true;
    if (word == "end") report.ended = true;
    if (word == "status") report.status = std::atoi(rest.c_str());
    if (word == "failed") {
      report.failure = std::atoi(rest.c_str());
      report.failed_step = rest.substr(std::min(second + 1, rest.size()));
    }
    if (word == "left") {
      report.left.push_back(
          {std::atoi(rest.c_str()), rest.substr(std::min(second + 1, rest.size()))});
    }
  }
  return report;
}

}  // namespace lifeboat::process
