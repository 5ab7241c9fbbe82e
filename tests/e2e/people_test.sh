#!/usr/bin/env bash
# People in a recovery, at the command line: gates, requests, replacing the plan, taking over.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/cases.sh
. tests/cases.sh

lifeboat=$SCRATCH/lifeboat
cp "${LIFEBOAT_BINARY:-build/release/lifeboat}" "$lifeboat"
platform=$SCRATCH/platform

# on_machine NAME WORDS...: lifeboat where nothing is but what the repository and the key give
on_machine() {
  local home=$SCRATCH/machines/$1
  shift
  mkdir -p "$home"
  (
    cd "$home"
    exec env -i HOME="$home" PATH=/usr/bin:/bin LIFEBOAT_IDENTITY="$SCRATCH/key.txt" \
      LIFEBOAT_REPOSITORY="$SCRATCH/repository" "$lifeboat" "$@"
  )
}

# fails_with STATUS COMMAND...
fails_with() {
  local wanted=$1 status=0
  shift
  "$@" || status=$?
  expect "exit status of $*" "$wanted" "$status"
}

write_platform_file() {
  cat >"$platform/lifeboat.yaml" <<END
version: 1
platform: people
operators: { alice: "$1" }
sources: { data: { files: { path: data } } }
plans:
  lost:
    files: [put]
    steps:
      one: { exec: { run: [./put, $SCRATCH/target/one], observe: [/usr/bin/test, -e, $SCRATCH/target/one] } }
      go: { approve: { by: alice, reason: "Really?" }, after: [one] }
      two: { restore: { source: data, into: "$SCRATCH/target/data" }, after: [go] }
  stuck:
    files: [put]
    steps:
      bad: { exec: { run: [/bin/false], observe: [/usr/bin/test, -e, $SCRATCH/target/bad] } }
      last: { restore: { source: data, into: "$SCRATCH/target/last" }, after: [bad] }
END
}

APlatformWithAnOperatorIsCaptured() {
  mkdir -p "$platform/data" "$SCRATCH/target"
  echo content >"$platform/data/file"
  # shellcheck disable=SC2016
  printf '#!/bin/sh\n: >"$1"\n' >"$platform/put"
  chmod +x "$platform/put"
  on_machine alice operators new "$SCRATCH/alice.pem" >"$SCRATCH/alice.key"
  on_machine mallory operators new "$SCRATCH/mallory.pem" >/dev/null
  expect "mode of the key" 600 "$(stat -c %a "$SCRATCH/alice.pem")"
  fails_with 2 on_machine alice operators new "$SCRATCH/alice.pem"
  expect "public half" "$(<"$SCRATCH/alice.key")" "$(on_machine alice operators show "$SCRATCH/alice.pem")"
  # What openssl makes of it is the same key.
  openssl pkey -in "$SCRATCH/alice.pem" -aes256 -passout pass:secret -out "$SCRATCH/sealed.pem"
  openssl pkey -in "$SCRATCH/sealed.pem" -passin pass:secret -out "$SCRATCH/again.pem"
  chmod 600 "$SCRATCH/again.pem"
  expect "through openssl" "$(<"$SCRATCH/alice.key")" \
    "$(on_machine alice operators show "$SCRATCH/again.pem")"
  write_platform_file "$(<"$SCRATCH/alice.key")"
  on_machine home init --config "$platform/lifeboat.yaml" --new-age-identity "$SCRATCH/key.txt"
  on_machine home --config "$platform/lifeboat.yaml" backup
}

AGateHoldsARunThatNobodyIsThereFor() {
  fails_with 5 on_machine first recover lost --no-input >"$SCRATCH/told"
  grep "go awaits 1 of alice" "$SCRATCH/told"
  [[ -e $SCRATCH/target/one && ! -e $SCRATCH/target/data ]]
}

OnlyTheOperatorIsHeard() {
  fails_with 6 on_machine second runs approve latest go
  fails_with 6 on_machine second runs approve latest go --operator-key "$SCRATCH/mallory.pem"
  fails_with 6 on_machine second runs approve latest tow --operator-key "$SCRATCH/alice.pem"
  fails_with 6 on_machine second runs skip latest one --reason x --operator-key "$SCRATCH/alice.pem"
  on_machine second runs approve latest go --operator-key "$SCRATCH/alice.pem" --reason "looks right"
  on_machine second check
}

