#include "steps/exec/exec_step.h"

#include "base/mutex.h"
#include "client/process/launcher.h"
#include "plan/words.h"
#include "schema/json.h"
#include "steps/by_hand/by_hand.h"
#include "steps/exec/output_file.h"

namespace lifeboat::steps {
namespace {

using plan::Observation;
using plan::State;

constexpr int status_absent = 1;
constexpr int status_usage = 64;     // EX_USAGE
constexpr int status_no_right = 77;  // EX_NOPERM
constexpr int status_config = 78;    // EX_CONFIG
constexpr int status_not_a_program = 126;
constexpr int status_not_found = 127;

// Text of a scalar, as an environment or an argument has it.
Result<std::string> scalar_text(const Value& value, const std::string& where) {
  switch (value.type()) {
    case Value::Type::string:
      return value.string();
    case Value::Type::boolean:
    case Value::Type::integer:
    case Value::Type::number:
      return to_json(value, Secrets::reveal);
    default:
      return fail(Error::Kind::invalid,
                  where + " is " + std::string(type_name(value.type())) + ", not a text or number");
  }
}

std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return "";
  const std::size_t begin = text.find_last_of('\n', end);
  return printable(text.substr(begin == std::string::npos ? 0 : begin + 1,
                               end - (begin == std::string::npos ? 0 : begin + 1) + 1));
}

Error::Kind kind_of_status(int status) {
  switch (status) {
    case status_no_right:
      return Error::Kind::denied;
    case status_usage:
    case status_config:
    case status_not_a_program:
    case status_not_found:
      return Error::Kind::invalid;
    default:
      return Error::Kind::unavailable;
  }
}

std::string status_text(int status) {
  if (status > 128) return "was ended by signal " + std::to_string(status - 128);
  return "ended with status " + std::to_string(status);
}

// What `observe` answered.
struct Seen {
  bool done = false;
  std::string said;  // the last line on standard error
  Value outputs = Value(Value::Map());
};

class ExecStep final : public plan::Step {
 public:
  ExecStep(Value config, plan::StepContext& context)
      : config_(std::move(config)), context_(context) {}

  Result<void> preflight(const Operation& op) override {
    TRY_DO(op.proceed());
    for (const char* verb : {"run", "observe"}) TRY_DO(program_is_there(verb));
    return {};
  }

  Result<Observation> observe(const Operation& op) override {
    TRY(const Seen seen, look(op));
    Observation observation;
    observation.state = seen.done ? State::ours_done : State::absent;
    observation.summary = name_of("observe") + (seen.done ? ": done" : ": not there");
    observation.would = "run " + shown("run");
    if (!seen.done) observation.changes.push_back({shown("run"), seen.said, "run"});
    if (seen.done) observation.outputs = seen.outputs;
    return observation;
  }

  Result<void> apply(const Operation& op) override {
    TRY(const OutputFile outputs, OutputFile::make());
    TRY(const Finished finished, run(op, "run", outputs));
    std::vector<std::string> left;
    for (const LeftBehind& each : finished.left) {
      left.push_back(std::to_string(each.pid) + " " + printable(each.command));
    }
    TRY_DO(context_.left_running(op, left));  // also when the program failed: they are there
    if (finished.status == 0) return {};
    return fail(failure("run", finished));
  }

  Result<plan::Verification> verify(const Operation& op) override {
    TRY(const Seen seen, look(op));
    plan::Verification proof;
    const std::string absent = "exit status 1" + (seen.said.empty() ? "" : ": " + seen.said);
    proof.checks.push_back(
        {name_of("observe"), "exit status 0", seen.done ? "exit status 0" : absent, seen.done});
    for (const auto& [name, value] : seen.outputs.map()) {
      const std::string type(type_name(value.type()));
      proof.checks.push_back({"output " + name, "written", "written: " + type, true});
    }
    proof.outputs = seen.outputs;
    return proof;
  }

  Result<void> undo(const Operation& op, const Value&) override {
    TRY_DO(op.proceed());
    return fail(Error::Kind::invalid, "exec " + shown("run") + ": irreversible", "undo it by hand");
  }

