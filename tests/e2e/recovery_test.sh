#!/usr/bin/env bash
# A recovery that is killed again and again ends as the one that nobody disturbed; what was altered
# in the restored platform is found; two drivers, Ctrl-C, a dry run, a damaged journal.
#
# The fault points are those of src/run/fault_point.h. A recovery dies, is resumed with an empty
# home, dies at the next point, and so on to its end: each death is at another point if there is one
# within reach. LIFEBOAT_LONG=1: chains of deaths until there are 50 points and more, all listed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/cases.sh
. tests/cases.sh
# shellcheck source=tests/e2e/lost_shop.sh
. tests/e2e/lost_shop.sh
exec 3>&1 # what is printed even when a case is green

lives_max=250

TheShopIsCapturedAndLost() { capture_the_shop; }

the_heartbeat_tightens_the_rpo() {
  alone "$1" -- runs show latest -o json >"$SCRATCH/report.json"
  jq -e '.rpo_s <= .rpo_bound_s and .rpo_s >= 0' "$SCRATCH/report.json"
}

AnUndisturbedRecoveryEndsRecovered() {
  local place
  place=$(new_place)
  alone "$place" -- recover shop-lost --input target="$place/target" >"$SCRATCH/undisturbed"
  recovered "$SCRATCH/undisturbed" >"$SCRATCH/checks"
  (($(<"$SCRATCH/checks") >= 25))
  tr -s '\n ' ' ' <"$SCRATCH/undisturbed" >"$SCRATCH/one-line"
  grep -E "databases: about [0-9]+ rows, written in the [0-9.]+ s after the capture" \
    "$SCRATCH/one-line"
  grep -E "broker: queue [^ ]+: [0-9]+ messages, not captured" "$SCRATCH/one-line"
  grep -E "RPO [0-9.]+ s at most \(([^)]*; )?newest heartbeat that came back: " "$SCRATCH/one-line"
  the_heartbeat_tightens_the_rpo "$place"
  end_platform "$place"
}

# point_of TRACE FAULT NUMBER: the place of a death, the same for each run: events with their steps,
# or step, verb, program, and the how-manieth of these it was
point_of() {
  awk -v kind="$([[ $2 == kill-during-child ]] && echo child || echo journal)" -v number="$3" '
    $1 != kind { next }
    kind == "child" { place = $3 " " $4 " " $5; place = place " #" ++seen[place] }
    kind == "journal" {
      place = $3 ~ /\/vault\// ? "vault" : $3 ~ /\/log\// ? "log" : "segment"
      for (i = 4; i <= NF; i++) place = place " " $i
    }
    $2 == number { print "after " kind " " place; exit }' "$1" |
    sed 's/^after child/during/; s/^after journal/after/' | grep .
}

