#include "app/registry.h"

#include "client/secret/secret_values.h"
#include "guard/guards.h"
#include "source/files/files_source.h"
#include "source/git/git_source.h"
#include "source/postgres/postgres_source.h"
#include "source/rabbitmq/rabbitmq_source.h"
#include "steps/approval/approval_step.h"
#include "steps/compare/compare_step.h"
#include "steps/dns_check/dns_check_step.h"
#include "steps/exec/exec_step.h"
#include "steps/file_check/file_check_step.h"
#include "steps/git_edit/git_edit_step.h"
#include "steps/http_check/http_check_step.h"
#include "steps/journey/journey_step.h"
#include "steps/lazy_step.h"
#include "steps/notify/notify_step.h"
#include "steps/postgres_roles/postgres_roles_step.h"
#include "steps/rabbitmq_users/rabbitmq_users_step.h"
#include "steps/sql/sql_step.h"
#include "steps/tls_check/tls_check_step.h"
#include "steps/wait/wait_step.h"

namespace lifeboat::app {
namespace {

// Steps see secrets revealed: `password: { env: X }` is a tainted string by the time make() runs.
// Where there are any that waits for the first operation: a program may be asked for them.
plan::StepType with_secrets(plan::StepType type) {
  const Record fields = type.fields;
  type.make = [fields, make = std::move(type.make)](
                  const Value& config,
                  plan::StepContext& context) -> Result<std::unique_ptr<plan::Step>> {
    const auto reveal_and_make = [fields, make, config, &context](
                                     const Operation& op) -> Result<std::unique_ptr<plan::Step>> {
      Value revealed = config;
      TRY_DO(reveal_secrets(
          op, revealed, fields,
          {.launcher = &context.launcher(), .directory = context.secret_directory()}));
      return make(revealed, context);
    };
    if (secret_places(config, fields).empty()) return reveal_and_make({.clock = &context.clock()});
    return std::make_unique<steps::LazyStep>(reveal_and_make);
  };
  return type;
}

plan::GuardKind with_secrets(plan::GuardKind kind) {
  const Record fields = kind.fields;
  kind.look = [fields, look = std::move(kind.look)](
                  const Operation& op, const Value& config,
                  const plan::GuardSurroundings& around) -> Result<plan::Fingerprint> {
    Value revealed = config;
    TRY_DO(reveal_secrets(op, revealed, fields,
                          {.launcher = around.launcher, .directory = around.secret_directory}));
    return look(op, revealed, around);
  };
  return kind;
}

}  // namespace

source::SourceTypes known_sources() {
  source::SourceTypes sources;
  sources.add(source::files_source());
  sources.add(source::git_source());
  sources.add(source::postgres_source());
  sources.add(source::rabbitmq_source());
  return sources;
}

plan::StepTypes known_steps(const steps::RestoreWorld& world) {
  plan::StepTypes types;
  types.add(steps::approval_step());
  types.add(steps::compare_step(world));
  types.add(with_secrets(steps::dns_check_step()));
  types.add(with_secrets(steps::exec_step()));
  types.add(with_secrets(steps::file_check_step()));
  types.add(with_secrets(steps::git_edit_step()));
  types.add(with_secrets(steps::http_check_step()));
  types.add(with_secrets(steps::journey_step()));
  types.add(with_secrets(steps::notify_step()));
  types.add(with_secrets(steps::postgres_roles_step()));
  types.add(with_secrets(steps::rabbitmq_users_step()));
  types.add(steps::restore_step(world));
  types.add(with_secrets(steps::sql_step()));
  types.add(with_secrets(steps::tls_check_step()));
  types.add(with_secrets(steps::wait_step()));
  return types;
}

plan::GuardKinds known_guards() {
  plan::GuardKinds kinds;
  kinds.add(guards::aws_account_guard());
  kinds.add(guards::file_guard());
  kinds.add(with_secrets(guards::git_guard()));
  kinds.add(with_secrets(guards::git_ref_guard()));
  kinds.add(guards::host_guard());
  kinds.add(with_secrets(guards::postgres_guard()));
  kinds.add(with_secrets(guards::rabbitmq_guard()));
  return kinds;
}

}  // namespace lifeboat::app