 private:
  Value::List argv(const char* verb) const {
    const Value& words = config_.at(verb);
    return words.is(Value::Type::list) ? words.list() : Value::List();
  }
  // The program of this verb, for people: secrets have no place in arguments, so there are none.
  std::string name_of(const char* verb) const {
    const Value::List words = argv(verb);
    const bool named = !words.empty() && words.front().is(Value::Type::string);
    return std::string(verb) + " " + (named ? printable(words.front().string()) : "?");
  }
  std::string shown(const char* verb) const {
    std::string line;
    for (const Value& word : argv(verb)) {
      if (!line.empty()) line += ' ';
      line += word.tainted()                 ? "***"
              : word.is(Value::Type::string) ? printable(word.string())
                                             : to_json(word);
    }
    return line;
  }

  std::string directory() const {
    const std::string named = config_.text("directory");
    if (named.starts_with('/')) return named;
    const std::string bundle = context_.bundle_directory();
    return named.empty() ? bundle : bundle + "/" + named;
  }
  // Relative programs lie below the step's folder, not below ours.
  std::string program(const std::string& word) const {
    const bool relative = word.find('/') != std::string::npos && !word.starts_with('/');
    return relative ? directory() + "/" + word : word;
  }

  // For preflight: programs whose name is not known yet (it is the output of a step) pass.
  Result<void> program_is_there(const char* verb) const {
    const Value::List words = argv(verb);
    if (words.empty() || !words.front().is(Value::Type::string)) return {};
    const std::string path = program(words.front().string());
    const Value& own = config_.at("env").at("PATH");
    const auto found =
        find_program(path, directory(),
                     own.is(Value::Type::string) ? std::optional(own.string()) : std::nullopt);
    if (found) return {};
    Error missing = found.error();
    // What belongs to the bundle is there or will never be; the rest may be made by a step.
    if (path.starts_with(context_.bundle_directory() + "/")) missing.kind = Error::Kind::invalid;
    missing.what = "exec: " + missing.what;
    return fail(std::move(missing));
  }

  Result<Command> command(const char* verb, const OutputFile& outputs) {
    Command command;
    for (const Value& word : argv(verb)) {
      if (word.tainted()) {
        return fail(Error::Kind::invalid,
                    "exec: an argument of `" + std::string(verb) + "` is a secret",
                    "arguments can be read by everyone on the machine: pass it by `secret_env` or "
                    "`files`");
      }
      TRY(std::string text, scalar_text(word, "an argument of `" + std::string(verb) + "`"));
      command.argv.push_back(std::move(text));
    }
    command.argv.front() = program(command.argv.front());
    TRY_DO(add_environment(command));
    command.env["LIFEBOAT_OUTPUT"] = outputs.path();
    command.env["LIFEBOAT_RUN"] = context_.run();
    command.env["LIFEBOAT_STEP"] = context_.step();
    command.env["LIFEBOAT_GENERATION"] = std::to_string(context_.generation());
    command.env["LIFEBOAT_VERB"] = verb;
    command.directory = directory();
    // To look starts nothing that lasts.
    const bool changes = verb == std::string_view("run");
    command.may_leave_daemons = changes && config_.boolean("may_leave_daemons", false);
    command.on_line = [this](std::string_view line) { context_.log(line); };
    return command;
  }

  Result<void> add_environment(Command& command) {
    for (const char* field : {"env", "secret_env", "files"}) {
      const Value& all = config_.at(field);
      if (!all.is(Value::Type::map)) continue;
      for (const auto& [name, value] : all.map()) {
        TRY(std::string text, scalar_text(value, std::string(field) + "." + name));
        const bool secret = value.tainted() || field != std::string_view("env");
        if (!secret) {
          command.env[name] = std::move(text);
          continue;
        }
        Secret kept{std::move(text)};
        context_.launcher().mask(kept);
        auto& place =
            field == std::string_view("files") ? command.secret_files : command.secret_env;
        place[name] = std::move(kept);
      }
    }
    return {};
  }

