#include "steps/restore/target_system.h"

#include "base/bytes.h"
#include "client/process/launcher.h"
#include "client/secret/secret_values.h"

namespace lifeboat::steps {
namespace {

Result<void> refuse_relative(const source::SourceType& type, const Value& config) {
  if (!type.local_paths) return {};
  for (const std::string& path : type.local_paths(config)) {
    if (path.starts_with('/')) continue;
    return fail(Error::Kind::invalid, "into: " + printable(path) + " is a relative path",
                "a recovery runs from any folder: give an absolute path, or one of an input");
  }
  return {};
}

}  // namespace

Result<TargetSystem> open_target(const Operation& op, const RestoreWorld& world,
                                 const std::string& name, const std::string& into,
                                 const Value& with, plan::StepContext& context) {
  const auto& configured = world.sources.at(name);
  TargetSystem target;
  target.type = world.types->find(configured.type);
  Value config = configured.config;
  if (!into.empty()) {
    TRY(config, target.type->retarget(configured.config, into, with));
  }
  TRY_DO(refuse_relative(*target.type, config));
  TRY_DO(
      reveal_secrets(op, config, target.type->fields,
                     {.launcher = &context.launcher(), .directory = context.secret_directory()}));
  const source::Context around{.clock = &context.clock(),
                               .launcher = &context.launcher(),
                               .directory = context.bundle_directory()};
  TRY(target.live, target.type->make(config, around));
  return target;
}

Result<Id> snapshot_of(const RestoreWorld& world, const std::string& name) {
  const auto found = world.snapshots.find(name);
  if (found != world.snapshots.end()) return found->second;
  return fail(Error::Kind::invalid, "the recovery point holds no snapshot of " + name,
              "choose another point (`lifeboat points`), or take this step out of the plan");
}

}  // namespace lifeboat::steps
