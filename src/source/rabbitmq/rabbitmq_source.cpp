#include "source/rabbitmq/rabbitmq_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "capture/item.h"
#include "crypt/crypt.h"
#include "schema/json.h"
#include "source/rabbitmq/borrowed_rights.h"
#include "source/rabbitmq/lost_messages.h"
#include "source/rabbitmq/stored_definitions.h"
#include "source/rabbitmq/working_queues.h"

namespace lifeboat::source {
namespace {

using namespace rabbitmq;  // NOLINT: one concept, two files
using ErrorKind = Error::Kind;

constexpr int most_readings = 6;
constexpr std::size_t remarks_told = 20;  // about transient queues: there may be thousands

// The user that the object belongs to, "" if to none.
std::string user_of(const ObjectKey& key) {
  switch (key.kind) {
    case Kind::user:
    case Kind::permission:
    case Kind::topic_permission:
      return key.name;
    case Kind::user_limit:
      return key.name.substr(0, key.name.rfind('/'));
    default:
      return {};
  }
}

// What every new broker comes with.
bool is_installed_by_default(const ObjectKey& key) {
  return user_of(key) == "guest" || (key.kind == Kind::vhost && key.vhost == "/");
}

std::string names_of(const std::vector<ObjectKey>& keys) {
  constexpr std::size_t shown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(keys.size(), shown); ++i) {
    text += (i == 0 ? "" : ", ") + keys[i].text();
  }
  if (keys.size() > shown) text += fmt::format(" and {} more", keys.size() - shown);
  return text;
}

class RabbitmqSource final : public Source {
 public:
  RabbitmqSource(std::shared_ptr<HttpClient> http, Broker broker, const RabbitmqOptions& options)
      : http_(std::move(http)),
        broker_(std::move(broker)),
        vhosts_(options.vhosts),
        amqp_(options.amqp) {}

  Result<void> preflight(const Operation& op) override {
    TRY(const Seen seen, look(op));
    if (!amqp_.empty()) TRY_DO(broker_.amqp_door(op, amqp_));
    for (const std::string& vhost : vhosts_) {
      if (!seen.live.topology.contains({Kind::vhost, vhost, ""})) {
        return fail(ErrorKind::not_found,
                    fmt::format("{}: there is no virtual host '{}'", broker_.endpoint(), vhost));
      }
    }
    return {};
  }

  Result<void> capture(const Operation& op, capture::Sink& sink) override {
    capture::Moments moments;
    moments.begin = op.clock->wall();
    TRY(Seen seen, read_until_stable(op, moments));
    TRY_DO(count_messages(op, seen.live, moments));
    Topology topology = filtered(seen.live.topology, Scope{vhosts_, {}}, {});
    std::map<std::string, std::string> items = to_items(topology);
    items.emplace(manifest_name, manifest_text(seen.live, topology));
    std::vector<std::pair<std::string, std::string>> ordered(items.begin(), items.end());
    std::sort(ordered.begin(), ordered.end(),
              [](const auto& a, const auto& b) { return capture::name_before(a.first, b.first); });
    for (const auto& [name, text] : ordered) {
      TRY_DO(op.proceed());
      capture::Item item;
      item.name = name;
      TRY_DO(sink.begin(op, item));
      TRY_DO(sink.write(op, as_bytes(text)));
      TRY_DO(sink.finish(op, item));
    }
    tell_facts(seen.live, topology, moments);
    moments.end = op.clock->wall();
    TRY_DO(op.proceed());
    return sink.commit(op, moments);
  }