ItIsContinuedWhereNothingIsButRepositoryAndKey() {
  on_machine third recover --resume latest >"$SCRATCH/told"
  tail -n 1 "$SCRATCH/told" | grep -E '^RECOVERED '
  grep "alice asked: approve go (signed): looks right" "$SCRATCH/told"
  cmp "$platform/data/file" "$SCRATCH/target/data/file"
  on_machine fourth runs show latest -o json >"$SCRATCH/report.json"
  jq -e '.people | length == 1' "$SCRATCH/report.json"
  fails_with 6 on_machine fourth runs pause latest --operator-key "$SCRATCH/alice.pem"
}

ADriverThatWaitsIsWatchedAndGoesOn() {
  local driver watcher
  rm -rf "$SCRATCH/target"
  mkdir "$SCRATCH/target"
  on_machine first recover lost >"$SCRATCH/told" 2>"$SCRATCH/talk" &
  driver=$!
  until grep -q awaits "$SCRATCH/talk"; do
    kill -0 "$driver"
    sleep 0.1
  done
  on_machine second runs watch latest >"$SCRATCH/watched" 2>"$SCRATCH/watched.talk" &
  watcher=$!
  fails_with 11 on_machine third recover --resume latest
  # H2: somebody else begins the same.
  fails_with 11 on_machine third recover lost 2>"$SCRATCH/second"
  grep "is being run already, with the same inputs: run .* by process .* since" "$SCRATCH/second"
  expect "runs" 2 "$(on_machine third runs list -o json | jq '.items | length')"
  on_machine second runs approve latest go --operator-key "$SCRATCH/alice.pem" >"$SCRATCH/answer"
  grep "taken by the driver" "$SCRATCH/answer"
  wait "$driver"
  wait "$watcher"
  tail -n 1 "$SCRATCH/watched" | grep -E '^RECOVERED '
  grep "only people were waited for" "$SCRATCH/told"
}

AStepIsSkippedAndTheEndIsPartial() {
  fails_with 1 on_machine first recover stuck >"$SCRATCH/told"
  on_machine second runs skip latest bad --reason "not needed" --operator-key "$SCRATCH/alice.pem" \
    --dry-run >"$SCRATCH/told" 2>&1
  grep -E "^bad +exec +failed +be left out" "$SCRATCH/told"
  grep "Nothing was asked" "$SCRATCH/told"
  on_machine second runs go-back latest --reason "wrong place" --operator-key "$SCRATCH/alice.pem" \
    --dry-run -o json >"$SCRATCH/told.json"
  jq -e '[.steps[].would] | length >= 1 and all(. == "be undone")' "$SCRATCH/told.json"
  on_machine second runs skip latest bad --reason "not needed" --operator-key "$SCRATCH/alice.pem"
  fails_with 3 on_machine third recover --resume latest >"$SCRATCH/told"
  tail -n 1 "$SCRATCH/told" | grep -F "PARTLY RECOVERED: skipped: bad (alice: not needed)"
  [[ -e $SCRATCH/target/last/file ]]
}

AChangedPlanIsShownAndAgreedTo() {
  rm -rf "$SCRATCH/target/last"
  fails_with 1 on_machine first recover stuck >"$SCRATCH/told"
  sed -i 's|bad: { exec: { run: \[/bin/false\]|good: { exec: { run: [./put, '"$SCRATCH"'/target/bad]|;
    s|after: \[bad\]|after: [good]|' "$platform/lifeboat.yaml"
  fails_with 5 on_machine home --config "$platform/lifeboat.yaml" --no-input \
    recover --resume latest --replan --map bad=good 2>"$SCRATCH/shown"
  grep -E "bad -> good +changed" "$SCRATCH/shown"
  fails_with 2 on_machine home --config "$platform/lifeboat.yaml" \
    recover --resume latest --replan --map bad=god --yes
  on_machine home --config "$platform/lifeboat.yaml" \
    recover --resume latest --replan --map bad=good --yes >"$SCRATCH/told"
  tail -n 1 "$SCRATCH/told" | grep -E '^RECOVERED '
  on_machine other runs show latest | grep "asked: replan"
}

run_cases
