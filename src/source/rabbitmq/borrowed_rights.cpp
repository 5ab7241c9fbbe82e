#include "source/rabbitmq/borrowed_rights.h"

#include <fmt/format.h>

#include "base/bytes.h"

namespace lifeboat::source::rabbitmq {
namespace {

constexpr auto patience = std::chrono::seconds(10);

Value all_rights() {
  Value all{Value::Map{}};
  for (const char* right : {"configure", "write", "read"}) all.set(right, ".*");
  return all;
}

}  // namespace

Result<void> BorrowedRights::owe(const Operation& op, const std::string& vhost,
                                 const Topology& live) {
  Value& owed = marker_->owed.map()[me_];
  if (!owed.is(Value::Type::map)) owed = Value(Value::Map{});
  if (owed.has(vhost)) return {};
  const bool existed = live.contains({Kind::vhost, vhost, ""});
  const Topology& right = existed ? live : *captured_;
  const auto permission = right.find({Kind::permission, vhost, me_});
  owed.set(vhost, permission == right.end() ? Value() : permission->second);
  return broker_->write_marker(op, *marker_);
}

Result<void> BorrowedRights::enter(const Operation& op, const std::string& vhost,
                                   const Topology& live) {
  if (!entered_.insert(vhost).second) return {};
  TRY_DO(broker_->run_vhost(op, vhost));
  const ObjectKey key{Kind::permission, vhost, me_};
  const auto has = live.find(key);
  if (has != live.end() && has->second == all_rights()) return {};
  TRY_DO(owe(op, vhost, live));
  return broker_->put(op, key, all_rights());
}

std::vector<std::string> BorrowedRights::give_back(const Operation& op) {
  const Operation patient = Operation{op.clock}.within(patience);
  std::vector<std::string> remarks;
  Value still{Value::Map{}};
  for (const auto& [user, owed] : marker_->owed.map()) {
    if (!owed.is(Value::Type::map)) continue;
    for (const auto& [vhost, permission] : owed.map()) {
      const ObjectKey key{Kind::permission, vhost, user};
      const auto done = permission.is_null() ? broker_->remove(patient, key, Value())
                                             : broker_->put(patient, key, permission);
      if (done) continue;
      still.map()[user].set(vhost, permission);
      remarks.push_back(fmt::format("{} was given all rights in virtual host {} and keeps them: {}",
                                    printable(user), printable(vhost), done.error().what));
    }
  }
  marker_->owed = std::move(still);
  return remarks;
}

}  // namespace lifeboat::source::rabbitmq
