#!/usr/bin/env bash
# What goes wrong around Lifeboat: each time the message says what, where and what next, the exit
# status is the one of docs/exit-codes.md, and nothing that was captured before is lost.
#
# Needs root (a private mount namespace for small disks, an unprivileged account to be), strace, and
# what testbed/ needs for PostgreSQL.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [[ -z ${BAD_INPUT_PRIVATE_MOUNTS:-} ]]; then
  BAD_INPUT_PRIVATE_MOUNTS=1 exec unshare --mount "$0" "$@"
fi
# shellcheck source=tests/cases.sh
. tests/cases.sh

BINARY=$SCRATCH/lifeboat # where every account can reach it
install -m 755 "${LIFEBOAT_BINARY:-build/release/lifeboat}" "$BINARY"
export HOME=$SCRATCH/home XDG_CACHE_HOME=$SCRATCH/home/cache XDG_STATE_HOME=$SCRATCH/home/state
mkdir -p "$HOME"

small_disk() { # small_disk PLACE SIZE
  mkdir -p "$1"
  mount -t tmpfs -o "size=$2" none "$1"
}
clean_up() {
  umount -q "$SCRATCH"/*/disk || true
  if [[ -d $SCRATCH/postgres ]]; then
    testbed/down "$SCRATCH/postgres"
  fi
}

# world NAME [SOURCES]: a folder with a tree, a repository, and an identity. W leads to it.
world() {
  W=$SCRATCH/$1
  mkdir -p "$W/tree"
  seq 1000 >"$W/tree/numbers"
  echo one >"$W/tree/word"
  platform_file "${2:-}"
  "$BINARY" init -q -C "$W/lifeboat.yaml" -r "$W/repository" --new-age-identity "$W/identity"
}

platform_file() { # platform_file SOURCES: those besides the tree
  cat >"$W/lifeboat.yaml" <<END
version: 1
platform: bad-input
repository: $W/repository
sources:
  tree: { files: { path: $W/tree } }
$1
plans:
  back: { inputs: { to: string }, steps: { tree: { restore: { source: tree, into: "\${inputs.to}" } } } }
END
}

lifeboat() { "$BINARY" -C "$W/lifeboat.yaml" --identity "$W/identity" --no-input "$@"; }

# says FILE WORD...: each is in what was said
says() {
  local word
  for word in "${@:2}"; do
    grep -qF -e "$word" "$1" || complain "not said: '$word', but: $(<"$1")"
  done
}

# refused STATUS WORD... -- COMMAND...
refused() {
  local wanted=$1 words=()
  shift
  while [[ $1 != -- ]]; do
    words+=("$1")
    shift
  done
  shift
  fails_with "$wanted" "$@" >"$SCRATCH/refusal"
  cat "$SCRATCH/refusal"
  says "$SCRATCH/refusal" "${words[@]}"
}

# The tree restores, and is what was captured
comes_back() {
  local to
  to=$(mktemp -du "$W/back.XXXXXX")
  lifeboat restore tree --to "$to"
  expect "the word" one "$(<"$to/word")"
  diff "$to/numbers" <(seq 1000)
}

is_well() {
  lifeboat check --read-data
  comes_back
}

# flip FILE OFFSET: one bit of this byte; a negative offset counts from the end
flip() {
  python3 - "$1" "$2" <<'END'
import os, sys
name, offset = sys.argv[1], int(sys.argv[2])
mode = os.stat(name).st_mode
os.chmod(name, 0o600)
with open(name, "r+b") as file:
    file.seek(offset, 2 if offset < 0 else 0)
    byte = file.read(1)
    file.seek(-1, 1)
    file.write(bytes([byte[0] ^ 4]))
os.chmod(name, mode)
END
}

# --- the repository --------------------------------------------------------------------------------

AWrongPassphraseIsTold() {
  world passphrase
  echo 'this one is right, really' >"$W/right"
  echo 'this one is wrong, really' >"$W/wrong"
  lifeboat keys add --passphrase --new-passphrase-file "$W/right"
  lifeboat backup
  refused 12 "$W/repository" "passphrase" "next: " -- \
    "$BINARY" points -r "$W/repository" --passphrase-file "$W/wrong"
  age-keygen -o "$W/other" 2>/dev/null
  refused 12 "$W/repository" "identity" "next: " -- \
    "$BINARY" points -r "$W/repository" --identity "$W/other"
  "$BINARY" points -r "$W/repository" --passphrase-file "$W/right" | grep complete
  is_well
}

APlaceWithoutRepositoryIsTold() {
  world missing
  mkdir "$W/empty"
  refused 10 "$W/empty holds no repository" "next: " -- \
    lifeboat -r "$W/empty" backup
  refused 10 "$W/nowhere" "next: " -- lifeboat -r "$W/nowhere" points
  [[ ! -e $W/nowhere ]]
  expect "what is in the empty folder" "" "$(ls -A "$W/empty")"
}

# A config as a later program would write it: format version 2, signed by the repository's own key.
write_a_newer_config() {
  /usr/bin/python3 -B - "$W/repository" "$W/identity" <<'END'
import argparse, pathlib, struct, sys
sys.path.insert(0, "tools")
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from unpack_format import Opener, sha256
from unpack_repository import Repository
folder, identity = sys.argv[1:]
repository = Repository(folder, Opener(argparse.Namespace(identity=identity, passphrase_file=None)))
path = pathlib.Path(folder, "config")
covered = bytearray(path.read_bytes()[:-64])
assert covered[26:29] == bytes([2, 1, 1]), "the field of the format version"
covered[28] = 2
context = b"lifeboat/v1/config"
key = Ed25519PrivateKey.from_private_bytes(repository.derive(b"root-signing"))
signature = key.sign(struct.pack("<I", len(context)) + context + sha256(bytes(covered)))
path.chmod(0o600)
path.write_bytes(bytes(covered) + signature)
END
}

ARepositoryOfANewerFormatIsTold() {
  world newer
  lifeboat backup
  cp -a "$W/repository/config" "$W/config"
  write_a_newer_config
  refused 17 "newer format" "next: install" -- lifeboat points
  refused 17 "newer format" -- lifeboat backup
  refused 17 "newer format" -- lifeboat check
  cp -a "$W/config" "$W/repository/config"
  is_well
}

# One repository with two sources and a run; each case spoils an object of a copy of it.
two_sources() {
  W=$SCRATCH/flipped
  [[ ! -d $W ]] || return 0
  world flipped
  mkdir "$W/second"
  head -c 300000 /dev/urandom >"$W/second/random"
  platform_file "  second: { files: { path: $W/second } }"
  echo 'this one is right, really' >"$W/right"
  lifeboat keys add --passphrase --new-passphrase-file "$W/right"
  lifeboat backup tree || expect "status of a backup of one source" 3 $?
  lifeboat backup second || expect "status of a backup of one source" 3 $?
  lifeboat backup
  lifeboat recover back --input "to=$W/recovered"
  cp -a "$W/repository" "$W/whole"
}

# spoiled NAME OFFSET: in a fresh copy; the name may be a pattern, the first that fits is taken
spoiled() {
  two_sources
  rm -rf "$W/repository"
  cp -a "$W/whole" "$W/repository"
  # shellcheck disable=SC2086  # a pattern
  OBJECT=$(cd "$W/repository" && printf '%s\n' $1 | head -n 1)
  flip "$W/repository/$OBJECT" "$2"
}

nothing_was_overwritten() { # besides the spoiled byte, which is put back
  flip "$W/repository/$OBJECT" "$1"
  diff -r "$W/whole" "$W/repository"
  is_well
}

AFlippedByteInTheConfigIsNamedAndNothingIsOverwritten() {
  spoiled config 40
  refused 13 config "next: " -- lifeboat check
  refused 13 config -- lifeboat backup
  refused 13 config -- lifeboat restore tree --to "$W/no"
  [[ ! -e $W/no ]]
  nothing_was_overwritten 40
}

AFlippedByteInAKeyIsNamedAndTheOtherKeyOpens() {
  spoiled keys/01 40
  refused 13 keys/01 "next: " -- lifeboat check
  comes_back
  nothing_was_overwritten 40
}

AFlippedByteInTheLogIsNamedAndNothingIsOverwritten() {
  spoiled log/0000000000000002 -80
  refused 13 log/0000000000000002 "next: " -- lifeboat check
  refused 13 log/0000000000000002 -- lifeboat backup
  nothing_was_overwritten -80
}

AFlippedByteInAnIndexSegmentIsNamed() {
  spoiled 'index/*' -80
  refused 13 "$OBJECT" "next: " -- lifeboat check
  nothing_was_overwritten -80
}

AFlippedByteInADirectoryOfAPackIsNamed() {
  spoiled 'packs/*/*' -300
  refused 13 "$OBJECT" "next: " -- lifeboat check
  nothing_was_overwritten -300
}