  Result<TargetState> target(const Operation& op) override {
    TRY(const Seen seen, look(op));
    const Topology topology = filtered(seen.live.topology, Scope{}, seen.left_alone);
    TargetState state;
    state.identity = seen.live.identity;
    const auto queues = std::count_if(topology.begin(), topology.end(), [](const auto& each) {
      return each.first.kind == Kind::queue;
    });
    state.summary = fmt::format("RabbitMQ {} ({}) at {}, {} objects, {} queues", seen.live.version,
                                seen.live.identity, broker_.endpoint(), topology.size(), queues);
    if (seen.live.marker) {
      state.occupancy = Occupancy::ours;
      state.marker = seen.live.marker->marker;
      return state;
    }
    const bool used = std::any_of(topology.begin(), topology.end(), [](const auto& each) {
      return !is_installed_by_default(each.first);
    });
    state.occupancy = used ? Occupancy::foreign : Occupancy::empty;
    return state;
  }

  Result<RestoreReport> restore(const Operation& op, capture::Feed& feed,
                                const RestoreOptions& options) override {
    TRY(const Captured captured, read_capture(op, feed));
    Scope scope = captured.scope();
    scope.only = options.only;
    TRY(Seen seen, look(op));
    TRY_DO(refuse_foreign(captured, seen, scope, options));
    BrokerMarker marker{options.marker, options.only};
    marker.marker.done = false;
    if (seen.live.marker && seen.live.marker->owed.is(Value::Type::map)) {
      marker.owed = seen.live.marker->owed;  // by one that was killed
    }
    TRY_DO(broker_.write_marker(op, marker));
    RestoreReport report;
    report.items = captured.items;
    report.bytes = captured.bytes;
    BorrowedRights rights(broker_, seen.me, captured.topology, marker);
    const auto done = make_equal(op, captured, seen, {scope, report, rights, options.progress});
    std::ranges::move(rights.give_back(op), std::back_inserter(report.remarks));
    TRY_DO(done);
    marker.marker.done = true;
    TRY_DO(broker_.write_marker(op, marker));
    if (options.progress) options.progress(captured.bytes, captured.bytes);
    return report;
  }

  Result<std::vector<Check>> verify(const Operation& op, capture::Feed& feed) override {
    TRY(const Captured captured, read_capture(op, feed));
    TRY(const Seen seen, look(op));
    Scope scope = captured.scope();
    if (seen.live.marker) scope.only = seen.live.marker->only;
    const Topology wanted = filtered(captured.topology, scope, seen.left_alone);
    const Topology live = filtered(seen.live.topology, scope, seen.left_alone);
    const Difference all = difference(wanted, live);
    std::vector<Check> checks;
    checks.push_back(compare_manifest(captured));
    for (const Kind kind : all_kinds()) {
      if (auto check = compare_kind(kind, wanted, all, notes(kind, seen, scope))) {
        checks.push_back(std::move(*check));
      }
    }
    if (auto running = check_that_queues_run(wanted, seen.live)) {
      checks.push_back(*std::move(running));
    }
    return checks;
  }

  Result<std::string> fingerprint(const Operation& op) override {
    TRY(const Seen seen, look(op));
    std::string whole;
    for (const auto& [name, text] :
         to_items(filtered(seen.live.topology, Scope{vhosts_, {}}, seen.left_alone))) {
      whole += name + "\n" + text;
    }
    return crypt::sha256(as_bytes(whole)).hex();
  }

  Result<std::vector<Kept>> kept(const Operation&) override { return std::vector<Kept>{}; }
  Result<void> remove_kept(const Operation&, const std::string& name) override {
    return fail(ErrorKind::not_found, fmt::format("nothing named '{}' is kept in a broker", name),
                "what a restore replaced was captured into the repository: `lifeboat snapshots`");
  }

 private:
  struct Seen {
    LiveBroker live;
    std::string me;
    std::set<std::string> left_alone;  // users that are neither changed nor compared
  };
  // What the parts of one restore share.
  struct Work {
    const Scope& scope;
    RestoreReport& report;
    BorrowedRights& rights;
    std::function<void(std::uint64_t, std::uint64_t)> progress = {};
  };

  Result<Seen> look(const Operation& op) {
    Seen seen;
    TRY(seen.me, broker_.administrator(op));
    TRY(seen.live, broker_.read(op));
    seen.left_alone.insert(seen.me);
    for (const auto& [user, step] : seen.live.step_users) seen.left_alone.insert(user);
    return seen;
  }

