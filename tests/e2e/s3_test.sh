#!/usr/bin/env bash
# A repository in a bucket (versitygw, with a fault proxy before it), as people use it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/cases.sh
. tests/cases.sh
clean_up() { testbed/down --kill "$SCRATCH/bucket" "$SCRATCH/moto" >/dev/null; }
testbed/up s3 "$SCRATCH/bucket" >"$SCRATCH/bucket.env" # with the caches of who runs this
testbed/up moto "$SCRATCH/moto" >"$SCRATCH/moto.env"
# shellcheck source=tests/e2e/command_line.sh
. tests/e2e/command_line.sh

# shellcheck source=/dev/null
. "$SCRATCH/bucket.env"
# shellcheck source=/dev/null
. "$SCRATCH/moto.env"
unset "${!AWS_@}"
export AWS_ACCESS_KEY_ID=$TESTBED_S3_USER AWS_SECRET_ACCESS_KEY AWS_EC2_METADATA_DISABLED=true
AWS_SECRET_ACCESS_KEY=$(<"$TESTBED_S3_PASSWORD_FILE")
place="s3://testbed/prod?endpoint=$TESTBED_S3_URL"

ARepositoryIsMadeInABucket() {
  (cd "$W" && "$BINARY" init -r "$place" --new-age-identity identity) >"$SCRATCH/out" 2>&1
  said "the repository:   $place"
  grep -F "repository: \"$place\"" "$W/lifeboat.yaml"
  mkdir "$W/uploads"
  cp -r /usr/share/doc/bash "$W/uploads"
  lifeboat backup
  lifeboat check --read-data | grep '^ok: 2 snapshots'
}

ARecoveryNeedsTheBucketAndAKeyOnly() {
  (
    cd /
    env -i PATH="$PATH" HOME="$SCRATCH" AWS_ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID" \
      AWS_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY" "$BINARY" recover lost -r "$place" \
      --identity "$W/identity" --input "target=$W/back"
  ) | grep '^RECOVERED'
  diff -r "$W/uploads" "$W/back"
}

WhatGoesWrongIsSaid() {
  ends 10 "$BINARY" points -r "s3://nobody?endpoint=$TESTBED_S3_URL" --identity "$W/identity"
  said "there is no bucket nobody"
  AWS_SECRET_ACCESS_KEY=wrong ends 15 "$BINARY" points -r "$place" --identity "$W/identity"
  said "check both"
  never grep -F "$AWS_SECRET_ACCESS_KEY" "$SCRATCH/out"
  ends 2 "$BINARY" points -r "s3://testbed?color=red" --identity "$W/identity"
  said "'color=red' means nothing"
  ends 16 "$BINARY" points -r "s3://testbed/prod?endpoint=http://127.0.0.1:1" --identity "$W/identity"
}

script_of_the_proxy() { curl -sSf -X PUT --data "$2" "$1/.script" >/dev/null; }

ABackupGoesThroughATroubledNetwork() {
  local faulty="s3://testbed/prod?endpoint=$TESTBED_S3_FAULTY_URL"
  script_of_the_proxy "$TESTBED_S3_FAULTY_URL" '[{"method": "PUT", "fault": "lost_reply", "skip": 1, "times": 2},
    {"method": "PUT", "fault": "status", "status": 503, "skip": 2, "times": 3},
    {"fault": "status", "status": 400, "body": "<Error><Code>ExpiredToken</Code></Error>", "skip": 3},
    {"method": "GET", "fault": "reset", "bytes": 10, "skip": 2, "times": 3}]'
  head -c 3000000 /dev/urandom >"$W/uploads/more"
  "$BINARY" backup -C "$W/lifeboat.yaml" -r "$faulty" --identity "$W/identity"
  expect "how often each fault struck" "2 3 1 3" \
    "$(curl -sSf "$TESTBED_S3_FAULTY_URL/.script" | awk '{ print $2 }' | xargs)"
  script_of_the_proxy "$TESTBED_S3_FAULTY_URL" '[]'
  lifeboat check --read-data | grep '^ok: 4 snapshots'
}

# Before moto, which checks no signatures: the condition is a part of what is signed.
AServerWithoutConditionalWritesIsRefused() {
  local faulty="s3://testbed/other?endpoint=$TESTBED_MOTO_FAULTY_URL"
  script_of_the_proxy "$TESTBED_MOTO_FAULTY_URL" '[{"method": "PUT", "fault": "drop_condition", "times": -1}]'
  mkdir "$W/other"
  (
    cd "$W/other"
    ends 6 "$BINARY" init -r "$faulty" --new-age-identity identity
    said "put-if-absent does not hold"
    said "16 of 16 writers were told that they created one object"
    [[ -z $(ls) ]] || complain "init left something behind"
  )
  script_of_the_proxy "$TESTBED_MOTO_FAULTY_URL" '[]'
  curl -sSf "$TESTBED_MOTO_URL/testbed?list-type=2" >"$SCRATCH/listed"
  grep '<ListBucketResult' "$SCRATCH/listed"
  never grep '<Key>' "$SCRATCH/listed"
  (cd "$W/other" && "$BINARY" init -r "$faulty" --new-age-identity identity) # it was the fault alone
}

run_cases
