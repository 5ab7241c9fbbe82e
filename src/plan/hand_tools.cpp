#include "plan/hand_tools.h"

#include <algorithm>
#include <array>

namespace lifeboat::plan {
namespace {

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
    Function{HandTool::at_most, R"sh(at_most() {
  if awk -v a="$3" -v b="$2" 'BEGIN { exit !(a "" != "" && a + 0 <= b + 0) }'; then
    printf 'ok: %s\n' "$1" | cat -v
  else printf 'DIFFERS: %s: wanted at most %s, found %s\n' "$1" "$2" "$3" | cat -v; return 1; fi
})sh"},
    Function{HandTool::holds, R"sh(holds() {
  it="$1"; shift
  if "$@"; then printf 'ok: %s\n' "$it" | cat -v
  else printf 'DIFFERS: %s\n' "$it" | cat -v; return 1; fi
})sh"},
    Function{HandTool::has, R"sh(has() {
  if printf %s "$2" | python3 -c 'import sys
sys.exit(sys.stdin.buffer.read() not in open(sys.argv[1], "rb").read())' "$3"; then
    printf 'ok: %s\n' "$1" | cat -v
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
    Function{HandTool::header, R"sh(header() {
  wanted="$2" awk '
    { sub(/\r$/, "") }
    /^HTTP\// { seen = 0; all = "" }
    { at = index($0, ":") }
    at && tolower(substr($0, 1, at - 1)) == tolower(ENVIRON["wanted"]) {
      text = substr($0, at + 1); gsub(/^[ \t]+|[ \t]+$/, "", text)
      all = seen++ ? all ", " text : text
    }
    END { print all; exit !seen }' "$1"
})sh"},
    Function{HandTool::tls, R"sh(tcp_place() {
  case "$1" in
    \[*\]:*) printf %s "$1" ;;
    \[*\]) printf %s:%s "$1" "$2" ;;
    *:*:*) printf '[%s]:%s' "$1" "$2" ;;
    *:*) printf %s "$1" ;;
    *) printf %s:%s "$1" "$2" ;;
  esac
}
tls_hello() {
  place="$1" host="${2#\[}"; host="${host%\]}"; host="${host%.}"; shift 2
  case "$host" in
    *:*) set -- -noservername -verify_ip "$host" "$@" ;;
    *[!0-9.]*) set -- -servername "$host" -verify_hostname "$host" "$@" ;;
    *) set -- -noservername -verify_ip "$host" "$@" ;;
  esac
  openssl s_client -connect "$place" -verify_return_error "$@" </dev/null 2>"$work/tls-errors" || {
    printf 'DIFFERS: %s\n' "$place" | cat -v
    sed -n '/[Ee]rr/p' "$work/tls-errors" | cat -v
    return 1
  } >&2
}
digest_form() { printf %s "$1" | sed 's/^sha256://; s/://g' | tr A-F a-f; })sh"},
    Function{HandTool::dns, R"sh(ask_dns() {
  place="$1" host="$1" port=53 zone="$2" kind="$3" patience="$4"; shift 4
  case "$host" in
    \[*\]:*) port="${host##*:}"; host="${host%:*}" ;;
    *:*:*) ;;
    *:*) port="${host##*:}"; host="${host%:*}" ;;
  esac
  host="${host#\[}"; host="${host%\]}"
  dig +nocmd +noall +comments +answer +authority +additional +tries=1 +time="$patience" "$@" \
    -p "$port" ${host:+"@$host"} -q "$zone" -t "$kind" >"$work/dns" || : >"$work/dns"
  if grep -q 'status: NOERROR\|status: NXDOMAIN' "$work/dns"; then return 0; fi
  printf 'DIFFERS: %s gives no answer\n' "${place:-the resolver}" | cat -v >&2
  return 1
}
dns_form() {
  case "$1" in
    TXT) sed 's/^"//; s/"$//; s/" "//g; s/\\\(["\\]\)/\1/g' ;;
    CNAME | NS | PTR | MX | SRV) tr A-Z a-z | sed 's/\.\{0,1\}$/./' ;;
    DS) tr A-Z a-z | awk '{ d = ""; for (i = 4; i <= NF; i++) d = d $i; print $1, $2, $3, d }' ;;
    *) tr A-Z a-z ;;
  esac | LC_ALL=C sort -u
}
dns_lines() {
  zone="$1" kind="$2" awk '
    BEGIN { owner = tolower(ENVIRON["zone"]); sub(/\.?$/, ".", owner) }
    /^;; / { section = $2 }
    /^;/ || NF < 5 { next }
    section == "AUTHORITY" && $4 == "SOA" { negative = $2 < $NF ? $2 : $NF }
    section == "ANSWER" {
      who[++n] = tolower($1); ttl[n] = $2; type[n] = $4
      sub(/^[^ \t]+[ \t]+[^ \t]+[ \t]+[^ \t]+[ \t]+[^ \t]+[ \t]+/, ""); data[n] = $0
    }
    END {
      for (hop = 0; hop < 16; hop++) {
        alias = ""
        for (i = 1; i <= n; i++) {
          if (who[i] != owner) continue
          if (type[i] == ENVIRON["kind"]) { found++; text[found] = data[i]
            if (ttl[i] > longest) longest = ttl[i] }
          if (type[i] == "CNAME") { alias = tolower(data[i]); lives = ttl[i] }
        }
        if (found || alias == "") break
        owner = alias
        if (lives > longest) longest = lives
      }
      print found ? longest + 0 : negative + 0
      for (i = 1; i <= found; i++) print text[i]
    }' "$work/dns"
}
dns_records() { dns_lines "$1" "$2" | sed 1d | dns_form "$2"; }
dns_ttl() { dns_lines "$1" "$2" | sed 1q; }
dns_authority() { grep -q '^;; flags:[^;]* aa[ ;]' "$work/dns"; }
has_record() {
  if printf '%s\n' "$3" | grep -qxF -e "$(printf '%s\n' "$2" | dns_form "$1")"; then
    printf 'ok: record %s\n' "$2" | cat -v
  else printf 'DIFFERS: record %s: found %s\n' "$2" "$3" | cat -v; return 1; fi
}
delegated() {
  servers="$1" level=0
  while [ "$level" -lt 12 ]; do
    level=$((level + 1)) answered=
    for each in $servers; do
      if ask_dns "$each" "$2" "$3" "$4" +norecurse; then answered=1; break; fi
    done
    [ -n "$answered" ] || return 1
    if dns_authority; then printf '%s\n' $servers; return 0; fi
    servers="$(door="$5" awk '
      /^;; / { section = $2 }
      /^;/ || NF < 5 { next }
      # what a shell would take for more than a name is none
      section == "AUTHORITY" && $4 == "NS" && tolower($5) ~ /^[a-z0-9._-]+$/ {
        name[++n] = tolower($5)
      }
      section == "ADDITIONAL" && $4 == "A" { glue[tolower($1)] = glue[tolower($1)] " " $5 }
      section == "ADDITIONAL" && $4 == "AAAA" {
        glue[tolower($1)] = glue[tolower($1)] " [" $5 "]"
      }
      END {
        for (i = 1; i <= n; i++) {
          places = name[i] in glue ? glue[name[i]] : name[i]
          count = split(places, place, " ")
          for (k = 1; k <= count; k++) print place[k] ":" ENVIRON["door"]
        }
      }' "$work/dns")"
    [ -n "$servers" ] || { echo 'DIFFERS: the delegation ends nowhere' >&2; return 1; }
  done
  return 1
})sh"},
};

constexpr std::array python_tools = {HandTool::has, HandTool::value, HandTool::json_text,
                                     HandTool::snapshot, HandTool::set_value};

}  // namespace

std::string functions_of(const std::set<HandTool>& tools) {
  std::string text;
  for (const Function& each : functions) {
    if (tools.contains(each.tool)) text += std::string(each.text) + "\n";
  }
  return text;
}

bool any_wants_python(const std::set<HandTool>& tools) {
  return std::ranges::any_of(python_tools, [&](HandTool tool) { return tools.contains(tool); });
}

}  // namespace lifeboat::plan
