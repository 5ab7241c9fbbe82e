// plan/hand_tools.h - The shell functions that lines typed by hand call (HandTool).
//
// They are for a POSIX shell; their variables have no `_`, so that none is one of the page's.
//
// Threads: any; pure.
#pragma once

#include <set>
#include <string>

#include "plan/by_hand.h"

namespace lifeboat::plan {

// Their definitions, in an order of their own.
std::string functions_of(const std::set<HandTool>& tools);
// Whether one of them runs python3.
bool any_wants_python(const std::set<HandTool>& tools);

}  // namespace lifeboat::plan
