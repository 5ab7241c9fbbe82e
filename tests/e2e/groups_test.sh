#!/usr/bin/env bash
# Hooks and consistency groups, with the real program: hooks write what they do into $W/log, and a
# backup is held in the middle by a folder that is slow to read: a hook of another source that waits.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/cases.sh
. tests/cases.sh
# shellcheck source=tests/e2e/command_line.sh
. tests/e2e/command_line.sh

clean_up() {
  : >"$W/go"
  if [[ -d $SCRATCH/postgres ]]; then
    testbed/down "$SCRATCH/postgres"
  fi
}

# What hooks do: `hook freeze NAME` and `hook thaw NAME` note it; `hook wait` is a freeze that lasts
# until $W/go is there.
write_hooks() {
  mkdir -p "$W/hooks"
  cat >"$W/hooks/hook" <<'END'
#!/bin/sh
echo "$1 $2" >>"$LOG"
case $1 in
wait) until [ -e "$GO" ]; do sleep 0.05; done ;;
fail) echo "cannot: ${PASSWORD:-nothing}" >&2; exit 3 ;;
esac
END
  chmod +x "$W/hooks/hook"
}

# platform_file SOURCES: two folders, hooks with the environment that they need
platform_file() {
  cat >"$W/lifeboat.yaml" <<END
version: 1
platform: shop
repository: $W/repository
sources:
$1
plans:
  lost:
    steps:
      orders: { restore: { source: orders, into: $W/back } }
END
}

# source_of NAME BEFORE AFTER [MORE]: a line of `sources`
source_of() {
  printf '  %s: { files: { path: %s }, hooks: { before: [hooks/hook, %s, %s], after: [hooks/hook, %s, %s], env: { LOG: %s, GO: %s }%s } }\n' \
    "$1" "$W/$1" "$2" "$1" "$3" "$1" "$W/log" "$W/go" "${4:+, $4}"
}

# group_of MAX_SKEW MORE
group_of() {
  printf 'groups:\n  shop: { sources: [orders, stock], max_skew: %s%s }\n' "$1" "${2:+, $2}"
}

logged() { expect "what the hooks did" "$1" "$(sort "$W/log" | paste -sd ,)"; }

# until_logged LINE: bounded; never what is tested
until_logged() {
  local tries=0
  until grep -qxF "$1" "$W/log"; do
    ((++tries < 1200)) || complain "never logged: $1, but: $(<"$W/log")"
    sleep 0.05
  done
}

# A backup in the background, whose process is $process; the rest goes before `lifeboat`.
# begin_backup [OPTIONS]
begin_backup() {
  rm -f "$W/go"
  : >"$W/log"
  "$BINARY" -C "$W/lifeboat.yaml" --identity "$W/identity" --no-input backup "$@" \
    >"$SCRATCH/out" 2>&1 &
  process=$!
}

# One that is held by the hook `wait stock` while `orders` is frozen: the group waits for all.
begin_held_backup() {
  platform_file "$(source_of orders freeze thaw "$1")
$(source_of stock wait thaw)
$(group_of 1h)"
  begin_backup
  until_logged "freeze orders"
  until_logged "wait stock"
}

# The watchdogs of this script's program end by themselves.
no_watchdogs() {
  local tries=0
  while pgrep -fx "$BINARY watchdog" >/dev/null; do
    ((++tries < 600)) || complain "a watchdog stays"
    sleep 0.05
  done
}

AShopWithHooksIsMade() {
  mkdir "$W/orders" "$W/stock"
  echo 17 >"$W/orders/chairs"
  echo 4 >"$W/stock/chairs"
  : >"$W/log"
  write_hooks
  platform_file "$(source_of orders freeze thaw)
$(source_of stock freeze thaw)"
  "$BINARY" init -q -C "$W/lifeboat.yaml" -r "$W/repository" --new-age-identity "$W/identity"
  lifeboat doctor >"$SCRATCH/out" 2>&1 || true
  said "hooks of source orders" "their programs are there"
  logged ""
}

EachSourceIsFrozenAndThawedOnce() {
  : >"$W/log"
  lifeboat backup
  logged "freeze orders,freeze stock,thaw orders,thaw stock"
}

AHookThatIsNotThereFreezesNothing() {
  : >"$W/log"
  platform_file "  orders: { files: { path: $W/orders }, hooks: { before: [hooks/hook, freeze, orders], after: [hooks/nothing], env: { LOG: $W/log } } }"
  ends 1 lifeboat backup
  said "hooks of source orders" "no program at $W/hooks/nothing"
  logged ""
  ends 4 lifeboat doctor
  said "no program at $W/hooks/nothing"
}

ABeforeThatFailsIsToldThawedAndMasked() {
  : >"$W/log"
  platform_file "$(source_of orders fail thaw 'secret_env: { PASSWORD: { env: SHOP_PASSWORD } }')
$(source_of stock freeze thaw)"
  SHOP_PASSWORD=correct-horse ends 3 lifeboat backup
  said "hook \`before\` of source orders failed: status 3: cannot: ***"
  never grep -q horse "$SCRATCH/out"
  logged "fail orders,freeze stock,thaw orders,thaw stock"
  : >"$W/log"
  ends 3 lifeboat backup
  said "SHOP_PASSWORD"
  logged "freeze stock,thaw stock"
}

AnAfterThatFailsIsTriedAgainAndToldLoudly() {
  : >"$W/log"
  platform_file "$(source_of orders freeze fail 'retry_for: 1s')"
  ends 3 lifeboat backup
  said "STILL FROZEN" "source orders" "status 3: cannot: nothing" "run it by hand: hooks/hook fail orders"
  lifeboat points --output json | jq -e '.items[-1].complete' >/dev/null
  ((2 <= $(grep -c "fail orders" "$W/log"))) || complain "not tried again: $(<"$W/log")"
}

