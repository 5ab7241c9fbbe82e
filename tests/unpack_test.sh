#!/usr/bin/env bash
# The page docs/format.md is enough: what `lifeboat` stored comes back without it, by tools/unpack.py.
# Needs root (owners, device nodes), git, and a built program (LIFEBOAT_BINARY).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/cases.sh
. tests/cases.sh

BINARY=${LIFEBOAT_BINARY:-build/release/lifeboat}
LARGE=$SCRATCH/large # the hard files
SMALL=$SCRATCH/small # few objects: each of them is spoiled in turn
PASSPHRASE=$SCRATCH/passphrase
export HOME=$SCRATCH/home XDG_CACHE_HOME=$SCRATCH/home/cache XDG_STATE_HOME=$SCRATCH/home/state
mkdir -p "$HOME"
echo 'seven words that nobody would guess ever' >"$PASSPHRASE"

# new_repository WORLD SOURCES: a repository with both kinds of keys, and one backup in it
new_repository() {
  local world=$1
  mkdir -p "$world"
  printf 'version: 1\nplatform: unpack\nrepository: %s\nsources:\n%s\n' \
    "$world/repository" "$2" >"$world/lifeboat.yaml"
  "$BINARY" init -C "$world/lifeboat.yaml" -r "$world/repository" \
    --new-passphrase-file "$PASSPHRASE" --new-age-identity "$world/identity"
  "$BINARY" backup -C "$world/lifeboat.yaml" --passphrase-file "$PASSPHRASE"
}

by_passphrase() { tools/unpack.py "$1/repository" --passphrase-file "$PASSPHRASE" "${@:2}"; }
by_identity() { tools/unpack.py "$1/repository" --identity "$1/identity" "${@:2}"; }

# refuses WHAT COMMAND...: it ends with 1 and one line that holds WHAT, and with no traceback
refuses() {
  local said
  said=$(fails_with 1 "${@:2}")
  expect "lines of '$said'" 1 "$(wc -l <<<"$said")"
  grep -q "^unpack.py: .*$1" <<<"$said" || complain "said '$said', not '$1'"
}

same_tree() {
  diff <(tests/tree_manifest.py "$1") <(tests/tree_manifest.py "$2") | head -n 20
  [[ ${PIPESTATUS[0]} == 0 ]]
}

make_git_repository() {
  export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org
  export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
  git init -q -b main "$1"
  seq 2000 >"$1/numbers"
  git -C "$1" add numbers
  git -C "$1" commit -q -m one
  git -C "$1" tag -a -m first v1
  seq 2001 >"$1/numbers"
  git -C "$1" commit -q -a -m two
}

AFolderOfHardFilesIsBackedUp() {
  mkdir "$LARGE"
  examples/shop/make_uploads.py "$LARGE/uploads" --files 300 | tee "$LARGE/made"
  new_repository "$LARGE" "  uploads: { files: { path: $LARGE/uploads } }"
}

EachKeyBringsBackTheWholeTreeWithoutLifeboat() {
  by_passphrase "$LARGE" extract uploads "$SCRATCH/by-passphrase"
  same_tree "$LARGE/uploads" "$SCRATCH/by-passphrase"
  by_identity "$LARGE" extract uploads "$SCRATCH/by-identity"
  same_tree "$SCRATCH/by-passphrase" "$SCRATCH/by-identity"
}

TheComparisonOfTreesSeesEveryKindOfDifference() {
  local change tree=$SCRATCH/compared
  mkdir "$tree"
  head -c 3000000 /dev/urandom >"$tree/bytes"
  truncate -s 3M "$tree/sparse"
  ln -s bytes "$tree/symlink"
  ln "$tree/bytes" "$tree/hard"
  mkfifo "$tree/fifo"
  while read -r change; do
    rm -rf "$tree.changed"
    cp -a --sparse=always "$tree" "$tree.changed"
    same_tree "$tree" "$tree.changed"
    (cd "$tree.changed" && eval "$change" && touch -r "$tree" .)
    never same_tree "$tree" "$tree.changed"
  done <<'END'
chmod 4755 bytes
chown 7 bytes
touch -d '1999-01-01 00:00:00.000000001' fifo
setfattr -n user.a -v b bytes
printf x | dd of=bytes conv=notrunc bs=1 seek=77 status=none; touch -r ../compared/bytes bytes
cp -p --sparse=never sparse s; mv s sparse
ln -sfn sparse symlink; touch -h -r ../compared/symlink symlink
cp -p hard h; mv h hard
mv fifo fifi
rm fifo; touch fifo
END
}

