// plan/guard_fixture.h - A kind of guard whose identity a test tells. Tests only.
#pragma once

#include <functional>
#include <string>

#include "plan/guard.h"

namespace lifeboat::plan {

// Kind `told`: fields where (required), id; what it finds is what `look` answers.
inline GuardKind told_guard(std::function<Result<Fingerprint>(const std::string& where)> look) {
  GuardKind kind;
  kind.name = "told";
  kind.help = "a guard for tests";
  Field where;
  where.name = "where";
  where.shape = shape::string();
  where.required = true;
  Field id;
  id.name = "id";
  id.shape = shape::string();
  kind.fields.fields = {where, id};
  kind.expected = "id";
  kind.look = [look = std::move(look)](const Operation&, const Value& config,
                                       const GuardSurroundings&) {
    return look(config.text("where"));
  };
  return kind;
}

}  // namespace lifeboat::plan
