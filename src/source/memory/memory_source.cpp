#include "source/memory/memory_source.h"

#include "capture/partial_feed.h"

namespace lifeboat::source {
namespace {

using capture::Item;

Result<std::string> content(const Operation& op, capture::Feed& feed, const Item& item) {
  TRY(const auto reader, feed.open(op, item));
  std::string text;
  Bytes buffer(4096);
  for (;;) {
    TRY(const std::size_t count, reader->read(op, buffer));
    if (count == 0) return text;
    text.append(as_text(ByteView(buffer).first(count)));
  }
}

std::string row_count(std::size_t count) { return std::to_string(count) + " rows"; }

}  // namespace

Result<void> MemorySource::preflight(const Operation& op) { return op.proceed(); }

Result<void> MemorySource::capture(const Operation& op, capture::Sink& sink) {
  TRY_DO(op.proceed());
  capture::Moments moments;
  moments.begin = moments.consistent_at = clock_.wall();
  for (const auto& [name, text] : system_.rows) {
    Item item;
    item.name = name;
    TRY_DO(sink.begin(op, item));
    TRY_DO(sink.write(op, as_bytes(text)));
    item.size_bytes = text.size();
    TRY_DO(sink.finish(op, item));
  }
  TRY_DO(op.proceed());
  moments.end = clock_.wall();
  moments.facts["rows"] = std::to_string(system_.rows.size());
  return sink.commit(op, moments);
}

Result<TargetState> MemorySource::target(const Operation& op) {
  TRY_DO(op.proceed());
  TargetState state;
  state.identity = system_.identity;
  state.summary = row_count(system_.rows.size());
  state.marker = system_.marker;
  if (system_.marker) {
    state.occupancy = Occupancy::ours;
  } else {
    state.occupancy = system_.rows.empty() ? Occupancy::empty : Occupancy::foreign;
  }
  return state;
}

// Leaves the system empty, or fails and leaves it alone.
Result<void> MemorySource::make_room(const RestoreOptions& options, RestoreReport& report) {
  const auto& marker = system_.marker;
  const bool ours =
      marker && marker->run == options.marker.run && marker->step == options.marker.step;
  if (!ours && (marker || !system_.rows.empty())) {
    if (options.foreign == Foreign::refuse) {
      return fail(Error::Kind::conflict,
                  system_.identity + ": holds " + row_count(system_.rows.size()) +
                      " that this run did not put there",
                  "name an empty target, or ask for keep_aside", Error::Code::refused);
    }
    const std::string name = system_.identity + "_before_" + options.marker.run;
    system_.kept[name] = {options.marker.run, system_.rows};
    report.kept_aside.push_back(name);
  }
  system_.rows.clear();
  return {};
}

Result<RestoreReport> MemorySource::restore(const Operation& op, capture::Feed& feed,
                                            const RestoreOptions& options) {
  TRY_DO(op.proceed());
  RestoreReport report;
  TRY_DO(make_room(options, report));
  system_.marker = options.marker;
  system_.marker->done = false;
  TRY(const auto cursor, feed.items(op));
  for (;;) {
    TRY(const auto item, cursor->next(op));
    if (!item) break;
    if (!capture::selected(item->name, options.only, false)) continue;
    TRY(system_.rows[item->name], content(op, feed, *item));
    ++report.items;
    report.bytes += item->size_bytes;
    if (options.progress) options.progress(report.bytes, report.bytes);
  }
  TRY_DO(op.proceed());
  system_.marker->done = true;
  return report;
}

Result<std::vector<Check>> MemorySource::verify(const Operation& op, capture::Feed& feed) {
  std::vector<Check> checks;
  std::size_t captured = 0;
  TRY(const auto cursor, feed.items(op));
  for (;;) {
    TRY(const auto item, cursor->next(op));
    if (!item) break;
    ++captured;
    TRY(const std::string expected, content(op, feed, *item));
    const auto row = system_.rows.find(item->name);
    const std::string actual = row == system_.rows.end() ? "absent" : row->second;
    checks.push_back({"row " + printable(item->name), printable(expected), printable(actual),
                      row != system_.rows.end() && row->second == expected});
  }
  checks.push_back({"number of rows", std::to_string(captured), std::to_string(system_.rows.size()),
                    captured == system_.rows.size()});
  return checks;
}

Result<std::string> MemorySource::fingerprint(const Operation& op) {
  TRY_DO(op.proceed());
  std::string all;
  for (const auto& [name, text] : system_.rows) {
    all += std::to_string(name.size()) + ":" + name + std::to_string(text.size()) + ":" + text;
  }
  return to_hex(as_bytes(all));
}

Result<std::vector<Kept>> MemorySource::kept(const Operation& op) {
  TRY_DO(op.proceed());
  std::vector<Kept> all;
  for (const auto& [name, each] : system_.kept) {
    all.push_back({name, each.run, row_count(each.rows.size())});
  }
  return all;
}

Result<void> MemorySource::remove_kept(const Operation& op, const std::string& name) {
  TRY_DO(op.proceed());
  if (system_.kept.erase(name) == 0) {
    return fail(Error::Kind::not_found, system_.identity + ": nothing is kept as '" + name + "'",
                "list what is kept with: lifeboat kept");
  }
  return {};
}

}  // namespace lifeboat::source