  static Topology filtered(const Topology& all, const Scope& scope,
                           const std::set<std::string>& left_alone) {
    Topology some;
    for (const auto& [key, value] : all) {
      if (scope.holds(key) && !left_alone.contains(user_of(key))) some.emplace(key, value);
    }
    return some;
  }

  // The API has no transactions: two equal readings are one moment, that of the first.
  Result<Seen> read_until_stable(const Operation& op, capture::Moments& moments) {
    moments.consistent_at = op.clock->wall();
    TRY(Seen seen, look(op));
    for (int reading = 1; reading < most_readings; ++reading) {
      const WallTime now = op.clock->wall();
      TRY(Seen again, look(op));
      const bool same = again.live.topology == seen.live.topology;
      seen = std::move(again);
      if (same) return seen;
      moments.consistent_at = now;
    }
    moments.partial = true;
    moments.remarks.push_back(
        fmt::format("the definitions changed during each of {} readings: they may mix two moments",
                    most_readings));
    return seen;
  }

  // Only those that are captured, and as exactly as can be.
  Result<void> count_messages(const Operation& op, LiveBroker& live, capture::Moments& moments) {
    live.queues = depths_of(live.queues, vhosts_);
    if (live.queues.empty()) return {};
    const auto door = broker_.amqp_door(op, amqp_);
    if (!door && !amqp_.empty()) return fail(door.error());
    if (!door) {
      moments.remarks.push_back("messages are counted as the queues last told: " +
                                door.error().what + "; " + door.error().hint);
      return op.proceed();
    }
    auto remarks = ask_queues(op, *door, live.queues);
    std::move(remarks.begin(), remarks.end(), std::back_inserter(moments.remarks));
    return op.proceed();
  }

  std::string manifest_text(const LiveBroker& live, const Topology& topology) const {
    Value manifest{Value::Map{}};
    manifest.set("type", "rabbitmq");
    manifest.set("version", live.version);
    manifest.set("identity", live.identity);
    manifest.set("vhosts", Value(Value::List(vhosts_.begin(), vhosts_.end())));
    manifest.set("counts", count_kinds(topology));
    std::uint64_t messages = 0;
    for (const auto& [queue, depth] : live.queues) messages += depth.messages();
    manifest.set("messages_not_captured", messages);
    return to_pretty_json(manifest) + "\n";
  }

  void tell_facts(const LiveBroker& live, const Topology& topology,
                  capture::Moments& moments) const {
    moments.facts["version"] = "RabbitMQ " + live.version;
    moments.facts["identity"] = live.identity;
    const Value counts = count_kinds(topology);
    for (const auto& [kind, count] : counts.map()) {
      moments.facts["count." + kind] = std::to_string(count.integer());
    }
    const std::uint64_t messages = tell_lost(live.queues, moments.facts);
    const std::size_t told = std::min(live.skipped.size(), remarks_told);
    moments.remarks.insert(moments.remarks.end(), live.skipped.begin(),
                           live.skipped.begin() + static_cast<std::ptrdiff_t>(told));
    if (live.skipped.size() > told) {
      moments.remarks.push_back(
          fmt::format("and {} more queues and exchanges of this kind", live.skipped.size() - told));
    }
    if (messages > 0) {
      moments.remarks.push_back(
          fmt::format("{} messages in queues at this moment are not captured", messages));
    }
  }

