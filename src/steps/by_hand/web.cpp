// By hand: http-check, journey, notify.
#include <chrono>
#include <map>

#include "schema/json.h"
#include "steps/by_hand/by_hand.h"
#include "steps/http/words.h"

namespace lifeboat::steps::by_hand {
namespace {

using plan::ByHand;
using plan::HandTool;

// `{{name}}` of requests becomes a reference like any other, to a variable of this step.
Value with_saved(const Value& value, const std::string& root) {
  if (value.is(Value::Type::list)) {
    Value list{Value::List{}};
    for (const Value& item : value.list()) list.push(with_saved(item, root));
    return list;
  }
  if (value.is(Value::Type::map)) {
    Value map{Value::Map{}};
    for (const auto& [key, member] : value.map()) map.set(key, with_saved(member, root));
    return map;
  }
  if (!value.is(Value::Type::string)) return value;
  std::string text;
  std::string_view rest = value.string();
  for (;;) {
    const std::size_t open = rest.find("{{");
    const std::size_t close = rest.find("}}", open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) break;
    const std::string name(rest.substr(open + 2, close - open - 2));
    if (!plan::valid_name(name)) break;  // refused when it runs; here it is text
    text += std::string(rest.substr(0, open)) + "${" + root + "." + name + "}";
    rest.remove_prefix(close + 2);
  }
  text += rest;
  Value done(std::move(text));
  if (value.own_taint()) done.taint();
  return done;
}

// `budget` of one request or of all, as a line that compares seconds.
template <class Line>
void add_budget(const Value& words, const std::string& name, const std::string& took, ByHand& hand,
                Line&& line) {
  const auto budget = parse_duration(words.text("budget"));
  if (!budget) return;
  hand.uses(HandTool::at_most);
  line("at_most " + name + " " + to_json(Value(std::chrono::duration<double>(*budget).count())) +
       " " + took);
}

// One request as the body of a shell function.
class Request {
 public:
  Request(const Value& all, const Value& one, std::size_t number, ByHand& hand)
      : all_(with_saved(all, saved_root(hand))),
        one_(with_saved(one, saved_root(hand))),
        hand_(hand),
        number_(std::to_string(number)),
        body_(work_file(hand, "answer-" + number_)) {}

  static std::string saved_root(const ByHand& hand) { return "saved-by-" + hand.step(); }

  void write() {
    const std::string file = upload();
    const std::string said = hand_.local("answer"), status = hand_.local("status");
    line(said + "=\"$(" + curl(!file.empty()) + file + " " + url() + ")\"");
    line(status + "=\"${" + said + "%% *}\"");
    compare(status);
    keep_to_budget(said);
    save();
    const std::string name = hand_.local("request") + "_" + number_;
    std::string block = name + "() {\n";
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      block += "  " + lines_[i] + (i + 1 < lines_.size() ? " &&\n" : "\n");
    }
    hand_.check(block + "}");
    if (one_.has("within")) {
      hand_.uses(HandTool::again);
      hand_.check("again " + seconds_of(one_, "within", "1s") + " " + name);
    } else {
      hand_.check(name);
    }
  }

 private:
  void line(std::string text) { lines_.push_back(std::move(text)); }
  std::string title() const {
    return one_.text("method", "GET") + " " + one_.text("path", one_.text("url", "/"));
  }
  std::string titled(const std::string& what) { return hand_.word(Value(title() + ": " + what)); }

  std::string url() {
    return hand_.word(one_.has("url") ? one_.at("url") : all_.at("url")) +
           (one_.has("path") ? hand_.word(one_.at("path")) : "");
  }

  // In a file, so that nobody reads it in the list of processes.
  std::string upload() {
    const bool is_json = !one_.at("json").is_null();
    if (!is_json && one_.at("body").is_null()) return "";
    hand_.uses(HandTool::keep);
    line("keep " + hand_.text(hand_.step() + ".body-" + number_) + " " +
         (is_json ? hand_.json(one_.at("json")) : hand_.word(one_.at("body"))));
    return std::string(is_json ? " -H 'content-type: application/json'" : "") + " --data-binary @" +
           work_file(hand_, "body-" + number_);
  }

  std::string curl(bool has_body) {
    hand_.needs("curl");
    std::string text = "curl -sS --max-time " + seconds_of(all_, "timeout", "30s");
    if (all_.has("ca_file")) text += " --cacert " + local_file(all_.at("ca_file"), hand_);
    if (all_.has("user")) {
      hand_.uses(HandTool::curl_login);
      text += " --config " + kept(hand_, "login",
                                  "\"$(curl_login " + hand_.word(all_.at("user")) + " " +
                                      hand_.secret(all_.at("password")) + ")\"");
    }
    if (hand_.node().type == "journey") {
      text += " -b " + work_file(hand_, "cookies") + " -c " + work_file(hand_, "cookies");
    }
    text += headers();
    const std::string method = one_.text("method", "GET");
    const bool by_itself = method == "GET" && !has_body;  // curl POSTs a body unless it is told
    text += method == "HEAD" ? " --head" : by_itself ? "" : " -X " + hand_.text(method);
    return text + " -o " + body_ + " -D " + work_file(hand_, "head-" + number_) +
           " -w '%{http_code} %{time_total}'";
  }