AFlippedByteInABlobIsFoundByReadingAndTheOtherSourceRestores() {
  two_sources
  OBJECT=$(cd "$W/whole" && find packs -type f -size +200k | head -n 1)
  spoiled "$OBJECT" 100000
  refused 13 "$OBJECT" "lost: " second "next: " -- lifeboat check --read-data
  refused 13 "$OBJECT" "next: " -- lifeboat restore second --to "$W/no"
  [[ ! -e $W/no/random ]]
  comes_back
  nothing_was_overwritten 100000
}

AFlippedByteInAJournalIsNamedAndTheSnapshotsRestore() {
  local run
  two_sources
  run=$(lifeboat runs list -o json | jq -r '.items[0].run')
  spoiled "runs/*/*" -80
  refused 13 "$OBJECT" "next: " -- lifeboat check
  refused 13 "$run" -- lifeboat runs show latest
  lifeboat runs list | grep unreadable
  comes_back
  nothing_was_overwritten -80
}

ACorruptNewestPointOffersTheOneBefore() {
  local newest before
  world newest
  lifeboat backup
  before=$(lifeboat points -o json | jq -r '.items[-1].id')
  find "$W/repository/packs" -type f | sort >"$SCRATCH/packs"
  head -c 100000 /dev/urandom >"$W/tree/more"
  lifeboat backup
  newest=$(lifeboat points -o json | jq -r '.items[-1].id')
  find "$W/repository/packs" -type f | sort | comm -13 "$SCRATCH/packs" - | xargs rm
  refused 13 "recovery point ${newest:0:12}" "${before:0:12}" "--point" -- \
    lifeboat recover back --input "to=$W/recovered"
  [[ ! -e $W/recovered ]]
  lifeboat recover back --input "to=$W/recovered" --point "${before:0:12}" | grep '^RECOVERED'
}

