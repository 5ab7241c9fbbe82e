#!/usr/bin/env bash
# A runbook is not prose: the shop is captured and lost, and comes back by nothing but the commands
# of its runbook, taken out of the Markdown and typed into one shell, step by step. What a step says
# is right to see is compared with what was seen.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/cases.sh
. tests/cases.sh
# shellcheck source=tests/e2e/lost_shop.sh
. tests/e2e/lost_shop.sh

page=$SCRATCH/pages/runbook-shop-lost.md

TheShopIsCapturedAndLost() {
  "$shop/start" --uploads 300 "$lost"
  write_platform_file
  make_repository
  add_guards "$operator/lifeboat.yaml"
  as_operator backup
  # A newer point that is no whole one: what a recovery would not take, a person must not either.
  touch "$SHOP_UPLOADS/after-the-point"
  fails_with 3 as_operator backup uploads
  as_operator runbook shop-lost --format both --out "$SCRATCH/pages"
  as_operator runbook uploads-alone --out "$SCRATCH/pages/"
  cp -r "$operator" "$SCRATCH/kept" # a checkout of the operator's, or the bundle
  "$shop/destroy" "$lost"
  rm -rf "$operator"
}

# The shop is recovered from this machine, which has a marker; another one is the wrong target.
add_guards() {
  python3 - "$1" "$(uname -n)" <<'END'
import sys
path, host = sys.argv[1:]
text = open(path).read()
guards = """    guard:
      host: "%s"
      file: { path: recovery/marker, contains: "the shop's $(id)" }
      git: { url: "${inputs.target}/git/shop.git", adopt: true }
"""
for plan, name in (("shop-lost", host), ("uploads-alone", "another-machine")):
    text = text.replace(f"\n  {plan}:\n", f"\n  {plan}:\n{guards % name}", 1)
open(path, "w").write(text)
END
  printf '%s\n' "this is the shop's "'$(id)' >"${1%/*}/recovery/marker"
}

# commands_of PAGE: the blocks that are to be typed, each after a line that names its section
commands_of() {
  python3 - "$1" <<'END'
import re, sys
section, fence, lines = "Set these first", None, []
for line in open(sys.argv[1], encoding="utf-8"):
    if fence is None:
        if found := re.match(r"## (.*)", line):
            section = re.sub(r"\\(.)", r"\1", found[1])
        if found := re.match(r"(`{3,})sh$", line):
            fence = found[1]
            print("echo", "'== " + section + "'")
    elif line.rstrip("\n") == fence:
        fence = None
    else:
        sys.stdout.write(line)
END
}

# by_hand PAGE PLACE: types the page into one shell, which stops at the first check that differs
by_hand() {
  commands_of "$1" >"$2/commands.sh"
  mkdir -m 700 "$2/work" "$2/bin" "$2/home"
  cp "$lifeboat" "$2/bin/lifeboat"
  (
    cd "$SCRATCH/kept"
    env -i HOME="$2/home" PATH="$2/bin:/usr/bin:/bin:/usr/sbin:/sbin" TERM=dumb \
      LIFEBOAT_REPOSITORY="$2/repository" LIFEBOAT_IDENTITY="$keys/identity.txt" \
      work="$2/work" bundle="$SCRATCH/kept" inputs_target="$2/target" \
      sh -eu "$2/commands.sh"
  )
}

ThePageIsWholeAndLoadsNothing() {
  local html=$SCRATCH/pages/runbook-shop-lost.html
  grep -q "default-src 'none'" "$html"
  never grep -qiE '<script|<link|<img|src=|href=' "$html"
  grep -q '@media print' "$html"
  expect "steps with an undo" "$(grep -cE '^## [0-9]+' "$page")" "$(grep -c '^### Undo' "$page")"
  expect "tables of trouble" "$(grep -cE '^## [0-9]+' "$page")" \
    "$(grep -c '^### Troubleshooting' "$page")"
}

TheShopComesBackByTheCommandsOfItsRunbook() {
  local place said
  place=$(new_place)
  said=$place/said
  by_hand "$page" "$place" >"$said" 2>&1 || complain "by hand: $(tail -n 40 "$said")"
  never grep -q '^DIFFERS' "$said"
  grep -q '^ok: guard host$' "$said"
  grep -q '^ok: guard file$' "$said"
  # Everything is of the one complete point.
  expect "what came after the point" "" "$(find "$place/target" -name after-the-point)"
  # Every step of the plan was typed.
  expect "steps" "$(grep -cE '^## [0-9]+' "$page")" \
    "$(grep -oE '^== [0-9]+\. .*' "$said" | sort -u | wc -l)"
  # Each restore proved itself item by item.
  expect "restores" 4 "$(grep -cE '^verified: ([0-9]+)/\1 checks$' "$said")"
  grep -qF 'ok: SELECT count(*) FROM sales.orders' "$said"
  grep -q '^ok: login of shop_orders_app' "$said"
  grep -q '^ok: login of shop_backend' "$said"
  grep -q '^ok: GET /api/orders/.*status$' "$said"
  grep -q '^ok: GET .*/health: .*consumer$\|^ok: .*consumer$' "$said"
  seek_passwords "$place"
  end_platform "$place"
}

