#include "guard/by_hand.h"

#include "plan/hand_lines.h"

namespace lifeboat::guards::by_hand {
namespace {

using plan::ByHand;
using plan::HandTool;

// Compares the word that tells the identity with what the field wants.
void identity(const Value& config, const char* field, const std::string& found, ByHand& hand) {
  const std::string name = hand.text(hand.step());
  if (config.has(field)) {
    hand.uses(HandTool::same);
    hand.check("same " + name + " " + hand.word(config.at(field)) + " " + found);
  } else {
    hand.check("printf '%s: %s\\n' " + name + " " + found + " | cat -v");
  }
}

// A path that is meant from the folder of the platform file.
std::string path_word(const Value& value, ByHand& hand) {
  const auto known = hand.known(value);
  const bool absolute =
      !known || !known->is(Value::Type::string) || known->string().starts_with('/');
  return (absolute ? "" : "\"$bundle\"/") + hand.word(value);
}

// A path is meant from there too; an address (with a ':') is not.
std::string place_word(const Value& value, ByHand& hand) {
  const auto known = hand.known(value);
  const bool address =
      known && known->is(Value::Type::string) && known->string().find(':') != std::string::npos;
  return address ? hand.word(value) : path_word(value, hand);
}

std::string git_of(const Value& config, ByHand& hand) {
  const std::string git = plan::git_with_login(config.at("user"), config.at("password"), hand);
  if (!config.has("ca_file")) return git;
  return "GIT_SSL_CAINFO=" + path_word(config.at("ca_file"), hand) + " " + git;
}

}  // namespace

void aws_account(const Value& config, ByHand& hand) {
  hand.needs("aws");
  const std::string endpoint =
      config.has("endpoint") ? " --endpoint-url " + hand.word(config.at("endpoint")) : "";
  identity(config, "id",
           "\"$(aws sts get-caller-identity --query Account --output text" + endpoint + ")\"",
           hand);
}

void file(const Value& config, ByHand& hand) {
  const std::string text = "\"$(cat -- " + path_word(config.at("path"), hand) + ")\"";
  if (!config.has("contains")) return identity(config, "contains", text, hand);
  hand.uses(HandTool::same);
  hand.check("same " + hand.text(hand.step()) + " 'it is there' \"$(case " + text + " in *" +
             hand.word(config.at("contains")) + "*) echo 'it is there' ;; *) echo no ;; esac)\"");
}

void git(const Value& config, ByHand& hand) {
  const std::string program = git_of(config, hand);
  const std::string copy = plan::work_file(hand, "copy");
  const std::string roots = plan::work_file(hand, "roots");
  hand.check("rm -rf " + copy);
  hand.check(program + " clone --quiet --bare --no-tags --filter=tree:0 -- " +
             place_word(config.at("url"), hand) + " " + copy);
  hand.check("git -C " + copy + " rev-list --max-parents=0 --branches --remotes >" + roots);
  const std::string found = config.has("root_commit")
                                ? "\"$(grep -xF -e " + hand.word(config.at("root_commit")) + " " +
                                      roots + " || cat " + roots + ")\""
                                : "\"$(cat " + roots + ")\"";
  identity(config, "root_commit", found, hand);
}

void git_ref(const Value& config, ByHand& hand) {
  const std::string program = git_of(config, hand);
  identity(config, "commit",
           "\"$(" + program + " ls-remote -- " + place_word(config.at("url"), hand) + " " +
               hand.word(config.at("ref")) + " | cut -f 1)\"",
           hand);
}

void host(const Value& config, ByHand& hand) { identity(config, "name", "\"$(uname -n)\"", hand); }

void postgres(const Value& config, ByHand& hand) {
  const std::string program = plan::psql(config, hand);
  identity(
      config, "system_identifier",
      "\"$(" + program + " -c 'SELECT system_identifier FROM pg_catalog.pg_control_system()')\"",
      hand);
}

void rabbitmq(const Value& config, ByHand& hand) {
  Value login = config;
  login.map().erase("ca_file");
  std::string curl = plan::curl_with_login(login, hand);
  if (config.has("ca_file")) curl += " --cacert " + path_word(config.at("ca_file"), hand);
  const std::string answer = plan::work_file(hand, "answer");
  hand.uses(HandTool::value);
  hand.check(curl + " --fail -o " + answer + " " + hand.word(config.at("url")) +
             "/api/global-parameters/internal_cluster_id");
  identity(config, "cluster_id", "\"$(value " + answer + " value)\"", hand);
}

}  // namespace lifeboat::guards::by_hand
