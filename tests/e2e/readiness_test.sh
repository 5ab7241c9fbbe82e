#!/usr/bin/env bash
# Know before: guards that refuse the wrong target, dry runs that show what would change, variants,
# scenarios, and readiness with its reasons.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/cases.sh
. tests/cases.sh

# shellcheck source=tests/e2e/command_line.sh
. tests/e2e/command_line.sh

# platform GUARD...: the file with these lines below `guard:` of its plan; none: without a guard
platform() {
  local line guard=""
  for line; do
    guard+="      $line"$'\n'
  done
  cat >"$W/lifeboat.yaml" <<END
version: 1
platform: small
repository: $W/repository
objectives: { rto: 1h, rpo: 1h }
sources:
  uploads: { files: { path: $W/uploads } }
  code: { git: { path: $W/code } }
plans:
  lost:
    inputs:
      to: { default: $W/back }
      region: { default: eu }
${guard:+    guard:
$guard}
    steps:
      drain:
        exec: { run: [scripts/put, $W/drained, drained], observe: [scripts/is, $W/drained] }
        when: graceful
      target:
        exec: { run: [scripts/put, $W/target, "target of the run"], observe: [scripts/is, $W/target] }
        after: [drain]
      uploads:
        restore: { source: uploads, into: "\${inputs.to}" }
        after: [target]
      extra:
        exec: { run: [scripts/put, $W/extra, us], observe: [scripts/is, $W/extra] }
        when: inputs.region == 'us'
      there:
        file-check: { path: "\${inputs.to}", kind: folder }
        after: [uploads, extra]
END
}

# The target of a recovery that has not happened yet.
nothing_is_back() {
  chmod -R u+w "$W/back" 2>/dev/null || true
  rm -rf "$W/back" "$W/target" "$W/drained" "$W/extra"
}

mkdir -p "$W/scripts"
printf '#!/bin/sh\necho "$2" >"$1"\n' >"$W/scripts/put"
printf '#!/bin/sh\n[ -e "$1" ] || exit 1\n' >"$W/scripts/is"
chmod +x "$W/scripts/put" "$W/scripts/is"
make_sources
echo "machine 7301" >"$W/identity-of-target"

# --- guards ----------------------------------------------------------------------------------------

AMistakeInAGuardIsNamedWithItsPlace() {
  platform "fle: { path: $W/identity-of-target, contains: 7301 }"
  ends 2 "$BINARY" plan validate -C "$W/lifeboat.yaml"
  said "lifeboat.yaml:14:7" "unknown kind of guard 'fle'" "did you mean 'file'"
  platform 'file: { path: "${target.path}", contains: 7301 }'
  ends 2 "$BINARY" plan validate -C "$W/lifeboat.yaml"
  said "cannot look at the output of step 'target'"
  platform "file: { path: x }"
  ends 2 "$BINARY" plan validate -C "$W/lifeboat.yaml"
  said "either \`contains\` or \`adopt: true\`"
}

TheRepositoryIsMade() {
  platform
  "$BINARY" init -C "$W/lifeboat.yaml" -r "$W/repository" --new-age-identity "$W/identity" --no-input
  lifeboat backup
}

AnotherTargetIsRefusedBeforeAnythingIsChanged() {
  platform "file: { path: $W/identity-of-target, contains: \"machine 7302\" }"
  nothing_is_back
  ends 6 lifeboat recover lost
  said "guard file: wanted machine 7302, found machine 7301" "at $W/identity-of-target"
  [[ ! -e $W/target && ! -e $W/back ]]
  expect "runs" 0 "$(lifeboat runs list -o json | jq '.items // .runs | length')"
}

ADryRunSaysWhatItGuards() {
  ends 4 lifeboat recover lost --dry-run
  said "REFUSED guard file: wanted machine 7302"
  platform "file: { path: $W/identity-of-target, contains: \"machine 7301\" }"
  lifeboat recover lost --dry-run >"$SCRATCH/out"
  said "guard file: machine 7301" "as wanted"
}

