#!/usr/bin/env bash
# Evidence as an operator and an auditor see it: made when a run ends, through kills, found on any
# machine with a key, verified without a network, and nothing secret in it. (R39, R44, R59; K5, L1.)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/cases.sh
. tests/cases.sh
# shellcheck source=tests/e2e/command_line.sh
. tests/e2e/command_line.sh

T=$SCRATCH/target # where the platform comes back
ALICE=$SCRATCH/alice.pem
PLANTED=$SCRATCH/planted # secrets of the plan, a file each

# as_alice WORDS...: with her operator's key
as_alice() { lifeboat --operator-key "$ALICE" "$@"; }

# The same on a machine that has the repository and a key, and nothing else.
elsewhere() {
  local home
  home=$(mktemp -d "$SCRATCH/home.XXXXXX")
  env -i HOME="$home" PATH="$PATH" "$BINARY" -r "$W/repository" --identity "$W/identity" \
    --no-input "$@"
}

newest_run() { elsewhere runs list -o json | jq -r '.items[-1].run'; }

# exported RUN NAME: its evidence, taken on another machine
exported() {
  rm -rf "${SCRATCH:?}/$2"
  elsewhere evidence export "$1" "$SCRATCH/$2" >"$SCRATCH/out" 2>&1 || complain "$(<"$SCRATCH/out")"
}

record() { jq -r "$2" "$SCRATCH/$1/evidence.json"; }

