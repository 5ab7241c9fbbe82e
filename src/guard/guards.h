// guard/guards.h - The kinds of guards: how the identity of each sort of system is read.
//
// Every kind only reads, with rights as small as can be, and answers what the system says of itself
// rather than a name or an address that a wrong target could share. What a copy says is what its
// original says, though: a physical copy of a database (a replica, a snapshot of its volume) has
// the same system identifier, a fork or mirror of a repository begins with the same commit. `host`
// and `file` are as unique as people made them.
//
// Threads: functions; what they answer is a plain value.  Contract: plan/guard.h.
#pragma once

#include "plan/guard.h"

namespace lifeboat::guards {

plan::GuardKind aws_account_guard();  // the number of the account that our credentials belong to
plan::GuardKind file_guard();         // what a small file of this machine holds
plan::GuardKind git_guard();          // the commit that a repository's history begins with
plan::GuardKind git_ref_guard();      // the commit that a ref of a repository is at
plan::GuardKind host_guard();         // the name of the machine that the run is driven from
plan::GuardKind postgres_guard();     // the system identifier that initdb gave a cluster
plan::GuardKind rabbitmq_guard();     // the id that a cluster got at its first boot

}  // namespace lifeboat::guards
