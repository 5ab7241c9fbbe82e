// steps/http/exchange.h - One request of a plan: made of its words, and its answer compared.
//
// Threads: any; the context's rules hold.
#pragma once

#include <string>
#include <vector>

#include "client/http/http.h"
#include "plan/step.h"

namespace lifeboat::steps {

// What has been asked so far.
struct Outcome {
  std::vector<plan::Check> checks;
  Value saved = Value(Value::Map());  // for {{name}} in later requests
  std::vector<std::chrono::nanoseconds> latencies;
  bool good() const;
};

// The request at `place` of the list. `config` holds what is said for all of them; relative paths
// of files are below the bundle. One that changes something carries an Idempotency-Key of run,
// step and place.  Errors: invalid.
Result<HttpRequest> request_of(const Value& config, const Value& request, std::size_t place,
                               const Value& saved, const plan::StepContext& context);

// How people see it: its name in the plan, or method and URL; never a value that was a secret.
std::string name_of_request(const Value& config, const Value& request, const Value& saved);

// Its method and URL, with {{name}} where nothing is saved yet; never a value that was a secret.
std::string line_of_request(const Value& config, const Value& request, const Value& saved);

// Everything that `expect` says becomes one check.  Errors: invalid (a path that is none).
Result<void> compare_answer(const std::string& name, const Value& expected,
                            const HttpResponse& response, Outcome& outcome);

// Keeps what `save` and `take` name. What is not there is a check that failed.
// Errors: invalid (a path that is none).
Result<void> keep_values(const Value& request, const HttpResponse& response,
                         const HttpCookies* cookies, plan::StepContext& context, Outcome& outcome);

// What `outputs` declares of the values that were kept.  Errors: invalid (saved by no request, or
// of another type).
Result<Value> declared_outputs(const std::string& type, const Value& config, const Outcome& outcome,
                               plan::StepContext& context);

}  // namespace lifeboat::steps
