// By hand: sql, postgres-roles, rabbitmq-users.
#include <algorithm>
#include <array>
#include <cctype>

#include "schema/json.h"
#include "steps/by_hand/by_hand.h"

namespace lifeboat::steps::by_hand {
namespace {

using plan::ByHand;
using plan::HandTool;

const Value::List& items(const Value& config, std::string_view field) {
  static const Value::List none;
  const Value& value = config.at(field);
  return value.is(Value::Type::list) ? value.list() : none;
}

void add_expected(const Value& one, const std::string& psql, ByHand& hand) {
  const std::string answer = "\"$(" + psql + " -c " + hand.word(one.at("query")) + ")\"";
  const std::string name = hand.text(one.text("name", one.text("query").substr(0, 60)));
  hand.uses(HandTool::same);
  if (one.has("equals")) {
    const Value& wanted = one.at("equals");
    const std::string word =
        wanted.is(Value::Type::boolean) ? (wanted.boolean() ? "t" : "f") : hand.word(wanted);
    hand.check("same " + name + " " + word + " " + answer);
  }
  if (one.has("at_least")) {
    hand.uses(HandTool::at_least);
    hand.check("at_least " + name + " " + hand.word(one.at("at_least")) + " " + answer);
  }
  if (one.has("rows")) {
    hand.check("same " + name + " " + hand.word(one.at("rows")) + " \"$(" + psql + " -c " +
               hand.word(one.at("query")) + " | grep -c '')\"");
  }
  if (!one.has("equals") && !one.has("at_least") && !one.has("rows")) {
    hand.check("same " + name + " t " + answer);
  }
}

struct Attribute {
  const char* field;
  const char* on;
};
constexpr std::array attributes = {
    Attribute{"login", "LOGIN"},         Attribute{"superuser", "SUPERUSER"},
    Attribute{"createdb", "CREATEDB"},   Attribute{"createrole", "CREATEROLE"},
    Attribute{"inherit", "INHERIT"},     Attribute{"replication", "REPLICATION"},
    Attribute{"bypassrls", "BYPASSRLS"},
};

// Static text: names and password get in as variables of psql.
std::string role_script(const Value& role) {
  std::string script =
      "\\set password `printenv NEW_PASSWORD`\n"
      "SELECT format('CREATE ROLE %I LOGIN', :'role')\n"
      "  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \\gexec\n"
      "ALTER ROLE :\"role\"";
  for (const Attribute& one : attributes) {
    if (!role.has(one.field)) continue;
    script += std::string(role.boolean(one.field, false) ? " " : " NO") + one.on;
  }
  if (role.has("connection_limit")) {
    script += " CONNECTION LIMIT " + std::to_string(role.integer("connection_limit", -1));
  }
  script += " PASSWORD :'password';\n";
  for (std::size_t i = 0; i < items(role, "member_of").size(); ++i) {
    script += "GRANT :\"group" + std::to_string(i) + "\" TO :\"role\";\n";
  }
  return script;
}

// The variable that holds the password of one account; the line that sets it comes first.
std::string account_password(const std::string& name, const Value& account, ByHand& hand) {
  const std::string variable = hand.output("passwords." + name);
  if (account.at("password").is_null()) {
    hand.uses(HandTool::new_password);
    hand.run(variable + "=\"${" + variable + ":-$(new_password)}\"");
  } else {
    hand.run(variable + "=" + hand.secret(account.at("password")));
  }
  return "\"$" + variable + "\"";
}

// Lines that ask the management API.
struct Api {
  std::string curl, url;
};

Api api_of(const Value& config, ByHand& hand) {
  const std::string curl = curl_with_login(config, hand);
  return {curl, hand.word(config.at("url"))};
}

void put(const Api& api, ByHand& hand, const std::string& path, const std::string& body) {
  const std::string file = kept(hand, "body", body);
  hand.run(api.curl + " --fail -X PUT -H 'content-type: application/json' --data-binary @" + file +
           " " + api.url + "/api/" + path);
}

void add_user(const std::string& name, const Value& user, const Api& api, ByHand& hand) {
  const std::string password = account_password(name, user, hand);
  const std::string path = "users/" + url_part(name);
  hand.uses(HandTool::json_text);
  std::string tags;
  if (user.at("tags").is(Value::Type::list)) {
    tags = hand.json(user.at("tags"));
  } else {  // they stay as they are
    const std::string file = work_file(hand, "user");
    hand.uses(HandTool::value);
    hand.run(api.curl + " -o " + file + " " + api.url + "/api/" + path);
    const std::string variable = hand.local("tags");
    hand.run(variable + "=\"$(value " + file + " tags 2>/dev/null || echo '[]')\"");
    tags = "\"$" + variable + "\"";
  }
  put(api, hand, path,
      "'{\"password\":'\"$(json_text " + password + ")\"',\"tags\":'" + tags + "'}'");
  if (user.at("permissions").is(Value::Type::map)) {
    for (const auto& [vhost, rights] : user.at("permissions").map()) {
      Value all{Value::Map{}};
      for (const char* right : {"configure", "write", "read"}) {
        all.set(right, rights.text(right, "^$"));
      }
      put(api, hand, "permissions/" + url_part(vhost) + "/" + url_part(name), hand.json(all));
    }
  }
  // A user without tags may not use the API, and is told so only when the password was right.
  const std::string login =
      kept(hand, "user-login", "\"$(curl_login " + hand.text(name) + " " + password + ")\"");
  const std::string answer = work_file(hand, "answer");
  hand.uses(HandTool::same);
  hand.run("curl -sS --config " + login + " -o " + answer + " " + api.url + "/api/whoami");
  hand.run("same " + hand.text("login of " + name) + " accepted \"$(grep -qi 'login failed' " +
           answer + " && echo refused || echo accepted)\"");
  hand.check("same " + hand.text("user " + name) + " 200 \"$(" + api.curl +
             " -o /dev/null -w '%{http_code}' " + api.url + "/api/" + path + ")\"");
}

}  // namespace

void sql(const Value& config, ByHand& hand) {
  troubles(hand);
  const std::string program = psql(config, hand);
  const Value& run = config.at("run");
  if (run.is(Value::Type::list) && !run.list().empty()) {
    std::string line = program + " --single-transaction";
    for (const Value& statement : run.list()) line += " -c " + hand.word(statement);
    if (config.has("observe")) {
      hand.run(ByHand::remark("not when the first check below answers t already"));
      hand.uses(HandTool::same);
      hand.check("same observe t \"$(" + program + " -c " + hand.word(config.at("observe")) +
                 ")\"");
    }
    hand.run(line);
    hand.undo("Statements are irreversible: write and run the opposite.");
  } else {
    hand.undo("It changes nothing.");
  }
  for (const Value& one : items(config, "expect")) add_expected(one, program, hand);
  const Value& read = config.at("read");
  hand.assign_outputs([&](const plan::WantedOutput& wanted) -> std::string {
    if (!read.has(wanted.path.front()) || wanted.path.size() != 1) return "";
    return "\"$(" + program + " -c " + hand.word(read.at(wanted.path.front())) + ")\"";
  });
  // What nothing refers to, but the plan answers: to be seen.
  if (read.is(Value::Type::map)) {
    for (const auto& [name, query] : read.map()) {
      hand.check("printf '%s: %s\\n' " + hand.text(name) + " \"$(" + program + " -c " +
                 hand.word(query) + ")\"");
    }
  }
  hand.expect("Every check says `ok`.");
}

void postgres_roles(const Value& config, ByHand& hand) {
  troubles(hand);
  const std::string program = psql(config, hand);
  const std::string url = hand.word(config.at("url"));
  hand.uses(HandTool::same);
  for (const auto& [name, role] : config.at("roles").map()) {
    const std::string password = account_password(name, role, hand);
    std::string line =
        "NEW_PASSWORD=" + password + " " + program + " -1 -v role=" + hand.text(name);
    std::size_t group = 0;
    for (const Value& each : items(role, "member_of")) {
      line += " -v group" + std::to_string(group++) + "=" + hand.word(each);
    }
    hand.run(line + " <<'SQL'\n" + role_script(role) + "SQL");
    if (!role.boolean("login", true)) continue;
    const bool has_query = config.text("url").find('?') != std::string::npos;
    hand.check("same " + hand.text("login of " + name) + " " + hand.text(name) +
               " \"$(PGPASSWORD=" + password + " psql -X -A -t -d " + url +
               hand.text((has_query ? "&user=" : "?user=") + url_part(name)) +
               " -c 'SELECT current_user')\"");
  }
  hand.expect("Every role can log in with its new password.");
  hand.undo(
      "Drop the roles that were not there before (`DROP ROLE`); give the others their old "
      "password and attributes.");
}

void rabbitmq_users(const Value& config, ByHand& hand) {
  troubles(hand);
  const Api api = api_of(config, hand);
  for (const auto& [name, user] : config.at("users").map()) add_user(name, user, api, hand);
  hand.expect("Every login is accepted; every user is there.");
  hand.undo(
      "Delete the users that were not there before (DELETE /api/users/NAME); give the others "
      "their old password, tags and permissions.");
}

}  // namespace lifeboat::steps::by_hand
