// plan/by_hand.h - What a person types instead of a step: shell text in which data stays data.
//
// A step type writes lines here (StepType::by_hand); the runbook (runbook/runbook.h) shows them.
// Values of the plan get into a line only as what word(), json() and secret() answer: one word of
// a POSIX shell each, whatever the value holds. Text of the plan is quoted; what it refers to and
// what is not known yet is a variable ("${dbserver.url}" -> "$dbserver_url", always with a `_`, so
// that it is no variable of the shell's own); a secret is only ever a variable, a file or the
// output of a program, and no line puts one into an argument of a program.
//
// Lines may rely on what the runbook sets first: $work (a folder of one's own, 0700), $bundle (the
// folder of the platform file and of what its plans name), and the functions asked for by uses().
//
// Threads: one.  Ownership: HandNames and the plan outlive it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plan/expression.h"
#include "plan/plan.h"
#include "plan/prose.h"

namespace lifeboat::plan {

// An output of a step that later steps refer to, and the variable that they take it from.
struct WantedOutput {
  std::vector<std::string> path;  // below the step: {"passwords", "shop_app"}
  std::string variable;
};

// The variables of one runbook: which expression is which, never two under one name.
class HandNames {
 public:
  // `known`: what is certain before any run (sources, platform); the rest becomes variables.
  HandNames(const Plan& plan, Scope known);

  // "inputs.target" -> "inputs_target"; the same for the same expression.
  const std::string& variable(const std::string& expression);
  // The same for what a person has to work out or to fetch.
  const std::string& asked(const std::string& expression);
  std::optional<Value> known(const Expression& expression) const;
  // What is referred to, of one step or root word; in the order of their text.
  std::vector<WantedOutput> wanted(const std::string& root) const;
  // What was asked(), and expressions that are no plain path: a person sets them.
  std::vector<std::pair<std::string, std::string>> computed() const;  // variable, expression

 private:
  void add_references(const Value& config);
  void add_expression(const Template::Part& part);

  const Scope known_;
  std::map<std::string, std::string> variables_;           // expression -> variable
  std::map<std::string, std::vector<std::string>> paths_;  // those that are a plain path
  std::set<std::string> taken_, asked_;                    // variables; expressions
};

// What later lines may call, besides $work and $bundle.
enum class HandTool {
  same,          // same NAME WANTED GOT: says whether they are equal; status 1 when not
  at_least,      // at_least NAME NUMBER GOT
  at_most,       // at_most NAME NUMBER GOT
  holds,         // holds NAME COMMAND...: the command ends with status 0
  has,           // has NAME TEXT FILE: the file holds exactly this text
  again,         // again SECONDS COMMAND...: every second until it succeeds
  value,         // value FILE PATH: what is there in a JSON file ("a.b[0]" or "/a/b/0")
  json_text,     // json_text TEXT: as a JSON string
  new_password,  // 48 hex digits from /dev/urandom
  keep,          // keep NAME TEXT: writes $work/NAME, 0600
  snapshot,      // snapshot SOURCE: id of that source's snapshot in the one point of this page
  curl_login,    // curl_login USER PASSWORD: a line for `curl --config`
  set_value,     // set_value FILE KEY TEXT: in .env, .properties, JSON or block-style YAML
  header,        // header FILE NAME: its value in what `curl -D` wrote; status 1 without one
  // tls_hello HOST:PORT NAME [OPTION...]: a handshake of openssl, proven for NAME; tcp_place PLACE
  // PORT: HOST:PORT of either; digest_form DIGEST: as sha256sum writes it
  tls,
  // ask_dns SERVER NAME TYPE SECONDS [OPTION...]: then dns_records NAME TYPE, dns_ttl NAME TYPE,
  // dns_authority; dns_form TYPE: records of stdin as they are compared; has_record TYPE RECORD
  // RECORDS; delegated PARENT NAME TYPE SECONDS PORT: the servers to ask
  dns,
};

// One word of a shell that it reads as exactly this text; what an eye cannot see is escaped.
std::string shell_text(std::string_view literal);

class ByHand {
 public:
  ByHand(const StepNode& step, HandNames& names) : step_(step), names_(names) {}