# its_end PLACE: what was said, and by what was restored
its_end() {
  cat "$1/said" "$1/complaints"
  tail -n 20 "$1"/target/{backend,frontend}/*.log
}

# chain_of_deaths FAULT GROW: one recovery in many lives; appends to SCRATCH/points
chain_of_deaths() {
  local fault=$1 grow=$2 number=1 status lives=0 place point
  place=$(new_place)
  local -a words=(recover shop-lost --input target="$place/target")
  touch "$SCRATCH/points"
  while :; do
    rm -f "$place/trace"
    status=0
    alone "$place" LIFEBOAT_TRACE="$place/trace" LIFEBOAT_FAULT="$fault:$number" -- \
      "${words[@]}" >"$place/said" 2>"$place/complaints" || status=$?
    ((status == 137)) || break
    ((++lives < lives_max)) || complain "no end after $lives lives"
    point=$(point_of "$place/trace" "$fault" "$number")
    if grep -qxF -- "$point" "$SCRATCH/points"; then
      number=$((number + grow))
    else
      printf '%s\n' "$point" >>"$SCRATCH/points"
    fi
    words=(recover --resume latest)
  done
  ((status == 0)) || complain "ended with $status: $(its_end "$place")"
  printf '%d lives\n' "$((lives + 1))" >>"$SCRATCH/lives"
  ((lives > 0))
  expect "checks" "$(<"$SCRATCH/checks")" "$(recovered "$place/said")"
  end_platform "$place"
}

KilledAfterJournalWritesItEndsTheSame() { chain_of_deaths kill-after-journal 3; }

KilledDuringChildrenItEndsTheSame() { chain_of_deaths kill-during-child 5; }

KilledAtManyPointsItEndsTheSame() {
  local wanted=8 grow
  if [[ -n ${LIFEBOAT_LONG:-} ]]; then
    wanted=50
    for grow in 1 2; do
      chain_of_deaths kill-after-journal "$grow"
      chain_of_deaths kill-during-child "$grow"
    done
  fi
  printf 'killed at %d points, in %s:\n' "$(wc -l <"$SCRATCH/points")" \
    "$(paste -sd, "$SCRATCH/lives" | sed 's/,/, /g')" >&3
  sed 's/^/  /' "$SCRATCH/points" >&3
  (($(wc -l <"$SCRATCH/points") >= wanted))
}

# killed_at_a_moment PLACE WORDS...: SIGKILL after a random time; its exit status, 137 for a kill
killed_at_a_moment() {
  local place=$1 driver status=0
  shift
  rm -f "$place/pid"
  alone "$place" -- "$@" >"$place/said" 2>"$place/complaints" &
  driver=$!
  until_true 20 test -s "$place/pid"
  # Lives get longer: a step that takes longer than all of them would never end.
  python3 -c 'import random, sys, time
time.sleep(random.Random(sys.argv[1]).uniform(0.2, 1 + 1.5 * int(sys.argv[2])))' \
    "${MOMENTS_SEED:-1}.$moments" "$lives"
  kill -KILL "$(<"$place/pid")" 2>/dev/null || true
  wait "$driver" || status=$?
  return "$status"
}

# One recovery in many lives, each on a machine that knows nothing of the others, with the one key
# and the other in turn; adds to `moments`.
recovery_in_moments() {
  local place status lives=1 with_passphrase=''
  place=$(new_place)
  while :; do
    local -a words=(recover shop-lost --input target="$place/target")
    if compgen -G "$place/repository/runs/*/0000000000000000" >/dev/null; then
      words=(recover --resume latest)
    fi
    status=0
    killed_at_a_moment "$place" "${words[@]}" || status=$?
    ((status == 137)) || break
    moments=$((moments + 1))
    ((++lives < lives_max)) || complain "no end after $lives lives"
    [[ $with_passphrase ]] && with_passphrase='' || with_passphrase=yes
  done
  ((status == 0)) || complain "ended with $status after $moments moments: $(its_end "$place")"
  expect "checks" "$(<"$SCRATCH/checks")" "$(recovered "$place/said")"
  end_platform "$place"
}

# The process of before is not this machine's to see: it may be asleep in the middle of its change.
H3OnAnotherMachineAChangeInFlightWaitsForAPersonsWord() {
  local place status=0 number machine=laptop
  place=$(new_place)
  alone "$place" LIFEBOAT_TRACE="$place/trace" -- recover rows --input target="$place/target" \
    >"$place/said" 2>"$place/complaints"
  number=$(awk '$1 == "child" && $3 == "dbserver" && $4 == "apply" { print $2; exit }' \
    "$place/trace")
  end_platform "$place"

  place=$(new_place)
  alone "$place" LIFEBOAT_FAULT="kill-during-child:$number" -- recover rows \
    --input target="$place/target" >"$place/said" 2>"$place/complaints" || status=$?
  expect "exit status of the one that dies" 137 "$status"
  machine=laptop2 status=0
  alone "$place" -- recover --resume latest >"$place/said" 2>"$place/complaints" || status=$?
  expect "exit status while the change is in doubt" 1 "$status"
  grep -E 'dbserver: the driver before us announced this change' "$place/said"
  tr -s '\n ' ' ' <"$place/complaints" | grep -F 'lifeboat runs release'
  alone "$place" -- runs release latest --reason "the laptop is off"
  alone "$place" -- recover --resume latest >"$place/said" 2>"$place/complaints"
  recovered "$place/said"
  end_platform "$place"
}

