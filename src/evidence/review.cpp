#include "evidence/review.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "crypt/operator_key.h"
#include "evidence/findings.h"
#include "journal/requests.h"
#include "run/engine.h"
#include "schema/json.h"

namespace lifeboat::evidence {
namespace {

constexpr journal::Drawer drawer{"review", "run-review"};
// Nothing else that is signed with an operator's key can pass for a remark.
constexpr std::string_view signing_context = "lifeboat/v1/review";
constexpr std::size_t remarks_max = 10'000;
constexpr std::size_t text_bytes_max = 4096;

using Operators = std::map<std::string, std::string>;  // key -> name

// Whose words count.
struct Authority {
  Operators operators;
  bool signed_only = false;  // nobody's but theirs
};

Operators operators_of(const run::Pins& pins) {
  Operators operators;
  for (const auto& [name, key] : pins.operators) operators.emplace(key, name);
  return operators;
}

tl::unexpected<Error> usage(std::string what, std::string hint = {}) {
  return fail(Error::Kind::invalid, std::move(what), std::move(hint), Error::Code::usage);
}

Finding* find(Review& review, const std::string& id) {
  const auto found = std::ranges::find(review.findings, id, &Finding::id);
  return found == review.findings.end() ? nullptr : &*found;
}

Remark remark_from(const Value& words) {
  return {words.text("action"), words.text("finding"), words.text("text"), words.text("owner"),
          words.text("due"),    words.text("reason"),  words.text("by")};
}

// A day is over at its end.
std::optional<WallTime> due_of(const std::string& text) {
  auto time = parse_rfc3339(text);
  constexpr std::size_t day_only = std::string_view("2026-12-31").size();
  if (time && text.size() == day_only) {
    time->ns += std::chrono::nanoseconds(std::chrono::hours(24)).count() - 1;
  }
  return time;
}

// Why a remark cannot be taken; "" = it can.
std::string objection(Review& review, const Remark& said) {
  for (const std::string* text : {&said.text, &said.owner, &said.due, &said.reason, &said.by}) {
    if (text->size() > text_bytes_max) return "one of its words is longer than 4 KiB";
  }
  if (!said.due.empty() && !due_of(said.due)) return "'" + said.due + "' is no date";
  if (said.action == "add") {
    if (said.text.empty()) return "a finding needs a text";
    if (said.owner.empty() || said.due.empty()) return "a finding needs an owner and a due date";
    return "";
  }
  if (said.action != "assign" && said.action != "close") return "this version does not know it";
  const Finding* finding = find(review, said.finding);
  if (finding == nullptr) return "there is no finding '" + said.finding + "'";
  if (!finding->open()) return "finding " + said.finding + " is closed";
  if (said.action == "close") return said.reason.empty() ? "closing it needs a reason" : "";
  return said.owner.empty() || said.due.empty() ? "it needs an owner and a due date" : "";
}

void follow(Review& review, const Remark& said, const Said& who) {
  if (said.action == "add") {
    const auto people = std::ranges::count(review.findings, false, &Finding::from_facts);
    Finding finding;
    finding.id = std::to_string(people + 1);
    finding.text = said.text;
    finding.opened = who;
    review.findings.push_back(std::move(finding));
  }
  Finding& finding = said.action == "add" ? review.findings.back() : *find(review, said.finding);
  if (said.action == "close") {
    finding.closed = who;
    finding.reason = said.reason;
    return;
  }
  finding.owner = said.owner;
  finding.due = due_of(said.due);
}

// Whose words these are.
Said author_of(const journal::Request& kept, const Value& words, const Operators& operators) {
  Said who{words.text("by"), kept.key, false, {words.integer("time", 0)}};
  if (kept.key.empty()) return who;
  const auto key = crypt::verify_key_from(kept.key);
  const auto signature = crypt::signature_from(kept.signature);
  const bool holds =
      key && signature && crypt::verify(*key, signing_context, as_bytes(kept.text), *signature);
  if (!holds) return {"somebody (the signature does not hold)", "", false, who.time};
  const auto found = operators.find(kept.key);
  who.is_signed = found != operators.end();
  who.by = who.is_signed ? found->second : "the holder of " + kept.key;
  return who;
}

// Why it does not count that this one says it; "" = it does.
std::string objection_to(const Said& who, const Authority& authority) {
  if (who.is_signed || !authority.signed_only) return "";
  return who.key.empty()
             ? "this platform has operators: a remark has to be signed with the key of one"
             : "it is signed with a key that is none of the platform's operators";
}

void take(Review& review, const journal::Request& kept, const Authority& authority) {
  const auto refuse = [&](const std::string& why) {
    review.refused.push_back(fmt::format("remark {}: {}", kept.number, why));
  };
  const auto words = parse_json(kept.text);
  if (!words || words->text("run") != review.run) return refuse("it cannot be read");
  const Said who = author_of(kept, *words, authority.operators);
  if (const std::string why = objection_to(who, authority); !why.empty()) return refuse(why);
  const Remark said = remark_from(*words);
  if (const std::string why = objection(review, said); !why.empty()) return refuse(why);
  follow(review, said, who);
}

// A run, and what was said of it.
struct Reading {
  run::Outcome outcome;
  std::vector<journal::Request> kept;
  const run::Pins& pins() const { return outcome.state.pins; }
};

Result<Reading> read(const Operation& op, repo::Repository& repository, const std::string& run) {
  Reading reading;
  TRY(reading.outcome, run::read_run(op, repository, run));
  TRY(reading.kept, journal::words_from(op, repository, run, drawer, 0, remarks_max));
  return reading;
}

bool is_passing(const Error& error) {
  return is_transient(error) || error.kind == Error::Kind::cancelled;
}

// What later runs of the platform say of its operators: people come and go, and who is there now
// deals with what an older run has left. A run that cannot be read names nobody.
struct Later {
  Operators operators;          // of all of them
  bool newest_has_any = false;  // the newest one that can be read
};
Result<Later> later_than(const Operation& op, repo::Repository& repository, const run::Pins& pins) {
  Later later;
  bool newest = true;
  const auto runs = repository.runs();
  for (auto record = runs.rbegin(); record != runs.rend() && record->run != pins.run; ++record) {
    TRY_DO(op.proceed());
    auto read = run::read_run(op, repository, record->run);
    if (!read && is_passing(read.error())) return fail(std::move(read).error());
    if (!read || read->state.pins.platform_name != pins.platform_name) continue;
    if (newest) later.newest_has_any = !read->state.pins.operators.empty();
    newest = false;
    later.operators.merge(operators_of(read->state.pins));
  }
  return later;
}

// Who counted when it was said counts for ever: so it is the run itself that asks for signatures,
// and keys of operators who came later are added to its own.
Authority authority_over(const Reading& reading, Operators later) {
  Authority authority{operators_of(reading.pins()), !reading.pins().operators.empty()};
  authority.operators.merge(later);
  return authority;
}

Review reviewed(const Reading& reading, const Authority& authority) {
  const run::RunState& state = reading.outcome.state;
  Review review{state.pins.run, state.pins.plan.name, state.end.has_value(), {}, {}};
  for (const FactFinding& fact : findings_of(state, run::make_report(reading.outcome))) {
    Finding finding;
    finding.id = fact.id;
    finding.text = fact.text;
    finding.from_facts = true;
    review.findings.push_back(std::move(finding));
  }
  for (const journal::Request& words : reading.kept) take(review, words, authority);
  return review;
}

// The words and who says them, as they are kept.
journal::Request written(const Operation& op, const Remark& said, const std::string& run,
                         Random& random, const std::optional<crypt::SigningKey>& key) {
  Value words;
  words.set("run", run);
  words.set("action", said.action);
  words.set("finding", said.finding);
  words.set("text", said.text);
  words.set("owner", said.owner);
  words.set("due", said.due);
  words.set("reason", said.reason);
  words.set("by", said.by);
  words.set("time", op.clock->wall().ns);
  words.set("nonce", to_hex(random.array<16>()));
  journal::Request made;
  made.text = to_json(words);
  if (key) {
    made.key = crypt::verify_key_text(key->verify_key);
    made.signature = crypt::signature_text(crypt::sign(*key, signing_context, as_bytes(made.text)));
  }
  return made;
}

// Before it is kept: who may say something of a run is for the platform as it is now.
Result<void> prove_author(const Operation& op, repo::Repository& repository, const Reading& reading,
                          const journal::Request& words) {
  TRY(Later later, later_than(op, repository, reading.pins()));
  Authority authority = authority_over(reading, std::move(later.operators));
  authority.signed_only = authority.signed_only || later.newest_has_any;
  const std::string why = objection_to(author_of(words, {}, authority.operators), authority);
  if (why.empty()) return {};
  return fail(Error::Kind::conflict, "not taken: " + why,
              "nothing was changed; --operator-key names the key", Error::Code::refused);
}

}  // namespace

Result<Review> read_review(const Operation& op, repo::Repository& repository,
                           const std::string& run) {
  TRY(const Reading reading, read(op, repository, run));
  const bool by_others = std::ranges::any_of(reading.kept, [&](const journal::Request& words) {
    return !words.key.empty() && !operators_of(reading.pins()).contains(words.key);
  });
  Later later;
  if (by_others) {
    TRY(later, later_than(op, repository, reading.pins()));
  }
  return reviewed(reading, authority_over(reading, std::move(later.operators)));
}

Result<std::string> remark(const Operation& op, repo::Repository& repository,
                           const std::string& run, const Remark& said,
                           const std::optional<crypt::SigningKey>& key) {
  TRY(const Reading reading, read(op, repository, run));
  const auto kept = written(op, said, run, *repository.environment().random, key);
  TRY_DO(prove_author(op, repository, reading, kept));
  TRY(Review review, read_review(op, repository, run));
  if (const std::string why = objection(review, said); !why.empty()) {
    return usage(printable(why), "`lifeboat runs review " + run + "` shows what there is");
  }
  TRY(const std::uint64_t number, journal::put_words(op, repository, run, drawer, kept));
  // Somebody may have said something between our look and our word.
  TRY(const Review after, read_review(op, repository, run));
  const std::string refused = fmt::format("remark {}: ", number);
  for (const std::string& line : after.refused) {
    if (line.starts_with(refused)) return usage(printable(line.substr(refused.size())));
  }
  if (said.action != "add") return said.finding;
  const auto by_us = std::ranges::find_if(after.findings.rbegin(), after.findings.rend(),
                                          [&](const Finding& it) { return it.text == said.text; });
  return by_us == after.findings.rend() ? said.finding : by_us->id;
}

Result<OpenFindings> open_findings(const Operation& op, repo::Repository& repository) {
  OpenFindings open;
  std::map<std::string, Operators> later;  // by platform
  const auto runs = repository.runs();
  for (auto record = runs.rbegin(); record != runs.rend(); ++record) {
    TRY_DO(op.proceed());
    auto reading = read(op, repository, record->run);
    if (!reading && reading.error().kind == Error::Kind::not_found) continue;  // never begun
    if (!reading && is_passing(reading.error())) return fail(std::move(reading).error());
    if (!reading) {
      open.unreadable.push_back(record->run + ": " + reading.error().what);
      continue;
    }
    Operators& known = later[reading->pins().platform_name];
    const Authority authority = authority_over(*reading, known);
    known.merge(operators_of(reading->pins()));
    const Review review = reviewed(*reading, authority);
    std::vector<OpenFinding> of_run;
    for (const Finding& finding : review.findings) {
      if (finding.open()) of_run.push_back({review.run, review.plan, finding});
    }
    open.findings.insert(open.findings.begin(), of_run.begin(), of_run.end());
  }
  std::ranges::reverse(open.unreadable);
  return open;
}

}  // namespace lifeboat::evidence