APlatformIsBackedUp() {
  mkdir -m 700 "$PLANTED"
  head -c 32 /dev/urandom | xxd -p -c 64 | tr -d '\n' >"$PLANTED/token"
  "$BINARY" operators new "$ALICE" >"$SCRATCH/alice.key" 2>"$SCRATCH/out"
  make_sources
  mkdir "$T" "$W/scripts"
  # What the run makes: a password that nobody is told.
  cat >"$W/scripts/make" <<END
#!/bin/sh
head -c 24 /dev/urandom | xxd -p -c 64 | tr -d '\\n' >"$T/made"
cp "\$TOKEN_FILE" "$T/token"
END
  cat >"$W/scripts/made" <<END
#!/bin/sh
test -e "$T/token" || exit 1
printf '{"password": "%s"}' "\$(cat "$T/made")" >"\$LIFEBOAT_OUTPUT"
END
  chmod +x "$W"/scripts/*
  cat >"$W/lifeboat.yaml" <<END
version: 1
platform: small
repository: $W/repository
objectives: { rto: 1h, rpo: 1h }
operators: { alice: "$(<"$SCRATCH/alice.key")" }
sources:
  uploads: { files: { path: $W/uploads } }
  code: { git: { path: $W/code } }
plans:
  lost:
    scenario: "<script>alert('gone')</script>"
    inputs:
      token: { type: secret, ask: "The token" }
    steps:
      made:
        exec:
          run: [scripts/make]
          files: { TOKEN_FILE: "\${inputs.token}" }
          observe: [scripts/made]
          outputs: { password: secret }
      go: { approve: { by: alice, reason: "The right place?" }, after: [made] }
      uploads: { restore: { source: uploads, into: $T/uploads }, after: [go] }
  thin:
    scenario: "Only the code"
    steps:
      code: { restore: { source: code, into: $T/code } }
END
  "$BINARY" init -C "$W/lifeboat.yaml" -r "$W/repository" --new-age-identity "$W/identity" \
    --no-input >"$SCRATCH/out" 2>&1 || complain "$(<"$SCRATCH/out")"
  lifeboat plan validate || true
  lifeboat backup
}

ARunThatHasNotEndedHasNoEvidence() {
  ends 5 lifeboat recover lost --input-file token="$PLANTED/token"
  said "go awaits 1 of alice"
  ends 1 elsewhere evidence export latest "$SCRATCH/none"
  said "has not ended"
  [[ ! -e $SCRATCH/none ]]
}

AnApprovedRecoveryEndsInSignedEvidence() {
  as_alice runs approve latest go --reason "I looked"
  ends 0 as_alice recover --resume latest
  said "evidence: signed and kept with the run" "RECOVERED rto="
  expect "the last line" RECOVERED "$(tail -n 1 "$SCRATCH/out" | cut -d' ' -f1)"
  document EvidenceList evidence list >"$SCRATCH/listed"
  expect "what is listed" "lost done" "$(jq -r '.items[] | "\(.plan) \(.outcome)"' "$SCRATCH/listed")"
}

AnyMachineWithAKeyExportsItAndItTellsTheRun() {
  exported latest bundle
  expect "files" "evidence.html evidence.json evidence.md manifest.json plan.json signatures.json" \
    "$(cd "$SCRATCH/bundle" && echo *)"
  expect "modes" 600 "$(stat -c %a "$SCRATCH"/bundle/* | sort -u)"
  expect "outcome" "done small lost" "$(record bundle '"\(.report.outcome) \(.report.platform) \(.report.plan)"')"
  expect "objectives" "true true" "$(record bundle '"\(.rto.met) \(.rpo.met)"')"
  expect "members" "code uploads" "$(record bundle '.point.members | keys | join(" ")')"
  expect "approved by" "alice I looked" "$(record bundle '.people.requests[0] | "\(.by) \(.reason)"')"
  expect "drivers" 2 "$(record bundle '.drivers | length')"
  expect "the binary" "$(sha256sum <"$BINARY" | cut -d' ' -f1)" "$(record bundle .made.program_sha256)"
  expect "all checks green" true "$(record bundle '[.steps[].checks[].ok] | length > 2 and all')"
  ends 6 elsewhere evidence export latest "$SCRATCH/bundle"
}

ItVerifiesWithoutAnyNetwork() {
  local root
  ends 0 unshare -n env -i "$BINARY" evidence verify "$SCRATCH/bundle"
  said "every byte is as it was signed" "whether it is theirs is for you to know" "1 approvals"
  root=$(elsewhere evidence keys -o json | jq -r .root)
  ends 0 unshare -n env -i "$BINARY" evidence verify "$SCRATCH/bundle" --trust "$root"
  said "holds, trusted"
  printf '# ours\n%s\n' "$(<"$SCRATCH/alice.key")" >"$SCRATCH/known"
  ends 0 unshare -n env -i "$BINARY" evidence verify "$SCRATCH/bundle" --trust "$SCRATCH/known"
  "$BINARY" operators new "$SCRATCH/mallory.pem" >"$SCRATCH/mallory.key" 2>&1
  ends 12 "$BINARY" evidence verify "$SCRATCH/bundle" --trust "$(tail -n 1 "$SCRATCH/mallory.key")"
  ends 2 "$BINARY" evidence verify "$SCRATCH/bundle" --trust ed25519:xxx
  ends 1 "$BINARY" evidence verify "$SCRATCH/nowhere"
  ends 2 "$BINARY" evidence verify "$SCRATCH/alice.pem"
}

# changed FILE: in a copy at $SCRATCH/changed, which both programs refuse by that name
refused_by_both() {
  ends 13 unshare -n env -i "$BINARY" evidence verify "$SCRATCH/changed"
  said "FAULT $1"
  fails_with 1 tools/verify_evidence.py "$SCRATCH/changed" >"$SCRATCH/out"
  said "$1: "
}

AChangedByteIsNamedInEveryFile() {
  local file size at
  for file in "$SCRATCH"/bundle/*; do
    size=$(stat -c %s "$file")
    for at in 0 $((size / 3)) $((size / 2)) $((size - 1)); do
      rm -rf "$SCRATCH/changed"
      cp -r "$SCRATCH/bundle" "$SCRATCH/changed"
      python3 - "$SCRATCH/changed/${file##*/}" "$at" <<'END'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0]
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte ^ 1]))
END
      refused_by_both "${file##*/}"
    done
  done
}