H14KilledAtRandomMomentsAndContinuedElsewhereItEndsTheSame() {
  local moments=0 wanted=20 recoveries=0
  [[ -z ${LIFEBOAT_LONG:-} ]] || wanted=200
  while ((moments < wanted)); do
    recovery_in_moments
    recoveries=$((recoveries + 1))
  done
  printf 'killed at %d moments in %d recoveries (MOMENTS_SEED=%s)\n' "$moments" "$recoveries" \
    "${MOMENTS_SEED:-1}" >&3
}

# By itself, or because it has ended.
has_stopped() {
  local state
  state=$(sed 's/.*) //' "/proc/$(<"$1/pid")/stat" 2>/dev/null | cut -c1)
  [[ -z $state || $state == [TZ] ]]
}

# stopped_before_verify PLACE PLAN STEP: in the background; its number is in `driver`
stopped_before_verify() {
  alone "$1" LIFEBOAT_FAULT="stop-before-verify:$3" -- recover "$2" \
    --input target="$1/target" >"$1/said" 2>"$1/complaints" &
  driver=$!
  until_true 20 test -s "$1/pid"
  until_true 180 has_stopped "$1"
  kill -0 "$(<"$1/pid")" || complain "it has ended: $(<"$1/said") $(<"$1/complaints")"
}

# not_recovered PLACE WHAT: says so, and names what was altered
not_recovered() {
  tail -n 1 "$1/said" | grep '^NOT RECOVERED'
  grep -F -- "$2" "$1/said" || complain "'$2' is not named: $(<"$1/said")"
}

# an_alteration_is_found PLAN STEP ALTER HEAL NAMED: found, found again by a resume, and not any
# more when it is healed; so it was the only reason
an_alteration_is_found() {
  local driver status=0 place
  place=$(new_place)
  stopped_before_verify "$place" "$1" "$2"
  "$3" "$place/target"
  kill -CONT "$(<"$place/pid")"
  wait "$driver" || status=$?
  expect "exit status" 1 "$status"
  not_recovered "$place" "$5"
  status=0
  alone "$place" -- recover --resume latest >"$place/said" 2>"$place/complaints" || status=$?
  expect "exit status of the resume" 1 "$status"
  not_recovered "$place" "$5"
  "$4" "$place/target"
  alone "$place" -- recover --resume latest >"$place/said" 2>"$place/complaints"
  recovered "$place/said"
  end_platform "$place"
}

# server TARGET postgres|rabbitmq: its outputs, as the plan's step has them
server() {
  local name=${2^^} password
  password=$(jq -r ".$2" "$1/secrets/administrators.json")
  env SHOP_DIR="$1" "SHOP_${name}_PASSWORD=$password" "$shop/recovery/$2-new" observe
}

sql() {
  PGPASSWORD=$(jq -r .postgres "$1/secrets/administrators.json") psql -X -v ON_ERROR_STOP=1 -Atq \
    -c "$2" "$(server "$1" postgres | jq -r .url | sed 's|/[^/]*$|/shop_catalog|')"
}
# Without the triggers that would write down the change in another table.
add_to_the_price() {
  sql "$1" "SET session_replication_role = replica;
    UPDATE catalog.products SET price = price + $2 WHERE id = 17"
}
raise_a_price() { add_to_the_price "$1" 1; }
lower_the_price() { add_to_the_price "$1" -1; }

OneAlteredRowIsFound() {
  an_alteration_is_found rows databases raise_a_price lower_the_price products
}