# --- disks -----------------------------------------------------------------------------------------

ADiskThatIsFullDuringABackupLosesNothing() {
  W=$SCRATCH/full
  small_disk "$W/disk" 24m
  ln -s disk/repository "$W/repository"
  mkdir "$W/disk/repository"
  world full
  lifeboat backup
  head -c 60000000 /dev/urandom >"$W/tree/large"
  refused 14 "$W/repository" "next: " -- lifeboat backup
  rm "$W/tree/large"
  is_well
  expect "complete points" 1 "$(lifeboat points -o json | jq '[.items[] | select(.complete)] | length')"
  mount -o remount,size=48m "$W/disk"
  lifeboat backup
  is_well
}

ADiskThatIsFullDuringARestoreLeavesNothingUnderTheName() {
  world full-target
  head -c 30000000 /dev/urandom >"$W/tree/large"
  lifeboat backup
  small_disk "$W/disk" 8m
  refused 14 "$W/disk" "next: " -- lifeboat restore tree --to "$W/disk/tree"
  [[ ! -e $W/disk/tree/large ]] || complain "there is a part of it"
  mkdir "$W/disk/new"
  refused 1 "No space left on device" "large" "NOT RECOVERED: tree" -- \
    lifeboat recover back --input "to=$W/disk/new/tree"
  [[ ! -e $W/disk/new/tree ]] || complain "there is a part of it"
  mount -o remount,size=64m "$W/disk"
  lifeboat recover --resume latest | grep '^RECOVERED'
  cmp "$W/tree/large" "$W/disk/new/tree/large"
  umount "$W/disk"
  is_well
}

