#include "app/hooks.h"

#include <fmt/format.h>

#include <mutex>

#include "client/process/watchdog.h"
#include "client/secret/secret_values.h"

namespace lifeboat::app {
namespace {

std::string why_frozen(const Thaw& thaw, const std::string& after) {
  return fmt::format("hook `after` failed (tries: {}): {}; run it by hand: {}", thaw.tries,
                     thaw.said, after);
}

class WatchedFreeze final : public backup::Freeze {
 public:
  using Failed = std::function<void(const Thaw&)>;
  WatchedFreeze(std::unique_ptr<Watchdog> watchdog, std::string after, Failed failed)
      : watchdog_(std::move(watchdog)), after_(std::move(after)), failed_(std::move(failed)) {}
  ~WatchedFreeze() override { thaw(); }
  bool holding() override { return watchdog_->holding(); }
  std::optional<std::string> thaw() override {
    const Thaw thaw = watchdog_->thaw();
    if (thaw.done) return std::nullopt;
    std::call_once(told_, failed_, thaw);
    return why_frozen(thaw, after_);
  }

 private:
  const std::unique_ptr<Watchdog> watchdog_;
  const std::string after_;
  const Failed failed_;
  std::once_flag told_;
};

Command command_of(const HookWorld& world, const std::string& what, const platform::Hooks& hooks,
                   bool before) {
  Command command;
  command.argv = before ? hooks.before : hooks.after;
  command.env = hooks.env;
  command.env["LIFEBOAT_HOOK"] = before ? "before" : "after";
  command.env["LIFEBOAT_HOOK_OF"] = what;
  command.directory = world.directory;
  if (const auto home = hooks.env.find("HOME"); home != hooks.env.end()) {
    command.home = home->second;
  }
  return command;
}

HoldOrder order_of(const HookWorld& world, const std::string& what, const platform::Hooks& hooks) {
  return {.name = what,
          .before = command_of(world, what, hooks, true),
          .after = command_of(world, what, hooks, false),
          .limit = hooks.limit,
          .timeout = hooks.timeout,
          .retry_for = hooks.retry_for};
}

Result<void> add_secrets(const Operation& op, const HookWorld& world, const platform::Hooks& hooks,
                         HoldOrder& order) {
  Value words = hooks.words;
  TRY_DO(reveal_secrets(op, words, platform::hook_words(),
                        {.launcher = world.launcher, .directory = world.directory}));
  if (!words.has("secret_env")) return {};
  for (const auto& [name, value] : words.at("secret_env").map()) {
    order.before.secret_env[name] = order.after.secret_env[name] = Secret(value.string());
  }
  return {};
}

std::string line_of(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + printable(word);
  return line;
}

}  // namespace

backup::Freezer make_freezer(const HookWorld& world, const std::string& what,
                             const platform::Hooks& hooks) {
  return [world, what, hooks](const Operation& op) -> Result<std::unique_ptr<backup::Freeze>> {
    HoldOrder order = order_of(world, what, hooks);
    const auto told = add_secrets(op, world, hooks, order);
    if (!told) return wrap(told.error(), "hooks of " + what);
    const std::string after = line_of(hooks.after);
    const auto failed = [=](const Thaw& thaw) {
      if (world.left_frozen) world.left_frozen(what, why_frozen(thaw, after));
    };
    order.not_thawed = failed;
    TRY(auto watchdog, freeze(op, *world.launcher, world.self, order));
    return std::unique_ptr<backup::Freeze>(
        std::make_unique<WatchedFreeze>(std::move(watchdog), after, failed));
  };
}

Result<void> hooks_are_there(const HookWorld& world, const std::string& what,
                             const platform::Hooks& hooks) {
  return can_hold(order_of(world, what, hooks));
}

}  // namespace lifeboat::app
