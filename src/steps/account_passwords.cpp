#include "steps/account_passwords.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/random.h"
#include "client/process/launcher.h"

namespace lifeboat::steps {
namespace {

constexpr std::size_t password_bytes = 24;  // base64 without padding

}  // namespace

Secret random_password() {
  SystemRandom random;
  std::string text = to_base64(random.array<password_bytes>());
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return Secret(std::move(text));
}

Result<Value> account_passwords(const Operation& op, plan::StepContext& context,
                                const Value::Map& accounts) {
  Value all{Value::Map{}};
  for (const auto& [name, wanted] : accounts) {
    Value password = wanted.at("password");
    if (!password.is(Value::Type::string)) {
      TRY(const Secret kept, context.keep_secret(op, "password/" + name, random_password));
      password = Value(kept.reveal());
    }
    context.launcher().mask(Secret(password.string()));
    all.set(name, std::move(password.taint()));
  }
  return all;
}

Value passwords_output(Value passwords) {
  Value out;
  out.set("passwords", std::move(passwords.taint()));
  return out;
}

}  // namespace lifeboat::steps
