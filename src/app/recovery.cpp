#include "app/recovery.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/input_words.h"
#include "app/operator_input.h"
#include "app/registry.h"
#include "app/version.h"
#include "backup/bundle.h"
#include "journal/vault.h"
#include "repo/session.h"
#include "run/sealed_values.h"
#include "run/takeover.h"

namespace lifeboat::app {
namespace {

// Nobody waits longer for an expectation, when the platform is down.
constexpr auto learning_at_most = std::chrono::seconds(5);

plan::Manner manner_of(bool graceful) {
  return graceful ? plan::Manner::graceful : plan::Manner::ungraceful;
}

}  // namespace

Result<std::unique_ptr<Recovery>> Recovery::prepare(const Operation& op, Program& program,
                                                    const RecoveryRequest& request) {
  TRY(Opened opened, program.open_repository(op));
  TRY(TemporaryFolder folder, TemporaryFolder::make("bundle"));
  auto made = std::make_unique<Recovery>(program, std::move(opened), std::move(folder));
  TRY_DO(made->choose_point(op, request.point));
  if (program.options.config.empty()) {
    TRY_DO(made->read_bundle(op, made->point_->about.bundle));
  } else {
    TRY(made->platform_, program.platform_file());
  }
  made->fill_world();
  TRY_DO(made->choose_plan(request));
  TRY_DO(made->ask_inputs(op, request));
  TRY_DO(made->choose_variant(request.graceful));
  made->fill_pins(request.since);
  made->world_.lost_at = made->pins_.origin.time;
  if (!program.options.config.empty() && !request.dry_run) TRY_DO(made->use_own_bundle(op));
  made->launcher_ = program.launcher_for(made->pins_.run);
  return made;
}

Result<std::unique_ptr<Recovery>> Recovery::prepare_resume(const Operation& op, Program& program,
                                                           const std::string& run) {
  TRY(Opened opened, program.open_repository(op));
  TRY(TemporaryFolder folder, TemporaryFolder::make("bundle"));
  auto made = std::make_unique<Recovery>(program, std::move(opened), std::move(folder));
  TRY(const run::Outcome begun, run::read_run(op, made->repository(), run));
  made->pins_ = begun.state.pins;
  made->begun_ = begun.state.view(program.clock().wall());
  const auto bundle = from_hex(made->pins_.bundle);
  TRY_DO(made->read_bundle(op, bundle ? Id::from(*bundle) : std::nullopt));
  if (!program.options.config.empty()) {  // only for the secrets that lie beside it
    TRY(const platform::Platform beside, program.platform_file());
    made->secret_directory_ = beside.directory;
  }
  made->fill_world();
  made->world_.lost_at = made->pins_.origin.time;
  made->launcher_ = program.launcher_for(run);
  return made;
}

Result<std::unique_ptr<Recovery>> Recovery::prepare_replan(const Operation& op, Program& program,
                                                           const std::string& run,
                                                           const ReplanRequest& request) {
  TRY(Opened opened, program.open_repository(op));
  TRY(TemporaryFolder folder, TemporaryFolder::make("bundle"));
  auto made = std::make_unique<Recovery>(program, std::move(opened), std::move(folder));
  TRY(const run::Outcome begun, run::read_run(op, made->repository(), run));
  made->pins_ = begun.state.pins;
  if (program.options.config.empty()) {
    TRY_DO(made->use_newest_bundle(op));
  } else {
    TRY(made->platform_, program.platform_file());
    TRY_DO(made->use_own_bundle(op));
  }
  made->fill_world();
  made->world_.lost_at = made->pins_.origin.time;
  TRY_DO(made->fill_replan(op, request));
  TRY(made->fates_, run::map_steps(begun.state, *made->replan_));
  made->launcher_ = program.launcher_for(run);
  return made;
}

Result<void> Recovery::use_newest_bundle(const Operation& op) {
  TRY(const repo::Point newest, find_point(repository(), "latest"));
  TRY_DO(read_bundle(op, newest.about.bundle));
  pins_.bundle = newest.about.bundle->hex();
  return {};
}

Result<void> Recovery::fill_replan(const Operation& op, const ReplanRequest& request) {
  const auto found = platform_->plans.find(pins_.plan.name);
  if (found == platform_->plans.end()) {
    return fail(Error::Kind::not_found,
                "there is no plan " + printable(pins_.plan.name) + " any more", "",
                Error::Code::usage);
  }
  run::Replan replan;
  replan.plan = found->second;
  replan.sources = platform::source_values(*platform_);
  replan.bundle = pins_.bundle;
  replan.by = user_at_host(program_);
  for (const auto& [name, person] : platform_->operators) replan.operators[name] = person.key;
  for (const std::string& word : request.renames) {
    TRY(const auto pair, name_and_rest("--map", word, "NEW"));
    replan.renames.insert(pair);
  }
  TRY(Value given, read_input_words(op, replan.plan, request.inputs, request.input_files));
  journal::Vault vault(repository(), pins_.run, [](const std::string&) {});
  TRY(const Value before, run::from_handles(pins_.inputs, [&](const std::string& handle) {
        return vault.get(op, handle);
      }));
  for (const plan::InputField& input : replan.plan.inputs) {
    if (!given.has(input.name) && before.has(input.name)) {
      given.set(input.name, before.at(input.name));
    }
  }
  TRY(replan.inputs, plan::bind_inputs(replan.plan, given));
  plan::Scope scope;
  scope.inputs = replan.inputs;
  TRY(replan.plan, plan::variant(replan.plan, scope, manner_of(pins_.graceful)));
  replan_ = std::move(replan);
  return {};
}

Result<void> Recovery::choose_point(const Operation& op, const std::string& word) {
  TRY(point_, find_point(repository(), word));
  // A point whose snapshots cannot even be opened is found out now, not in the middle.
  for (const repo::Member& member : point_->about.members) {
    if (!member.snapshot) continue;
    auto feed = repository().feed(op, *member.snapshot);
    if (!feed) return offer_the_point_before(std::move(feed).error(), "source " + member.source);
  }
  return {};
}

tl::unexpected<Error> Recovery::offer_the_point_before(Error error, std::string_view part) {
  error.what = fmt::format("recovery point {}: {}: {}", point_->id.brief(), part, error.what);
  std::optional<repo::Point> before;
  for (const repo::Point& other : repository().points()) {
    if (other.about.complete && other.slot < point_->slot) before = other;
  }
  if (error.kind == Error::Kind::corrupt || error.kind == Error::Kind::not_found) {
    error.kind = Error::Kind::corrupt;
    error.hint = before
                     ? fmt::format("the complete point before it is {} of {}: --point {}",
                                   before->id.brief(), rfc3339(before->created), before->id.brief())
                     : "there is no complete point before it; `lifeboat check` names what is lost";
  }
  return fail(std::move(error));
}

Result<void> Recovery::read_bundle(const Operation& op, const std::optional<Id>& bundle) {
  if (!bundle) {
    return fail(Error::Kind::not_found, "the recovery point holds no bundle",
                "give the platform file: --config lifeboat.yaml");
  }
  auto unpacked = backup::unpack_bundle(op, repository(), *bundle, folder_.path());
  if (!unpacked && point_) return offer_the_point_before(std::move(unpacked).error(), "bundle");
  TRY_DO(unpacked);
  auto platform = program_.read_platform(folder_.path() + "/lifeboat.yaml");
  if (!platform) return wrap(std::move(platform).error(), "bundle " + bundle->brief());
  platform_ = *std::move(platform);
  return {};
}

Result<void> Recovery::use_own_bundle(const Operation& op) {
  TRY(const auto session, repository().open_session(op));
  backup::BackupOptions options;
  TRY(options.bundle, program_.bundle_files(*platform_));
  options.platform = platform_->name;
  TRY(const repo::Snapshot bundle, backup::store_bundle(op, *session, options));
  TRY_DO(session->close(op));
  TRY_DO(repository().refresh(op));
  pins_.bundle = bundle.id.hex();
  secret_directory_ = platform_->directory;
  TRY_DO(backup::unpack_bundle(op, repository(), bundle.id, folder_.path()));
  platform_->directory = folder_.path();
  return {};
}

void Recovery::fill_world() {
  world_.repository = opened_.repository.get();
  world_.types = &program_.source_types();
  for (const auto& [name, entry] : platform_->sources) {
    world_.sources[name] = {entry.type, entry.config};
  }
  if (point_) {
    for (const repo::Member& member : point_->about.members) {
      if (member.snapshot) world_.snapshots[member.source] = *member.snapshot;
    }
  }
  for (const auto& [source, hex] : pins_.point.snapshots) {
    const auto bytes = from_hex(hex);
    if (const auto id = bytes ? Id::from(*bytes) : std::nullopt) world_.snapshots[source] = *id;
  }
  types_ = known_steps(world_);
}

Result<void> Recovery::choose_plan(const RecoveryRequest& request) {
  std::vector<std::string> names;
  for (const auto& [name, plan] : platform_->plans) names.push_back(name);
  if (request.plan.empty() && names.size() == 1) {
    pins_.plan = platform_->plans.begin()->second;
    return {};
  }
  const auto found = platform_->plans.find(request.plan);
  if (found != platform_->plans.end()) {
    pins_.plan = found->second;
    return {};
  }
  const std::string near = nearest(request.plan, names);
  return fail(Error::Kind::not_found,
              request.plan.empty() ? "which plan?" : "there is no plan " + printable(request.plan),
              near.empty() ? fmt::format("plans: {}", fmt::join(names, ", "))
                           : "did you mean " + near + "?",
              Error::Code::usage);
}

Result<void> Recovery::ask_inputs(const Operation& op, const RecoveryRequest& request) {
  TRY(Value given, read_input_words(op, pins_.plan, request.inputs, request.input_files));
  for (const plan::InputField& input : pins_.plan.inputs) {
    if (given.has(input.name) || !input.fallback.is_null()) continue;
    if (program_.options.no_input || !program_.terminal().interactive()) continue;
    const std::string question = (input.ask.empty() ? input.name : input.ask) + ":";
    TRY(std::string answer, input.secret ? program_.terminal().ask_hidden(question)
                                         : program_.terminal().ask(question));
    given.set(input.name, std::move(answer));
  }
  TRY(pins_.inputs, plan::bind_inputs(pins_.plan, given));
  return {};
}

Result<void> Recovery::choose_variant(bool graceful) {
  plan::Scope scope;
  scope.inputs = pins_.inputs;
  pins_.graceful = graceful;
  TRY(pins_.plan, plan::variant(pins_.plan, scope, manner_of(graceful)));
  return {};
}

void Recovery::fill_pins(const std::optional<WallTime>& since) {
  pins_.run = run::new_run_name(program_.random());
  pins_.sources = platform::source_values(*platform_);
  pins_.platform_name = platform_->name;
  if (point_->about.bundle) pins_.bundle = point_->about.bundle->hex();
  pins_.point.id = point_->id.hex();
  pins_.point.earliest = point_->earliest;
  pins_.point.latest = point_->latest;
  pins_.point.complete = point_->about.complete;
  for (const auto& [source, snapshot] : world_.snapshots) {
    pins_.point.snapshots[source] = snapshot.hex();
  }
  pins_.origin = since
                     ? run::Origin{*since, "given by --since"}
                     : run::Origin{program_.clock().wall(), "when `lifeboat recover` was started"};
  pins_.objectives = {.rto = platform_->objectives.rto, .rpo = platform_->objectives.rpo};
  pins_.version = program_version;
  for (const auto& [name, person] : platform_->operators) pins_.operators[name] = person.key;
}

run::EngineSetup Recovery::setup(run::Observer& observer) {
  run::EngineSetup setup;
  setup.around.types = &types_;
  setup.around.guards = &program_.guard_kinds();
  setup.around.launcher = launcher_.get();
  setup.around.clock = &program_.clock();
  setup.around.random = &program_.random();
  setup.around.observer = &observer;
  setup.around.bundle_directory = platform_->directory;
  setup.around.secret_directory = secret_directory_;
  setup.replan = replan_ ? &*replan_ : nullptr;
  setup.repository = opened_.repository.get();
  setup.driver = run::this_driver(program_.random());
  setup.expectations = learned_.steps;
  setup.waits_for_people = !program_.options.no_input;
  return setup;
}

const run::Learned& Recovery::learn(const Operation& op) {
  learned_ = run::learn(op.within(learning_at_most), repository(), pins_.plan, types_, pins_.run);
  return learned_;
}

run::OutlookGround Recovery::outlook() const {
  run::OutlookGround ground{&pins_.plan, learned_.steps, begun_, pins_.objectives.rto,
                            run::EngineSetup().running_at_most};
  // A resumed run tries again what failed, and what was skipped because of it.
  std::erase_if(ground.view.phases,
                [](const auto& entry) { return entry.second != plan::StepPhase::done; });
  return ground;
}

}  // namespace lifeboat::app
