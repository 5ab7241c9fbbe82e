// By hand: wait, dns-check, tls-check, file-check.
#include "schema/json.h"
#include "steps/by_hand/by_hand.h"

namespace lifeboat::steps::by_hand {
namespace {

using plan::ByHand;
using plan::HandTool;

Value::List texts(const Value& value) {
  if (value.is(Value::Type::list)) return value.list();
  return value.is_null() ? Value::List() : Value::List{value};
}

// Runs a block until it succeeds, where the plan has the patience.
void with_patience(const Value& config, ByHand& hand, const std::string& block) {
  const std::string name = hand.local("look");
  hand.check(name + "() {\n" + block + "}");
  if (config.has("within")) {
    hand.uses(HandTool::again);
    hand.check("again " + seconds_of(config, "within", "10m") + " " + name);
  } else {
    hand.check(name);
  }
  hand.expect("Every check says `ok`.");
  hand.undo("It changes nothing.");
}

std::string joined(const std::vector<std::string>& lines) {
  std::string block;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    block += "  " + lines[i] + (i + 1 < lines.size() ? " &&\n" : "\n");
  }
  return block;
}

// "-connect" and the like of "HOST:PORT" in a variable.
std::string host_of(const std::string& variable) { return "\"${" + variable + "%:*}\""; }
std::string port_of(const std::string& variable) { return "\"${" + variable + "##*:}\""; }

std::string dig(const Value& config, ByHand& hand, const std::string& server) {
  std::string line = "dig +short ";
  line += hand.word(config.at("name")) + " " + hand.text(config.text("type", "A"));
  if (server.empty()) return line;
  return line + " @\"${" + server + "%%:*}\" -p \"$(expr \"$" + server +
         "\" : '.*:\\([0-9]*\\)$' || echo 53)\"";
}

void add_answers(const Value& config, const std::string& answer, ByHand& hand,
                 std::vector<std::string>& lines) {
  if (config.has("contains")) {
    hand.uses(HandTool::has);
    const std::string file = work_file(hand, "answer");
    lines.push_back(answer + " | tr -d '\"' >" + file);
    for (const Value& each : texts(config.at("contains"))) {
      lines.push_back("has record " + hand.word(each) + " " + file);
    }
    return;
  }
  hand.uses(HandTool::same);
  std::string wanted;
  for (const Value& each : texts(config.at("expect"))) wanted += " " + hand.word(each);
  const std::string expected = wanted.empty() ? "''" : "\"$(printf '%s\\n'" + wanted + " | sort)\"";
  if (!config.has("expect")) {
    lines.push_back("test -n \"$(" + answer + ")\"");
  } else {
    lines.push_back("same records " + expected + " \"$(" + answer + " | tr -d '\"' | sort)\"");
  }
}

}  // namespace

void wait(const Value& config, ByHand& hand) {
  troubles(hand);
  hand.uses(HandTool::again);
  const std::string patience = "again " + seconds_of(config, "within", "10m") + " ";
  if (config.has("tcp")) {
    hand.needs("nc");
    const std::string at = hand.local("at");
    hand.check(at + "=" + hand.word(config.at("tcp")));
    hand.check(patience + "nc -z " + host_of(at) + " " + port_of(at));
  } else if (config.has("http")) {
    hand.needs("curl");
    std::string line = "curl -sS --max-time 10 -o /dev/null -w '%{http_code}' ";
    if (config.has("ca_file")) line += "--cacert " + hand.word(config.at("ca_file")) + " ";
    const std::string name = hand.local("look");
    const std::string status = "\"$(" + line + hand.word(config.at("http")) + ")\"";
    hand.check(
        name + "() {\n  " + hand.local("status") + "=" + status + "\n  test \"" +
        (config.integer("status", 0) == 0
             ? "${" + hand.local("status") + "%??}\" = 2"
             : "$" + hand.local("status") + "\" = " + std::to_string(config.integer("status", 0))) +
        "\n}");
    hand.check(patience + name);
  } else {
    const Value& sql = config.at("sql");
    const std::string name = hand.local("look");
    hand.check(name + "() {\n  case \"$(" + psql(sql, hand) + " -c " +
               hand.word(Value(sql.text("query", "select true"))) +
               ")\" in '' | f) return 1 ;; esac\n}");
    hand.check(patience + name);
  }
  hand.expect("It answers; until then the command asks again.");
  hand.undo("It changes nothing.");
}

void dns_check(const Value& config, ByHand& hand) {
  troubles(hand);
  hand.needs("dig");
  std::vector<std::string> lines;
  if (config.has("parent")) {
    hand.note("Ask every server that the parent zone delegates to: see them with `dig +trace`.");
  }
  const Value::List servers = texts(config.at("servers"));
  if (servers.empty()) add_answers(config, dig(config, hand, ""), hand, lines);
  for (const Value& each : servers) {
    const std::string server = hand.local("server");
    lines.push_back(server + "=" + hand.word(each));
    add_answers(config, dig(config, hand, server), hand, lines);
  }
  with_patience(config, hand, joined(lines));
}