# --- files that cannot be read ---------------------------------------------------------------------

as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

AFileThatMayNotBeReadIsNamedAndTheRestIsCaptured() {
  world forbidden
  HOME=$W/home XDG_CACHE_HOME=$W/home/cache XDG_STATE_HOME=$W/home/state
  mkdir "$HOME"
  echo secret >"$W/tree/closed"
  chmod 600 "$W/tree/closed"
  chown -R 65534:65534 "$W"
  chown root "$W/tree/closed"
  chmod 711 "$W"
  refused 3 "tree: closed: cannot be read" "partial" -- as_nobody "$BINARY" \
    -C "$W/lifeboat.yaml" --identity "$W/identity" backup
  as_nobody "$BINARY" -C "$W/lifeboat.yaml" --identity "$W/identity" restore tree --to "$W/back"
  expect "the word" one "$(<"$W/back/word")"
  [[ ! -e $W/back/closed ]]
  lifeboat check
}

AFileWhoseReadFailsIsNamedAndTheRestIsCaptured() {
  world eio
  lifeboat backup
  head -c 3000000 /dev/urandom >"$W/tree/failing"
  refused 3 "tree: failing: " "Input/output error" -- strace -f -qq -o /dev/null \
    -P "$W/tree/failing" -e trace=read,pread64 -e inject=read,pread64:error=EIO \
    "$BINARY" -C "$W/lifeboat.yaml" --identity "$W/identity" backup
  expect "states" "true false" "$(lifeboat points -o json | jq -r '.items[].complete' | xargs)"
  is_well
}

# --- servers ---------------------------------------------------------------------------------------

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# partial_with SOURCE WORD...: a backup says why this source is missing, and has the others
partial_with() {
  local source=$1
  shift
  refused 3 "$source: " "next: " "$@" -- lifeboat backup
  expect "members" "tree" "$(lifeboat points -o json |
    jq -r '.items[-1] | select(.complete | not) | .members[] | select(.snapshot).source')"
  is_well
}

APostgresThatDoesNotRunIsTold() {
  local port
  port=$(free_port)
  world no-postgres "  db: { postgres: { url: \"postgresql://postgres@127.0.0.1:$port/postgres\" } }"
  partial_with db "127.0.0.1:$port" "refused"
  refused 16 "127.0.0.1:$port" "next: " -- lifeboat backup db
  refused 4 FAIL "127.0.0.1:$port" -- lifeboat doctor
}

APostgresThatRefusesThePasswordIsTold() {
  testbed/up postgres "$SCRATCH/postgres" >/dev/null
  # shellcheck source=/dev/null
  . "$SCRATCH/postgres/env"
  world wrong-password
  echo never-to-be-shown >"$W/password"
  platform_file "  db: { postgres: { url: \"$TESTBED_POSTGRES_URL\", password: { file: password } } }"
  partial_with db "password authentication failed"
  refused 15 "password authentication failed" "next: " -- lifeboat backup db
  never grep -q never-to-be-shown "$SCRATCH/refusal"
}

ARabbitmqWithoutManagementIsTold() {
  local port
  port=$(free_port)
  echo secret >"$SCRATCH/mq"
  world no-rabbitmq "  mq: { rabbitmq: { url: \"http://127.0.0.1:$port\", user: admin, password: { file: $SCRATCH/mq } } }"
  partial_with mq "127.0.0.1:$port"
  refused 16 "rabbitmq_management" -- lifeboat backup mq
}

# --- the platform file -----------------------------------------------------------------------------