  // In a file too: one may carry what an earlier answer told.
  std::string headers() {
    std::string words;
    for (const Value* from : {&all_, &one_}) {
      if (from == &all_ && !all_.has("requests")) continue;
      for (const char* field : {"headers", "secret_headers"}) {
        if (!from->at(field).is(Value::Type::map)) continue;
        for (const auto& [name, value] : from->at(field).map()) {
          if (from == &all_ && one_.at(field).has(name)) continue;
          words += hand_.text(name + ": ") + hand_.secret(value) + "'\n'";
        }
      }
    }
    if (words.empty()) return "";
    hand_.uses(HandTool::keep);
    line("keep " + hand_.text(hand_.step() + ".headers-" + number_) + " " + words);
    return " -H @" + work_file(hand_, "headers-" + number_);
  }

  void compare(const std::string& status) {
    const Value& expect = one_.at("expect");
    hand_.uses(HandTool::same);
    if (expect.has("status")) {
      line("same " + titled("status") + " " + hand_.word(expect.at("status")) + " \"$" + status +
           "\"");
    } else {
      line("same " + titled("status 200 to 299") + " 2 \"${" + status + "%??}\"");
    }
    if (expect.at("json").is(Value::Type::map)) {
      for (const auto& [path, wanted] : expect.at("json").map()) {
        line(same_json(titled(path), wanted, body_, path, hand_));
      }
    }
    if (expect.has("body_contains")) {
      hand_.uses(HandTool::has);
      line("has " + titled("body") + " " + hand_.word(expect.at("body_contains")) + " " + body_);
    }
    if (!expect.at("header").is(Value::Type::map)) return;
    for (const auto& [name, wanted] : expect.at("header").map()) {
      hand_.uses(HandTool::header);
      line("same " + titled("header " + name) + " " + hand_.word(wanted) + " \"$(" + header(name) +
           ")\"");
    }
  }

  std::string header(const std::string& name) {
    hand_.uses(HandTool::header);
    return "header " + work_file(hand_, "head-" + number_) + " " + hand_.text(name);
  }

  // The whole time of curl, and the sum of those of all requests.
  void keep_to_budget(const std::string& said) {
    if (hand_.node().type != "journey") return;
    const std::string took = "\"${" + said + "##* }\"";
    add_budget(one_, titled("time"), took, hand_,
               [this](std::string text) { line(std::move(text)); });
    const std::string total = "\"$" + hand_.local("total") + "\"";
    line(hand_.local("total") + "=\"$(awk -v a=" + total + " -v b=" + took +
         " 'BEGIN { print a + b }')\"");
  }

  void save() {
    hand_.uses(HandTool::value);
    const auto from = [&](const std::string& name) {
      return hand_.output_of(saved_root(hand_) + "." + name) + "=";
    };
    for (const char* field : {"save", "take"}) {
      if (!one_.at(field).is(Value::Type::map)) continue;
      for (const auto& [name, place] : one_.at(field).map()) {
        const Value& json = place.is(Value::Type::map) ? place.at("json") : place;
        if (json.is(Value::Type::string)) {
          line(from(name) + "\"$(value " + body_ + " " + hand_.text(json.string()) + ")\"");
        } else if (place.has("header")) {
          line(from(name) + "\"$(" + header(place.text("header")) + ")\"");
        } else {
          line(from(name) + "\"$(awk -v name=" + hand_.text(place.text("cookie")) +
               " '$6 == name { print $7 }' " + work_file(hand_, "cookies") + " | grep .)\"");
        }
      }
    }
  }

  const Value all_, one_;
  ByHand& hand_;
  const std::string number_, body_;
  std::vector<std::string> lines_;
};

// `secrets`: what `{{name}}` is from the start.
template <class Line>
void set_saved(const Value& words, ByHand& hand, Line&& line) {
  if (!words.at("secrets").is(Value::Type::map)) return;
  for (const auto& [name, value] : words.at("secrets").map()) {
    line(hand.output_of(Request::saved_root(hand) + "." + name) + "=" + hand.secret(value));
  }
}

}  // namespace