  Result<void> refuse_foreign(const Captured& captured, const Seen& seen, const Scope& scope,
                              const RestoreOptions& options) const {
    if (options.foreign == Foreign::keep_aside) return {};
    if (seen.live.marker) {
      const Marker& there = seen.live.marker->marker;
      if (there.run == options.marker.run && there.step == options.marker.step) return {};
      return fail(ErrorKind::conflict,
                  fmt::format("{}: was restored by run {}, step {}", broker_.endpoint(), there.run,
                              there.step),
                  "restore into a new broker, or let the plan keep aside what is there",
                  Error::Code::refused);
    }
    const Difference change = difference(filtered(captured.topology, scope, seen.left_alone),
                                         filtered(seen.live.topology, scope, seen.left_alone));
    std::vector<ObjectKey> foreign;
    for (const auto* keys : {&change.extra, &change.different}) {
      std::copy_if(keys->begin(), keys->end(), std::back_inserter(foreign),
                   [](const ObjectKey& key) { return !is_installed_by_default(key); });
    }
    if (foreign.empty()) return {};
    return fail(ErrorKind::conflict,
                fmt::format("{}: holds what is not of this capture: {}", broker_.endpoint(),
                            names_of(foreign)),
                "restore into an empty broker, or let the plan keep aside what is there",
                Error::Code::refused);
  }

  Result<void> remove_surplus(const Operation& op, const Captured& captured, const Seen& seen,
                              const Work& work) {
    const Difference change = difference(filtered(captured.topology, work.scope, seen.left_alone),
                                         filtered(seen.live.topology, work.scope, seen.left_alone));
    std::vector<ObjectKey> surplus = change.extra;
    std::copy_if(change.different.begin(), change.different.end(), std::back_inserter(surplus),
                 [](const ObjectKey& key) {
                   return is_immutable(key.kind) || key.kind == Kind::topic_permission;
                 });
    std::set<std::string> whole_vhosts;
    for (const ObjectKey& key : surplus) {
      if (key.kind == Kind::vhost) whole_vhosts.insert(key.vhost);
    }
    std::sort(surplus.begin(), surplus.end(), std::greater<>());
    for (const ObjectKey& key : surplus) {
      if (key.kind != Kind::vhost && whole_vhosts.contains(key.vhost)) continue;
      const auto queue = seen.live.queues.find({key.vhost, key.name});
      TRY_DO(broker_.remove(op, key, seen.live.topology.at(key)));
      if (key.kind == Kind::queue && queue != seen.live.queues.end() &&
          queue->second.messages() > 0) {
        work.report.remarks.push_back(
            fmt::format("{} was removed with {} messages", key.text(), queue->second.messages()));
      } else if (is_installed_by_default(key) && key.kind != Kind::permission) {
        work.report.remarks.push_back(
            fmt::format("{} of the new broker was removed: the captured one had none", key.text()));
      }
    }
    return {};
  }

  Result<void> make_equal(const Operation& op, const Captured& captured, Seen& seen,
                          const Work& work) {
    TRY_DO(remove_surplus(op, captured, seen, work));
    TRY_DO(remove_silent(op, captured, seen, work));
    TRY(seen, look(op));  // with a queue went its bindings, with a virtual host all
    return put_all(op, captured, seen, work);
  }

  // What a restore of ours that was cut off may have left (working_queues.h).
  Result<void> remove_silent(const Operation& op, const Captured& captured, const Seen& seen,
                             const Work& work) {
    if (!seen.live.marker || seen.live.marker->marker.done) return {};
    for (const auto& [queue, depth] : seen.live.queues) {
      const ObjectKey key{Kind::queue, queue.vhost, queue.name};
      if (!depth.quorum || depth.messages() > 0 || !captured.topology.contains(key)) continue;
      TRY_DO(work.rights.enter(op, queue.vhost, seen.live.topology));
      TRY(const bool serves, broker_.serves(op, queue));
      if (serves) continue;
      TRY_DO(broker_.remove(op, key, Value()));
      work.report.remarks.push_back(key.text() + " served nobody and is made anew");
    }
    return {};
  }

