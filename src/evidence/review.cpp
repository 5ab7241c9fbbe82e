#include "evidence/review.h"

#include <fmt/format.h>

#include <algorithm>

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
Said author_of(const journal::Request& kept, const Value& words, const run::Pins& pins) {
  Said who{words.text("by"), kept.key, false, {words.integer("time", 0)}};
  if (kept.key.empty()) return who;
  const auto key = crypt::verify_key_from(kept.key);
  const auto signature = crypt::signature_from(kept.signature);
  const bool holds =
      key && signature && crypt::verify(*key, signing_context, as_bytes(kept.text), *signature);
  if (!holds) return {"somebody (the signature does not hold)", "", false, who.time};
  who.by = "the holder of " + kept.key;
  for (const auto& [name, text] : pins.operators) {
    if (text != kept.key) continue;
    who.by = name;
    who.is_signed = true;
  }
  return who;
}

void take(Review& review, const journal::Request& kept, const run::Pins& pins) {
  const auto refuse = [&](const std::string& why) {
    review.refused.push_back(fmt::format("remark {}: {}", kept.number, why));
  };
  const auto words = parse_json(kept.text);
  if (!words || words->text("run") != review.run) return refuse("it cannot be read");
  const Remark said = remark_from(*words);
  if (const std::string why = objection(review, said); !why.empty()) return refuse(why);
  follow(review, said, author_of(kept, *words, pins));
}

}  // namespace

Result<Review> read_review(const Operation& op, repo::Repository& repository,
                           const std::string& run) {
  TRY(const run::Outcome outcome, run::read_run(op, repository, run));
  const run::RunState& state = outcome.state;
  Review review{run, state.pins.plan.name, state.end.has_value(), {}, {}};
  for (const FactFinding& fact : findings_of(state, run::make_report(outcome))) {
    Finding finding;
    finding.id = fact.id;
    finding.text = fact.text;
    finding.from_facts = true;
    review.findings.push_back(std::move(finding));
  }
  TRY(const auto kept, journal::words_from(op, repository, run, drawer, 0, remarks_max));
  for (const journal::Request& words : kept) take(review, words, state.pins);
  return review;
}

Result<std::string> remark(const Operation& op, repo::Repository& repository,
                           const std::string& run, const Remark& said,
                           const std::optional<crypt::SigningKey>& key) {
  TRY(Review review, read_review(op, repository, run));
  if (const std::string why = objection(review, said); !why.empty()) {
    return usage(printable(why), "`lifeboat runs review " + run + "` shows what there is");
  }
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
  words.set("nonce", to_hex(repository.environment().random->array<16>()));
  journal::Request kept;
  kept.text = to_json(words);
  if (key) {
    kept.key = crypt::verify_key_text(key->verify_key);
    kept.signature = crypt::signature_text(crypt::sign(*key, signing_context, as_bytes(kept.text)));
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
  for (const repo::RunRecord& record : repository.runs()) {
    TRY_DO(op.proceed());
    auto review = read_review(op, repository, record.run);
    if (!review && review.error().kind == Error::Kind::not_found) continue;  // never begun
    const bool later =
        !review && (is_transient(review.error()) || review.error().kind == Error::Kind::cancelled);
    if (later) return fail(std::move(review).error());
    if (!review) {
      open.unreadable.push_back(record.run + ": " + review.error().what);
      continue;
    }
    for (const Finding& finding : review->findings) {
      if (finding.open()) open.findings.push_back({review->run, review->plan, finding});
    }
  }
  return open;
}

}  // namespace lifeboat::evidence
