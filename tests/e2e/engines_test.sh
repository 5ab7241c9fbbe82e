#!/usr/bin/env bash
# Two engines on one run, stopped and continued at random; see two_engines.py.
#
# ROUNDS=N plays N rounds (100), SEED=N begins with that seed (1).
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/cases.sh
. tests/cases.sh

exec 3>&1 # what is printed even when a case is green

lifeboat=$SCRATCH/lifeboat
cp "${LIFEBOAT_BINARY:-build/release/lifeboat}" "$lifeboat"

H2_H3_TheJournalNeverHasTwoWritersInOneEpoch() {
  mkdir "$SCRATCH/rounds"
  tests/e2e/two_engines.py "$lifeboat" "$SCRATCH/rounds" "${ROUNDS:-100}" "${SEED:-1}" |
    tee "$SCRATCH/played"
  tail -n 1 "$SCRATCH/played" >&3
}

run_cases
