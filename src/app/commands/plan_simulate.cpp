// `lifeboat plan simulate`: how long a recovery would take, played in no time by the real engine.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <ctime>

#include "app/commands/commands.h"
#include "app/known_platform.h"
#include "app/scenario.h"
#include "plan/generated_plan.h"
#include "run/engine.h"
#include "run/expectation.h"
#include "run/simulation.h"

namespace lifeboat::app {
namespace {

using plan::Expectation;
using std::chrono::nanoseconds;

constexpr std::size_t steps_measured_from = 1000;
constexpr std::size_t chain_shown = 12;  // steps of the critical path, in text

struct Given {
  ScenarioWords scenario;
  std::string assume_all;
  std::vector<std::string> assume;
  bool from_runs = false;
  unsigned workers = run::EngineSetup().running_at_most;
  plan::PlanSize size{.steps = 0};
  CLI::Option* seed = nullptr;
};

// What is simulated, and what came out.
struct Simulated {
  const plan::Plan& plan;
  const plan::Expectations& expectations;
  plan::Times times;
  std::optional<nanoseconds> rto;
  run::Learned learned;  // with --from-runs
  bool generated = false;
};

struct Verdict {
  const Simulated& what;
  const plan::Graph graph;
  run::SimulatedRun run;
  double cpu_s = 0;  // of the processor, for the run
  plan::LowerBound bound;
  std::vector<std::size_t> chain;
  plan::Times slack;
  nanoseconds quick{}, slow{};  // makespans, should all steps be so
  unsigned workers;
};

Result<nanoseconds> duration_of(const std::string& option, const std::string& text) {
  if (const auto time = parse_duration(text)) return *time;
  return fail(Error::Kind::invalid,
              fmt::format("{}: '{}' is not a duration", option, printable(text)),
              "write 45s, 10m or 1h30m", Error::Code::usage);
}

Expectation exactly(nanoseconds time) { return {{time, time, time}, Expectation::Basis::given, 0}; }

Result<void> assume_as_given(const Given& given, const plan::Plan& plan,
                             plan::Expectations& expectations) {
  for (const std::string& word : given.assume) {
    const std::size_t equals = word.rfind('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(Error::Kind::invalid, "--assume " + printable(word) + " is not STEP=DURATION", "",
                  Error::Code::usage);
    }
    const std::string step = word.substr(0, equals);
    if (!expectations.contains(step)) {
      std::vector<std::string> names;
      for (const plan::StepNode& node : plan.steps) names.push_back(node.name);
      const std::string near = nearest(step, names);
      return fail(Error::Kind::not_found,
                  fmt::format("plan {} has no step {}", plan.name, printable(step)),
                  near.empty() ? "`lifeboat plan show` lists them" : "did you mean " + near + "?",
                  Error::Code::usage);
    }
    TRY(const nanoseconds time, duration_of("--assume " + step, word.substr(equals + 1)));
    expectations[step] = exactly(time);
  }
  return {};
}

// By type of step, else as given for all, else as learned, else as given for one: each outweighs
// those before.
Result<run::Learned> expected(const Operation& op, Program& program, const Given& given,
                              KnownPlatform& known, const plan::Plan& plan) {
  run::Learned learned;
  const platform::Vocabulary vocabulary = program.vocabulary();
  const plan::StepTypes& types = *vocabulary.steps;
  if (given.from_runs) {
    if (!known.opened) {
      TRY(known.opened, program.open_repository(op));
    }
    learned = run::learn(op, *known.opened->repository, plan, types, "");
    TRY_DO(op.proceed());
  } else {
    for (const plan::StepNode& step : plan.steps) {
      learned.steps[step.name] = run::assumed(step, types);
    }
  }
  if (!given.assume_all.empty()) {
    TRY(const nanoseconds time, duration_of("--assume-all", given.assume_all));
    for (auto& [name, expectation] : learned.steps) {
      if (expectation.basis == Expectation::Basis::assumed) expectation = exactly(time);
    }
  }
  TRY_DO(assume_as_given(given, plan, learned.steps));
  return learned;
}

// One time out of each range: between low and likely as often as between likely and high.
plan::Times drawn(const plan::Plan& plan, const plan::Expectations& expectations,
                  std::uint64_t seed) {
  SeededRandom random(seed);
  plan::Times times;
  for (const plan::StepNode& step : plan.steps) {
    const plan::DurationRange& range = expectations.at(step.name).range;
    const bool above = random.below(2) == 1;
    const nanoseconds from = above ? range.likely : range.low;
    const auto spread = (above ? range.high : range.likely) - from;
    const auto part = random.below(static_cast<std::uint64_t>(spread.count()) + 1);
    times.push_back(from + nanoseconds(static_cast<std::int64_t>(part)));
  }
  return times;
}

nanoseconds makespan_if(const Simulated& what, const plan::Graph& graph, plan::Pace pace,
                        unsigned workers) {
  const plan::Times times = plan::times_of(what.plan, what.expectations, pace);
  const plan::Times urgency =
      plan::tails(graph, plan::times_of(what.plan, what.expectations, plan::Pace::usual));
  return plan::simulate(what.plan, graph, {times, urgency, workers, {}}).makespan;
}

Result<Verdict> play(const Operation& op, Program& program, const Simulated& what,
                     unsigned workers) {
  Verdict verdict{what, plan::Graph(what.plan), {}, 0, {}, {}, {}, {}, {}, workers};
  const std::clock_t before = std::clock();
  TRY(verdict.run, run::simulate_run(op, {&what.plan, what.times, what.expectations, workers,
                                          &program.random()}));
  verdict.cpu_s = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  verdict.bound = plan::lower_bound(verdict.graph, what.times);
  verdict.chain = plan::longest_chain(verdict.graph, what.times);
  const plan::Times tails = plan::tails(verdict.graph, what.times);
  const plan::Times heads = plan::heads(verdict.graph, what.times);
  for (std::size_t i = 0; i < tails.size(); ++i) {
    verdict.slack.push_back(verdict.bound.chain - heads[i] - tails[i]);
  }
  verdict.quick = makespan_if(what, verdict.graph, plan::Pace::quick, workers);
  verdict.slow = makespan_if(what, verdict.graph, plan::Pace::slow, workers);
  return verdict;
}

std::string_view basis_word(const Expectation& expectation) {
  switch (expectation.basis) {
    case Expectation::Basis::assumed:
      return "assumed";
    case Expectation::Basis::given:
      return "given";
    case Expectation::Basis::learned:
      break;
  }
  return "learned";
}

double ratio(nanoseconds a, nanoseconds b) {
  return b.count() == 0 ? 1.0 : static_cast<double>(a.count()) / static_cast<double>(b.count());
}

double in_seconds(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

double ms_a_step(const Verdict& verdict, double seconds) {
  const auto steps = static_cast<double>(std::max<std::size_t>(verdict.what.plan.steps.size(), 1));
  return seconds * 1000 / steps;
}

std::string_view rto_word(const Verdict& verdict) {
  if (verdict.run.makespan > *verdict.what.rto) return "MISSED";
  return verdict.slow > *verdict.what.rto ? "met, but not if all steps are slow" : "met";
}

std::string chain_text(const Verdict& verdict) {
  std::string text;
  for (std::size_t i = 0; i < std::min(verdict.chain.size(), chain_shown); ++i) {
    text += (i == 0 ? "" : " > ") + verdict.what.plan.steps[verdict.chain[i]].name;
  }
  const std::size_t more = verdict.chain.size() - std::min(verdict.chain.size(), chain_shown);
  return text + (more > 0 ? fmt::format(" > {} more", more) : "");
}

std::string basis_text(const Simulated& what) {
  std::array<std::size_t, 3> counts{};
  for (const auto& [name, expectation] : what.expectations) {
    ++counts.at(static_cast<std::size_t>(expectation.basis));
  }
  std::string text = fmt::format("of {} steps: {} learned, {} given, {} assumed by their type",
                                 what.plan.steps.size(), counts[2], counts[1], counts[0]);
  if (what.learned.runs > 0) text += fmt::format("; {} runs read", what.learned.runs);
  if (what.learned.unreadable > 0) {
    text += fmt::format(", {} cannot be read", what.learned.unreadable);
  }
  return text;
}

// What the engine needs to begin and end says nothing of a step: few are not measured by it.
std::string engine_line(const Verdict& verdict) {
  const std::size_t steps = verdict.what.plan.steps.size();
  if (steps < steps_measured_from) return "";
  return fmt::format(
      "{:<14} {:.3f} ms a step, {:.3f} ms of the processor: {} for {} steps and {} journal "
      "segments, "
      "store in memory\n",
      "engine", ms_a_step(verdict, in_seconds(verdict.run.engine)),
      ms_a_step(verdict, verdict.cpu_s), human_duration(verdict.run.engine), steps,
      verdict.run.segments);
}

std::string summary(const Verdict& verdict) {
  const run::SimulatedRun& run = verdict.run;
  const nanoseconds bound = verdict.bound.with(verdict.workers);
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    text += fmt::format("{:<14} {}\n", name, value);
  };
  line("makespan", fmt::format("{} with at most {} steps at once", human_duration(run.makespan),
                               verdict.workers));
  if (verdict.quick != verdict.slow) {
    line("", fmt::format("{} if all are quick, {} if all are slow", human_duration(verdict.quick),
                         human_duration(verdict.slow)));
  }
  line("critical path", fmt::format("{}, {} steps: {}", human_duration(verdict.bound.chain),
                                    verdict.chain.size(), chain_text(verdict)));
  line("lower bound",
       fmt::format("{}: the critical path, or {} of work over {} steps at once",
                   human_duration(bound), human_duration(verdict.bound.work), verdict.workers));
  line("", fmt::format("makespan = {:.3f} x lower bound = {:.3f} x critical path",
                       ratio(run.makespan, bound), ratio(run.makespan, verdict.bound.chain)));
  if (verdict.what.rto) {
    line("RTO", fmt::format("{}: {}", human_duration(*verdict.what.rto), rto_word(verdict)));
  }
  line("times", verdict.what.generated ? "made up with the plan" : basis_text(verdict.what));
  return text + engine_line(verdict);
}

Value steps_document(const Verdict& verdict) {
  Value steps{Value::List{}};
  for (std::size_t i = 0; i < verdict.what.plan.steps.size(); ++i) {
    const plan::StepNode& step = verdict.what.plan.steps[i];
    const Expectation& expectation = verdict.what.expectations.at(step.name);
    Value row;
    row.set("name", step.name);
    row.set("type", step.type);
    row.set("start_s", in_seconds(verdict.run.start[i]));
    row.set("end_s", in_seconds(verdict.run.end[i]));
    row.set("slack_s", in_seconds(verdict.slack[i]));
    row.set("critical", std::ranges::count(verdict.chain, i) > 0);
    row.set("low_s", in_seconds(expectation.range.low));
    row.set("likely_s", in_seconds(expectation.range.likely));
    row.set("high_s", in_seconds(expectation.range.high));
    row.set("basis", basis_word(expectation));
    row.set("samples", expectation.samples);
    steps.push(std::move(row));
  }
  return steps;
}

Value document_of(const Verdict& verdict) {
  Value document;
  const run::SimulatedRun& run = verdict.run;
  document.set("plan", verdict.what.plan.name);
  document.set("step_count", std::uint64_t{verdict.what.plan.steps.size()});
  document.set("workers", std::uint64_t{verdict.workers});
  document.set("at_once", std::uint64_t{run.at_once});
  document.set("makespan_s", in_seconds(run.makespan));
  document.set("makespan_quick_s", in_seconds(verdict.quick));
  document.set("makespan_slow_s", in_seconds(verdict.slow));
  document.set("critical_path_s", in_seconds(verdict.bound.chain));
  document.set("work_s", in_seconds(verdict.bound.work));
  document.set("lower_bound_s", in_seconds(verdict.bound.with(verdict.workers)));
  Value chain{Value::List{}};
  for (const std::size_t step : verdict.chain) chain.push(verdict.what.plan.steps[step].name);
  document.set("critical_path", std::move(chain));
  if (verdict.what.rto) {
    document.set("rto_objective_s", in_seconds(*verdict.what.rto));
    document.set("rto_met", run.makespan <= *verdict.what.rto);
  }
  document.set("runs_read", std::uint64_t{verdict.what.learned.runs});
  document.set("runs_unreadable", std::uint64_t{verdict.what.learned.unreadable});
  document.set("engine_s", in_seconds(run.engine));
  document.set("engine_ms_a_step", ms_a_step(verdict, in_seconds(run.engine)));
  document.set("engine_cpu_ms_a_step", ms_a_step(verdict, verdict.cpu_s));
  document.set("journal_segments", run.segments);
  if (!verdict.what.generated) document.set("steps", steps_document(verdict));
  return document;
}

Table table_of(const Verdict& verdict) {
  Table table{.columns = {"STEP", "TYPE", "START", "TAKES", "SLACK", "EXPECTED"}, .rows = {}};
  std::vector<std::size_t> places(verdict.what.plan.steps.size());
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
  std::ranges::sort(places, {}, [&](std::size_t i) { return std::pair(verdict.run.start[i], i); });
  for (const std::size_t i : places) {
    const plan::StepNode& step = verdict.what.plan.steps[i];
    const bool critical = std::ranges::count(verdict.chain, i) > 0;
    table.rows.push_back({step.name, step.type, "+" + human_duration(verdict.run.start[i]),
                          human_duration(verdict.what.times[i]),
                          critical ? "critical" : human_duration(verdict.slack[i]),
                          std::string(basis_word(verdict.what.expectations.at(step.name)))});
  }
  return table;
}

int show(Program& program, const Verdict& verdict) {
  Terminal& terminal = program.terminal();
  if (terminal.output() == Output::json) {
    terminal.show("PlanSimulation", document_of(verdict), {});
    return 0;
  }
  if (!verdict.what.generated) {
    terminal.show("PlanSimulation", {}, table_of(verdict));
    terminal.print("\n");
  }
  terminal.print(summary(verdict));
  return 0;
}

Result<int> simulate_generated(const Operation& op, Program& program, const Given& given) {
  const plan::GeneratedPlan made = plan::generate_plan(given.size);
  plan::Expectations expectations;
  for (std::size_t i = 0; i < made.times.size(); ++i) {
    expectations[made.plan.steps[i].name] = exactly(made.times[i]);
  }
  const Simulated what{made.plan, expectations, made.times, std::nullopt, {}, true};
  TRY(const Verdict verdict, play(op, program, what, given.workers));
  return show(program, verdict);
}

Result<int> simulate(const Operation& op, Program& program, const Given& given) {
  if (given.size.steps > 0) return simulate_generated(op, program, given);
  if (given.scenario.plan.empty()) {
    return fail(Error::Kind::invalid, "which plan?",
                "`lifeboat plan simulate PLAN`, or --generate N for one that is made up",
                Error::Code::usage);
  }
  TRY(KnownPlatform known, known_platform(op, program));
  const platform::Platform& platform = known.platform;
  TRY(const Scenario scenario, read_scenario(op, platform, given.scenario));
  const plan::Plan& plan = scenario.plan;
  TRY(run::Learned learned, expected(op, program, given, known, plan));
  auto times = given.seed->count() > 0 ? drawn(plan, learned.steps, given.size.seed)
                                       : plan::times_of(plan, learned.steps, plan::Pace::usual);
  const Simulated what{plan,    learned.steps, std::move(times), platform.objectives.rto,
                       learned, false};
  TRY(const Verdict verdict, play(op, program, what, given.workers));
  return show(program, verdict);
}

}  // namespace

