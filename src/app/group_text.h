// app/group_text.h - What a recovery point tells of its consistency groups, for people and scripts.
//
// Threads: plain functions.
#pragma once

#include <string>

#include "repo/records.h"
#include "schema/value.h"

namespace lifeboat::app {

// "group shop: skew 1.2 s of 2 s", "group shop: NOT CONSISTENT, skew 3 s, allowed 2 s"; printable.
std::string group_line(const repo::GroupMoment& group);
Value group_value(const repo::GroupMoment& group);

}  // namespace lifeboat::app