void tls_check(const Value& config, ByHand& hand) {
  troubles(hand);
  hand.needs("openssl");
  hand.uses(HandTool::same);
  const std::string at = hand.local("address");
  std::vector<std::string> lines = {at + "=" + hand.word(config.at("address"))};
  const std::string name =
      config.has("server_name") ? hand.word(config.at("server_name")) : host_of(at);
  std::string connect = "\"$" + at + "\"";
  if (config.has("connect_to")) connect = hand.word(config.at("connect_to"));
  const std::string trust =
      config.has("ca_file") ? " -CAfile " + hand.word(config.at("ca_file")) : "";
  const std::string file = work_file(hand, "certificate");
  const std::string oldest = config.text("protocol", "TLSv1.2") == "TLSv1.3"
                                 ? " -min_protocol TLSv1.3"
                                 : " -min_protocol TLSv1.2";
  lines.push_back("openssl s_client -connect " + connect + " -servername " + name +
                  " -verify_hostname " + name + " -verify_return_error" + trust + oldest +
                  " </dev/null 2>&1 >" + file + " | sed -n '/error/p'");
  lines.push_back("openssl x509 -in " + file + " -noout -issuer -enddate -fingerprint -sha256");
  if (config.has("valid_for")) {
    lines.push_back("openssl x509 -in " + file + " -noout -checkend " +
                    seconds_of(config, "valid_for", "0s"));
  }
  if (config.has("issuer")) {
    lines.push_back("openssl x509 -in " + file + " -noout -issuer | grep -qF -- " +
                    hand.word(config.at("issuer")));
  }
  if (config.has("fingerprint")) {
    lines.push_back("same fingerprint " + hand.word(config.at("fingerprint")) +
                    " \"$(openssl x509 -in " + file +
                    " -outform DER | sha256sum | cut -d ' ' -f 1)\"");
  }
  if (config.has("public_key")) {
    lines.push_back(
        "same 'public key' " + hand.word(config.at("public_key")) + " \"$(openssl x509 -in " +
        file +
        " -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d ' ' -f 1)\"");
  }
  with_patience(config, hand, joined(lines));
  hand.assign_outputs([&](const plan::WantedOutput& wanted) -> std::string {
    const std::string x509 = "\"$(openssl x509 -in " + file + " -noout ";
    if (wanted.path.front() == "issuer") return x509 + "-issuer)\"";
    if (wanted.path.front() == "not_after") return x509 + "-enddate)\"";
    return "\"$(openssl x509 -in " + file + " -outform DER | sha256sum | cut -d ' ' -f 1)\"";
  });
}

void file_check(const Value& config, ByHand& hand) {
  troubles(hand);
  const std::string path = hand.local("path");
  hand.uses(HandTool::same);
  // Relative paths are below the plan's folder.
  hand.check(path + "=" + hand.word(config.at("path")));
  hand.check("case \"$" + path + "\" in /*) ;; *) " + path + "=\"$bundle/$" + path + "\" ;; esac");
  const std::string file = "\"$" + path + "\"";
  std::vector<std::string> lines;
  if (!config.boolean("exists", true)) {
    lines.emplace_back("! test -e " + file + " && ! test -L " + file);
    return with_patience(config, hand, joined(lines));
  }
  lines.push_back("test -e " + file);
  const auto equal = [&](const char* field, const std::string& format) {
    if (!config.has(field)) return;
    lines.push_back(std::string("same ") + field + " " + hand.word(config.at(field)) +
                    " \"$(stat -L -c " + format + " -- " + file + ")\"");
  };
  const std::string kind = config.text("kind");
  const std::map<std::string, std::string> tests = {
      {"file", "-f"}, {"folder", "-d"}, {"link", "-L"}, {"socket", "-S"}, {"pipe", "-p"}};
  if (tests.contains(kind)) lines.push_back("test " + tests.at(kind) + " " + file);
  equal("owner", "%U");
  equal("group", "%G");
  if (config.has("mode")) {
    lines.push_back("same mode " + hand.word(config.at("mode")) +
                    " \"$(printf %04d \"$(stat -L -c %a -- " + file + ")\")\"");
  }
  const std::string count = "\"$(find " + file + " -type f | grep -c '')\"";
  const std::string size =
      "\"$(find " + file +
      " -type f -printf '%s\\n' | awk '{ sum += $1 } END { print sum + 0 }')\"";
  const auto bounded = [&](const char* field, const char* test, const std::string& found) {
    if (!config.has(field)) return;
    lines.push_back("test " + found + " " + test + " " + hand.word(config.at(field)));
  };
  bounded("min_size", "-ge", size);
  bounded("max_size", "-le", size);
  bounded("min_count", "-ge", count);
  bounded("max_count", "-le", count);
  if (config.has("sha256")) {
    lines.push_back("same sha256 " + hand.word(config.at("sha256")) + " \"$(if test -d " + file +
                    "; then cd " + file +
                    " && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum -z | "
                    "sha256sum; else sha256sum <" +
                    file + "; fi | cut -d ' ' -f 1)\"");
  }
  for (const Value& each : texts(config.at("contains"))) {
    lines.push_back("grep -qF -- " + hand.word(each) + " " + file);
  }
  if (config.at("json").is(Value::Type::map)) {
    hand.uses(HandTool::value);
    for (const auto& [place, wanted] : config.at("json").map()) {
      lines.push_back("same " + hand.text(place) + " " + hand.word(wanted) + " \"$(value " + file +
                      " " + hand.text(place) + ")\"");
    }
  }
  if (config.has("max_age")) {
    lines.push_back("test -n \"$(find " + file + " -newermt \"-" +
                    seconds_of(config, "max_age", "1s") + " seconds\" -print -quit)\"");
  }
  with_patience(config, hand, joined(lines));
  hand.assign_outputs([&](const plan::WantedOutput& wanted) -> std::string {
    if (wanted.path.front() == "size") return size;
    return wanted.path.front() == "count" ? count : "";
  });
}

}  // namespace lifeboat::steps::by_hand
