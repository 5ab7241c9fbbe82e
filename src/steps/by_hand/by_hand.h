// steps/by_hand/by_hand.h - What a person types instead of each step type, for runbooks.
//
// One function for each type that changes or looks at something; the types name them in their
// StepType::by_hand. Lines that look are checks that fail: a person sees `ok` or `DIFFERS`, a
// script an exit status. Rules for what a line may hold: plan/by_hand.h.
//
// Threads: any; pure.
#pragma once

#include <string>

#include "plan/by_hand.h"
#include "plan/hand_lines.h"

namespace lifeboat::steps::by_hand {

void exec(const Value& config, plan::ByHand& hand);
void restore(const Value& config, plan::ByHand& hand);
void compare(const Value& config, plan::ByHand& hand);
void sql(const Value& config, plan::ByHand& hand);
void postgres_roles(const Value& config, plan::ByHand& hand);
void rabbitmq_users(const Value& config, plan::ByHand& hand);
void git_edit(const Value& config, plan::ByHand& hand);
void requests(const Value& config, plan::ByHand& hand);  // http-check and journey
void notify(const Value& config, plan::ByHand& hand);
void wait(const Value& config, plan::ByHand& hand);
void dns_check(const Value& config, plan::ByHand& hand);
void tls_check(const Value& config, plan::ByHand& hand);
void file_check(const Value& config, plan::ByHand& hand);

// What to do about each class of error of a step of this type.
void troubles(plan::ByHand& hand);
// "/a/b": a path into a JSON file, for the function `value`.
std::string pointer(const std::vector<std::string>& path);
// One part of a URL's path, percent-encoded.
std::string url_part(const std::string& text);
// A file that the configuration names, as a word: relative paths are below the bundle's folder.
std::string local_file(const Value& path, plan::ByHand& hand);
// "same NAME WANTED what is at PLACE in the JSON of FILE"; `name` and `file` are words. Null is
// wanted where nothing may be.
std::string same_json(const std::string& name, const Value& wanted, const std::string& file,
                      const std::string& place, plan::ByHand& hand);
// Whole seconds of a duration of the configuration, at least one.
std::string seconds_of(const Value& config, std::string_view field, std::string_view fallback);

}  // namespace lifeboat::steps::by_hand
