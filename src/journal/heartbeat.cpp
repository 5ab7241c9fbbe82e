#include "journal/heartbeat.h"

#include <algorithm>

#include "crypt/crypt.h"
#include "journal/objects.h"
#include "journal/segment.h"
#include "schema/json.h"

namespace lifeboat::journal {
namespace {

constexpr std::string_view released_kind = "run-released";

constexpr std::string_view heartbeats = "heartbeats/";

std::string prefix_of(const std::string& run) { return std::string(heartbeats) + run + "/"; }

// The name is of the driver's making: its digest is a name of ours.
std::string released_name(const std::string& run, const Driver& driver) {
  return "runs/" + run + "/released/" + crypt::sha256(as_bytes(driver.id)).hex();
}

Result<std::optional<std::uint64_t>> newest(const Operation& op, store::Store& store,
                                            const std::string& prefix) {
  TRY(const auto names, store.list(op, prefix));
  std::optional<std::uint64_t> found;
  for (const std::string& name : names) {
    const auto number = number_from_hex(std::string_view(name).substr(prefix.size()));
    if (number) found = std::max(found.value_or(0), *number);
  }
  return found;
}

}  // namespace

Heart::Heart(repo::Repository& repository, std::string run, Driver driver)
    : repository_(repository), run_(std::move(run)), driver_(std::move(driver)) {}

Result<void> Heart::beat(const Operation& op) {
  const std::string prefix = prefix_of(run_);
  std::optional<std::uint64_t> before = last_;
  if (!before) {
    TRY(before, newest(op, repository_.store(), prefix));
  }
  std::uint64_t number = before ? *before + 1 : 0;
  Value value;
  value.set("driver", to_value(driver_));
  value.set("run", run_);
  const std::string plain = to_json(value);
  for (bool ours = false; !ours; ++number) {
    const std::string name = prefix + number_hex(number);
    TRY(const Bytes sealed, repository_.seal(heartbeat_kind, name, as_bytes(plain)));
    TRY(ours, put_settled(op, repository_.store(), name, sealed));
    if (ours) last_ = number;
  }
  if (before) TRY_DO(repository_.store().remove(op, prefix + number_hex(*before)));
  return {};
}

Result<void> Heart::stop(const Operation& op) {
  if (!last_) return {};
  return repository_.store().remove(op, prefix_of(run_) + number_hex(*last_));
}

Result<void> let_go(const Operation& op, repo::Repository& repository, const std::string& run,
                    const Driver& driver) {
  Value value;
  value.set("driver", to_value(driver));
  value.set("run", run);
  const std::string name = released_name(run, driver);
  TRY(const Bytes sealed, repository.seal(released_kind, name, as_bytes(to_json(value))));
  TRY_DO(put_settled(op, repository.store(), name, sealed));
  return {};
}

Result<bool> has_let_go(const Operation& op, repo::Repository& repository, const std::string& run,
                        const Driver& driver) {
  const std::string name = released_name(run, driver);
  const auto sealed = repository.store().get(op, name);
  if (!sealed && sealed.error().kind == Error::Kind::not_found) return false;
  if (!sealed) return fail(sealed.error());
  return repository.unseal(released_kind, name, *sealed).has_value();
}

Result<std::set<std::string>> runs_with_heartbeats(const Operation& op,
                                                   repo::Repository& repository) {
  TRY(const auto names, repository.store().list(op, std::string(heartbeats)));
  std::set<std::string> runs;
  for (const std::string& name : names) {
    const std::string below = name.substr(heartbeats.size());
    runs.insert(below.substr(0, below.find('/')));
  }
  return runs;
}

Result<std::optional<Beat>> last_beat(const Operation& op, repo::Repository& repository,
                                      const std::string& run) {
  const std::string prefix = prefix_of(run);
  TRY(const auto number, newest(op, repository.store(), prefix));
  if (!number) return std::optional<Beat>();
  const std::string name = prefix + number_hex(*number);
  auto sealed = repository.store().get(op, name);
  // Gone between our two looks: its driver has just written the next one.
  if (!sealed && sealed.error().kind == Error::Kind::not_found) {
    return std::optional<Beat>(Beat{*number + 1, {}});
  }
  if (!sealed) return fail(sealed.error());
  // Whoever can write to the store could put one that says nothing: its number alone is a sign, and
  // a liveness hint that cannot be read must not stand in the way of a recovery.
  const auto plain = repository.unseal(heartbeat_kind, name, *sealed);
  if (!plain) return std::optional<Beat>(Beat{*number, {}});
  const auto value = parse_json(as_text(*plain));
  if (!value) return std::optional<Beat>(Beat{*number, {}});
  return std::optional<Beat>(Beat{*number, driver_from(value->at("driver"))});
}

}  // namespace lifeboat::journal