  // --- words: one each, safe wherever a word may stand
  std::string word(const Value& value);
  std::string text(std::string_view literal) const { return shell_text(literal); }  // no reference
  // The JSON of `value`, references filled in as JSON strings.
  std::string json(const Value& value);
  // A variable of this step's own, without `$`.
  std::string local(const std::string& what) { return names_.variable(step_.name + " " + what); }
  std::string output_of(const std::string& expression) { return names_.variable(expression); }
  // That of an output: the one which later steps take it from.
  std::string output(const std::string& path) { return names_.variable(step_.name + "." + path); }
  // A field of shape `secret`; for the shell's own commands (printf, keep) and for assignments.
  std::string secret(const Value& value);
  std::optional<Value> known(const Value& value);  // nullopt: holds what is not known yet

  // --- lines
  void run(std::string line) { commands_.push_back(std::move(line)); }
  void check(std::string line) { checks_.push_back(std::move(line)); }
  // A comment, in one line; may hold anything.
  static std::string remark(std::string_view text);
  // What is right to see, in words.
  void expect(Prose words) { expected_.push_back(std::move(words)); }
  void undo(Prose words) { undo_ = std::move(words); }
  // Why a person has to do something else than type (an output that no line tells).
  void note(Prose words) { notes_.push_back(std::move(words)); }
  // What to do about one class of error: the name of its Error::Kind.
  void trouble(const char* error, Prose words) { troubles_.emplace_back(error, std::move(words)); }
  // A program that must be installed.
  void needs(std::string program) { programs_.insert(std::move(program)); }
  void uses(HandTool tool) { tools_.insert(tool); }
  // Sets the variables of outputs that later steps want: `line` answers the shell word for a path,
  // "" where no command tells it.
  template <class WordOf>
  void assign_outputs(WordOf&& word_of);

  const std::string& step() const { return step_.name; }
  const StepNode& node() const { return step_; }
  std::vector<WantedOutput> wanted() const { return names_.wanted(step_.name); }

  const std::vector<std::string>& commands() const { return commands_; }
  const std::vector<std::string>& checks() const { return checks_; }
  const std::vector<Prose>& expected() const { return expected_; }
  const std::vector<Prose>& notes() const { return notes_; }
  const std::set<std::string>& programs() const { return programs_; }
  const std::set<HandTool>& tools() const { return tools_; }
  const Prose& undo() const { return undo_; }
  const std::vector<std::pair<Prose, Prose>>& troubles() const { return troubles_; }
  // What lines and words hold of sources and platform: expression -> value, no secret.
  const Value& taken() const { return taken_; }
  // Variables of the environment that secrets are taken from.
  const std::set<std::string>& environment() const { return environment_; }

 private:
  std::string part(const Template::Part& part);
  std::optional<Value> take(const Template::Part& part);

  const StepNode& step_;
  HandNames& names_;
  std::vector<std::string> commands_, checks_;
  std::vector<Prose> expected_, notes_;
  std::set<std::string> programs_, environment_;
  std::set<HandTool> tools_;
  Prose undo_;
  Value taken_{Value::Map{}};
  std::vector<std::pair<Prose, Prose>> troubles_;
};

// Letters, digits and '_', no digit first: what a shell can assign to.
bool is_shell_name(std::string_view name);

template <class WordOf>
void ByHand::assign_outputs(WordOf&& word_of) {
  for (const WantedOutput& each : wanted()) {
    const std::string word = word_of(each);
    if (!word.empty()) {
      check(each.variable + "=" + word);
      continue;
    }
    std::string path;
    for (const std::string& key : each.path) path += (path.empty() ? "" : ".") + key;
    note(Prose("Later steps want ")
             .data(path)
             .add(" of this step: set ")
             .code(each.variable)
             .add(" to it."));
  }
}

}  // namespace lifeboat::plan
