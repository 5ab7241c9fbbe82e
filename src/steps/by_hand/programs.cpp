// By hand: exec, restore, compare, git-edit.
#include "steps/by_hand/by_hand.h"

namespace lifeboat::steps::by_hand {
namespace {

using plan::ByHand;
using plan::HandTool;

const Value::Map& members(const Value& config, std::string_view field) {
  static const Value::Map none;
  const Value& value = config.at(field);
  return value.is(Value::Type::map) ? value.map() : none;
}

void export_line(ByHand& hand, std::string& block, const std::string& name,
                 const std::string& word) {
  if (plan::is_shell_name(name)) {
    block += "  export " + name + "=" + word + "\n";
  } else {
    block += "  " + ByHand::remark("no shell can set the variable " + name) + "\n";
    hand.note(plan::Prose("The variable ")
                  .data(name)
                  .add(" has a name that no shell can set: use `env`."));
  }
}

// A subshell, so that nothing of its environment stays.
std::string exec_block(const Value& config, ByHand& hand, const std::string& verb) {
  std::string block = "( cd \"$bundle\" || exit 1\n";
  if (config.has("directory"))
    block += "  cd -- " + hand.word(config.at("directory")) + " || exit 1\n";
  for (const auto& [name, value] : members(config, "env")) {
    export_line(hand, block, name, hand.word(value));
  }
  for (const auto& [name, value] : members(config, "secret_env")) {
    export_line(hand, block, name, hand.secret(value));
  }
  for (const auto& [name, value] : members(config, "files")) {
    export_line(hand, block, name, work_file(hand, name));
  }
  block += "  export LIFEBOAT_OUTPUT=" + work_file(hand, "json") + " LIFEBOAT_RUN=by-hand\n";
  block += "  export LIFEBOAT_STEP=" + hand.text(hand.step()) +
           " LIFEBOAT_GENERATION=1 LIFEBOAT_VERB=" + verb + "\n  exec";
  if (config.at(verb).is(Value::Type::list)) {
    for (const Value& word : config.at(verb).list()) block += " " + hand.word(word);
  }
  return block + " )";
}

// Options of `lifeboat restore` for what the target needs besides its place.
std::string login_options(const Value& with, ByHand& hand) {
  std::string options;
  if (!with.is(Value::Type::map)) return options;
  for (const auto& [field, value] : with.map()) {
    if (field == "user") {
      options += " --user " + hand.word(value);
    } else if (field == "password") {
      options += " --password-file " + kept(hand, "password", hand.secret(value));
    } else {
      hand.note(plan::Prose("").data(field).add(
          " of the source is another one at the target: set it in a copy of the "
          "platform file, and name that with `--config`."));
    }
  }
  return options;
}

// The snapshot that the recovery point has of a source, as a word: all steps take the same point.
std::string snapshot_of(const Value& config, ByHand& hand) {
  hand.needs("lifeboat");
  hand.uses(HandTool::snapshot);
  const std::string variable = hand.local("snapshot");
  hand.run(variable + "=\"$(snapshot " + hand.word(config.at("source")) + ")\"");
  return "\"$" + variable + "\"";
}

// The texts of `except`; an empty one, which every line holds, excepts nothing.
Value::List excepted(const Value& config) {
  const Value& texts = config.at("except");
  Value::List all = texts.is(Value::Type::list) ? texts.list() : Value::List{texts};
  std::erase_if(all, [](const Value& text) {
    return !text.is(Value::Type::string) || text.string().empty();
  });
  return all;
}

// The names of what differs, below both folders, less those that hold a text of `except`.
void compare_folders(const Value& config, const std::string& snapshot, const std::string& live,
                     ByHand& hand) {
  hand.needs("diff");
  hand.uses(HandTool::same);
  const std::string sides = work_file(hand, "sides"), found = work_file(hand, "differing");
  hand.run("mkdir -p " + sides + " && ln -sfn -- " + live + " " + sides + "/live");
  hand.run("lifeboat restore " + snapshot + " --to " + sides + "/point");
  std::string but;
  for (const Value& text : excepted(config)) but += " -e " + hand.word(text);
  hand.check("( cd " + sides +
             " && { diff -rq --no-dereference point/ live/ || [ \"$?\" = 1 ]; } ) >" + found +
             " &&\nsame 'what differs' '' \"$(sed -e 's|^Files point/\\(.*\\) and live/.* "
             "differ$|\\1|' -e 's|^Only in [a-z]*/*\\(.*\\): |\\1/|' " +
             found + (but.empty() ? "" : " | grep -vF" + but) + ")\"");
  hand.expect("Nothing differs: the check says `ok`.");
}

}  // namespace

void exec(const Value& config, ByHand& hand) {
  troubles(hand);
  hand.uses(HandTool::keep);
  for (const auto& [name, value] : members(config, "files")) kept(hand, name, hand.secret(value));
  hand.run("keep " + hand.text(hand.step() + ".json") + " ''");
  hand.run(exec_block(config, hand, "run"));
  hand.check(exec_block(config, hand, "observe"));
  hand.expect(
      "Both programs end with exit status 0; `observe` ends with 1 while the effect is not there.");
  if (!members(config, "outputs").empty()) {
    hand.expect(plan::Prose("The outputs are in ").code("$work/" + hand.step() + ".json").add("."));
  }
  hand.assign_outputs([&](const plan::WantedOutput& wanted) {
    hand.uses(HandTool::value);
    return "\"$(value " + work_file(hand, "json") + " " + hand.text(pointer(wanted.path)) + ")\"";
  });
  hand.undo("The plan knows no way back: undo by hand what the program did.");
}

void restore(const Value& config, ByHand& hand) {
  troubles(hand);
  const std::string source = snapshot_of(config, hand);
  const std::string options = login_options(config.at("with"), hand);
  const std::string line = "lifeboat restore " + source + " --to " + hand.word(config.at("into"));
  hand.run(line + options + (config.text("foreign") == "keep_aside" ? " --keep-aside" : ""));
  hand.check(line + options + " --dry-run");
  hand.expect("`verified: N/N checks`, both numbers the same, and exit status 0.");
  hand.expect(
      "Afterwards the dry run says that this snapshot was restored there, and changes nothing.");
  hand.assign_outputs([](const plan::WantedOutput&) { return std::string(); });
  hand.undo(
      "A restore is irreversible; what was there before was kept aside only with `--keep-aside`: "
      "`lifeboat kept`.");
}

void compare(const Value& config, ByHand& hand) {
  troubles(hand);
  const auto told = [&](const char* field) {
    const auto value =
        hand.known(Value("${sources." + config.text("source") + "." + field + " ?? ''}"));
    return value && value->is(Value::Type::string) ? value->string() : std::string();
  };
  const std::string type = told("type");
  const std::string path = type == "files" && !config.has("at") ? told("path") : "";
  const std::string snapshot = snapshot_of(config, hand);
  if (type == "files" && (config.has("at") || !path.empty())) {
    compare_folders(config, snapshot,
                    config.has("at") ? hand.word(config.at("at")) : hand.text(path), hand);
  } else {
    hand.check("lifeboat ls " + snapshot);
    hand.expect(
        "Every item of the list is in the live system, with the same size or number of rows.");
    for (const Value& text : excepted(config)) {
      hand.expect(
          plan::Prose("It does not count where a name holds ").data(text.string()).add("."));
    }
  }
  hand.assign_outputs([&](const plan::WantedOutput& wanted) {
    return wanted.path.front() == "snapshot" ? snapshot : std::string();
  });
}

void git_edit(const Value& config, ByHand& hand) {
  troubles(hand);
  const auto known = hand.known(config.at("repo"));
  const Value& repo = known ? *known : config.at("repo");
  const Value place = repo.is(Value::Type::map)
                          ? (repo.has("url") ? repo.at("url") : repo.at("path"))
                          : config.at("repo");
  const Value& user = config.has("user") ? config.at("user") : repo.at("user");
  const Value& password = config.has("password") ? config.at("password") : repo.at("password");
  const std::string git = git_with_login(user, password, hand);
  const std::string clone = work_file(hand, "clone");
  const bool branch = config.has("branch");
  hand.run("rm -rf " + clone);
  hand.run(git + " clone --quiet" + (branch ? " --branch " + hand.word(config.at("branch")) : "") +
           " -- " + hand.word(place) + " " + clone);
  hand.uses(HandTool::set_value);
  for (const auto& [file, values] : members(config, "set")) {
    for (const auto& [key, value] : values.map()) {
      hand.run("set_value " + clone + "/" + hand.text(file) + " " + hand.text(key) + " " +
               hand.word(value));
    }
  }
  hand.run("git -C " + clone + " diff");
  const std::string message = config.has("message") ? hand.word(config.at("message"))
                                                    : hand.text("Set values after a recovery");
  hand.run("git -C " + clone + " diff --quiet || git -C " + clone +
           " -c user.name=Lifeboat -c user.email=lifeboat@localhost commit --quiet --all -m " +
           message);
  hand.run(git + " -C " + clone + " push --quiet origin HEAD");
  const std::string commit = "\"$(git -C " + clone + " rev-parse HEAD)\"";
  hand.uses(HandTool::same);
  hand.check("same 'commit of the branch' " + commit + " \"$(" + git + " -C " + clone +
             " ls-remote origin " +
             (branch ? "refs/heads/" + hand.word(config.at("branch")) : std::string("HEAD")) +
             " | cut -f 1)\"");
  hand.assign_outputs([&](const plan::WantedOutput& wanted) {
    return wanted.path.front() == "commit"
               ? commit
               : "\"$(git -C " + clone + " rev-parse --abbrev-ref HEAD)\"";
  });
  hand.expect("`git diff` shows these values and no others; the push is accepted.");
  hand.undo("In the clone: `git revert HEAD`, then push again.");
}

}  // namespace lifeboat::steps::by_hand
