// steps/by_hand/hand_page.h - A step's lines for people, typed into a real shell: for tests.
//
// Threads: one.  Ownership: the page owns its folder; what it asks is the test's.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "base/temporary_folder.h"
#include "plan/by_hand.h"
#include "plan/hand_tools.h"
#include "plan/step.h"
#include "schema/json.h"

namespace lifeboat::steps {

struct Typed {
  int status = -1;
  std::string said;  // on both streams
};

class HandPage {
 public:
  // A step `look` of this type. Each step after it refers to one of `outputs`.
  Typed type(const plan::StepType& type, const std::string& json,
             const std::vector<std::string>& outputs = {}) {
    const auto parsed = parse_json(json);
    if (!parsed) return {-1, parsed.error().what};
    Value config = *parsed;
    std::vector<Finding> findings;
    validate(config, type.fields, {.path = type.name, .references_allowed = true}, findings);
    if (!findings.empty()) return {-1, findings.front().text()};
    plan::Plan plan;
    plan.steps.push_back(node("look", type.name, config));
    std::string shown;
    for (const std::string& name : outputs) {
      Value refers;
      refers.set("it", "${look." + name + "}");
      plan.steps.push_back(node("after-" + name, "exec", refers));
      shown += "printf '%s=%s\\n' " + name + " \"$look_" + name + "\"\n";
    }
    plan::HandNames names(plan, scope);
    plan::ByHand hand(plan.steps.front(), names);
    type.by_hand(config, hand);
    std::string lines;
    for (const std::string& line : hand.commands()) lines += line + "\n";
    for (const std::string& line : hand.checks()) lines += line + "\n";
    return run(hand.tools(), lines + shown);
  }

  // Lines after the functions that they call; the shell ends at the first that fails.
  Typed run(const std::set<plan::HandTool>& tools, const std::string& lines) {
    const std::string script = path() + "/lines.sh", said = path() + "/said";
    std::ofstream(script) << "work='" << path() << "' bundle='" << path()
                          << "/bundle' point=newest\n"
                          << "PATH=\"$bundle/bin:$PATH\" no_proxy='*'\nexport PATH no_proxy\n"
                          << before << plan::functions_of(tools) << lines;
    const int ended = std::system(("/bin/sh -eu " + script + " >" + said + " 2>&1").c_str());
    std::stringstream text;
    text << std::ifstream(said).rdbuf();
    return {WIFEXITED(ended) ? WEXITSTATUS(ended) : -1, text.str()};
  }

  const std::string& path() const { return folder_.path(); }
  // Of the bundle: what the plan's relative paths are below. Programs of `bin` are found first.
  std::string below(const std::string& name) const { return path() + "/bundle/" + name; }

  plan::Scope scope;
  std::string before;  // lines that a person has typed first

 private:
  static plan::StepNode node(const std::string& name, const std::string& type, Value config) {
    plan::StepNode made;
    made.name = name;
    made.type = type;
    made.config = std::move(config);
    return made;
  }

  const TemporaryFolder folder_ = *TemporaryFolder::make_only("byhand");
};

}  // namespace lifeboat::steps
