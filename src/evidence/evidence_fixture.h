// evidence/evidence_fixture.h - A run with everything in it that evidence tells, always the same:
// for tests, and for the golden bundle.
//
// A gate that alice opened, a step that was retried with other inputs, one that bob left out, a
// driver that fell silent, losses, secrets behind handles, and texts that try to be markup.
// Threads: pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "crypt/operator_key.h"
#include "evidence/document.h"
#include "evidence/manifest.h"
#include "evidence/pages.h"
#include "run/events.h"
#include "schema/json.h"

namespace lifeboat::evidence {

inline constexpr std::string_view hostile_text =
    "</td><script>alert(1)</script>\x1b[31m \xe2\x80\xae`](javascript:x) | \"'&";

inline crypt::SigningKey key_of(std::uint64_t seed) {
  SeededRandom random(seed);
  return crypt::SigningKey::from(crypt::Key::random(random));
}

class SampleRun {
 public:
  SampleRun() {
    begin();
    drive();
  }
  const std::vector<journal::Event>& events() const { return events_; }
  const run::RunState& state() const { return state_; }

 private:
  static plan::StepNode node(const std::string& name, std::vector<std::string> after = {}) {
    plan::StepNode made;
    made.name = name;
    made.type = "exec";
    made.config.set("host", "${inputs.host}");
    made.after = std::move(after);
    return made;
  }

  static run::Pins pins() {
    run::Pins pins;
    pins.run = "0123456789ab";
    pins.plan.name = "lost";
    pins.plan.scenario = std::string(hostile_text);
    pins.plan.inputs = {{"host", Shape{Shape::Kind::string, {}, {}, {}, false}, "", {}, false}};
    pins.plan.steps = {node("net"), node("db", {"net"}), node("mails", {"net"}),
                       node("traffic", {"db"})};
    pins.plan.steps.front().config = Value::Map{};  // it is done when the input changes
    pins.plan.steps.back().approve =
        plan::ApprovalRule{{"alice"}, 1, std::chrono::hours(1), "Is it the right place?"};
    pins.inputs.set("host", "10.0.0.1");
    pins.inputs.set("token", handle(1));
    pins.sources = Value::Map{};
    pins.bundle = std::string(64, 'b');
    pins.point = {
        std::string(64, 'a'), at(-600), at(-590), true, {{"orders", std::string(64, 'c')}}};
    pins.origin = {at(0), "given by --since"};
    pins.objectives = {std::chrono::minutes(10), std::chrono::minutes(5)};
    pins.version = "0.1.0";
    pins.platform_name = "acme";
    pins.operators = {{"alice", crypt::verify_key_text(key_of(1).verify_key)},
                      {"bob", crypt::verify_key_text(key_of(2).verify_key)}};
    return pins;
  }
  static Value handle(int number) {
    Value value;
    value.set("$vault", "vault/000000000000000" + std::to_string(number));
    return value;
  }
  static WallTime at(std::int64_t seconds) {
    return {1'795'000'000'000'000'000 + seconds * 1'000'000'000};
  }

  void add(std::int64_t seconds, journal::Event event) {
    event.time = at(seconds);
    if (!events_.empty()) run::fold(state_, event);
    events_.push_back(std::move(event));
  }

  void begin() {
    const journal::Driver first{"d1", "laptop", 11, "boot"};
    add(1, run::event::run_begin(pins(), first));
    state_ = *run::replay(events_);
    add(1, run::event::driver_joined(first, ""));
  }

  void step(std::int64_t begun, std::int64_t ended, const std::string& name,
            std::uint64_t generation, const Value& outputs = Value::Map{}) {
    add(begun, run::event::started(name, generation));
    plan::Verification proof;
    proof.checks = {{"answers", "yes", "yes", true}};
    if (name == "db") proof.losses = {"12 rows, written in the last 40 s"};
    if (name == "db") proof.kept_aside = {"orders as orders_aside"};
    add(ended, run::event::done(name, proof, outputs, std::chrono::seconds(ended - begun)));
  }

  void ask(std::int64_t seconds, const std::string& action, const std::string& step,
           const std::string& by, const Value& inputs = {}) {
    run::Request request{"0123456789ab", action, step, std::string(hostile_text), inputs, by, ""};
    request.subject = run::subject_of(state_, step);
    auto asked = run::written(request, key_of(by == "alice" ? 1 : 2), at(seconds - 1), random_);
    asked.number = number_++;
    const auto verdict =
        run::judge(state_, asked, at(seconds), [](const std::string&) { return false; });
    add(seconds, run::event::request_taken(asked, verdict));
  }

  void drive() {
    Value outputs, other;
    outputs.set("address", "10.0.0.0/8");
    outputs.set("password", handle(2));
    step(2, 10, "net", 1, outputs);
    add(11, run::event::started("db", 1));
    add(15, run::event::retry("db", {Error::Kind::unavailable, "db: refused", "", {}},
                              std::chrono::seconds(2)));
    add(20, run::event::failed("db", {Error::Kind::denied, "db: no such host", "", {}}, {},
                               std::chrono::seconds(9)));
    const journal::Driver second{"d2", "other-laptop", 22, "boot"};
    add(60, run::event::driver_joined(second, "silent"));
    ask(61, "approve", "traffic", "bob");  // who may not
    other.set("host", "10.0.0.2");
    ask(70, "retry", "db", "alice", other);
    ask(75, "skip", "mails", "bob");
    step(80, 200, "db", 2);
    add(201, run::event::awaits("traffic"));
    ask(300, "approve", "traffic", "alice");
    step(301, 900, "traffic", 1);
    add(901, run::event::run_end({"partial", {}, std::nullopt}));
  }

  SeededRandom random_{7};
  std::vector<journal::Event> events_;
  run::RunState state_;
  std::uint64_t number_ = 0;
};

inline Account sample_account(repo::Repository& repository) {
  const SampleRun run;
  Account account;
  account.outcome = {run.state(), true, std::nullopt};
  account.events = run.events();
  account.segments = 9;
  account.head = std::string(64, 'd');
  account.repository = to_hex(repository.signer().repository);
  account.made = {1'795'000'902'000'000'000};
  account.maker.version = "0.1.0";
  account.maker.program = std::string(64, 'e');
  account.maker.operator_key = key_of(1);
  account.maker.driver = {"d2", "other-laptop", 22, "boot"};
  return account;
}

// The document's bundle, signed; whatever it says.
inline Files bundle_of(const Document& document, repo::Repository& repository,
                       const std::optional<crypt::SigningKey>& operator_key) {
  Files files;
  files["evidence.json"] = to_bytes(to_json(document.value));
  files["evidence.html"] = to_bytes(html_page(document.value));
  files["evidence.md"] = to_bytes(markdown_page(document.value));
  for (std::size_t i = 0; i < document.plans.size(); ++i) {
    files[plan_file(i)] = to_bytes(document.plans[i]);
  }
  sign_files(files, repository,
             {document.value.text("run"),
              document.value.text("repository"),
              document.value.at("made").text("time"),
              {},
              {}},
             operator_key);
  return files;
}

}  // namespace lifeboat::evidence