AFreezeThatLastsTooLongIsOverAndNothingIsClaimed() {
  : >"$W/log"
  platform_file "$(source_of orders freeze thaw)
$(source_of stock wait thaw 'limit: 1s')"
  ends 3 lifeboat backup
  said "hook \`before\` of source stock failed: the limit was over"
  logged "freeze orders,thaw orders,thaw stock,wait stock"
}

AGroupTellsItsSkew() {
  : >"$W/log"
  platform_file "$(source_of orders freeze thaw)
$(source_of stock freeze thaw)
$(group_of 1h "hooks: { before: [hooks/hook, freeze, shop], after: [hooks/hook, thaw, shop], env: { LOG: $W/log } }")"
  lifeboat backup >"$SCRATCH/out"
  said "group shop: skew" "of 1 h" "(complete)"
  logged "freeze orders,freeze shop,freeze stock,thaw orders,thaw shop,thaw stock"
  expect "frozen last, thawed" "freeze shop" "$(sed -n 3p "$W/log")"
  document PointList points
  jq -e '.items[-1].groups | length == 1 and .[0].group == "shop" and .[0].consistent
         and .[0].skew_seconds >= 0 and .[0].max_skew_seconds == 3600' "$SCRATCH/document"
  lifeboat points >"$SCRATCH/out"
  said "group shop: skew"
  tools/unpack.py --identity "$W/identity" "$W/repository" list >"$SCRATCH/out"
  said "group shop: skew" "consistent"
  lifeboat recover lost >"$SCRATCH/out" 2>&1
  said "skew" "group shop: skew"
}

AGroupThatIsTooFarApartIsTriedAgainAndNeverTheDefault() {
  : >"$W/log"
  # A folder's moment is the instant at which all begin; a database's is that of its snapshot, once
  # it is connected to, which is not within a millisecond.
  testbed/up postgres "$SCRATCH/postgres" >/dev/null
  # shellcheck source=/dev/null
  . "$SCRATCH/postgres/env"
  platform_file "$(source_of orders freeze thaw)
$(source_of db freeze thaw | sed "s|files: { path: [^}]*}|postgres: { url: \"$TESTBED_POSTGRES_URL\", password: { file: $TESTBED_POSTGRES_PASSWORD_FILE } }|")
groups: { shop: { sources: [orders, db], max_skew: 1ms, attempts: 3 } }"
  ends 3 lifeboat backup
  said "group shop: NOT CONSISTENT, skew" "(attempt 3)" "partial: never the default"
  expect "attempts" 3 "$(grep -c "freeze orders" "$W/log")"
  expect "thaws" 3 "$(grep -c "thaw db" "$W/log")"
  document PointList points
  jq -e '.items[-1] | .complete == false and .groups[0].consistent == false
         and (.members[0].reason | startswith("group shop: skew"))' "$SCRATCH/document"
}

AMistakeInAGroupIsToldWithItsPlace() {
  platform_file "$(source_of orders freeze thaw)
groups: { shop: { sources: [orders, stok], max_skew: 2s } }"
  ends 2 lifeboat backup
  said "groups.shop.sources: there is no source 'stok'"
}

KilledWhileAllWaitEverythingIsThawedOnce() {
  begin_held_backup ""
  kill -KILL "$process"
  wait "$process" || true
  until_logged "thaw orders"
  until_logged "thaw stock"
  no_watchdogs
  logged "freeze orders,thaw orders,thaw stock,wait stock"
}

StoppedItIsThawedAtTheLimitAndThePointSaysSo() {
  begin_held_backup "limit: 2s"
  kill -STOP "$process"
  until_logged "thaw orders"
  logged "freeze orders,thaw orders,wait stock"
  : >"$W/go"
  kill -CONT "$process"
  local status=0
  wait "$process" || status=$?
  expect "exit status" 3 "$status"
  said "thawed before the capture was over" "group shop: NOT CONSISTENT"
  logged "freeze orders,thaw orders,thaw stock,wait stock"
}

InterruptedEverythingIsThawedBeforeItEnds() {
  begin_held_backup ""
  kill -TERM "$process"
  local status=0
  wait "$process" || status=$?
  expect "exit status" 143 "$status"
  logged "freeze orders,thaw orders,thaw stock,wait stock"
}

WhatCannotBeThawedIsToldWhateverBecomesOfTheBackup() {
  : >"$W/log"
  platform_file "$(source_of orders freeze fail 'retry_for: 1s')
$(source_of stock wait thaw)
$(group_of 1h)"
  begin_backup --quiet
  until_logged "wait stock"
  kill -TERM "$process"
  local status=0
  wait "$process" || status=$?
  expect "exit status" 143 "$status"
  said "STILL FROZEN source orders" "run it by hand: hooks/hook fail orders"
}

KilledAtAnyMomentItIsThawedOnce() {
  local round
  head -c 30000000 /dev/urandom >"$W/orders/large"
  platform_file "$(source_of orders freeze thaw)"
  for round in 0 1 2 3 4 5 6 7 8 9; do
    begin_backup
    until_logged "freeze orders"
    sleep "0.0$((round * round))"
    kill -KILL "$process" 2>/dev/null || true
    wait "$process" || true
    until_logged "thaw orders"
    no_watchdogs
    logged "freeze orders,thaw orders"
  done
  lifeboat backup
}

run_cases
