// source/rabbitmq/borrowed_rights.h - Rights that a restore takes for its work, and gives back.
//
// To declare a queue and to ask one takes rights in its virtual host, of an administrator too; and
// the broker gives all rights to whoever makes a virtual host. What its user had there before, or
// shall have, is written into the marker on the broker first: whoever goes on after a kill gives it
// back, under whichever login.
//
// Threads: one restore.  Ownership: broker, captured and marker outlive it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "source/rabbitmq/broker.h"

namespace lifeboat::source::rabbitmq {

class BorrowedRights {
 public:
  // `me`: the user that the broker is asked as. `marker`: of this restore; its `owed` is kept here.
  BorrowedRights(Broker& broker, std::string me, const Topology& captured, BrokerMarker& marker)
      : broker_(&broker), me_(std::move(me)), captured_(&captured), marker_(&marker) {}

  // Before a virtual host is made that is not in `live`.  Errors: as Broker::write_marker().
  Result<void> owe(const Operation& op, const std::string& vhost, const Topology& live);
  // A virtual host that is there runs, and we have all rights in it until they are given back.
  // Nothing when it was entered before.  Errors: as Broker::run_vhost(), write_marker() and put().
  Result<void> enter(const Operation& op, const std::string& vhost, const Topology& live);
  // Whatever ended the restore, even a cancel: it has ten seconds of its own. Remarks: on rights
  // that could not be given back, and why; they stay owed.
  std::vector<std::string> give_back(const Operation& op);

 private:
  Broker* broker_;
  std::string me_;
  const Topology* captured_;
  BrokerMarker* marker_;
  std::set<std::string> entered_;
};

}  // namespace lifeboat::source::rabbitmq
