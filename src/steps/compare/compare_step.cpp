#include "steps/compare/compare_step.h"

#include <algorithm>

#include "base/bytes.h"
#include "steps/by_hand/by_hand.h"
#include "steps/looking_step.h"
#include "steps/restore/target_system.h"

namespace lifeboat::steps {
namespace {

constexpr std::size_t remarks_max = 50;

class CompareQuestion final : public Question {
 public:
  CompareQuestion(const RestoreWorld& world, Value config, plan::StepContext& context)
      : world_(world), config_(std::move(config)), context_(context) {}

  std::string what() const override { return shown_text(name()) + " against the recovery point"; }

  Result<void> words() const override {
    TRY_DO(snapshot_of(world_, name()));
    return {};
  }

  Result<Sight> look(const Operation& op) override {
    TRY(const Id snapshot, snapshot_of(world_, name()));
    TRY(const auto feed, world_.repository->feed(op, snapshot));
    // Anew at each look: what was connected then may be gone by now.
    TRY(const TargetSystem system,
        open_target(op, world_, name(), config_.text("at"), config_.at("with"), context_));
    TRY(const source::TargetState state, system.live->target(op));
    TRY(const std::vector<source::Check> checks, system.live->verify(op, *feed));
    Sight sight;
    for (const source::Check& check : checks) {
      if (!check.ok && excepted(check.name)) {
        remark(check, sight);
      } else {
        sight.check(check.name, check.expected, check.actual, check.ok);
      }
    }
    if (sight.checks.empty()) {
      return fail(Error::Kind::invalid, name() + ": nothing was compared",
                  checks.empty() ? "look at the snapshot with `lifeboat ls`"
                                 : "`except` leaves nothing that could differ: take texts away");
    }
    sight.outputs.set("snapshot", snapshot.hex()).set("identity", state.identity);
    sight.outputs.set("compared", std::uint64_t{sight.checks.size()});
    sight.outputs.set("differing", std::uint64_t{checks.size() - sight.checks.size()});
    return sight;
  }

 private:
  std::string name() const { return config_.text("source"); }

  bool excepted(const std::string& check) const {
    const Value& texts = config_.at("except");
    if (!texts.is(Value::Type::list)) return false;
    return std::any_of(texts.list().begin(), texts.list().end(), [&](const Value& text) {
      return text.is(Value::Type::string) && !text.string().empty() &&
             check.find(text.string()) != std::string::npos;
    });
  }

  static void remark(const source::Check& check, Sight& sight) {
    if (sight.remarks.size() > remarks_max) return;
    sight.remarks.push_back(sight.remarks.size() < remarks_max
                                ? shown_text(check.name + ": " + check.expected +
                                             " in the recovery point, " + check.actual + " live")
                                : "and more, that are not told");
  }

  const RestoreWorld& world_;
  const Value config_;
  plan::StepContext& context_;
};

Record fields_of_compare() {
  Record record;
  record.name = "compare";
  record.help = "A live system against the recovery point";
  record.short_form = "source";
  record.fields = {
      {.name = "source",
       .shape = shape::string(),
       .help = "Name of the source, as under `sources:`",
       .required = true},
      {.name = "at",
       .shape = shape::string(),
       .help = "URL or path of another system of this kind; default: the configured one"},
      {.name = "with",
       .shape = shape::any(),
       .help = "Fields of the source that are other there: user, password"},
      {.name = "except",
       .shape = shape::string_or_list(),
       .help = "Differences in checks whose name holds one of these texts are remarks only"},
      {.name = "within",
       .shape = shape::duration(),
       .help = "Compare again every ten seconds until all is equal, at most so long"},
  };
  return record;
}

}  // namespace

plan::StepType compare_step(const RestoreWorld& world) {
  plan::StepType type;
  type.name = "compare";
  type.usually = {std::chrono::seconds(10), std::chrono::minutes(5), std::chrono::hours(1)};
  type.help = "Compares a live system with the recovery point, item by item; changes nothing";
  type.fields = fields_of_compare();
  type.outputs = {{"snapshot", shape::string()},
                  {"identity", shape::string()},
                  {"compared", shape::integer()},
                  {"differing", shape::integer()}};
  type.fence = plan::Fence::native;  // there is nothing that a zombie could change
  type.effects = [](const Value&) { return std::vector<std::string>(); };
  type.by_hand = by_hand::compare;
  type.make = [&world](const Value& config,
                       plan::StepContext& context) -> Result<std::unique_ptr<plan::Step>> {
    const std::string source = config.text("source");
    if (!world.sources.contains(source)) {
      return fail(Error::Kind::invalid, "compare: there is no source " + printable(source), "",
                  Error::Code::usage);
    }
    if (config.has("with") && !config.has("at")) {
      return fail(Error::Kind::invalid, "compare: `with` is for the system that `at` names",
                  "name it, or take `with` away", Error::Code::usage);
    }
    Patience patience = patience_of(config);
    patience.first_pause = patience.longest_pause = std::chrono::seconds(10);
    return make_looking_step(std::make_unique<CompareQuestion>(world, config, context), patience,
                             context);
  };
  return type;
}

}  // namespace lifeboat::steps