AFullDiskLeavesNoHalfBundle() {
  mkdir "$SCRATCH/small"
  # shellcheck disable=SC2016
  ends 14 unshare --mount sh -c '
    mount -t tmpfs -o size=8k none "$0" || exit 99
    "$@"
    status=$?
    ls -A "$0" >"$0.left"
    exit $status' "$SCRATCH/small" "$BINARY" -r "$W/repository" --identity "$W/identity" \
    --no-input evidence export latest "$SCRATCH/small/bundle"
  said "No space left"
  expect "what is left" "" "$(<"$SCRATCH/small.left")"
  : >"$SCRATCH/empty"
  ends 6 elsewhere evidence export latest "$SCRATCH/empty"
  said "is not an empty folder"
}

AnAddedOrRemovedFileIsNamed() {
  local file
  for file in "$SCRATCH"/bundle/*; do
    rm -rf "$SCRATCH/changed"
    cp -r "$SCRATCH/bundle" "$SCRATCH/changed"
    rm "$SCRATCH/changed/${file##*/}"
    refused_by_both "${file##*/}"
  done
  rm -rf "$SCRATCH/changed"
  cp -r "$SCRATCH/bundle" "$SCRATCH/changed"
  echo more >"$SCRATCH/changed/note.txt"
  refused_by_both note.txt
}

TheProgramThatWasWrittenFromThePageAgrees() {
  local root
  root=$(elsewhere evidence keys -o json | jq -r .root)
  tools/verify_evidence.py "$SCRATCH/bundle"
  tools/verify_evidence.py "$SCRATCH/bundle" --trust "$root"
  fails_with 3 tools/verify_evidence.py "$SCRATCH/bundle" --trust "$(tail -n 1 "$SCRATCH/mallory.key")"
  tools/verify_evidence.py tests/golden/v1/evidence
  "$BINARY" evidence verify tests/golden/v1/evidence
}

ABundleOfALaterVersionIsNotCalledChanged() {
  rm -rf "$SCRATCH/later"
  cp -r "$SCRATCH/bundle" "$SCRATCH/later"
  sed -i 's/"version":1}$/"version":2}/' "$SCRATCH/later/manifest.json"
  # Changed, as the digest beside the signatures tells.
  ends 13 "$BINARY" evidence verify "$SCRATCH/later"
  fails_with 1 tools/verify_evidence.py "$SCRATCH/later"
  # As a later program would have written it.
  sed -i "s/\"manifest\":\"[0-9a-f]*\"/\"manifest\":\"$(sha256sum <"$SCRATCH/later/manifest.json" |
    cut -d' ' -f1)\"/" "$SCRATCH/later/signatures.json"
  ends 17 "$BINARY" evidence verify "$SCRATCH/later"
  said "NEWER manifest.json" "it has version 2, this program knows 1" "use a newer Lifeboat"
  never grep -q "FAULT" "$SCRATCH/out"
  fails_with 4 tools/verify_evidence.py "$SCRATCH/later"
}

WordsThatAreNoneAreUsageForTheOtherProgramToo() {
  fails_with 2 tools/verify_evidence.py "$SCRATCH/nowhere"
  fails_with 2 tools/verify_evidence.py "$SCRATCH/alice.pem"
  fails_with 2 tools/verify_evidence.py "$SCRATCH/bundle" --trust ed25519:xxx
  fails_with 2 tools/verify_evidence.py "$SCRATCH/bundle" --trust "$(<"$SCRATCH/alice.key")="
}

