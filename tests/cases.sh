# shellcheck shell=bash
# Cases of a test script: one function each, its name the sentence that it proves.
#
#   . tests/cases.sh
#   WaterFlowsDownhill() { ...any failing command fails the case... }
#   run_cases            # all functions that begin with a capital letter, in the order of the file
#
# CASES='REGEX' in the environment: only the cases whose name it matches.
#
# Prints "ok NAME" or "FAILED NAME" with what was said; the last line is "N passed, N failed".
# A case runs in a subshell with errexit. SCRATCH is a folder for all cases of the script; it is
# removed at the end, after the function `clean_up` if there is one.

SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/cases.XXXXXX")
chmod 711 "$SCRATCH"

end_of_cases() {
  if declare -F clean_up >/dev/null; then
    clean_up
  fi
  rm -rf "$SCRATCH"
}
trap end_of_cases EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

complain() {
  printf '%s\n' "$*" >&2
  return 1
}

# expect WHAT WANTED GOT
expect() { [[ $2 == "$3" ]] || complain "$1: wanted '$2', got '$3'"; }

# never COMMAND...: it must fail. (A plain "! COMMAND" is not seen by errexit.)
never() {
  if "$@"; then
    complain "this must fail: $*"
  fi
}

# until_true SECONDS COMMAND...
until_true() {
  local tries=$(($1 * 20))
  shift
  until "$@"; do
    ((--tries > 0)) || complain "did not come about: $*"
    sleep 0.05
  done
}

# fails_with STATUS COMMAND...: what it said is on standard output
fails_with() {
  local wanted=$1 got=0
  shift
  "$@" 2>&1 || got=$?
  expect "exit status of $*" "$wanted" "$got"
}

cases_of_the_script() {
  local function
  shopt -s extdebug # declare -F NAME tells the line
  declare -F | awk '$3 ~ /^[A-Z]/ { print $3 }' | while read -r function; do
    declare -F "$function"
  done | sort -n -k 2 | awk '{ print $1 }' | grep -E -- "${CASES:-.}"
}

run_cases() {
  local name status passed=0 failed=0
  local -a names
  mapfile -t names < <(cases_of_the_script)
  for name in "${names[@]}"; do
    set +e
    (
      set -e
      trap - EXIT
      "$name"
    ) >"$SCRATCH/said" 2>&1
    status=$?
    set -e
    if ((status == 0)); then
      passed=$((passed + 1))
      printf 'ok %s\n' "$name"
    else
      failed=$((failed + 1))
      printf 'FAILED %s (exit %d)\n' "$name" "$status"
      awk '{ print "    " $0 }' "$SCRATCH/said" # ends its last line, whatever was said
    fi
  done
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0))
}
