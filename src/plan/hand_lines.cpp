#include "plan/hand_lines.h"

namespace lifeboat::plan {

std::string work_file(const ByHand& hand, const std::string& name) {
  return "\"$work\"/" + hand.text(hand.step() + "." + name);
}

std::string kept(ByHand& hand, const std::string& name, const std::string& text) {
  hand.uses(HandTool::keep);
  hand.run("keep " + hand.text(hand.step() + "." + name) + " " + text);
  return work_file(hand, name);
}

std::string psql(const Value& config, ByHand& hand) {
  hand.needs("psql");
  std::string line;
  if (!config.at("password").is_null())
    line = "PGPASSWORD=" + hand.secret(config.at("password")) + " ";
  return line + "psql -X -q -A -t -v ON_ERROR_STOP=1 -d " + hand.word(config.at("url"));
}

std::string curl_with_login(const Value& config, ByHand& hand) {
  hand.needs("curl");
  hand.uses(HandTool::curl_login);
  const std::string user = config.has("user") ? hand.word(config.at("user")) : "guest";
  const std::string password =
      config.has("password") ? hand.secret(config.at("password")) : std::string("guest");
  const std::string login = kept(hand, "login", "\"$(curl_login " + user + " " + password + ")\"");
  const std::string ca =
      config.has("ca_file") ? " --cacert " + hand.word(config.at("ca_file")) : "";
  return "curl -sS" + ca + " --config " + login;
}

std::string git_with_login(const Value& user, const Value& password, ByHand& hand) {
  hand.needs("git");
  if (password.is_null()) return "git";
  // Git asks the shell, the shell has it from the environment.
  return "GIT_LOGIN=" + (user.is_null() ? "git" : hand.word(user)) +
         " GIT_PASSWORD=" + hand.secret(password) +
         " git -c credential.helper='!f() { printf \"username=%s\\npassword=%s\\n\" \"$GIT_LOGIN\" "
         "\"$GIT_PASSWORD\"; }; f'";
}

}  // namespace lifeboat::plan
