#!/usr/bin/env bash
# `lifeboat restore` and `lifeboat kept`: what they do to a target that holds something, parts of a
# snapshot, a person who types, a person who interrupts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/cases.sh
. tests/cases.sh
# shellcheck source=tests/e2e/command_line.sh
. tests/e2e/command_line.sh

identity_of() { lifeboat restore "$1" --to "$2" --dry-run -o json | jq -r .identity; }

TwoSourcesAreCaptured() {
  make_sources
  ln "$W/uploads/images/logo" "$W/uploads/linked"
  cat >"$W/lifeboat.yaml" <<END
version: 1
platform: small
repository: $W/repository
sources:
  uploads: { files: { path: $W/uploads } }
  code: { git: { path: $W/code } }
END
  "$BINARY" init -q -C "$W/lifeboat.yaml" -r "$W/repository" --new-age-identity "$W/identity"
  lifeboat backup
}

ASinglePathIsRestoredAndProven() {
  document Restore restore uploads:images/logo --to "$W/single"
  jq -e '(.checks | length > 3) and all(.checks[]; .ok)' "$SCRATCH/document"
  expect "its content" picture "$(cat "$W/single/images/logo")"
  expect "files" 1 "$(find "$W/single" -type f | wc -l)"
}

AHardLinkAloneIsRestoredAsTheFileThatItIs() {
  document Restore restore uploads:linked --to "$W/link"
  jq -e 'all(.checks[]; .ok)' "$SCRATCH/document"
  expect "its content" picture "$(cat "$W/link/linked")"
  expect "files" 1 "$(find "$W/link" -type f | wc -l)"
}

APathThatIsNotThereIsToldAndNothingIsLeft() {
  ends 1 lifeboat restore uploads:images/lgoo --to "$W/nothing"
  said "images/lgoo" "lifeboat ls"
  [[ ! -e $W/nothing ]]
}

ATargetThatExistsHasToBeNamed() {
  mkdir "$W/mine"
  echo precious >"$W/mine/file"
  ends 5 lifeboat restore uploads --to "$W/mine"
  said "--confirm" "$W/mine"
  ends 6 lifeboat restore uploads --to "$W/mine" --confirm another
  IDENTITY=$(lifeboat restore uploads --to "$W/mine" --dry-run -o json | jq -r .identity)
  ends 6 lifeboat restore uploads --to "$W/mine" --confirm "$IDENTITY"
  expect "the file" precious "$(<"$W/mine/file")"
}

WhatIsKeptAsideIsListedAndRemoved() {
  local kept
  IDENTITY=$(identity_of uploads "$W/mine")
  document Restore restore uploads --to "$W/mine" --confirm "$IDENTITY" --keep-aside
  jq -e '.kept_aside | length == 1' "$SCRATCH/document"
  expect "the new file" hello "$(<"$W/mine/a")"
  expect "the old file" precious "$(cat "$W"/mine_before_*/file)"
  document KeptList kept list
  jq -e '.items == []' "$SCRATCH/document"
  ends 2 lifeboat kept list --to "$W/mine"
  said "which source" "next: "
  document KeptList kept list uploads --to "$W/mine"
  jq -e '(.items | length == 1) and .items[0].where == "uploads"' "$SCRATCH/document"
  kept=$(jq -r '.items[0].name' "$SCRATCH/document")
  ends 5 lifeboat kept remove uploads "$kept" --to "$W/mine"
  cat "$W"/mine_before_*/file
  lifeboat kept remove uploads "$kept" --to "$W/mine" -y
  never compgen -G "$W/mine_before_*"
}

refs_of() { git -C "$1" for-each-ref --format='%(refname) %(objectname)' 'refs/heads/*' 'refs/tags/*'; }

# A repository cannot be renamed within itself: it is captured first.
WhatAGitRestoreWouldOverwriteIsCapturedFirst() {
  local kept
  git clone -q --bare "$W/code" "$W/theirs"
  git -C "$W/theirs" update-ref refs/heads/precious \
    "$(git -C "$W/theirs" -c user.name=a -c user.email=a@b commit-tree -m mine 'HEAD^{tree}')"
  refs_of "$W/theirs" >"$SCRATCH/refs"
  document Restore restore code --to "$W/theirs" --keep-aside \
    --confirm "$(identity_of code "$W/theirs")"
  never git -C "$W/theirs" rev-parse -q --verify refs/heads/precious
  jq -e '.kept_aside | length == 1 and (.[0] | contains("in the repository"))' "$SCRATCH/document"
  document KeptList kept list
  jq -e '.items | length == 1 and .[0].where == "repository"' "$SCRATCH/document"
  kept=$(jq -r '.items[0].name' "$SCRATCH/document")
  lifeboat restore "$kept" --to "$W/as-before"
  refs_of "$W/as-before" | diff "$SCRATCH/refs" -
  lifeboat kept remove repository "$kept" --yes
  document KeptList kept list
  jq -e '.items == []' "$SCRATCH/document"
}

APersonTypesTheIdentityOfTheTarget() {
  local restore identity
  mkdir "$W/typed"
  echo precious >"$W/typed/file"
  identity=$(identity_of uploads "$W/typed")
  restore="'$BINARY' -C '$W/lifeboat.yaml' --identity '$W/identity' restore uploads --keep-aside"
  ends 6 on_terminal "$restore --to '$W/typed'" <<<"something else"
  said "Type the identity" "not something else"
  expect "the file" precious "$(<"$W/typed/file")"
  ends 0 on_terminal "$restore --to '$W/typed'" <<<"$identity"
  expect "the new file" hello "$(<"$W/typed/a")"
  expect "the old file" precious "$(cat "$W"/typed_before_*/file)"
}

APersonStopsARestoreWithControlC() {
  head -c 900000000 /dev/zero | openssl enc -aes-128-ctr -pass pass:x -nosalt 2>/dev/null \
    >"$W/uploads/large"
  lifeboat backup
  stopped INT 130 'restoring' restore uploads --to "$W/stopped"
  rm "$W/uploads/large"
  [[ ! -e $W/stopped ]] || complain "something is under the final name"
}

AFileThatGrowsWhileItIsReadIsFlaggedAndThePointIsPartial() {
  local writer
  head -c 300000000 /dev/urandom >"$W/uploads/growing"
  (while echo more >>"$W/uploads/growing"; do sleep 0.01; done) &
  writer=$!
  ends 3 lifeboat backup
  kill "$writer"
  wait "$writer" || true
  said "growing: changed while" "partial"
  lifeboat ls uploads growing -o json | jq -e '.changed_while_read'
  rm "$W/uploads/growing"
}

run_cases
