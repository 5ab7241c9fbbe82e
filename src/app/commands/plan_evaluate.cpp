// `lifeboat plan evaluate`: could we recover by this plan, now?
#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/commands/commands.h"
#include "app/key_input.h"
#include "app/known_platform.h"
#include "app/recovery.h"
#include "app/run_watch.h"
#include "backup/bundle.h"
#include "base/descriptor.h"
#include "base/temporary_folder.h"
#include "client/secret/secret_values.h"
#include "evidence/review.h"
#include "readiness/readiness.h"

namespace lifeboat::app {
namespace {

using readiness::BundleState;

// The platform file that a person edits, on this machine: --config, or the one in this folder. One
// that cannot be read is an error: a recovery by it would have the same.
Result<std::optional<platform::Platform>> local_file(Program& program) {
  if (!program.names_platform_file()) return std::optional<platform::Platform>();
  TRY(platform::Platform platform, program.platform_file());
  return std::optional(std::move(platform));
}

// What a local file holds, nullopt when it cannot be read.
std::optional<std::string> text_of(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.open()) return std::nullopt;
  auto text = read_all(file.number());
  if (!text) return std::nullopt;
  return *std::move(text);
}

// Whether a backup made now would store these files, with these bytes, and no others.
bool holds(const std::string& folder, const std::vector<std::string>& stored,
           const backup::BundleFiles& local) {
  return stored.size() == local.size() && std::ranges::all_of(stored, [&](const auto& name) {
           const auto mine = local.find(name);
           if (mine == local.end()) return false;
           const auto text = text_of(mine->second);
           return text && text == text_of(folder + "/" + name);
         });
}

Result<BundleState> bundle_state(const Operation& op, Program& program, Recovery& recovery) {
  const auto bytes = from_hex(recovery.pins().bundle);
  const auto bundle = bytes ? Id::from(*bytes) : std::nullopt;
  if (!bundle) return BundleState::none;
  TRY(const auto local, local_file(program));
  if (!local) return BundleState::no_file;
  TRY(const TemporaryFolder folder, TemporaryFolder::make("evaluate"));
  TRY(const std::vector<std::string> stored,
      backup::unpack_bundle(op, recovery.repository(), *bundle, folder.path()));
  // A file of the closure that is gone has been changed too.
  const auto files = program.bundle_files(*local);
  return files && holds(folder.path(), stored, *files) ? BundleState::same : BundleState::differs;
}

// Those that this recovery would ask for: of the variant, and of inputs that were not given.
std::vector<readiness::LocalCredential> credentials(Program& program, const Recovery& recovery,
                                                    const run::Surroundings& around) {
  plan::Plan plan = recovery.pins().plan;
  for (plan::InputField& input : plan.inputs)
    input.fallback = recovery.pins().inputs.at(input.name);
  platform::Platform needed = recovery.platform();
  needed.plans = {{plan.name, std::move(plan)}};
  const SecretSources sources{around.launcher, run::secrets_of(around)};
  std::vector<readiness::LocalCredential> found;
  for (const auto& secret : platform::local_secrets(needed, program.vocabulary())) {
    const auto there =
        secret.place.is_null() ? Result<void>() : secret_is_there(secret.place, sources);
    found.push_back(
        {secret.path, secret.from, there ? std::nullopt : std::optional(there.error())});
  }
  return found;
}

// Keys that are not in use, and are to open the repository all the same.
struct KeysToProve {
  std::vector<std::string> identities, passphrases;  // files
};

Result<std::vector<readiness::TriedKey>> read_keys(const Operation& op, const KeysToProve& files) {
  std::vector<readiness::TriedKey> keys;
  for (const std::string& file : files.identities) {
    TRY(Secret text, read_key_file(op, file));
    keys.push_back({file, repo::Identity{std::move(text)}});
  }
  for (const std::string& file : files.passphrases) {
    TRY(Secret text, read_key_file(op, file));
    keys.push_back({file, repo::Passphrase{std::move(text)}});
  }
  return keys;
}

// What the runs of the platform taught, and nobody has closed.  Errors: cancelled.
Result<readiness::Lessons> lessons(const Operation& op, repo::Repository& repository) {
  readiness::Lessons lessons;
  const auto found = evidence::open_findings(op, repository);
  TRY_DO(op.proceed());
  if (!found) {
    lessons.unreadable.push_back(found.error().what);
    return lessons;
  }
  for (const auto& [run, plan, finding] : found->findings) {
    lessons.open.push_back(
        {run, finding.id, finding.text, finding.owner, finding.overdue(op.clock->wall())});
  }
  lessons.unreadable = found->unreadable;
  return lessons;
}

Result<readiness::Readiness> evaluated(const Operation& op, Program& program, Recovery& recovery,
                                       std::vector<readiness::TriedKey> keys) {
  RunWatch watch(program.terminal());
  recovery.learn(op);
  const run::EngineSetup setup = recovery.setup(watch);
  const std::string& config = program.options.config;
  program.terminal().say(
      "the plan is that of " +
      (config.empty() ? "recovery point " + recovery.point()->id.brief() : printable(config)));
  const run::Outlook outlook(recovery.outlook());
  TRY(const BundleState bundle, bundle_state(op, program, recovery));
  TRY(readiness::Lessons taught, lessons(op, recovery.repository()));
  TRY(const readiness::Facts facts,
      readiness::gather(op,
                        {setup.around, recovery.pins(), recovery.repository(), outlook.look({}, {}),
                         credentials(program, recovery, setup.around), bundle, std::move(taught),
                         &recovery.key(), std::move(keys), setup.heartbeat_period}));
  return readiness::judge(facts);
}

// Without a point there is nothing to look at; a word that is wrong is for the person to mend.
bool says_of_readiness(const Error& error) {
  return (error.kind == Error::Kind::not_found || error.kind == Error::Kind::corrupt) &&
         error.effective_code() != Error::Code::usage &&
         error.effective_code() != Error::Code::repository_missing;
}

Result<int> evaluate(const Operation& op, Program& program, const RecoveryRequest& request,
                     const KeysToProve& files) {
  TRY(auto keys, read_keys(op, files));
  auto recovery = Recovery::prepare(op, program, request);
  if (!recovery && !says_of_readiness(recovery.error())) return fail(std::move(recovery).error());
  readiness::Readiness found;
  if (recovery) {
    TRY(found, evaluated(op, program, **recovery, std::move(keys)));
  } else {
    found = readiness::not_even(request.plan, recovery.error());
  }
  program.terminal().end_progress();
  if (program.terminal().output() == Output::json) {
    program.terminal().show("Readiness", readiness::to_value(found), {});
  } else {
    program.terminal().print(readiness::render_text(found));
  }
  return found.ready ? 0 : exit_status(Error::Code::not_ready);
}

}  // namespace

