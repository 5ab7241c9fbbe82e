#include "runbook/settings.h"

#include <array>

#include "base/bytes.h"
#include "runbook/blocks.h"

namespace lifeboat::runbook {
namespace {

using plan::ByHand;
using plan::HandTool;

// Answers of systems are shown through `cat -v`: they cannot speak to the terminal.
struct Function {
  HandTool tool;
  const char* text;
};
constexpr std::array functions = {
    Function{HandTool::same, R"sh(same() {
  if [ "$2" = "$3" ]; then printf 'ok: %s\n' "$1" | cat -v
  else printf 'DIFFERS: %s: wanted %s, found %s\n' "$1" "$2" "$3" | cat -v; return 1; fi
})sh"},
    Function{HandTool::at_least, R"sh(at_least() {
  if awk -v a="$3" -v b="$2" 'BEGIN { exit !(a + 0 >= b + 0) }'; then
    printf 'ok: %s\n' "$1" | cat -v
  else printf 'DIFFERS: %s: wanted at least %s, found %s\n' "$1" "$2" "$3" | cat -v; return 1; fi
})sh"},
    Function{HandTool::has, R"sh(has() {
  if grep -qiF -- "$2" "$3"; then printf 'ok: %s\n' "$1" | cat -v
  else printf 'DIFFERS: %s: %s is not in %s\n' "$1" "$2" "$3" | cat -v; return 1; fi
})sh"},
    Function{HandTool::again, R"sh(again() {
  left=$1; shift
  until "$@"; do
    left=$((left - 1))
    if [ "$left" -le 0 ]; then echo "DIFFERS: no good answer in time"; return 1; fi
    sleep 1
  done
})sh"},
    Function{HandTool::value, R"sh(value() {
  python3 -c 'import json, re, sys
it = json.load(open(sys.argv[1]))
path = sys.argv[2]
if path.startswith("/"):
    keys = [k.replace("~1", "/").replace("~0", "~") for k in path[1:].split("/")]
else:
    keys = re.findall(r"[^.\[\]]+", path)
for key in keys:
    it = it[int(key)] if isinstance(it, list) else it[key]
plain = json.dumps(it, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
print(it if isinstance(it, str) else plain)' "$1" "$2"
})sh"},
    Function{HandTool::json_text, R"sh(json_text() {
  printf %s "$1" | python3 -c 'import json, sys; print(json.dumps(sys.stdin.read()))'
})sh"},
    Function{HandTool::new_password, R"sh(new_password() {
  head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
})sh"},
    Function{HandTool::keep, R"sh(keep() {
  ( umask 077; printf %s "$2" >"$work/$1" )
})sh"},
    Function{
        HandTool::snapshot,
        R"sh(# Everything comes from one recovery point: the newest complete one, or that whose id
# you have set before (point=ID; `lifeboat points` lists them).
[ -n "${point-}" ] || point=newest
[ -s "$work/points.json" ] || ( umask 077; lifeboat points -o json >"$work/points.json" )
snapshot() {
  python3 -c 'import json, sys
name, wanted, source = sys.argv[1:4]
points = json.load(open(name))["items"]
if wanted == "newest":
    found = [one for one in points if one["complete"]][-1:]
else:
    found = [one for one in points if len(wanted) > 3 and one["id"].startswith(wanted)]
if len(found) != 1:
    sys.exit("no point, or more than one, is meant by " + ascii(wanted) + ": set point=ID")
of_source = [one for one in found[0]["members"] if one["source"] == source]
snapshots = [one["snapshot"] for one in of_source if "snapshot" in one]
if not snapshots:
    sys.exit("point " + found[0]["id"][:12] + " has no snapshot of " + ascii(source))
print(snapshots[0])' "$work/points.json" "$point" "$1"
})sh"},
    Function{HandTool::curl_login, R"sh(curl_login() {
  printf 'user = "%s"\n' "$(printf %s "$1:$2" | sed 's/["\\]/\\&/g')"
})sh"},
    Function{HandTool::set_value, R"sh(set_value() {
  printf %s "$3" | python3 -c 'import json, re, sys
name, key = sys.argv[1:3]
text = sys.stdin.read()
lines = open(name).read().splitlines(True)
plain = re.fullmatch(r"-?\d+(\.\d+)?|true|false|null", text)
value = text if plain else json.dumps(text, ensure_ascii=False)
done = False
if name.endswith(".json"):
    tree = json.loads("".join(lines))
    *parents, last = key.split(".")
    it = tree
    for each in parents:
        it = it[int(each)] if isinstance(it, list) else it[each]
    it[int(last) if isinstance(it, list) else last] = json.loads(value)
    lines, done = [json.dumps(tree, indent=2, ensure_ascii=False) + "\n"], True
elif name.endswith((".yaml", ".yml")):
    open_keys = []
    for i, line in enumerate(lines):
        found = re.match(r"( *)([^\s#:\-][^:]*):(?=\s|$)( *)(.*?)(\s+#.*)?$", line.rstrip("\n"))
        if not found:
            continue
        indent = len(found[1])
        open_keys = [one for one in open_keys if one[0] < indent]
        open_keys.append((indent, found[2].strip("\"\x27")))
        if ".".join(one[1] for one in open_keys) == key:
            lines[i] = f"{found[1]}{found[2]}: {value}{found[5] or str()}\n"
            done = True
else:
    for i, line in enumerate(lines):
        if re.match(rf"\s*(export\s+)?{re.escape(key)}\s*=", line):
            lines[i] = line[: line.index("=") + 1] + text + "\n"
            done = True
if not done:
    sys.exit(f"{name} has no {key} that this finds: edit it by hand")
open(name, "w").writelines(lines)' "$1" "$2"
})sh"},
};

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
  for (const HandTool tool :
       {HandTool::value, HandTool::json_text, HandTool::set_value, HandTool::snapshot}) {
    if (settings.tools.contains(tool)) programs.insert("python3");
  }
  if (!programs.empty()) {
    block += "for program in";
    for (const std::string& program : programs) block += " " + program;
    block += "; do\n  command -v \"$program\" >/dev/null || echo \"install $program\"\ndone\n";
  }
  for (const Function& each : functions) {
    if (settings.tools.contains(each.tool)) block += std::string(each.text) + "\n";
  }
  return block;
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