TheRightTargetIsRecovered() {
  nothing_is_back
  lifeboat recover lost
  expect "an upload" hello "$(<"$W/back/a")"
  lifeboat evidence export latest "$SCRATCH/right"
  expect "its target" "file machine 7301 $W/identity-of-target as wanted" \
    "$(jq -r '.target[] | "\(.guard) \(.wanted) \(.at) \(.how)"' "$SCRATCH/right/evidence.json")"
}

WhatARunMakesIsAdoptedAndHeldOnToAfterAResume() {
  platform "file: { path: $W/target, adopt: true }"
  nothing_is_back
  mkdir "$W/back" && echo foreign >"$W/back/foreign"
  # What the first step makes is not there at first; the restore is refused by what is in its place.
  ends 1 lifeboat recover lost
  rm -r "$W/back"
  lifeboat recover --resume latest
  lifeboat runs show latest -o json >"$SCRATCH/document"
  grep -q "guard file: target of the run" "$SCRATCH/document" ||
    complain "not adopted: $(<"$SCRATCH/document")"
}

AnotherOneInItsPlaceIsRefusedByTheResume() {
  nothing_is_back
  printf '#!/bin/sh\nexit 3\n' >"$W/scripts/broken"
  chmod +x "$W/scripts/broken"
  platform "file: { path: $W/target, adopt: true }"
  sed -i "s#scripts/put, $W/extra, us#scripts/broken#; s/region: { default: eu }/region: { default: us }/" \
    "$W/lifeboat.yaml"
  sed -i "s#when: inputs.region == 'us'#after: [uploads]#" "$W/lifeboat.yaml"
  ends 1 lifeboat recover lost
  echo "another one" >"$W/target"
  ends 6 lifeboat recover --resume latest
  said "guard file: wanted target of the run" "adopted by this run at" "found another one"
}

# --- dry run ---------------------------------------------------------------------------------------

ADryRunShowsWhatWouldChange() {
  platform
  nothing_is_back
  lifeboat recover lost --dry-run >"$SCRATCH/out"
  said "* $W/back: (nothing) -> " "bytes of source" "* scripts/put $W/target"
  document DryRun recover lost --dry-run
  jq -e '.steps[] | select(.step == "uploads") | .changes[0].to | contains("items")' \
    "$SCRATCH/document"
  jq -e '.steps[] | select(.step == "target") | .changes_in_all == 1' "$SCRATCH/document"
  [[ ! -e $W/back && ! -e $W/target ]]
}

# --- variants and scenarios ------------------------------------------------------------------------

TheVariantIsPinnedAndNothingOfTheOthers() {
  lifeboat recover lost --dry-run -o json >"$SCRATCH/document"
  expect "steps" "target uploads there" \
    "$(jq -r '[.steps[].step] | sort_by({"target":1,"uploads":2,"there":3}[.]) | join(" ")' "$SCRATCH/document")"
  lifeboat recover lost --dry-run --graceful --input region=us -o json >"$SCRATCH/document"
  expect "steps" 5 "$(jq '.steps | length' "$SCRATCH/document")"
  nothing_is_back
  lifeboat recover lost --graceful
  [[ -e $W/drained && -e $W/target && ! -e $W/extra ]]
}

AStepThatNeedsOneOfAnotherVariantIsRefusedWithItsPlace() {
  platform
  sed -i 's#observe: \[scripts/is, '"$W"'/drained\] }#observe: [scripts/is, '"$W"'/drained], outputs: { at: string } }#' \
    "$W/lifeboat.yaml"
  sed -i 's#scripts/put, '"$W"'/target, "target of the run"#scripts/put, '"$W"'/target, "${drain.at}"#' \
    "$W/lifeboat.yaml"
  ends 2 lifeboat recover lost --dry-run
  said "lifeboat.yaml:" "step 'target' needs an output of step 'drain'"
  platform
}