append_to_a_file() {
  cp -a "$1/uploads/welcome.txt" "$SCRATCH/welcome.txt"
  printf x >>"$1/uploads/welcome.txt"
}
put_the_file_back() {
  cat "$SCRATCH/welcome.txt" >"$1/uploads/welcome.txt"
  touch -r "$SCRATCH/welcome.txt" "$1/uploads/welcome.txt"
}

OneAlteredFileIsFound() {
  an_alteration_is_found uploads-alone uploads append_to_a_file put_the_file_back welcome.txt
}

# broker TARGET METHOD PATH [BODY]
broker() {
  curl -sS --fail -u "admin:$(jq -r .rabbitmq "$1/secrets/administrators.json")" -X "$2" \
    -H 'Content-Type: application/json' ${4:+-d "$4"} "$(server "$1" rabbitmq | jq -r .url)/api$3"
}
binding_path() { # names are escaped as RabbitMQ's own page does it
  jq -r '"/bindings/shop/e/" + (.source | @uri) + "/q/" + (.destination | @uri)' \
    "$SCRATCH/binding.json"
}
delete_a_binding() {
  broker "$1" GET /bindings/shop |
    jq -ce '[.[] | select(.source != "" and .destination_type == "queue")][0]' \
      >"$SCRATCH/binding.json"
  broker "$1" DELETE "$(binding_path)/$(jq -r '.properties_key | @uri' "$SCRATCH/binding.json")"
}
bind_again() {
  broker "$1" POST "$(binding_path)" "$(jq -c '{routing_key, arguments}' "$SCRATCH/binding.json")"
}

OneDeletedBindingIsFound() {
  an_alteration_is_found broker-alone broker delete_a_binding bind_again binding
}

move_a_ref() {
  git -C "$1/git/shop.git" rev-parse refs/heads/staging >"$SCRATCH/ref"
  git -C "$1/git/shop.git" update-ref refs/heads/staging refs/heads/staging~1
}
move_the_ref_back() { git -C "$1/git/shop.git" update-ref refs/heads/staging "$(<"$SCRATCH/ref")"; }

OneMovedRefIsFound() {
  an_alteration_is_found refs deploy move_a_ref move_the_ref_back refs/heads/staging
}

# dies PLACE PLAN FAULT
dies() {
  fails_with 137 alone "$1" LIFEBOAT_FAULT="$3" -- recover "$2" --input target="$1/target"
}

# The second leaves (11), or finds the run at its end already, if the first was so quick (0).
OfTwoThatResumeOneChangesNothing() {
  local place first second one=0 two=0 loser=second winner=first
  place=$(new_place)
  dies "$place" rows kill-after-journal:6
  alone "$place" LIFEBOAT_TRACE="$place/trace.first" -- recover --resume latest \
    >"$place/said.first" 2>"$place/complaints.first" &
  first=$!
  alone "$place" LIFEBOAT_TRACE="$place/trace.second" -- recover --resume latest \
    >"$place/said.second" 2>"$place/complaints.second" &
  second=$!
  wait "$first" || one=$?
  wait "$second" || two=$?
  if [[ ! -s $place/trace.first ]]; then
    loser=first winner=second
  fi
  recovered "$place/said.$winner"
  [[ ! -s $place/trace.$loser ]] || complain "both did something: $(<"$place/trace.$loser")"
  if ((one + two == 0)); then
    recovered "$place/said.$loser"
  else
    expect "exit states" "0 11" "$(printf '%d\n' "$one" "$two" | sort -n | paste -sd' ')"
    grep "another driver" "$place/complaints.$loser"
  fi
  end_platform "$place"
}

ADriverThatSleptFindsItselfReplaced() {
  local place driver status=0 sleeper
  place=$(new_place)
  stopped_before_verify "$place" refs deploy
  sleeper=$(<"$place/pid")
  mv "$place/said" "$place/said.sleeper"
  alone "$place" -- recover --resume latest >"$place/said.second"
  recovered "$place/said.second"
  tree_of "$place/target" >"$place/before"
  kill -CONT "$sleeper"
  wait "$driver" || status=$?
  expect "exit status of the one that slept" 11 "$status"
  tree_of "$place/target" | diff "$place/before" -
  end_platform "$place"
}