void requests(const Value& config, ByHand& hand) {
  troubles(hand);
  bool safe = true;
  const auto add = [&](const Value& one, std::size_t number) {
    safe = safe && is_safe(one);
    Request(config, one, number, hand).write();
  };
  set_saved(config, hand, [&](std::string text) { hand.check(std::move(text)); });
  const std::string total = hand.local("total");
  const bool timed = hand.node().type == "journey";
  if (timed) hand.check(total + "=0");
  const Value& list = config.at("requests");
  if (list.is(Value::Type::list)) {
    std::size_t number = 0;
    for (const Value& one : list.list()) add(one, ++number);
  } else {
    add(config, 1);
  }
  if (timed) {
    add_budget(config, "'all requests: time'", "\"$" + total + "\"", hand,
               [&](std::string text) { hand.check(std::move(text)); });
  }
  hand.assign_outputs([&](const plan::WantedOutput& wanted) -> std::string {
    const std::string& name = wanted.path.front();
    if (wanted.path.size() != 1 || (timed && name == "latencies_ms")) return "";
    if (timed && name == "total_ms") {
      return "\"$(awk -v a=\"$" + total + "\" 'BEGIN { printf \"%.0f\", a * 1000 }')\"";
    }
    return "\"$" + hand.output_of(Request::saved_root(hand) + "." + name) + "\"";
  });
  hand.expect("Every check says `ok`.");
  hand.undo(safe ? "It changes nothing." : "Irreversible: undo by hand what its requests changed.");
}

void notify(const Value& config, ByHand& hand) {
  troubles(hand);
  hand.needs("curl");
  const std::string limit = "curl -sS --fail --max-time " + seconds_of(config, "timeout", "30s") +
                            " -o /dev/null -w '%{response_code}'";
  const std::string status = hand.output("status"), sent = status + "=\"$(";
  hand.undo("What was told cannot be taken back: send a correction.");
  if (config.has("smtp")) {
    const Value& smtp = config.at("smtp");
    const Value subject = smtp.has("subject") ? smtp.at("subject") : Value("A recovery");
    std::string recipients, to;
    for (const Value& each : smtp.at("to").list()) {
      recipients += " --mail-rcpt " + hand.word(each);
      to += (to.empty() ? "" : "', '") + hand.word(each);
    }
    const std::string mail =
        kept(hand, "mail",
             "'From: '" + hand.word(smtp.at("from")) + "'\nTo: '" + to + "'\nSubject: '" +
                 hand.word(subject) + "'\n\n'" + hand.word(config.at("message")) + "'\n'");
    std::string line = limit + (smtp.text("tls", "required") == "required" ? " --ssl-reqd" : "");
    if (smtp.has("ca_file")) line += " --cacert " + local_file(smtp.at("ca_file"), hand);
    if (smtp.has("user")) {
      hand.uses(HandTool::curl_login);
      line += " --config " + kept(hand, "login",
                                  "\"$(curl_login " + hand.word(smtp.at("user")) + " " +
                                      hand.secret(smtp.at("password")) + ")\"");
    }
    hand.run(sent + line + " --mail-from " + hand.word(smtp.at("from")) + recipients +
             " --upload-file " + mail + " " + hand.word(smtp.at("url")) + ")\"");
    hand.expect("The server takes the mail: exit status 0.");
    return;
  }
  const Value& hook = config.at("webhook");
  Value told{Value::Map{}};
  told.set("message", config.at("message")).set("step", hand.step()).set("run", "by hand");
  told.set("plan", config.at("plan"));
  set_saved(hook, hand, [&](std::string text) { hand.run(std::move(text)); });
  const bool free_text = hook.has("body");
  Value said = free_text ? hook.at("body") : hook.has("json") ? hook.at("json") : told;
  if (hook.has("secrets")) said = with_saved(said, Request::saved_root(hand));
  const std::string file = kept(hand, "body", free_text ? hand.word(said) : hand.json(said));
  std::string line = limit + " -X POST" +
                     (free_text ? "" : " -H 'content-type: application/json'") +
                     " --data-binary @" + file;
  if (hook.has("ca_file")) line += " --cacert " + local_file(hook.at("ca_file"), hand);
  if (hook.at("headers").is(Value::Type::map)) {
    for (const auto& [name, value] : hook.at("headers").map()) {
      line += " -H " + hand.text(name + ": ") + hand.word(value);
    }
  }
  if (hook.at("secret_headers").is(Value::Type::map)) {
    std::string words;
    for (const auto& [name, value] : hook.at("secret_headers").map()) {
      words += hand.text(name + ": ") + hand.secret(value) + "'\n'";
    }
    line += " -H @" + kept(hand, "headers", words);
  }
  if (hook.has("secret_url")) {  // not in an argument: it lets people in
    line += " --config " + kept(hand, "url", "'url = '" + hand.secret(hook.at("secret_url")));
    hand.run(sent + line + ")\"");
  } else {
    hand.run(sent + line + " " + hand.word(hook.at("url")) + ")\"");
  }
  hand.uses(HandTool::same);
  hand.run("same 'status 200 to 299' 2 \"${" + status + "%??}\"");
  hand.expect("The page answers 200 to 299: exit status 0.");
}

}  // namespace lifeboat::steps::by_hand