TwoScenariosAreCompared() {
  lifeboat plan diff lost --input "to=$W/a" --against "to=$W/b" >"$SCRATCH/out"
  said "uploads" "restore.into" "$W/a" "$W/b" "file-check.path"
  document PlanDifference plan diff lost --against region=us
  jq -e '.steps | map(select(.step == "extra" and .kind == "added")) | length == 1' "$SCRATCH/document"
  lifeboat plan diff lost --against-graceful >"$SCRATCH/out"
  said "drain" "added"
  lifeboat plan diff lost >"$SCRATCH/out"
  said "no difference"
  # Another plan takes over the inputs that it has too, and only those.
  cat >>"$W/lifeboat.yaml" <<'END'
  other:
    inputs: { to: { ask: where } }
    steps: { uploads: { restore: { source: uploads, into: "${inputs.to}" } } }
END
  lifeboat plan diff lost other --input "to=$W/a" --input region=us >"$SCRATCH/out"
  never grep -q 'restore.into' "$SCRATCH/out"
  lifeboat plan diff lost other --input "to=$W/a" --against "to=$W/b" >"$SCRATCH/out"
  said "restore.into" "$W/a" "$W/b"
  platform
  ends 2 lifeboat plan diff lots
  said "did you mean lost?"
}

# --- readiness -------------------------------------------------------------------------------------

ReadinessNamesTheWorstFirstAndWhatToDo() {
  nothing_is_back
  lifeboat backup
  lifeboat plan evaluate lost >"$SCRATCH/out"
  cat "$SCRATCH/out"
  said "plan lost: READY" "keys: a single recipient opens the repository" "-> lifeboat keys add"
  document Readiness plan evaluate lost
  jq -e '.ready and .score < 100 and .score > 50' "$SCRATCH/document"
  [[ ! -e $W/back && ! -e $W/target ]]
}

# score: of the plan, now
score() { lifeboat plan evaluate lost -o json | jq .score; }

WhatRunsTaughtLowersItUntilItIsClosed() {
  local before owned
  before=$(score)
  lifeboat runs review latest --add "nobody knew the key" --owner ann --due 2000-01-01
  ends 0 lifeboat plan evaluate lost
  said "finding 1: open since run" "nobody knew the key (ann has it" "--close 1 --reason"
  expect "overdue" $((before - 10)) "$(score)"
  lifeboat runs review latest --assign 1 --owner bob --due 2099-01-01
  owned=$(score)
  expect "owned" $((before - 2)) "$owned"
  lifeboat runs review latest --close 1 --reason "it hangs in the office now"
  expect "closed" "$before" "$(score)"
}

AMissingProgramMakesItNotReady() {
  mv "$W/scripts/put" "$W/scripts/away"
  lifeboat backup || true
  lifeboat plan evaluate lost -o json >"$SCRATCH/document" && complain "ready without its program"
  mv "$W/scripts/away" "$W/scripts/put"
  jq -e '(.ready | not) and .reasons[0].severity == "FAIL" and (.reasons[0].about | startswith("step "))' \
    "$SCRATCH/document"
}

# The password is asked for by a step that waits for an output: a dry run cannot look at it yet.
ACredentialThatIsNotThereMakesItNotReadyAndIsNamed() {
  platform
  sed -i "s#observe: \[scripts/is, $W/target\] }#observe: [scripts/is, $W/target], outputs: { at: string } }#" \
    "$W/lifeboat.yaml"
  cat >>"$W/lifeboat.yaml" <<END
      told:
        exec:
          run: [scripts/put, "\${target.at}", x]
          observe: [scripts/is, "\${target.at}"]
          secret_env: { A: { env: PLANTED_SECRET }, B: { file: secrets/pw }, C: { exec: [tell-it, now] } }
END
  ends 4 lifeboat plan evaluate lost -o json
  said "needs environment variable PLANTED_SECRET, which is not there" \
    "needs file secrets/pw, which is not there" "needs program tell-it, which is not there"
  mkdir -p "$W/secrets" "$SCRATCH/bin"
  echo file-secret >"$W/secrets/pw"
  printf '#!/bin/sh\nexit 1\n' >"$SCRATCH/bin/tell-it"
  chmod +x "$SCRATCH/bin/tell-it"
  PLANTED_SECRET=env-secret PATH=$SCRATCH/bin:$PATH ends 0 lifeboat plan evaluate lost -o json
  said "needs file secrets/pw, which is on this machine only"
  never grep -E "env-secret|file-secret" "$SCRATCH/out"
  platform
}