  Result<void> put_all(const Operation& op, const Captured& captured, const Seen& seen,
                       const Work& work) {
    const Topology wanted = filtered(captured.topology, work.scope, seen.left_alone);
    const Difference change =
        difference(wanted, filtered(seen.live.topology, work.scope, seen.left_alone));
    std::vector<ObjectKey> todo = change.missing;
    todo.insert(todo.end(), change.different.begin(), change.different.end());
    std::sort(todo.begin(), todo.end());
    for (std::size_t done = 0; done < todo.size(); ++done) {
      const ObjectKey& key = todo[done];
      const bool is_new =
          key.kind == Kind::vhost && !seen.live.topology.contains({Kind::vhost, key.vhost, ""});
      if (is_new) TRY_DO(work.rights.owe(op, key.vhost, seen.live.topology));
      if (is_immutable(key.kind)) {
        TRY_DO(work.rights.enter(op, key.vhost, seen.live.topology));
      }
      auto put = key.kind == Kind::queue ? make_queue(op, broker_, key, wanted.at(key))
                                         : broker_.put(op, key, wanted.at(key));
      // A shovel without its plugin must not cost the queues; verify tells that it is not there.
      const bool of_a_plugin =
          key.kind == Kind::parameter && !put && put.error().kind == ErrorKind::invalid;
      if (!put && !of_a_plugin) return put;
      if (of_a_plugin) {
        work.report.remarks.push_back(
            fmt::format("not put back: {}; {}", put.error().what, put.error().hint));
      }
      if (work.progress) work.progress(captured.bytes * done / todo.size(), captured.bytes);
    }
    return {};
  }

  static Check compare_manifest(const Captured& captured) {
    Check check;
    check.name = "objects in the capture, by its manifest";
    check.expected = to_json(captured.manifest.at("counts"));
    check.actual = to_json(count_kinds(captured.topology));
    check.ok = check.expected == check.actual;
    return check;
  }

  // What a comparison leaves out, in words.
  static std::string notes(Kind kind, const Seen& seen, const Scope& scope) {
    std::string text;
    const std::string part = scope.text();
    if (!part.empty()) text += fmt::format(" (only {})", part);
    if (kind != Kind::user) return text;
    text += fmt::format(" (besides {}, who logs in here", printable(seen.me));
    for (const auto& [user, step] : seen.live.step_users) {
      if (user != seen.me)
        text += fmt::format(", {}, made by {}", printable(user), printable(step));
    }
    return text + ")";
  }

  static std::optional<Check> compare_kind(Kind kind, const Topology& wanted, const Difference& all,
                                           const std::string& note) {
    const auto of_kind = [kind](const std::vector<ObjectKey>& keys) {
      std::vector<ObjectKey> some;
      std::copy_if(keys.begin(), keys.end(), std::back_inserter(some),
                   [kind](const ObjectKey& key) { return key.kind == kind; });
      return some;
    };
    const auto missing = of_kind(all.missing), different = of_kind(all.different),
               extra = of_kind(all.extra);
    const auto expected = static_cast<std::size_t>(
        std::count_if(wanted.begin(), wanted.end(),
                      [kind](const auto& each) { return each.first.kind == kind; }));
    if (expected == 0 && extra.empty()) return std::nullopt;
    Check check;
    check.name = std::string(kind_plural(kind)) + note;
    check.expected = fmt::format("{} equal", expected);
    check.actual = fmt::format("{} equal", expected - missing.size() - different.size());
    if (!missing.empty()) check.actual += "; missing: " + names_of(missing);
    if (!different.empty()) check.actual += "; different: " + names_of(different);
    if (!extra.empty()) check.actual += "; not captured: " + names_of(extra);
    check.ok = missing.empty() && different.empty() && extra.empty();
    return check;
  }

  std::shared_ptr<HttpClient> http_;
  Broker broker_;
  const std::vector<std::string> vhosts_;
  const std::string amqp_;
};

}  // namespace

Result<std::unique_ptr<Source>> make_rabbitmq_source(std::shared_ptr<HttpClient> http,
                                                     const RabbitmqOptions& options) {
  TRY(Broker broker, Broker::open(*http, options.login));
  return std::make_unique<RabbitmqSource>(std::move(http), std::move(broker), options);
}

}  // namespace lifeboat::source
