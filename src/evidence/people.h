// evidence/people.h - Whether the people in a bundle said what it tells: offline, from its own
// words.
//
// Each signed request is verified to the letter: key, signature, that the key is the operator's who
// is named, and that the words are what the record says of them. An approval's subject is computed
// again from plan, inputs and recovery point of the bundle. The gates are those of the plan, and no
// step with one may have begun without the approvals that it asks for.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "schema/value.h"

namespace lifeboat::evidence {

struct Approved {
  std::uint64_t request = 0;
  std::string by, step, key;
};
struct PeopleCheck {
  std::vector<Approved> approvals;  // that were taken, and hold
  std::uint64_t signed_requests = 0;
  std::vector<std::string> faults;  // one line each
};
// `plans`: by version, as the files of the bundle hold them; what they hold is compared as it
// stands, not as this program understands it.
PeopleCheck check_people(const Value& document, const std::vector<Value>& plans);

}  // namespace lifeboat::evidence