KeysThatAreKeptElsewhereAreProven() {
  lifeboat plan evaluate lost >"$SCRATCH/out"
  never grep "keys tried" "$SCRATCH/out"
  echo "a passphrase for the office" >"$SCRATCH/kept"
  echo "a passphrase of nobody's" >"$SCRATCH/lost"
  lifeboat keys add --passphrase --new-passphrase-file "$SCRATCH/kept" --label office
  lifeboat plan evaluate lost -o json >"$SCRATCH/out"
  said "nothing shows that these open: slot 1 (passphrase, office)" "--prove-passphrase-file"
  ends 0 lifeboat plan evaluate lost --prove-passphrase-file "$SCRATCH/kept"
  never grep "keys tried" "$SCRATCH/out"
  ends 4 lifeboat plan evaluate lost --prove-passphrase-file "$SCRATCH/lost" \
    --prove-passphrase-file "$SCRATCH/kept" --prove-identity "$W/identity" -o json
  said "key $SCRATCH/lost" "no key of the repository opens with it"
  never grep "key $SCRATCH/kept" "$SCRATCH/out"
  lifeboat keys remove 1
}

the_point_is_too_old() {
  never lifeboat plan evaluate lost -o json >"$SCRATCH/document" &&
    jq -e 'any(.reasons[]; .about == "recovery point" and .severity == "FAIL")' "$SCRATCH/document"
}

AnOldPointAndAGuardThatRefusesMakeItNotReady() {
  platform "file: { path: $W/identity-of-target, contains: \"machine 7302\" }"
  sed -i 's/rpo: 1h/rpo: 1s/' "$W/lifeboat.yaml"
  until_true 60 the_point_is_too_old
  jq -e '.reasons[0] | .about == "guard file" and (.what | contains("found machine 7301"))' \
    "$SCRATCH/document"
  ends 4 lifeboat plan evaluate lost
  said "NOT READY" "FAIL  -40  guard file" "the RPO is 1" "platform file has been changed since"
}

AChangedScriptIsAChangedBundle() {
  platform
  lifeboat backup
  lifeboat plan evaluate lost -o json >"$SCRATCH/document" || true
  never jq -e 'any(.reasons[]; .about == "bundle")' "$SCRATCH/document"
  echo '# another one' >>"$W/scripts/put"
  lifeboat plan evaluate lost -o json >"$SCRATCH/document" || true
  jq -e 'any(.reasons[]; .about == "bundle" and (.what | contains("changed")))' "$SCRATCH/document"
  sed -i '$d' "$W/scripts/put"
}

# without_config WORDS...: in a folder of its own, with the repository named
without_config() {
  (cd "$SCRATCH/elsewhere" && "$BINARY" -r "$W/repository" --identity "$W/identity" --no-input "$@")
}

WithoutAPlatformFileTheBundleSpeaksAndSaysSo() {
  mkdir "$SCRATCH/elsewhere"
  platform
  lifeboat backup
  ends 0 without_config plan simulate lost
  said "no platform file here: that of the newest recovery point" "critical path"
  ends 0 without_config plan diff lost --against region=us
  said "that of the newest recovery point" "extra"
  ends 0 without_config plan evaluate lost
  said "the plan is that of recovery point"
  # One that is there and cannot be read is not "none".
  echo 'version: [' >"$SCRATCH/elsewhere/lifeboat.yaml"
  ends 2 without_config plan evaluate lost
  said "lifeboat.yaml"
  ends 2 without_config plan simulate lost
  rm "$SCRATCH/elsewhere/lifeboat.yaml"
  ln -s /nonexistent "$SCRATCH/elsewhere/lifeboat.yaml"
  never without_config plan evaluate lost
}

WithoutAnyPointNothingIsLeft() {
  platform
  sed -i "s#repository: .*#repository: $W/empty#" "$W/lifeboat.yaml"
  "$BINARY" init -C "$W/lifeboat.yaml" -r "$W/empty" --new-age-identity "$SCRATCH/other" --no-input
  ends 4 "$BINARY" -C "$W/lifeboat.yaml" --identity "$SCRATCH/other" --no-input plan evaluate lost
  said "plan lost: NOT READY 0/100"
  platform
}

AWordThatIsWrongIsUsage() {
  ends 2 lifeboat plan evaluate lots
  said "did you mean lost?"
}

run_cases
