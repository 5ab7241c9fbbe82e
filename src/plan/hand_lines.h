// plan/hand_lines.h - Parts of lines that a person types, which steps and guards have in common:
// files of one's own, and programs with a login that is in no argument.
//
// Threads: as the ByHand.
#pragma once

#include <string>

#include "plan/by_hand.h"

namespace lifeboat::plan {

// A file of this step in the working folder, as a word.
std::string work_file(const ByHand& hand, const std::string& name);
// `keep`s a text there and answers the file's word; `text` is a word.
std::string kept(ByHand& hand, const std::string& name, const std::string& text);
// "PGPASSWORD=... psql ... -d URL" of `url` and `password`: for a statement to follow.
std::string psql(const Value& config, ByHand& hand);
// "curl -sS --cacert FILE --config LOGIN" of `user`, `password` and `ca_file`; guest without them.
std::string curl_with_login(const Value& config, ByHand& hand);
// "git", told user and password through its environment where there is a password.
std::string git_with_login(const Value& user, const Value& password, ByHand& hand);

}  // namespace lifeboat::plan
