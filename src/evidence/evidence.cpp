#include "evidence/evidence.h"

#include <fmt/format.h>

#include <algorithm>

#include "evidence/document.h"
#include "evidence/manifest.h"
#include "evidence/pages.h"
#include "journal/objects.h"
#include "journal/segment.h"
#include "run/state.h"
#include "schema/json.h"

namespace lifeboat::evidence {
namespace {

constexpr std::string_view object_kind = "run-evidence";
constexpr std::int64_t object_version = 1;
constexpr std::size_t object_bytes_max = 256u << 20;

std::string prefix_of(const std::string& run) { return "runs/" + run + "/evidence/"; }

journal::Event event_of(const Sealed& sealed) {
  Value facts;
  facts.set("number", sealed.number);
  facts.set("manifest", sealed.manifest);
  facts.set("outcome", sealed.outcome);
  return {std::string(sealed_event), std::move(facts), {}, 0};
}

Sealed sealed_from(const journal::Event& event) {
  return {static_cast<std::uint64_t>(event.facts.integer("number", 0)),
          event.facts.text("manifest"), event.facts.text("outcome"), event.time, false};
}

Files files_of(const Account& account, repo::Repository& repository) {
  const Document document = make_document(account);
  Files files;
  const std::string json = to_json(document.value);
  files["evidence.json"] = to_bytes(json);
  // From the bytes that are signed: what had to be replaced in them is so everywhere.
  const auto again = parse_json(json, {64, object_bytes_max});
  const Value& shown = again ? *again : document.value;
  files["evidence.html"] = to_bytes(html_page(shown));
  files["evidence.md"] = to_bytes(markdown_page(shown));
  for (std::size_t i = 0; i < document.plans.size(); ++i) {
    files[plan_file(i)] = to_bytes(document.plans[i]);
  }
  const Manifest about{
      account.outcome.state.pins.run, account.repository, rfc3339(account.made), {}, {}};
  sign_files(files, repository, about, account.maker.operator_key);
  return files;
}

// Puts the bundle under the next number; nobody knows of it before its event is written.
Result<std::uint64_t> put_bundle(const Operation& op, repo::Repository& repository,
                                 const std::string& run, const Files& files) {
  Value body, contents = Value::Map{};
  for (const auto& [name, bytes] : files) contents.set(name, to_base64(bytes));
  body.set("version", object_version);
  body.set("run", run);
  body.set("files", std::move(contents));
  const std::string plain = to_json(body);
  const std::string prefix = prefix_of(run);
  for (;;) {
    TRY(const std::uint64_t number, journal::first_absent(op, repository.store(), prefix));
    const std::string name = prefix + journal::number_hex(number);
    TRY(const Bytes sealed, repository.seal(object_kind, name, as_bytes(plain)));
    TRY(const bool ours, journal::put_settled(op, repository.store(), name, sealed));
    if (ours) return number;
  }
}

Result<Account> account_of(const Operation& op, repo::Repository& repository,
                           const journal::Journal& journal, const Maker& maker) {
  Account account;
  account.events = journal.events();
  TRY(auto state, run::replay(account.events));
  account.outcome = {std::move(state), journal.freshness_proven(), std::nullopt};
  account.segments = journal.segments();
  TRY(const Bytes last,
      repository.store().get(op, journal::segment_name(journal.run(), account.segments - 1)));
  account.head = crypt::sha256(last).hex();
  account.repository = to_hex(repository.signer().repository);
  account.made = op.clock->wall();
  account.maker = maker;
  return account;
}

bool lost_the_segment(const Result<void>& written) {
  return !written && written.error().effective_code() == Error::Code::lease_held;
}

}  // namespace

std::vector<Sealed> sealed_in(const std::vector<journal::Event>& events) {
  std::vector<Sealed> found;
  for (const journal::Event& event : events) {
    if (event.kind == sealed_event) found.push_back(sealed_from(event));
  }
  return found;
}

bool lacks_evidence(const std::vector<journal::Event>& events) {
  bool lacks = false;
  for (const journal::Event& event : events) {
    // One that gave way to another run has nothing to show.
    if (event.kind == "run.end") lacks = event.facts.text("outcome") != "withdrawn";
    if (event.kind == "driver.joined" || event.kind == sealed_event) lacks = false;
  }
  return lacks;
}

Result<std::optional<Sealed>> seal_run(const Operation& op, repo::Repository& repository,
                                       const std::string& run, const Maker& maker) {
  for (;;) {
    TRY_DO(op.proceed());
    TRY(const auto journal, journal::Journal::open(op, repository, run, maker.driver));
    const auto events = journal->events();
    TRY(const auto state, run::replay(events));
    if (!state.end || state.withdrawn()) return std::optional<Sealed>();
    if (!lacks_evidence(events)) return std::optional(sealed_in(events).back());
    TRY(const Account account, account_of(op, repository, *journal, maker));
    const Files files = files_of(account, repository);
    Sealed made{0, crypt::sha256(files.at(std::string(manifest_file))).hex(), state.end->outcome,
                account.made, true};
    TRY(made.number, put_bundle(op, repository, run, files));
    const auto written = journal->append(op, {event_of(made)});
    // Somebody was faster: with evidence of the same end, or by going on with the run.
    if (lost_the_segment(written)) continue;
    TRY_DO(written);
    return std::optional(made);
  }
}

Result<Files> read_sealed(const Operation& op, repo::Repository& repository, const std::string& run,
                          const Sealed& sealed) {
  const std::string name = prefix_of(run) + journal::number_hex(sealed.number);
  const auto broken = [&](std::string_view what) {
    return fail(Error::Kind::corrupt, fmt::format("{}: {}", name, what),
                "fetch this object from a second copy of the repository", Error::Code::integrity);
  };
  TRY(const Bytes stored, repository.store().get(op, name));
  TRY(const Bytes plain, repository.unseal(object_kind, name, stored));
  TRY(const Value body, parse_json(as_text(plain), {64, object_bytes_max}));
  if (body.integer("version", 0) > object_version) {
    return fail(Error::Kind::invalid, name + ": made by a newer version",
                "use the Lifeboat version that made it, or a newer one",
                Error::Code::version_too_new);
  }
  if (body.text("run") != run || !body.at("files").is(Value::Type::map)) {
    return broken("holds no evidence of this run");
  }
  Files files;
  for (const auto& [file, text] : body.at("files").map()) {
    auto bytes = from_base64(body.at("files").text(file));
    if (!bytes) return broken("is no bundle");
    files[file] = *std::move(bytes);
  }
  const auto manifest = files.find(std::string(manifest_file));
  if (manifest == files.end() || crypt::sha256(manifest->second).hex() != sealed.manifest) {
    return broken("is not the bundle that the journal names");
  }
  return files;
}

}  // namespace lifeboat::evidence