TheSameSnapshotsAreListedAsByTheProgram() {
  local wanted
  wanted=$("$BINARY" snapshots -C "$LARGE/lifeboat.yaml" --passphrase-file "$PASSPHRASE" --all \
    -o json | /usr/bin/python3 -c '
import json, sys
print("\n".join(sorted(one["id"] for one in json.load(sys.stdin)["items"])))')
  [[ -n $wanted ]]
  expect 'snapshots' "$wanted" "$(by_identity "$LARGE" list | awk '/^snapshot/ { print $2 }' | sort)"
  by_identity "$LARGE" list | grep '^point .* complete' >/dev/null
}

EveryNameIsListedOnceAndOnOneLine() {
  expect 'items' "$(find "$LARGE/uploads" ! -type s -printf x | wc -c)" \
    "$(by_identity "$LARGE" ls uploads | wc -l)"
}

FactsStandBesideTheFolder() {
  /usr/bin/python3 - "$SCRATCH/by-identity.json" <<'END'
import base64, json, sys
document = json.load(open(sys.argv[1]))
assert document["snapshot"]["source"] == "uploads" and document["snapshot"]["type"] == "files"
assert document["not_put_back"] == []
names = [base64.b64decode(item["name_bytes"]) if "name_bytes" in item else item["name"].encode()
         for item in document["items"]]
assert names == sorted(names, key=lambda name: name.split(b"/")), "canonical order"
assert any(b"\xff\xfe" in name for name in names), "a name that is not UTF-8"
END
}

ChainSignaturesAndEveryBlobHold() {
  by_passphrase "$LARGE" verify --read-data | tee "$SCRATCH/verified"
  grep -q '^holds: .*(0 void).*(read)' "$SCRATCH/verified"
}

AnotherUserGetsTheContentsAndIsToldWhatNeedsRoot() {
  local status=0
  cp -r "$LARGE/repository" "$SCRATCH/readable"
  cp "$LARGE/identity" "$SCRATCH/readable.identity"
  chmod -R a+rX "$SCRATCH/readable" "$SCRATCH/readable.identity"
  install -d -o nobody "$SCRATCH/others"
  install -d -m 755 "$SCRATCH/tools" # the checkout may be for us alone
  install -m 755 tools/unpack*.py "$SCRATCH/tools"
  setpriv --reuid=65534 --regid=65534 --clear-groups "$SCRATCH/tools/unpack.py" "$SCRATCH/readable" \
    --identity "$SCRATCH/readable.identity" extract uploads "$SCRATCH/others/tree" \
    2>"$SCRATCH/others.said" || status=$?
  expect 'exit status' 3 "$status"
  grep -q 'not put back: .*owner .* needs root' "$SCRATCH/others.said"
  grep -q 'not put back: .*device needs root' "$SCRATCH/others.said"
  never grep -q Traceback "$SCRATCH/others.said"
  diff <(cd "$LARGE/uploads" && find . -type f -exec sha256sum -z {} + | sort -z | sha256sum) \
    <(cd "$SCRATCH/others/tree" && find . -type f -exec sha256sum -z {} + | sort -z | sha256sum)
}

AGitRepositoryComesBackFromItsStreams() {
  mkdir "$SMALL"
  make_git_repository "$SMALL/git"
  mkdir "$SMALL/uploads"
  echo small >"$SMALL/uploads/file"
  new_repository "$SMALL" "  config: { git: { path: $SMALL/git } }
  uploads: { files: { path: $SMALL/uploads } }
plans:
  back:
    scenario: the uploads are gone
    steps:
      files: { restore: { source: uploads, into: $SMALL/restored } }"
  by_identity "$SMALL" extract config "$SMALL/streams"
  git init -q --bare "$SMALL/again"
  git -C "$SMALL/again" index-pack --stdin <"$SMALL/streams/objects.pack"
  /usr/bin/python3 -c 'import json, sys
for name, wanted in json.load(open(sys.argv[1]))["refs"].items(): print("create", name, wanted)' \
    "$SMALL/streams/manifest.json" | git -C "$SMALL/again" update-ref --stdin
  git -C "$SMALL/again" fsck --full --strict
  expect 'references' "$(git -C "$SMALL/git" show-ref)" "$(git -C "$SMALL/again" show-ref)"
}

TheBundleHoldsThePlatformFile() {
  local bundle
  bundle=$(by_identity "$SMALL" list | awk '$1 == "snapshot" && $3 == "bundle" { print $2 }')
  by_identity "$SMALL" extract "${bundle:0:12}" "$SMALL/bundle"
  cmp "$SMALL/lifeboat.yaml" "$SMALL/bundle/lifeboat.yaml"
}

TheJournalOfARecoveryIsRead() {
  local run
  "$BINARY" recover back -C "$SMALL/lifeboat.yaml" --passphrase-file "$PASSPHRASE" --no-input
  cmp "$SMALL/uploads/file" "$SMALL/restored/file"
  run=$(by_identity "$SMALL" list | awk '$1 == "run" { print $2 }')
  by_identity "$SMALL" run "$run" >"$SMALL/journal"
  [[ $(awk 'NR == 1 { print $2 }' "$SMALL/journal") == run.begin ]]
  grep -q ' step.done .*"step": "files"' "$SMALL/journal"
  grep -q ' run.end .*"outcome": "done"' "$SMALL/journal"
  refuses 'no such run' by_identity "$SMALL" run another
}

# What tests/golden/make.cpp writes to expected.txt, as the page alone tells it.
golden_listing() {
  /usr/bin/python3 -B - "$@" <<'END'
import argparse, hashlib, sys
sys.path.insert(0, "tools")
from unpack_format import Opener
from unpack_repository import Repository

folder, passphrase_file, identity = sys.argv[1:4]
ZEROS = bytes(1 << 20)

def digest(pieces):
    state = hashlib.sha256()
    for data, length in pieces:
        for at in range(0, length, len(ZEROS)):
            part = min(len(ZEROS), length - at)
            state.update(ZEROS[:part] if data is None else data[at:at + part])
    return state.hexdigest()

repository = Repository(folder + "/repository", Opener(argparse.Namespace(
    passphrase_file=passphrase_file, identity=identity)))
for _, one in repository.snapshots.values():
    print("snapshot", one.id.hex(), one.kind, one.source)
    for item in repository.items(one):
        print("item", item.name.hex(), item.kind, item.size, digest(repository.content(item)))
for _, point in repository.points:
    print("point", point.id.hex(), len(point.members))
for _, run in repository.runs:
    print("run", run.run, run.plan)
assert repository.record("golden", "runs/run-1/golden") == b"sealed text"
END
}

TheGoldenRepositoryIsReadToTheLastByteByEachKey() {
  local golden=tests/golden/v1
  diff $golden/expected.txt <(golden_listing $golden $golden/passphrase.txt '')
  diff $golden/expected.txt <(golden_listing $golden '' $golden/identity.txt)
  tools/unpack.py $golden/repository --identity $golden/identity.txt verify --read-data
}

AFileOfTheAgeProgramIsOpenedAndNoAlteredOneIsTaken() {
  age-keygen -o "$SCRATCH/age" 2>/dev/null
  head -c 32 /dev/urandom >"$SCRATCH/age.plain"
  age -r "$(sed -n 's/^# public key: //p' "$SCRATCH/age")" -o "$SCRATCH/age.sealed" \
    "$SCRATCH/age.plain"
  /usr/bin/python3 -B - "$SCRATCH/age" <<'END'
import sys
sys.path.insert(0, "tools")
from unpack_format import Refused, bech32_secret, open_age

identity = [line for line in open(sys.argv[1]) if line.startswith("AGE-")][0].strip()
sealed = open(sys.argv[1] + ".sealed", "rb").read()
wanted = open(sys.argv[1] + ".plain", "rb").read()
assert open_age(bech32_secret(identity), sealed, "it") == wanted
altered = [sealed[:at] for at in range(len(sealed))] + [sealed + b"\0"]
altered += [sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1:] for at in range(len(sealed))]
for one in altered:
    try:
        assert open_age(bech32_secret(identity), one, "it") is None
    except Refused:
        pass
END
}

