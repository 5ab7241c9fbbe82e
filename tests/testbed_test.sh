#!/usr/bin/env bash
# The testbed brings real components up and leaves nothing of them behind, whatever happens.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/cases.sh
. tests/cases.sh

# What a command inside `with` leaves for us: every process, port and folder of the components.
# shellcheck disable=SC2016  # it is run by another shell
witness='
  testbed/process.py pids "$TESTBED_POSTGRES_DIR"/run/*.pid "$TESTBED_RABBITMQ_DIR"/run/*.pid \
    "$TESTBED_GIT_DIR"/run/*.pid "$TESTBED_S3_DIR"/run/*.pid "$TESTBED_MOTO_DIR"/run/*.pid \
    >"$SEEN/pids"
  printf "%s\n" "$TESTBED_POSTGRES_PORT" "$TESTBED_RABBITMQ_PORT" "$TESTBED_RABBITMQ_AMQP_PORT" \
    "$TESTBED_GIT_PORT" "$TESTBED_S3_PORT" "${TESTBED_S3_FAULTY_URL##*:}" "$TESTBED_MOTO_PORT" \
    "${TESTBED_MOTO_FAULTY_URL##*:}" >"$SEEN/ports"
  dirname "$TESTBED_POSTGRES_DIR" >"$SEEN/folder"
  sed -n 7p "$TESTBED_POSTGRES_DATA_DIR/postmaster.pid" >"$SEEN/segment"'

live() { # exit 0 if the process lives; a zombie does not
  local state
  state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c1) || return 1
  [[ -n $state && $state != [ZX] ]]
}

has_segment() { ipcs -m | awk '{ print $2 }' | grep -x "$1" >/dev/null; }

shown_by_list() { testbed/list | grep -F "$1" >/dev/null; }

nothing_is_left_of() {
  local pid port seen=$1
  [[ -s $seen/pids && -s $seen/ports && -s $seen/folder && -s $seen/segment ]] ||
    complain "the command saw nothing"
  while read -r pid; do
    never live "$pid"
  done <"$seen/pids"
  while read -r port; do
    [[ -z $(ss -Hltn "sport = :$port") ]] || complain "port $port is still open"
  done <"$seen/ports"
  [[ ! -e $(<"$seen/folder") ]] || complain "$(<"$seen/folder") is still there"
  never has_segment "$(awk '{ print $2 }' "$seen/segment")"
  never shown_by_list "$(<"$seen/folder")"
}

InstallingWhatIsThereDoesNothing() {
  testbed/install postgres rabbitmq git-http dns s3 | tee "$SCRATCH/installed"
  grep -q 'all there' "$SCRATCH/installed"
}

InstallingAnUnknownSetIsRefusedWithTheNamesOfAll() {
  fails_with 1 testbed/install postgers | grep -q 'there are: postgres'
}

# One session for the cases that only look at it: each part of it leaves its result as a file.
ACommandRunsBesideAllComponents() {
  export SEEN=$SCRATCH/session
  mkdir "$SEEN"
  # shellcheck disable=SC2016
  fails_with 7 testbed/with postgres postgres=OTHER_ rabbitmq git-http dns s3 moto -- bash -uc "$witness"'
    ask() { PGPASSWORD=$2 psql -X "$1" -Atc "select inet_server_port()"; }
    ask "$TESTBED_POSTGRES_URL" "$TESTBED_POSTGRES_PASSWORD" >"$SEEN/postgres"
    echo "$TESTBED_POSTGRES_PORT" >"$SEEN/postgres.wanted"
    ask "$OTHER_URL" "$(<"$OTHER_PASSWORD_FILE")" >"$SEEN/other"
    echo "$OTHER_PORT" >"$SEEN/other.wanted"
    ask "$OTHER_URL" "$TESTBED_POSTGRES_PASSWORD" 2>"$SEEN/other.refused"

    overview() {
      curl -sS -o /dev/null -w "%{http_code}\n" -u "$1" "$TESTBED_RABBITMQ_URL/api/overview"
    }
    overview "$TESTBED_RABBITMQ_USER:$TESTBED_RABBITMQ_PASSWORD" >"$SEEN/rabbitmq"
    overview guest:guest >"$SEEN/rabbitmq.refused"

    for server in "$TESTBED_DNS_PARENT" ${TESTBED_DNS_SERVERS//,/ }; do
      kdig "@${server%:*}" -p "${server#*:}" www.acme.example. | grep -c "IN.A.192.0.2.1" >>"$SEEN/dns"
    done

    export GIT_TERMINAL_PROMPT=0
    login="http://$TESTBED_GIT_USER:$TESTBED_GIT_PASSWORD@${TESTBED_GIT_URL#http://}"
    git clone -q "$login" "$SEEN/clone"
    head -c 5000000 /dev/urandom >"$SEEN/clone/large"
    git -C "$SEEN/clone" add large
    git -C "$SEEN/clone" -c user.name=n -c user.email=e commit -qm "A large file"
    git -C "$SEEN/clone" push -q origin HEAD:refs/heads/main
    git --git-dir "$TESTBED_GIT_REPOSITORY" rev-parse main >"$SEEN/git"
    git ls-remote "${login/:$TESTBED_GIT_PASSWORD@/:wrong@}" 2>"$SEEN/git.refused"

    bucket() { # with the key $1, at $2
      curl -sS -o /dev/null -w "%{http_code}\n" --aws-sigv4 aws:amz:us-east-1:s3 \
        --header "x-amz-content-sha256: UNSIGNED-PAYLOAD" \
        --config - "$2" <<<"user = \"testbed:$1\""
    }
    bucket "$TESTBED_S3_PASSWORD" "$TESTBED_S3_URL/$TESTBED_S3_BUCKET" >"$SEEN/s3"
    bucket "$TESTBED_S3_PASSWORD" "$TESTBED_S3_FAULTY_URL/$TESTBED_S3_BUCKET" >>"$SEEN/s3"
    bucket wrong "$TESTBED_S3_URL/$TESTBED_S3_BUCKET" >"$SEEN/s3.refused"
    bucket none "$TESTBED_MOTO_URL/$TESTBED_MOTO_BUCKET" >"$SEEN/moto"
    bucket none "$TESTBED_MOTO_FAULTY_URL/$TESTBED_MOTO_BUCKET" >>"$SEEN/moto"

    for secret in "$TESTBED_POSTGRES_PASSWORD" "$TESTBED_RABBITMQ_PASSWORD" "$TESTBED_GIT_PASSWORD" \
      "$TESTBED_S3_PASSWORD"
    do
      echo "${#secret}" >>"$SEEN/lengths"
      # Not those of a moment: git and grep, that we give the password ourselves.
      xargs -I{} sh -c "tr \"\\0\" \"\\n\" </proc/{}/cmdline" <"$SEEN/pids" |
        grep -F -e "$secret" >>"$SEEN/arguments"
      wc -l <"$SEEN/pids" >"$SEEN/arguments.searched"
    done
    exit 7'
}

ItsVariablesLeadToEachComponent() {
  diff "$SCRATCH/session/postgres" "$SCRATCH/session/postgres.wanted"
  diff "$SCRATCH/session/other" "$SCRATCH/session/other.wanted"
  expect "answer of RabbitMQ" 200 "$(<"$SCRATCH/session/rabbitmq")"
  expect "answers of the name servers" "0 1 1" "$(xargs <"$SCRATCH/session/dns")"
  expect "pushed commit" "$(git -C "$SCRATCH/session/clone" rev-parse HEAD)" \
    "$(<"$SCRATCH/session/git")"
  expect "answers of the bucket" "200 200" "$(xargs <"$SCRATCH/session/s3")"
  expect "answers of moto" "200 200" "$(xargs <"$SCRATCH/session/moto")"
}

AnotherPasswordIsRefusedByEachComponent() {
  grep "password authentication failed" "$SCRATCH/session/other.refused"
  expect "answer of RabbitMQ to guest" 401 "$(<"$SCRATCH/session/rabbitmq.refused")"
  grep "Authentication failed" "$SCRATCH/session/git.refused"
  expect "answer of the bucket" 403 "$(<"$SCRATCH/session/s3.refused")"
}

NoPasswordIsInAnArgument() {
  expect "passwords' length" "32 32 32 32" "$(xargs <"$SCRATCH/session/lengths")"
  (($(<"$SCRATCH/session/arguments.searched") >= 9))
  expect "arguments with a password" "" "$(<"$SCRATCH/session/arguments")"
}

NothingIsLeftAfterTheCommand() { nothing_is_left_of "$SCRATCH/session"; }

# stopped_by SIGNAL STATUS: without RabbitMQ, whose start is long; the way is the same
stopped_by() {
  local stopper status=0
  export SEEN=$SCRATCH/$1
  mkdir "$SEEN"
  mkfifo "$SEEN/up"
  TESTBED_RABBITMQ_DIR=/nonexistent TESTBED_RABBITMQ_PORT=1 TESTBED_RABBITMQ_AMQP_PORT=1 \
    TESTBED_S3_DIR=/nonexistent TESTBED_S3_PORT=1 TESTBED_S3_FAULTY_URL=:1 \
    TESTBED_MOTO_DIR=/nonexistent TESTBED_MOTO_PORT=1 TESTBED_MOTO_FAULTY_URL=:1 \
    testbed/with postgres git-http -- bash -c "$witness; echo up >$SEEN/up; exec sleep 1000" &
  stopper=$!
  read -r _ <"$SEEN/up"
  kill -s "$1" "$stopper"
  wait "$stopper" || status=$?
  expect "exit status" "$2" "$status"
  nothing_is_left_of "$SEEN"
}

WithStoppedBySigtermLeavesNothing() { stopped_by TERM 143; }

WithStoppedByInterruptLeavesNothing() { stopped_by INT 130; }

WithStoppedWhileItsComponentsStartLeavesNothing() {
  local stopper
  export TMPDIR=$SCRATCH/starting
  mkdir -m 711 "$TMPDIR"
  testbed/with postgres rabbitmq -- false &
  stopper=$!
  until compgen -G "$TMPDIR/testbed.*/*-rabbitmq/run/rabbitmq.pid" >/dev/null; do sleep 0.05; done
  testbed/process.py pids "$TMPDIR"/testbed.*/*/run/*.pid >"$SCRATCH/starting.pids"
  kill -s TERM "$stopper"
  fails_with 143 wait "$stopper"
  [[ -s $SCRATCH/starting.pids ]]
  while read -r pid; do
    never live "$pid"
  done <"$SCRATCH/starting.pids"
  expect "files left" "" "$(ls -A "$TMPDIR")"
}

WithAComponentThatFailsSaysWhyAndEndsTheOthers() {
  export TMPDIR=$SCRATCH/failing
  mkdir -m 711 "$TMPDIR"
  fails_with 1 env PATH=/nonexistent testbed/with postgres git-http -- /bin/true \
    >"$SCRATCH/said.txt"
  grep -q "git-http did not come up" "$SCRATCH/said.txt"
  expect "files left" "" "$(ls -A "$TMPDIR")"
  never shown_by_list "$TMPDIR"
}

WithRefusesTwoComponentsOfOnePrefix() {
  fails_with 2 testbed/with postgres postgres -- true | grep -q "give the second its own"
}

UpWritesItsVariablesAndDownEndsItTwice() {
  local place=$SCRATCH/one
  testbed/up postgres "$place" --set "wal_level = logical" >"$SCRATCH/told"
  diff "$SCRATCH/told" "$place/env"
  testbed/list | grep -E "^postgres +up +$place\$"
  expect "mode of the password's file" 600 "$(stat -c %a "$place/password")"
  # shellcheck source=/dev/null
  . "$place/env"
  expect "the setting" logical "$(PGPASSWORD=$(<"$TESTBED_POSTGRES_PASSWORD_FILE") \
    psql -X "$TESTBED_POSTGRES_URL" -Atc 'show wal_level')"
  testbed/down "$place"
  never live "$TESTBED_POSTGRES_PID"
  [[ ! -e $place ]]
  testbed/down "$place"
}

KillingThePostgresServerLeavesNoSharedMemory() {
  local place=$SCRATCH/killed segment
  testbed/up postgres "$place" >/dev/null
  segment=$(awk 'NR == 7 { print $2 }' "$place/data/postmaster.pid")
  has_segment "$segment"
  testbed/down --kill "$place"
  never has_segment "$segment"
}

AFolderTooDeepForASocketWorksOverTcp() {
  local place
  place=$SCRATCH/$(printf 'deep%.0s' {1..20})/$(printf 'deep%.0s' {1..20})
  testbed/up postgres "$place" >/dev/null
  testbed/down "$place"
  [[ ! -e $place ]]
}

UpRefusesAFolderThatIsNotEmpty() {
  mkdir "$SCRATCH/full"
  touch "$SCRATCH/full/precious"
  fails_with 1 testbed/up git-http "$SCRATCH/full" | grep -q "is not empty"
  [[ -e $SCRATCH/full/precious ]]
}

DownRefusesAFolderThatIsNotOurs() {
  mkdir "$SCRATCH/foreign"
  fails_with 1 testbed/down "$SCRATCH/foreign" | grep -q "nothing is touched"
  [[ -d $SCRATCH/foreign ]]
}

ANumberThatNowBelongsToAnotherProcessIsNotEnded() {
  sleep 1000 &
  echo "$! 1" >"$SCRATCH/stale.pid" # the number is right, the start is not
  fails_with 1 testbed/process.py alive "$SCRATCH/stale.pid"
  testbed/process.py end --kill "$SCRATCH/stale.pid"
  live $!
  kill $!
}

EndingAServiceEndsAChildThatHasLeftItsSession() {
  local child
  # shellcheck disable=SC2016
  testbed/process.py launch --pid-file "$SCRATCH/parent.pid" --log "$SCRATCH/parent.log" -- \
    /bin/sh -c 'setsid sleep 1000 & echo $! >"$1"; exec sleep 1000' sh "$SCRATCH/child" >/dev/null
  until [[ -s $SCRATCH/child && $(testbed/process.py pids "$SCRATCH/parent.pid" | wc -l) == 2 ]]; do
    sleep 0.05
  done
  child=$(<"$SCRATCH/child")
  kill -KILL "$(cut -d' ' -f1 "$SCRATCH/parent.pid")" # now nothing but the mark leads to it
  testbed/process.py end "$SCRATCH/parent.pid"
  never live "$child"
}

run_cases
