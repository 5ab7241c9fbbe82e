#include "app/known_platform.h"

#include <fmt/format.h>

#include "backup/bundle.h"
#include "base/temporary_folder.h"

namespace lifeboat::app {

Result<KnownPlatform> known_platform(const Operation& op, Program& program) {
  KnownPlatform known;
  if (program.names_platform_file()) {
    TRY(known.platform, program.platform_file());
    return known;
  }
  TRY(known.opened, program.open_repository(op));
  TRY(const repo::Point newest, find_point(*known.opened->repository, "latest"));
  if (!newest.about.bundle) {
    return fail(Error::Kind::not_found, "the newest recovery point holds no bundle",
                "give the platform file: --config lifeboat.yaml");
  }
  TRY(const TemporaryFolder folder, TemporaryFolder::make("bundle"));
  TRY_DO(backup::unpack_bundle(op, *known.opened->repository, *newest.about.bundle, folder.path()));
  auto platform = program.read_platform(folder.path() + "/lifeboat.yaml");
  if (!platform) return wrap(std::move(platform).error(), "bundle " + newest.about.bundle->brief());
  known.platform = *std::move(platform);
  program.terminal().say("no platform file here: that of the newest recovery point, bundle " +
                         newest.about.bundle->brief());
  return known;
}

Result<const plan::Plan*> find_plan(const platform::Platform& platform, const std::string& name) {
  const auto found = platform.plans.find(name);
  if (found != platform.plans.end()) return &found->second;
  std::vector<std::string> known;
  for (const auto& [word, plan] : platform.plans) known.push_back(word);
  const std::string near = nearest(name, known);
  return fail(Error::Kind::not_found, "there is no plan " + printable(name),
              near.empty() ? fmt::format("plans: {}", fmt::join(known, ", "))
                           : "did you mean " + near + "?",
              Error::Code::usage);
}

}  // namespace lifeboat::app