AnotherKeyOpensNothing() {
  echo 'some other words that open nothing' >"$SCRATCH/wrong"
  refuses 'no key' tools/unpack.py "$SMALL/repository" --passphrase-file "$SCRATCH/wrong" list
  refuses 'no key' tools/unpack.py "$SMALL/repository" --identity "$LARGE/identity" list
  sed 's/AGE-SECRET-KEY-1../AGE-SECRET-KEY-1QQ/' "$SMALL/identity" >"$SCRATCH/mistyped"
  refuses 'mistyped' tools/unpack.py "$SMALL/repository" --identity "$SCRATCH/mistyped" list
  refuses 'No such file' tools/unpack.py "$SMALL/repository" --identity "$SCRATCH/absent" list
  refuses 'no repository' tools/unpack.py "$SCRATCH" --identity "$SMALL/identity" list
  refuses 'no such snapshot' by_identity "$SMALL" ls nothing
}

AnAlteredByteOfAnyObjectIsNoticed() {
  local object spoiled=$SCRATCH/spoiled count=0
  cp -r "$SMALL/repository" "$spoiled"
  while read -r object; do
    for place in 5 50% 97%; do
      /usr/bin/python3 - "$spoiled/$object" "$place" <<'END'
import pathlib, sys
path, place = pathlib.Path(sys.argv[1]), sys.argv[2]
data = bytearray(path.read_bytes())
at = len(data) * int(place[:-1]) // 100 if place.endswith("%") else int(place)
data[at] ^= 0x20
path.chmod(0o600)
path.write_bytes(data)
END
      refuses '.' tools/unpack.py "$spoiled" --identity "$SMALL/identity" verify --read-data
      cp -f "$SMALL/repository/$object" "$spoiled/$object"
      count=$((count + 1))
    done
  done < <(cd "$SMALL/repository" && find config keys log packs index -type f)
  ((count >= 3 * 10)) || complain "only $count places were spoiled"
  tools/unpack.py "$spoiled" --identity "$SMALL/identity" verify --read-data
}

