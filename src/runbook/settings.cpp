#include "runbook/settings.h"

#include "base/bytes.h"
#include "plan/hand_tools.h"
#include "runbook/blocks.h"

namespace lifeboat::runbook {
namespace {

using plan::ByHand;

constexpr const char* unpack_text = R"sh(unpack verify --read-data
unpack list | tee list.txt
# the bundle: take its id from the list
# unpack extract BUNDLE ./bundle
# All sources as of one recovery point: the newest complete one of the list.
snapshot() {
  awk -v wanted="$1:" '/^[a-z]/ { take = 0 }
    /^point / { take = !/incomplete/; if (take) found = "" }
    take && $1 == wanted { found = $2 }
    END { if (found == "") exit 1; print found }' list.txt
}
)sh";

std::string input_lines(const Ground& ground, plan::HandNames& names) {
  std::string block;
  for (const plan::InputField& input : ground.plan->inputs) {
    const std::string& variable = names.variable("inputs." + input.name);
    block += ByHand::remark((input.secret ? "a secret: " : "") +
                            (input.ask.empty() ? "input " + input.name : input.ask)) +
             "\n";
    const bool scalar = !input.fallback.is_null() && !input.fallback.is(Value::Type::list) &&
                        !input.fallback.is(Value::Type::map) && !input.fallback.tainted();
    block += scalar ? "[ -n \"${" + variable + "-}\" ] || " + variable + "=" +
                          plan::shell_text(scalar_text(input.fallback)) + "\n"
                    : ": \"${" + variable + ":?set it first}\"\n";
  }
  for (const char* root : {"run", "point", "sources", "platform"}) {
    for (const plan::WantedOutput& each : names.wanted(root)) {
      block += ByHand::remark("what the plan calls " + std::string(root) + "." +
                              (each.path.empty() ? "" : each.path.front())) +
               "\n: \"${" + each.variable + ":=by-hand}\"\n";
    }
  }
  return block;
}

}  // namespace

std::string settings_block(const Ground& ground, plan::HandNames& names, const Settings& settings) {
  std::string block =
      "# A folder of your own for this, and the folder of the platform file (its bundle).\n"
      "work=\"${work:-$(mktemp -d)}\"\n"
      "bundle=\"${bundle:-$PWD}\"\n";
  if (settings.programs.contains("lifeboat")) {
    block +=
        "# The repository; the key: LIFEBOAT_IDENTITY, LIFEBOAT_PASSPHRASE_FILE, or you are "
        "asked.\n";
    block += ground.repository.empty()
                 ? ": \"${LIFEBOAT_REPOSITORY:?set it first}\"\n"
                 : "[ -n \"${LIFEBOAT_REPOSITORY-}\" ] || LIFEBOAT_REPOSITORY=" +
                       plan::shell_text(ground.repository) + "\n";
    block += "export LIFEBOAT_REPOSITORY\n";
  }
  block += input_lines(ground, names);
  for (const std::string& name : settings.environment) {
    block += ": \"${" + name + ":?a secret that the platform file takes from the environment}\"\n";
  }
  std::set<std::string> programs = settings.programs;
  if (plan::any_wants_python(settings.tools)) programs.insert("python3");
  if (!programs.empty()) {
    block += "for program in";
    for (const std::string& program : programs) block += " " + program;
    block += "; do\n  command -v \"$program\" >/dev/null || echo \"install $program\"\ndone\n";
  }
  return block + plan::functions_of(settings.tools);
}

std::vector<Block> without_lifeboat(const Ground& ground) {
  const std::string place = ground.repository.empty() ? "REPOSITORY" : ground.repository;
  const bool bucket = ground.repository.starts_with("s3:");
  std::vector<Block> blocks;
  blocks.push_back(heading(2, "Without Lifeboat"));
  blocks.push_back(paragraph(
      "The repository can be read with nothing of Lifeboat's program: `docs/format.md` tells "
      "every byte of it, and `tools/unpack.py` is written from that page alone. Both are in "
      "Lifeboat's source tree; keep a copy beside the key. It needs Python 3.11 and the "
      "Debian packages `python3-cryptography`, `python3-zstandard` and `python3-argon2`."));
  blocks.push_back(paragraph(
      "The key: the passphrase (`--passphrase-file`), or the age identity (`--identity`), that "
      "the repository was made with. Without one of them nothing can be read, by anybody."));
  if (bucket) {
    blocks.push_back(
        paragraph("This repository is in a bucket: copy all of its objects into a folder "
                  "first, with any tool for S3, and keep their names."));
  }
  const std::string folder = bucket ? "repository-copy" : place;
  std::string commands = "unpack() { python3 -B tools/unpack.py " + plan::shell_text(folder) +
                         " --identity \"$LIFEBOAT_IDENTITY\" \"$@\"; }\n" + unpack_text;
  for (const auto& [name, source] :
       ground.sources.is(Value::Type::map) ? ground.sources.map() : Value::Map()) {
    commands += "unpack extract \"$(snapshot " + plan::shell_text(name) + ")\" " +
                plan::shell_text("./" + name) + "\n";
  }
  // Not part of what is typed when Lifeboat is there.
  blocks.push_back(code(commands, "text"));
  blocks.push_back(
      list({"files: the folder is as it was.",
            "git: the stream is a pack; in an empty repository: `git unpack-objects`, then the "
            "refs of the .json file with `git update-ref`.",
            "postgres: definitions as SQL, rows in COPY form, a file each table: `psql -f`, then "
            "`\\copy TABLE FROM FILE`.",
            "rabbitmq: definitions as JSON for the management API (`POST /api/definitions`)."}));
  return blocks;
}

}  // namespace lifeboat::runbook
