// steps/http/http_step.h - The verbs of a step that is a list of requests.
//
// Requests are sent in order, each only when all before it were answered as expected; one with
// `within` is asked again every second until it is. Where all of them are safe, observe() and
// verify() ask them anew. A list with another one has an effect that nothing tells afterwards:
// observe() answers absent, apply() sends the list once, and verify() tells what was answered then;
// only after a crash in between verify() sends it again.
//
// Threads: as Step.
#pragma once

#include <memory>
#include <string>

#include "plan/step.h"

namespace lifeboat::steps {

struct HttpStepKind {
  std::string type;  // the word of plan files, for errors
  // Like a person with a browser: keeps cookies, has an eye on the time (`budget` of a request and
  // of all; outputs `latencies_ms`, `total_ms`), and says who it is in the header `request_id`.
  bool visitor = false;
};

// `config` was validated with the words of steps/http/words.h.
std::unique_ptr<plan::Step> make_http_step(HttpStepKind kind, const Value& config,
                                           plan::StepContext& context);

}  // namespace lifeboat::steps