  Result<Finished> run(const Operation& op, const char* verb, const OutputFile& outputs) {
    TRY(const Command prepared, command(verb, outputs));
    return context_.launcher().run(op, prepared);
  }

  Error failure(const char* verb, const Finished& finished) const {
    std::string what = "exec: " + name_of(verb) + " " + status_text(finished.status);
    const std::string said = last_line(finished.errors);
    if (!said.empty()) what += ": " + said;
    return {kind_of_status(finished.status),
            what,
            "its output: lifeboat runs show " + context_.run() + " --log " + context_.step(),
            {}};
  }

  Result<Seen> look(const Operation& op) {
    TRY(const OutputFile file, OutputFile::make());
    TRY(const Finished finished, run(op, "observe", file));
    if (finished.status == status_absent) return Seen{.said = last_line(finished.errors)};
    if (finished.status != 0) return fail(failure("observe", finished));
    std::map<std::string, Shape> declared;
    const Value& words = config_.at("outputs");
    if (words.is(Value::Type::map)) {
      for (const auto& [name, word] : words.map()) {
        declared[name] = plan::shape_of_word(word.string()).value_or(shape::any());
      }
    }
    auto outputs = file.read(declared);
    if (!outputs) return wrap(outputs.error(), "exec: " + name_of("observe"));
    for (const auto& [name, value] : outputs->map()) {
      if (value.tainted()) context_.launcher().mask(Secret(value.string()));
    }
    return Seen{true, {}, *std::move(outputs)};
  }

  const Value config_;
  plan::StepContext& context_;
};

Record fields_of_exec() {
  Record record;
  record.name = "exec";
  record.help = "Runs a program of one's own";
  record.fields = {
      {.name = "run",
       .shape = shape::list(shape::string()),
       .help = "Program and arguments that bring the effect about; run again after a crash",
       .required = true},
      {.name = "observe",
       .shape = shape::list(shape::string()),
       .help = "Program and arguments that only look: exit 0 done, 1 not there",
       .required = true},
      {.name = "env", .shape = shape::map(shape::string()), .help = "Variables of the programs"},
      {.name = "secret_env",
       .shape = shape::map(shape::secret()),
       .help = "Variables that are secrets"},
      {.name = "files",
       .shape = shape::map(shape::secret()),
       .help = "Variable -> secret: the program gets the path of a 0600 file that is wiped"},
      {.name = "outputs",
       .shape = shape::map(shape::string()),
       .help = "Name -> type of what `observe` writes to $LIFEBOAT_OUTPUT"},
      {.name = "directory",
       .shape = shape::string(),
       .help = "Working folder; relative paths are below the plan's folder"},
      {.name = "may_leave_daemons",
       .shape = shape::boolean(),
       .help = "Processes of `run` that leave by setsid may go on; the journal names them",
       .fallback = Value(false)},
  };
  record.reserved = {"undo"};
  return record;
}

}  // namespace

plan::StepType exec_step() {
  plan::StepType type;
  type.name = "exec";
  type.help = "Runs a program of one's own: observed before and after, with typed outputs";
  type.fields = fields_of_exec();
  type.outputs_field = "outputs";
  type.fence = plan::Fence::none;
  type.effects = [](const Value& config) {
    const Value& run = config.at("run");
    const bool named = run.is(Value::Type::list) && !run.list().empty() &&
                       run.list().front().is(Value::Type::string);
    return std::vector<std::string>{"exec:" + (named ? run.list().front().string() : "?")};
  };
  type.by_hand = by_hand::exec;
  type.make = [](const Value& config,
                 plan::StepContext& context) -> Result<std::unique_ptr<plan::Step>> {
    for (const char* verb : {"run", "observe"}) {
      const Value& words = config.at(verb);
      if (words.is(Value::Type::list) && words.list().empty()) {
        return fail(Error::Kind::invalid, "exec: `" + std::string(verb) + "` names no program", "",
                    Error::Code::usage);
      }
    }
    return std::unique_ptr<plan::Step>(std::make_unique<ExecStep>(config, context));
  };
  return type;
}

}  // namespace lifeboat::steps