void add_plan_evaluate(CLI::App& plan, Program& program) {
  auto* command =
      plan.add_subcommand("evaluate", "Could we recover by this plan, now? A score, and why");
  auto request = std::make_shared<RecoveryRequest>();
  request->dry_run = true;
  command->add_option("plan", request->plan, "plan of the platform file or bundle");
  command->add_option("--point", request->point,
                      "recovery point: id, `latest` or a time (default: the newest complete one)");
  command->add_option("--input", request->inputs, "NAME=VALUE for an input of the plan");
  command->add_option("--input-file", request->input_files,
                      "NAME=PATH: an input's value is in this file");
  command->add_flag("--graceful", request->graceful, "the variant with the steps `when: graceful`");
  auto keys = std::make_shared<KeysToProve>();
  command
      ->add_option("--prove-identity", keys->identities,
                   "age identity file that must open the repository too")
      ->allow_extra_args(false);
  command
      ->add_option("--prove-passphrase-file", keys->passphrases,
                   "file with a passphrase that must open it too")
      ->allow_extra_args(false);
  command->footer(
      "Looks only; nothing is changed. Without --config the plan comes out of the newest recovery "
      "point.\nExit status 4: a recovery would not succeed, or miss an objective.\n\nExamples:\n"
      "  lifeboat plan evaluate shop-lost\n"
      "  lifeboat plan evaluate shop-lost --input target=/srv/new -o json\n"
      "  lifeboat plan evaluate shop-lost --prove-passphrase-file /mnt/safe/passphrase");
  command->callback([&program, request, keys] {
    program.chosen = [&program, request, keys](const Operation& op) {
      return evaluate(op, program, *request, *keys);
    };
  });
}

}  // namespace lifeboat::app
