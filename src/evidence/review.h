// evidence/review.h - What a run taught, and whether somebody has dealt with it.
//
// After a run there is a review: findings, each with an owner and a date, open until somebody
// closes it with a reason. Some follow from the facts of the run by themselves (a missed objective,
// a step that was left out: evidence/findings.h) and are open without anybody's doing; people add
// others, give them to somebody, and close them. Open findings lower the readiness of a platform.
//
// What people say is kept beside the run as words, in order and never changed (journal/requests.h).
// Replaying them is the review. Of a run that has operators nobody's words count but theirs, and
// those of operators whom later runs of the platform have: people come and go. Without operators
// whoever opens the repository may say something; what was said so stays when operators come.
//
// Threads: functions.  Source: docs/format.md, "Reviews".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "crypt/crypt.h"
#include "repo/repository.h"

namespace lifeboat::evidence {

// Who says it, and when.
struct Said {
  std::string by;          // the operator's name where the signature is theirs, else as they say
  std::string key;         // that signed it; "" = not signed
  bool is_signed = false;  // by an operator of the run, or of a later one
  WallTime time;
};

struct Finding {
  std::string id;  // "1", "2", ... of people; of facts as FactFinding::id
  std::string text;
  std::string owner;  // "" = nobody yet
  std::optional<WallTime> due;
  bool from_facts = false;
  std::optional<Said> opened;  // of people
  std::optional<Said> closed;
  std::string reason;  // why it was closed
  bool open() const { return !closed; }
  bool overdue(WallTime now) const { return open() && due && due->ns < now.ns; }
};

struct Review {
  std::string run, plan;
  bool ended = false;
  std::vector<Finding> findings;     // those of facts first
  std::vector<std::string> refused;  // words that have no effect, one line each
};
// Errors: as run::read_run(); unavailable.
Result<Review> read_review(const Operation& op, repo::Repository& repository,
                           const std::string& run);

// What a person says of a review.
struct Remark {
  std::string action;   // "add", "assign", "close"
  std::string finding;  // assign, close: its id
  std::string text;     // add
  std::string owner;    // add, assign
  std::string due;      // add, assign: a day, or RFC 3339
  std::string reason;   // close
  std::string by;       // where it is not signed
};
// Keeps it; durable when it answers the id of the finding.
// Errors: conflict with code refused (the run, or the newest one of the platform, has operators,
// and none of them signs); invalid with code usage (a word is missing, a date is none, no such
// finding, closed already); not_found; unavailable.
Result<std::string> remark(const Operation& op, repo::Repository& repository,
                           const std::string& run, const Remark& said,
                           const std::optional<crypt::SigningKey>& key);

struct OpenFinding {
  std::string run, plan;
  Finding finding;
};
struct OpenFindings {
  std::vector<OpenFinding> findings;    // of all runs, oldest run first
  std::vector<std::string> unreadable;  // runs whose journal or review cannot be read, and why
};
// For readiness. Errors: unavailable, cancelled.
Result<OpenFindings> open_findings(const Operation& op, repo::Repository& repository);

}  // namespace lifeboat::evidence
