#include "client/process/hold_order.h"

#include <fmt/format.h>

#include <algorithm>

#include "schema/json.h"

namespace lifeboat::process {
namespace {

constexpr std::size_t said_most_bytes = 400;
constexpr std::size_t output_most_bytes = 64u << 10;
constexpr std::chrono::nanoseconds first_pause = std::chrono::milliseconds(500);
constexpr std::chrono::nanoseconds longest_pause = std::chrono::seconds(15);

Value command_value(const Command& command) {
  Value arguments{Value::List{}}, env{Value::Map{}}, secrets{Value::Map{}};
  for (const std::string& word : command.argv) arguments.push(word);
  for (const auto& [name, value] : command.env) env.set(name, value);
  for (const auto& [name, value] : command.secret_env) {
    secrets.set(name, to_base64(as_bytes(value.reveal())));
  }
  Value told;
  told.set("argv", std::move(arguments));
  told.set("env", std::move(env));
  told.set("secret_env", std::move(secrets));
  told.set("directory", command.directory);
  told.set("home", command.home);
  return told;
}

// Of what encode_order() wrote, which nobody else can have touched.
Command command_of(const Value& told) {
  Command command;
  for (const Value& word : told.at("argv").list()) command.argv.push_back(word.string());
  for (const auto& [name, value] : told.at("env").map()) command.env[name] = value.string();
  for (const auto& [name, value] : told.at("secret_env").map()) {
    const auto bytes = from_base64(value.string());
    command.secret_env[name] = Secret(bytes ? std::string(as_text(*bytes)) : std::string());
  }
  command.directory = told.text("directory");
  command.home = told.text("home");
  return command;
}

// The last line that says something, fit to be shown.
std::string last_words(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return {};
  const std::size_t before = text.find_last_of('\n', end);
  const std::size_t begin = before == std::string::npos ? 0 : before + 1;
  return printable(
      std::string_view(text).substr(begin, std::min(end + 1 - begin, said_most_bytes)));
}

}  // namespace

std::string encode_order(const SealedOrder& sealed) {
  const HoldOrder& order = sealed.order;
  Value told;
  told.set("name", order.name);
  told.set("before", command_value(order.before));
  told.set("after", command_value(order.after));
  told.set("limit_ns", static_cast<std::int64_t>(order.limit.count()));
  told.set("timeout_ns", static_cast<std::int64_t>(order.timeout.count()));
  told.set("retry_for_ns", static_cast<std::int64_t>(order.retry_for.count()));
  told.set("owner", sealed.owner);
  told.set("launcher_pid", sealed.launcher_pid);
  return to_json(told, Secrets::reveal);
}

std::optional<SealedOrder> decode_order(std::string_view text) {
  const auto told = parse_json(text);
  if (!told || !told->at("before").is(Value::Type::map) || !told->at("after").is(Value::Type::map))
    return std::nullopt;
  SealedOrder sealed;
  sealed.order.name = told->text("name");
  sealed.order.before = command_of(told->at("before"));
  sealed.order.after = command_of(told->at("after"));
  sealed.order.limit = std::chrono::nanoseconds(told->integer("limit_ns", 0));
  sealed.order.timeout = std::chrono::nanoseconds(told->integer("timeout_ns", 0));
  sealed.order.retry_for = std::chrono::nanoseconds(told->integer("retry_for_ns", 0));
  sealed.owner = told->text("owner");
  sealed.launcher_pid = static_cast<int>(told->integer("launcher_pid", 0));
  return sealed;
}

std::string try_program(const Operation& op, Launcher& launcher, const Command& command) {
  Command bounded = command;
  bounded.output_limit_bytes = output_most_bytes;
  const auto finished = launcher.run(op, bounded);
  if (!finished) {
    const bool late = finished.error().effective_code() == Error::Code::timeout;
    return late ? std::string("it was ended after its timeout") : printable(finished.error().what);
  }
  if (finished->status == 0) return {};
  const std::string how = finished->status > 128
                              ? fmt::format("ended by signal {}", finished->status - 128)
                              : fmt::format("status {}", finished->status);
  std::string said = last_words(finished->errors);
  if (said.empty()) said = last_words(launcher.masked(finished->output));
  return said.empty() ? how : how + ": " + said;
}

Thaw thaw_with_patience(const Clock& clock, Launcher& launcher, const HoldOrder& order,
                        const std::function<void(const std::string&)>& on_failure) {
  const Operation patient = Operation{&clock}.within(order.retry_for);
  std::chrono::nanoseconds pause = first_pause;
  Thaw thaw;
  while (!thaw.done) {
    ++thaw.tries;
    // Each try has its whole timeout: one that is cut short could be the one that works.
    const std::string failure =
        try_program(Operation{&clock}.within(order.timeout), launcher, order.after);
    thaw.done = failure.empty();
    if (thaw.done) break;
    thaw.said = failure;
    on_failure(failure);
    if (patient.remaining() <= pause || !patient.pause(pause)) break;
    pause = std::min(pause * 2, longest_pause);
  }
  return thaw;
}

}  // namespace lifeboat::process