ARemovedOrExchangedObjectIsNoticed() {
  local spoiled=$SCRATCH/exchanged pack
  cp -r "$SMALL/repository" "$spoiled"
  rm -f "$spoiled/log/0000000000000001"
  refuses 'removed' tools/unpack.py "$spoiled" --identity "$SMALL/identity" list
  cp "$spoiled/log/0000000000000000" "$spoiled/log/0000000000000001"
  refuses 'does not open' tools/unpack.py "$spoiled" --identity "$SMALL/identity" list
  cp "$LARGE/repository/log/0000000000000001" "$spoiled/log/"
  refuses '.' tools/unpack.py "$spoiled" --identity "$SMALL/identity" list
  cp "$SMALL/repository/log/0000000000000001" "$spoiled/log/"
  pack=$(find "$spoiled/packs" -type f | head -n 1)
  truncate -s -1 "$pack"
  refuses 'the index says' tools/unpack.py "$spoiled" --identity "$SMALL/identity" verify
  rm -f "$pack"
  refuses 'missing' tools/unpack.py "$spoiled" --identity "$SMALL/identity" verify
}

NothingIsPutOutsideOfTheFolderOrOverAnything() {
  refuses 'is not empty' by_identity "$SMALL" extract uploads "$SMALL/uploads"
  /usr/bin/python3 -B - "$SCRATCH" <<'END'
import os, sys
sys.path.insert(0, "tools")
import unpack
from unpack_format import Message, Refused, SHAPES

scratch = sys.argv[1]
target = unpack.Target(scratch + "/confined")

def item(name, kind=unpack.FILE, to=b""):
    made = Message(SHAPES["Item"], b"")
    made.name, made.kind, made.file = name, kind, Message(SHAPES["Metadata"], b"")
    made.file.mode, made.file.target = 0o700, to
    return made

target.put(item(b"out", unpack.SYMLINK, scratch.encode()), ())
target.put(item(b"file"), [(b"x", 1)])
hostile = [item(name) for name in (b"../a", b"/a", b"a/../../b", b"out/a", b"a//b", b"", b"..",
                                   b"file", b"file/a", b"out", b"a\0b", b"n" * 256)]
hostile += [item(b"link", unpack.HARD_LINK, to) for to in (b"../passphrase", b"/etc/passwd",
                                                           b"out/passphrase", b"absent")]
for one in hostile:
    before = sorted(os.listdir(scratch))
    try:
        target.put(one, [(b"x", 1)])
    except Refused:
        assert sorted(os.listdir(scratch)) == before, one.name
    else:
        raise SystemExit(f"{one.name} -> {one.file.target} was put")
END
}

run_cases
