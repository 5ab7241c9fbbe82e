// run/sealed_values.h - Values with their secrets moved to the run's vault, and back.
//
// In an event a secret is a handle: {"$vault": "vault/0000000000000003"}. Keys of other maps that
// begin with '$' get a second one, so that nothing from outside can pass for a handle.
//
// Threads: pure, apart from the vault.  Source: docs/format.md, "Runs".
#pragma once

#include <functional>

#include "base/operation.h"
#include "base/secret.h"
#include "schema/value.h"

namespace lifeboat::run {

using PutSecret = std::function<Result<std::string>(const std::string& name, const Secret& value)>;
using GetSecret = std::function<Result<Secret>(const std::string& handle)>;

// Each tainted node becomes a handle; the answer holds no secret. `name`: for the vault.
Result<Value> to_handles(const Value& value, const std::string& name, const PutSecret& put);
// The same value again, taints included.  Errors: corrupt; those of the vault.
Result<Value> from_handles(const Value& value, const GetSecret& get);

// Whether it stands for a secret.
bool is_handle(const Value& value);

// Hands every secret text inside `value` to `mask`.
void each_secret(const Value& value, const std::function<void(const Secret&)>& mask);

}  // namespace lifeboat::run