void add_plan_simulate(CLI::App& plan, Program& program) {
  auto given = std::make_shared<Given>();
  auto* command = plan.add_subcommand("simulate", "Show how long a plan would take, and why");
  auto* name = command->add_option("plan", given->scenario.plan, "name of the plan");
  auto* generate = command
                       ->add_option("--generate", given->size.steps,
                                    "a plan of this many steps that is made up, instead of yours")
                       ->check(CLI::Range(1, 100'000))
                       ->excludes(name);
  command->add_option("--width", given->size.width, "how many of its steps stand side by side")
      ->check(CLI::Range(1, 10'000))
      ->needs(generate)
      ->capture_default_str();
  given->seed = command->add_option("--seed", given->size.seed,
                                    "draw each step's time out of its range; with --generate: "
                                    "which plan is made up");
  command->add_option("--workers", given->workers, "how many steps may run at once; a recovery: 16")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command
      ->add_option("--input", given->scenario.inputs,
                   "NAME=VALUE: an input that `when:` of a step looks at")
      ->excludes(generate);
  command
      ->add_flag("--graceful", given->scenario.graceful,
                 "the variant with the steps `when: graceful`")
      ->excludes(generate);
  command->add_option("--assume", given->assume, "STEP=DURATION: how long this step takes")
      ->excludes(generate);
  command
      ->add_option("--assume-all", given->assume_all,
                   "how long every step takes of which nothing was learned or said")
      ->excludes(generate);
  command
      ->add_flag("--from-runs", given->from_runs,
                 "learn the times from earlier runs in the repository")
      ->excludes(generate);
  command->footer(
      "Nothing is looked at or changed: the real engine runs the plan with steps that only take\n"
      "time, on a clock of its own. Without --from-runs times are assumed by type of step.\n\n"
      "Examples:\n"
      "  lifeboat plan simulate shop-lost --from-runs\n"
      "  lifeboat plan simulate shop-lost --assume-all 30s --assume orders=12m --workers 4\n"
      "  lifeboat plan simulate --generate 10000 --seed 7");
  command->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) {
      return simulate(op, program, *given);
    };
  });
}

}  // namespace lifeboat::app