AWrongTargetStopsThePersonBeforeTheFirstStep() {
  local place
  place=$(new_place)
  never by_hand "$SCRATCH/pages/runbook-uploads-alone.md" "$place" >"$place/said" 2>&1
  grep -q '^DIFFERS: guard host: wanted another-machine' "$place/said"
  never grep -q '^== 1\.' "$place/said"
  expect "what is there" "" "$(ls -A "$place/target")"
  rm -rf "$place"
}

TheRepositoryIsReadWithoutLifeboatAsOfOnePoint() {
  local place
  place=$(mktemp -d "$SCRATCH/unpacked.XXXXXX")
  ln -s "$PWD/tools" "$place/tools"
  awk '/^```text$/ { on = 1; next } /^```$/ { on = 0 } on' "$page" >"$place/commands.sh"
  (
    cd "$place"
    PATH=/usr/bin:/bin LIFEBOAT_IDENTITY="$keys/identity.txt" sh -eu commands.sh >said 2>&1 ||
      complain "without Lifeboat: $(tail -n 5 said)"
  )
  grep -q 'incomplete$' "$place/list.txt"
  expect "sources" 4 "$(grep -cE '^[0-9]+ items of ' "$place/said")"
  [[ -n $(ls -A "$place/uploads") ]]
  expect "what came after the point" "" "$(find "$place" -name after-the-point)"
}

# seek_passwords PLACE: what the work made is 0600, and what was said holds no password
seek_passwords() {
  local password
  for password in $(jq -r '.[]' "$1/work/passwords.json"); do
    never grep -qF -- "$password" "$1/said"
  done
  expect "files that others may read" "" \
    "$(find "$1/work" -maxdepth 1 -type f \( -name '*.password' -o -name '*.json' -o -name '*login' \) -perm /077)"
}

ARecoveryFillsTheExpectedOutput() {
  local place
  place=$(new_place)
  alone "$place" -- recover refs --input target="$place/target" >"$place/recovered"
  recovered "$place/recovered"
  alone "$place" -- runbook refs -C "$SCRATCH/kept/lifeboat.yaml" >"$place/page.md"
  never grep -q 'no recovery by this plan was proven' "$place/page.md"
  grep -q 'learned from 1 run' "$place/page.md"
  # Where there is no platform file the plan comes out of the repository.
  alone "$place" -- runbook refs >"$place/bundled.md"
  "$lifeboat" runbook --check "$place/bundled.md" -C "$SCRATCH/kept/lifeboat.yaml" \
    --repository "$place/repository" | grep -q VALID
  # Without the copy it is the repository of the platform file, and the page names another one.
  fails_with 4 "$lifeboat" runbook --check "$place/bundled.md" -C "$SCRATCH/kept/lifeboat.yaml" \
    >"$SCRATCH/stale"
  grep -q "the repository's place" "$SCRATCH/stale"
  grep -qE '^\| check \| expected \| found \|' "$place/page.md"
  rm -rf "$place"
}

AChangedPlanMakesThePageStale() {
  local other=$SCRATCH/other
  cp -r "$SCRATCH/kept" "$other"
  sed -i '1i # a comment moves every line' "$other/lifeboat.yaml"
  "$lifeboat" runbook --check "$page" -C "$other/lifeboat.yaml" | grep -q VALID
  sed -i 's/at_least: 1000/at_least: 999/' "$other/lifeboat.yaml"
  fails_with 4 "$lifeboat" runbook --check "$page" -C "$other/lifeboat.yaml" >"$SCRATCH/stale"
  grep -q STALE "$SCRATCH/stale"
  grep -q 'step facts: changed' "$SCRATCH/stale"
  expect "changes" 1 "$(grep -c '^step' "$SCRATCH/stale")"
  cp "$SCRATCH/kept/lifeboat.yaml" "$other/lifeboat.yaml"
  sed -i 's/^platform: .*/platform: another/' "$other/lifeboat.yaml"
  fails_with 4 "$lifeboat" runbook --check "$page" -C "$other/lifeboat.yaml" >"$SCRATCH/stale"
  fails_with 4 "$lifeboat" runbook --check "${page%.md}.html" -C "$other/lifeboat.yaml" \
    >"$SCRATCH/stale"
  fails_with 2 "$lifeboat" runbook --check README.md -C "$other/lifeboat.yaml" >"$SCRATCH/said"
  grep -q 'is no runbook' "$SCRATCH/said"
}

run_cases
