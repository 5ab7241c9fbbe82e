// source/postgres/roles.h - Roles of a server: read, made equal again, compared.
//
// roles.json: {format, hashes, roles: [{name, attributes, password, settings, comment, ...}],
// memberships: [{role, member, admin}], parameters: [{name, grantee, privilege, grantable}]}.
// Predefined roles (pg_*) appear as what others are members of only.
#pragma once

#include <string>
#include <vector>

#include "source/postgres/server.h"

namespace lifeboat::source::pg {

// `hashes` is false where the connecting role may not read them (it is no superuser).
Result<Value> read_roles(const Operation& op, Connection& connection);

// What a restore may do to roles: who it is and which run.
struct RolesRequest {
  std::string connecting_user;
  std::string run;
};
// In one transaction. Answers remarks.
Result<std::vector<std::string>> restore_roles(const Operation& op, Connection& connection,
                                               const Value& captured, const RolesRequest& request);
// Attributes and memberships, one check per role.
std::vector<Check> compare_roles(const Value& captured, const Value& live);

// "ALTER ROLE x SET" + this: name and value of a setting, lists as lists.
std::string setting_clause(const Connection& connection, const std::string& name,
                           const std::string& value);

}  // namespace lifeboat::source::pg