# Everything below a folder that could change, as text.
tree_of() {
  (
    cd "$1"
    find . -printf '%P %y %m %s %T@\n' | LC_ALL=C sort
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum
  )
}

CtrlCEndsItCleanlyAndItIsResumed() {
  local place status=0 driver
  place=$(new_place)
  alone "$place" LIFEBOAT_TRACE="$place/trace" -- recover rows --input target="$place/target" \
    >"$place/said" 2>"$place/complaints" &
  driver=$!
  until_true 60 grep -qs "^child .* dbserver apply" "$place/trace"
  kill -INT "$(<"$place/pid")"
  wait "$driver" || status=$?
  expect "exit status" 130 "$status"
  grep "recover --resume" "$place/complaints"
  alone "$place" -- recover --resume latest >"$place/said"
  recovered "$place/said"
  end_platform "$place"
}

ADryRunChangesNothing() {
  local place
  place=$(new_place)
  tree_of "$place/repository" >"$place/before"
  alone "$place" -- recover shop-lost --dry-run --input target="$place/target/new" >"$place/said" ||
    complain "not ready: $(<"$place/said")"
  grep "nothing was changed" "$place/said"
  tree_of "$place/repository" | diff "$place/before" -
  expect "what is in the target" "" "$(ls -A "$place/target")"
  end_platform "$place"
}

# damaged PLACE: a run that died with some segments; their folder is in `chain`, their number in
# `last`
interrupted_run() {
  dies "$1" refs kill-after-journal:3
  chain=$(echo "$1"/repository/runs/*)
  last=$(find "$chain" -maxdepth 1 -name '0*' | sort | tail -n 1)
  [[ $last == */0000000000000002 ]] || complain "the last segment is $last"
}

# refused_as_damaged PLACE SEGMENT: nothing is guessed, nothing lost, and a new run works
refused_as_damaged() {
  local word run
  run=$(basename "$chain")
  for word in recover\ --resume\ latest runs\ show\ "$run"; do
    # shellcheck disable=SC2086
    fails_with 13 alone "$1" -- $word >"$1/said"
    grep -F "$run" "$1/said" || complain "the run is not named: $(<"$1/said")"
    grep -F "$2" "$1/said" || complain "segment $2 is not named: $(<"$1/said")"
  done
  alone "$1" -- points | grep -c complete
  rm -rf "$1/target"
  mkdir -m 711 "$1/target"
  alone "$1" -- recover refs --input target="$1/target" >"$1/said"
  recovered "$1/said"
  mv "$chain" "$1/damaged"
  alone "$1" -- check
  end_platform "$1"
}

H11AnAlteredSegmentRefusesTheRun() {
  local place chain last
  place=$(new_place)
  interrupted_run "$place"
  python3 - "$last" <<'END'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(40)
    byte = file.read(1)[0]
    file.seek(40)
    file.write(bytes([byte ^ 1]))
END
  refused_as_damaged "$place" 2
}

H11ACutSegmentRefusesTheRun() {
  local place chain last
  place=$(new_place)
  interrupted_run "$place"
  truncate -s -7 "$last"
  refused_as_damaged "$place" 2
}

H11AGapRefusesTheRun() {
  local place chain last
  place=$(new_place)
  interrupted_run "$place"
  rm "${last%2}1"
  refused_as_damaged "$place" 1
}

H11AMissingLastSegmentIsFoundAgainByObserving() {
  local place chain last
  place=$(new_place)
  interrupted_run "$place"
  rm "$last"
  alone "$place" -- recover --resume latest >"$place/said"
  recovered "$place/said"
  grep "freshness unproven" "$place/said"
  alone "$place" -- check
  end_platform "$place"
}

run_cases