# The commands of docs/format.md, 16.2.
OpensslVerifiesItToo() {
  cd "$SCRATCH/bundle"
  jq -r '.signers[0].key' manifest.json | cut -d: -f2 | base64 -d |
    (printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00' && cat) >"$SCRATCH/key.der"
  jq -r '.signatures[0]' signatures.json | base64 -d >"$SCRATCH/signature"
  (printf '\x14\x00\x00\x00lifeboat/v1/evidence' && cat manifest.json) >"$SCRATCH/signed"
  openssl pkeyutl -verify -pubin -keyform DER -inkey "$SCRATCH/key.der" -rawin \
    -in "$SCRATCH/signed" -sigfile "$SCRATCH/signature"
}

NoSecretIsInIt() {
  cp "$T/made" "$PLANTED/made"
  cmp "$T/token" "$PLANTED/token"
  tests/e2e/seek_secrets.py "$PLANTED" "$SCRATCH/bundle" "$W/repository"
  never tests/e2e/seek_secrets.py "$PLANTED" "$T"
}

HostileNamesStayTextInThePage() {
  grep -F "&lt;script&gt;alert(&#39;gone&#39;)&lt;/script&gt;" "$SCRATCH/bundle/evidence.html"
  never grep -i "<script\|javascript:\|https\?:" "$SCRATCH/bundle/evidence.html"
  grep -F "default-src 'none'" "$SCRATCH/bundle/evidence.html"
  never grep -P '\x1b' "$SCRATCH"/bundle/*
}

# H1: the run has ended, and its driver is killed before anybody made evidence of it.
AKillAfterTheEndLosesNothing() {
  local run segments
  rm -rf "$T/code"
  lifeboat recover thin
  run=$(newest_run)
  # The segment of run.end is the last but one: the last names the evidence.
  segments=$(find "$W/repository/runs/$run" -maxdepth 1 -type f | wc -l)
  rm -rf "$T/code"
  ends 137 env LIFEBOAT_FAULT="kill-after-journal:$((segments - 1))" "$BINARY" \
    -C "$W/lifeboat.yaml" --identity "$W/identity" --no-input recover thin
  run=$(newest_run)
  elsewhere evidence list >"$SCRATCH/out"
  grep -E "$run .*not made yet" "$SCRATCH/out" || complain "$(<"$SCRATCH/out")"
  expect "what is listed of it" "done null null not made yet" "$(elsewhere evidence list -o json |
    jq -r --arg run "$run" '.items[] | select(.run == $run) | "\(.outcome) \(.sealed) \(.number) \(.why)"')"
  exported "$run" late
  "$BINARY" evidence verify "$SCRATCH/late"
  expect "its outcome" "done" "$(record late .report.outcome)"
  never grep -q "not made yet" <(elsewhere evidence list)
}

ALossThatHasNotComeYetIsRefused() {
  local runs
  runs=$(elsewhere runs list -o json | jq '.items | length')
  ends 2 lifeboat recover thin --since 2099-01-01T00:00:00Z
  said "--since 2099-01-01T00:00:00Z lies in the future" "it is $(date -u +%Y-%m-%d)T" "Z now"
  ends 2 lifeboat recover thin --since 2099-01-01T00:00:00Z --dry-run
  ends 2 lifeboat recover thin --since yesterday
  expect "runs" "$runs" "$(elsewhere runs list -o json | jq '.items | length')"
}

AResumedRunGetsEvidenceOfEachEnd() {
  local run
  rm -rf "$T/code"
  mkdir "$T/code"
  echo foreign >"$T/code/file"
  ends 1 lifeboat recover thin
  run=$(newest_run)
  exported "$run" failed
  expect "the first end" failed "$(record failed .report.outcome)"
  rm -rf "$T/code"
  lifeboat recover --resume "$run"
  exported "$run" second
  expect "the second end" "done" "$(record second .report.outcome)"
  record second '.findings[].id' | grep -x retried/code
  elsewhere evidence export "$run" "$SCRATCH/first" --number 0
  cmp "$SCRATCH/first/evidence.json" "$SCRATCH/failed/evidence.json"
}

FindingsStayOpenUntilTheyAreClosed() {
  ends 0 elsewhere runs review latest
  said "retried/code" "open, nobody's"
  as_alice runs review latest --add "Nobody knew about the folder" --owner ann --due 2099-12-31
  ends 0 as_alice runs review latest --assign retried/code --owner bob --due 2000-01-01
  said OVERDUE
  document RunReview runs review latest >"$SCRATCH/review"
  expect "open" 2 "$(jq .open "$SCRATCH/review")"
  expect "signed by" "alice true" "$(jq -r '.items[] | select(.id == "1").opened | "\(.by) \(.signed)"' "$SCRATCH/review")"
  ends 2 as_alice runs review latest --close 1
  # This platform has operators: nobody else closes anything, as nobody else commands a run.
  ends 6 lifeboat runs review latest --close 1 --reason "It is in the runbook now"
  said "this platform has operators" "--operator-key"
  ends 6 lifeboat --operator-key "$SCRATCH/mallory.pem" runs review latest --close 1 --reason "Mine"
  said "none of the platform's operators"
  as_alice runs review latest --close 1 --reason "It is in the runbook now"
  ends 2 as_alice runs review latest --close 1 --reason again
  said "is closed"
  ends 0 elsewhere runs review latest
  said "It is in the runbook now" "1 of 2 findings are open"
}

TheControlMapSaysWhatTheRunsShow() {
  ends 4 elsewhere evidence controls
  said "finding retried/code" overdue "a person has to confirm it"
  as_alice runs review latest --close retried/code --reason "The folder is looked at first"
  ends 0 elsewhere evidence controls
  document ControlMap evidence controls >"$SCRATCH/map"
  expect "states" pass "$(jq -r '.items[].state' "$SCRATCH/map" | sort -u)"
  expect "controls" 10 "$(jq '.items | length' "$SCRATCH/map")"
  ends 4 elsewhere evidence controls --recovery-within 1ms --backup-within 1ms
  said stale
  never grep -q " fail " "$SCRATCH/out"
  ends 4 elsewhere evidence controls --plan never-tried
  said "plan never-tried: no recovery was carried through yet"
  ends 2 elsewhere evidence controls --recovery-within soon
}

# The driver is killed once the run has failed; whoever goes on makes evidence of that end first.
AnEndThatWasNotSealedIsSealedBeforeTheRunGoesOn() {
  local run segments
  rm -rf "$T/code"
  mkdir "$T/code"
  echo foreign >"$T/code/file"
  ends 1 lifeboat recover thin
  run=$(newest_run)
  segments=$(find "$W/repository/runs/$run" -maxdepth 1 -type f | wc -l)
  ends 137 env LIFEBOAT_FAULT="kill-after-journal:$((segments - 1))" "$BINARY" \
    -C "$W/lifeboat.yaml" --identity "$W/identity" --no-input recover thin
  run=$(newest_run)
  rm -rf "$T/code"
  ends 0 as_alice recover --resume "$run"
  said "evidence of its end before (failed): signed and kept with the run"
  expect "its ends" "failed done" "$(elsewhere evidence list -o json |
    jq -r --arg run "$run" '[.items[] | select(.run == $run).outcome] | join(" ")')"
  elsewhere evidence export "$run" "$SCRATCH/before" --number 0
  "$BINARY" evidence verify "$SCRATCH/before" --trust "$(<"$SCRATCH/alice.key")"
  exported "$run" after
  never grep -q unsealed <(record after '.deviations[].kind')
}

# What the newest run shows nobody knows: the older one of its plan does not pass in its place.
ARunThatCannotBeReadIsListedAndPassesNothing() {
  local run
  rm -rf "$T/code"
  ends 0 lifeboat recover thin
  run=$(newest_run)
  cp -r "$W/repository" "$SCRATCH/copy"
  printf 'altered' | dd of="$(echo "$SCRATCH/copy/runs/$run"/0*0)" bs=1 seek=100 conv=notrunc status=none
  of_copy() {
    env -i HOME="$SCRATCH/copy.home" PATH="$PATH" "$BINARY" -r "$SCRATCH/copy" \
      --identity "$W/identity" --no-input "$@"
  }
  of_copy evidence list -o json >"$SCRATCH/listed"
  expect "unreadable" "$run thin" "$(jq -r '.unreadable[] | "\(.run) \(.plan)"' "$SCRATCH/listed")"
  ends 0 of_copy evidence list
  said "cannot be read"
  ends 4 of_copy evidence controls --plan thin
  said "plan thin, run $run: it cannot be read"
  of_copy evidence controls -o json >"$SCRATCH/map" || true
  expect "unreadable" "$run" "$(jq -r '.unreadable[].run' "$SCRATCH/map")"
  expect "A1.2" fail "$(jq -r '.items[] | select(.clause == "A1.2").state' "$SCRATCH/map")"
}

TheRepositoryIsWholeWithEvidenceInIt() {
  ends 0 lifeboat check --read-data --quiet
}

run_cases
