// steps/looking_step.h - A step that only looks: the five verbs over one question.
//
// observe() looks once: all as expected is ours_done, everything else absent; that it could not
// look at all, and never will (see may_come()), is an Error. apply() looks again and again until
// all is as expected or its patience ends; it changes nothing. verify() looks anew and turns what
// it saw into checks. Nothing is to be undone.
//
// Threads: as Step.  Ownership: the step owns the question; the context outlives both.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "plan/step.h"

namespace lifeboat::steps {

// What one look saw.
struct Sight {
  std::vector<plan::Check> checks;  // at least one
  Value outputs = Value(Value::Map());
  std::vector<std::string> remarks = {};
  bool good() const;
  void check(std::string name, std::string expected, std::string actual, bool ok) {
    checks.push_back({std::move(name), std::move(expected), std::move(actual), ok});
  }
};

class Question {
 public:
  virtual ~Question() = default;
  // What is looked at, for people: without secrets, printable.
  virtual std::string what() const = 0;
  // Whether the words of the configuration can be right; a reference that is not known yet is null.
  // Errors: invalid.
  virtual Result<void> words() const = 0;
  // Whether the local files that a look needs can be read.  Errors: as check_readable().
  virtual Result<void> files() const { return {}; }
  // One look. Errors: unavailable (no answer: it may come), cancelled; others will never be good.
  virtual Result<Sight> look(const Operation& op) = 0;
};

// Whether time, or a step before it, may mend this: what is left only a person can.
bool may_come(const Error& error);

// How long apply() looks again, and the pauses between, doubled from the first to the longest.
struct Patience {
  std::chrono::nanoseconds within = std::chrono::nanoseconds(0);
  std::chrono::nanoseconds first_pause = std::chrono::seconds(1);
  std::chrono::nanoseconds longest_pause = std::chrono::seconds(1);
};
// From the field `within` of a validated configuration.
Patience patience_of(const Value& config);

std::unique_ptr<plan::Step> make_looking_step(std::unique_ptr<Question> question,
                                              const Patience& patience, plan::StepContext& context);

// A value for a check: printable, at most 200 bytes, never a secret.
std::string shown_value(const Value& value);
// A text from the outside for a check: printable, at most 200 bytes.
std::string shown_text(std::string_view text);

}  // namespace lifeboat::steps
