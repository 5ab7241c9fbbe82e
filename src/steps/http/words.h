// steps/http/words.h - The words of a request in a plan, for every step type that sends some.
//
// Threads: immutable.
#pragma once

#include <string>
#include <vector>

#include "plan/step.h"

namespace lifeboat::steps {

// What one request says: method, url, path, headers, body, what is expected, `save`, `within`.
// `type` is the step type's name, for errors.
std::vector<Field> words_of_request(const std::string& type);
// What holds for all requests of a step: outputs, secrets, user, password, ca_file, timeout.
std::vector<Field> words_of_all_requests();

// Changes nothing: GET, HEAD, and what the plan says so of (`safe`).
bool is_safe(const Value& request);
// Where requests that change something go, without what may be a secret.
std::vector<std::string> effects_of_requests(const Value& config);

// The requests of a list can be sent: there are some, each with a URL.  Errors: invalid (usage).
Result<void> requests_fit(const std::string& type, const Value& config);
Error wrong_words(const std::string& type, const std::string& what, const std::string& hint);

}  // namespace lifeboat::steps