# file_refused PLACE WORD...: $SCRATCH/bad.yaml, with this line:column, and at once
file_refused() {
  local place=$1
  shift
  refused 2 "$SCRATCH/bad.yaml:$place" "$@" -- \
    timeout 20 "$BINARY" plan validate -C "$SCRATCH/bad.yaml"
}

bad_plan() { # bad_plan STEP...: lines below `steps:`
  {
    printf 'version: 1\nplatform: p\nsources: { tree: { files: { path: /tmp } } }\n'
    printf 'plans:\n  back:\n    steps:\n'
    printf '      %s\n' "$@"
  } >"$SCRATCH/bad.yaml"
}

H7ACycleIsRefusedWithItsPath() {
  # shellcheck disable=SC2016
  bad_plan 'one: { exec: { run: ["${two.x}"], observe: ["true"], outputs: { x: string } } }' \
    'two: { exec: { run: ["${one.x}"], observe: ["true"], outputs: { x: string } } }'
  file_refused "" one two
  grep -iq cycle "$SCRATCH/refusal" || grep -q 'wait for each other' "$SCRATCH/refusal"
}

H7AnUnknownKeyIsRefusedWithTheNearestRightOne() {
  bad_plan 'one: { restore: { sorce: tree, into: /x } }'
  file_refused 7:25 sorce "source"
}

H7ABadReferenceIsRefused() {
  # shellcheck disable=SC2016
  bad_plan 'one: { restore: { source: tree, into: "${inputs.tagret}" } }'
  file_refused 7: "tagret"
  bad_plan 'one: { restore: { source: teee, into: /x } }'
  file_refused 7: "teee" "tree"
}

H7AKeyThatIsThereTwiceIsRefused() {
  bad_plan 'one: { restore: { source: tree, into: /x } }' 'one: { wait: { tcp: "a:1" } }'
  file_refused 8:7 one
}

DeepNestingIsRefusedAtOnce() {
  { printf 'version: 1\nplatform: p\nplans: '; printf '{a: %.0s' {1..100000}; } >"$SCRATCH/bad.yaml"
  file_refused 3: "64"
  { printf 'version: 1\nplatform: p\nplans:\n  - '; printf -- '- %.0s' {1..100000}; } >"$SCRATCH/bad.yaml"
  file_refused 4: "64"
  { printf 'version: 1\nplatform: p\nplans: '; printf '[%.0s' {1..100000}; } >"$SCRATCH/bad.yaml"
  file_refused 3:
}

AFileOfAGigabyteIsRefusedAtOnce() {
  rm -f "$SCRATCH/bad.yaml"
  truncate -s 1G "$SCRATCH/bad.yaml"
  file_refused "" 1048576
  rm "$SCRATCH/bad.yaml"
}

BillionLaughsAreRefusedAtOnce() {
  {
    printf 'version: 1\nplatform: p\na: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n'
    for pair in ba cb dc ed fe gf hg ih; do
      printf '%s: &%s [' "${pair:0:1}" "${pair:0:1}"
      printf "*${pair:1}, %.0s" {1..8}
      printf '*%s]\n' "${pair:1}"
    done
  } >"$SCRATCH/bad.yaml"
  file_refused 3:4 "anchor"
}

# --- targets ---------------------------------------------------------------------------------------

ATargetThatHoldsSomethingElseIsRefusedAndUntouched() {
  local identity
  world target
  lifeboat backup
  mkdir "$W/full"
  echo precious >"$W/full/file"
  refused 5 "confirm" "next: " -- lifeboat restore tree --to "$W/full"
  identity=$(lifeboat restore tree --to "$W/full" --dry-run -o json | jq -r .identity)
  refused 6 "$W/full" "next: " -- lifeboat restore tree --to "$W/full" --confirm "$identity"
  refused 6 "$identity" "not another" -- lifeboat restore tree --to "$W/full" --confirm another
  never grep -q ^RECOVERED <(lifeboat recover back --input "to=$W/full")
  expect "the folder" "file" "$(ls -A "$W/full")"
  expect "the file" precious "$(<"$W/full/file")"
  is_well
}

run_cases
