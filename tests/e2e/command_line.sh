# shellcheck shell=bash
# The program as a script calls it, for tests of the command line. Source it after cases.sh, in the
# folder of the project:
#
#   lifeboat WORDS...         with the platform file and the identity of the world $W, never asking
#   ends STATUS COMMAND...    what it said is in $SCRATCH/out
#   said WORD...              each is in $SCRATCH/out
#   document KIND WORDS...    its JSON is in $SCRATCH/document
#   stopped SIGNAL STATUS SAYING WORDS...   lifeboat WORDS gets the signal once it said SAYING, and ends so
#   make_sources              $W/uploads (with hostile names) and $W/code, a git repository
#   on_terminal COMMAND       under a terminal of its own; standard input is what the person types

BINARY=$SCRATCH/lifeboat # where every account can reach it
install -m 755 "${LIFEBOAT_BINARY:-build/release/lifeboat}" "$BINARY"
W=$SCRATCH/world
export HOME=$SCRATCH/home XDG_CACHE_HOME=$SCRATCH/home/cache XDG_STATE_HOME=$SCRATCH/home/state
unset LIFEBOAT_IDENTITY LIFEBOAT_REPOSITORY LIFEBOAT_CONFIG LIFEBOAT_OUTPUT_FORMAT NO_COLOR
mkdir -p "$HOME" "$W"

lifeboat() { "$BINARY" -C "$W/lifeboat.yaml" --identity "$W/identity" --no-input "$@"; }

# said WORD...: each is in $SCRATCH/out
said() {
  local word
  for word; do
    grep -qF -e "$word" "$SCRATCH/out" || complain "not said: '$word', but: $(<"$SCRATCH/out")"
  done
}

# ends STATUS COMMAND...: what it said is $SCRATCH/out and in the log of the case
ends() {
  fails_with "$@" >"$SCRATCH/out"
  cat "$SCRATCH/out"
}

# document KIND COMMAND...: its standard output is one document of this kind, and shown
document() {
  local kind=$1
  shift
  lifeboat "$@" --output json >"$SCRATCH/document"
  jq -e --arg kind "$kind" '.apiVersion == "lifeboat/v1" and .kind == $kind' \
    "$SCRATCH/document" >/dev/null || complain "no $kind: $(<"$SCRATCH/document")"
  cat "$SCRATCH/document"
}

make_sources() {
  mkdir "$W/uploads"
  echo hello >"$W/uploads/a"
  mkdir "$W/uploads/images"
  echo picture >"$W/uploads/images/logo"
  printf 'x' >"$W/uploads/"$'evil\e[31m\nname'
  printf 'x' >"$W/uploads/"$'no\xffutf8'
  git init -q -b main "$W/code"
  seq 100 >"$W/code/file"
  git -C "$W/code" add file
  git -C "$W/code" -c user.name=a -c user.email=a@example.org commit -q -m one
}

# What comes out is on standard output, with the carriage returns of a terminal.
on_terminal() { script -qec "$1" /dev/null; }

# The shell lets what it puts in the background ignore SIGINT: env undoes that.
stopped() {
  local signal=$1 wanted=$2 saying=$3 process status=0
  shift 3
  : >"$SCRATCH/out"
  env --default-signal=INT "$BINARY" -C "$W/lifeboat.yaml" --identity "$W/identity" "$@" \
    >"$SCRATCH/out" 2>&1 &
  process=$!
  until grep -q "$saying" "$SCRATCH/out"; do
    kill -0 "$process" || complain "it has ended: $(<"$SCRATCH/out")"
    sleep 0.02
  done
  kill "-$signal" "$process"
  wait "$process" || status=$?
  cat "$SCRATCH/out"
  expect "exit status" "$wanted" "$status"
}
