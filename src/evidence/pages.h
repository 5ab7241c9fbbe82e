// evidence/pages.h - Evidence for people: evidence.html and evidence.md, both from evidence.json.
//
// The HTML page needs nothing but itself: no script (its content policy forbids all), no address,
// styles for print. Whatever the record holds is text in it. Threads: pure functions.
#pragma once

#include <string>

#include "schema/value.h"

namespace lifeboat::evidence {

std::string html_page(const Value& document);
std::string markdown_page(const Value& document);

}  // namespace lifeboat::evidence
