#!/usr/bin/env bash
# Planted secrets leave the program in no form: not in a byte of the repository, of what it prints,
# writes as report or keeps on the machine, nor in an argument of any process that a backup or a
# recovery starts. The same search finds them when sealing is replaced by nothing.
#
# Sought are 32 random bytes each: passwords of both administrators, the passphrase, a row, a file,
# a line in the git repository, an environment's secret; the backend's own passwords; and whatever
# passwords the recovery makes. As text, raw, hex and base64 (tests/e2e/seek_secrets.py).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$(realpath "${LIFEBOAT_BUILD:-build/release}") # where lifeboat-unsealed is built
# shellcheck source=tests/cases.sh
. tests/cases.sh
# shellcheck source=tests/e2e/lost_shop.sh
. tests/e2e/lost_shop.sh
exec 3>&1

planted=$SCRATCH/planted made=$SCRATCH/made said=$SCRATCH/said-all traced=$SCRATCH/traced
place=$SCRATCH/place.recovered

random_hex() { head -c 32 /dev/urandom | xxd -p -c 64; }
random_base64url() { head -c 32 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d '='; }

plant() { (umask 077 && "$2" | tr -d '\n' >"$planted/$1"); }

change_passwords() {
  PGPASSWORD=$(<"$SHOP_POSTGRES_PASSWORD_FILE") psql -Xq "$SHOP_POSTGRES_URL" \
    -f <(printf "ALTER ROLE postgres PASSWORD '%s'" "$(<"$planted/postgres_admin")")
  curl -sS --fail -u "admin:$(<"$SHOP_RABBITMQ_PASSWORD_FILE")" -X PUT \
    -H 'Content-Type: application/json' "$SHOP_RABBITMQ_URL/api/users/admin" \
    -d "$(jq -Rc '{password: ., tags: "administrator"}' "$planted/rabbitmq_admin")"
  cat "$planted/postgres_admin" >"$SHOP_SECRETS/postgres_admin"
  cat "$planted/rabbitmq_admin" >"$SHOP_SECRETS/rabbitmq_admin"
}

plant_content() {
  local work=$SCRATCH/work
  PGPASSWORD=$(<"$planted/postgres_admin") psql -Xq "${SHOP_POSTGRES_URL%/*}/shop_orders" -f <(
    printf "CREATE TABLE sales.planted (secret text); INSERT INTO sales.planted VALUES ('%s')" \
      "$(<"$planted/row")"
  )
  cp "$planted/file" "$SHOP_UPLOADS/planted.txt"
  # Inside what cannot be compressed, so that it stays as it is unless it is sealed.
  (head -c 9000 /dev/urandom && xxd -r -p "$planted/inside" && head -c 9000 /dev/urandom) \
    >"$SHOP_UPLOADS/planted.bin"
  cp "$planted/name" "$SHOP_UPLOADS/$(<"$planted/name")"
  git clone -q "$SHOP_REPOSITORY" "$work"
  cp "$planted/commit" "$work/planted"
  git -C "$work" add planted
  git -C "$work" -c user.name=n -c user.email=e commit -qm "Planted"
  git -C "$work" push -q
  rm -rf "$work"
}

SecretsArePlanted() {
  local name
  mkdir -m 700 "$planted" "$made" "$said" "$traced" "$keys"
  for name in postgres_admin row inside commit environment; do
    plant "$name" random_hex
  done
  for name in rabbitmq_admin file name passphrase; do
    plant "$name" random_base64url
  done
  cp "$planted/passphrase" "$keys/passphrase"
  "$shop/start" --uploads 300 "$lost"
  # shellcheck source=/dev/null
  . "$lost/platform.env"
  change_passwords
  plant_content
  for name in db_orders db_catalog mq_backend; do
    cp "$SHOP_SECRETS/$name" "$planted/$name"
  done
  write_platform_file
}

# with_trace NAME COMMAND...: with all arguments of all processes in TRACED/NAME. Ends when COMMAND
# does; what it leaves running stays traced.
with_trace() {
  local name=$1 tracer
  shift
  rm -f "$SCRATCH/$name.status"
  # shellcheck disable=SC2016
  setsid strace -f -qq -e trace=execve,execveat -e signal=none -s 65535 -o "$traced/$name" \
    bash -c 'status=0; "${@:2}" || status=$?; echo "$status" >"$1.part"; mv "$1.part" "$1"' \
    bash "$SCRATCH/$name.status" "$@" 3>&- &
  tracer=$!
  until_true 400 test -e "$SCRATCH/$name.status" -o ! -e "/proc/$tracer"
  expect "exit status of $name" 0 "$(<"$SCRATCH/$name.status")"
}

TheShopIsCapturedUnderTrace() {
  make_repository >"$said/init" 2>&1
  # shellcheck disable=SC2016
  with_trace backup env -C "$operator" -i HOME="$operator" PATH="$PATH" \
    LIFEBOAT_PASSPHRASE_FILE="$keys/passphrase" \
    bash -c 'PLANTED=$(<"$3"); export PLANTED # not by env(1): that would be an argument
      "$1" backup >"$2/backup" 2>&1 && "$1" backup -o json >"$2/backup.json" 2>&1' \
    bash "$lifeboat" "$said" "$planted/environment"
  grep complete "$said/backup"
  as_operator doctor >"$said/doctor" 2>&1 || true
  as_operator check --read-data >"$said/check" 2>&1
  mkdir "$SCRATCH/kept-state"
  mv "$operator"/.[a-z]* "$SCRATCH/kept-state"
}

# passwords_made TARGET FOLDER: what a recovery made so far, a file each
passwords_made() {
  local name
  for name in postgres rabbitmq; do
    jq -rj ".$name" "$1/secrets/administrators.json" >"$2/$name"
  done
  for name in "$1"/secrets/*; do
    [[ $name == *.json ]] || cp "$name" "$2/$(basename "$name")"
  done
}

# Its generated passwords are in the vault of the run, sealed, and nowhere else.
AnUnfinishedRecoveryKeepsThemInItsVaultOnly() {
  local unfinished made_so_far=$SCRATCH/made-so-far secrets
  "$shop/destroy" "$lost"
  rm -rf "$operator"
  unfinished=$(new_place)
  mkdir -m 700 "$made_so_far"
  fails_with 137 alone "$unfinished" LIFEBOAT_FAULT=kill-after-journal:16 -- \
    recover shop-lost --input target="$unfinished/target" >"$unfinished/said"
  compgen -G "$unfinished/repository/runs/*/vault/*"
  passwords_made "$unfinished/target" "$made_so_far"
  (($(find "$made_so_far" -type f | wc -l) >= 2))
  for secrets in "$planted" "$made_so_far"; do
    tests/e2e/seek_secrets.py "$secrets" "$unfinished/repository" "$unfinished/said" \
      "$unfinished"/home.* >"$SCRATCH/found" || complain "$(<"$SCRATCH/found")"
  done
  end_platform "$unfinished"
}

TheShopIsRecoveredUnderTrace() {
  mkdir -m 711 "$place" "$place/target"
  mkdir "$place/home"
  # shellcheck disable=SC2016
  with_trace recover env -C "$place/home" -i HOME="$place/home" PATH="$PATH" TERM=dumb \
    LIFEBOAT_PASSPHRASE_FILE="$keys/passphrase" LIFEBOAT_REPOSITORY="$SCRATCH/repository" \
    bash -c '"$1" recover shop-lost --input target="$2/target" --report "$3/report.md" \
      >"$3/recover" 2>&1 &&
      "$1" runs list >"$3/runs" 2>&1 && "$1" runs show -o json "$("$1" runs list -o json |
        jq -r ".items[0].run // .data.items[0].run")" >"$3/report.json" 2>"$3/report.errors"' \
    bash "$lifeboat" "$place" "$said" ||
    complain "$(tail -n 40 "$said/recover")" "$(cat "$said/report.errors")"
  recovered "$said/recover"
  env -i HOME="$place/home" PATH="$PATH" LIFEBOAT_PASSPHRASE_FILE="$keys/passphrase" \
    LIFEBOAT_REPOSITORY="$SCRATCH/repository" "$lifeboat" evidence export latest "$said/evidence"
  grep "^|" "$said/report.md" | head -n 3
  jq -e . "$said/report.json" >"$SCRATCH/parsed"
}

ThePasswordsThatTheRecoveryMadeAreSoughtAsWell() {
  passwords_made "$place/target" "$made"
  (($(find "$made" -type f | wc -l) >= 5))
}

# What came back is what was planted: what is not found below was there to be found.
ThePlantedContentCameBack() {
  cmp "$planted/file" "$place/target/uploads/planted.txt"
  cmp "$planted/name" "$place/target/uploads/$(<"$planted/name")"
  git -C "$place/target/git/shop.git" show main:planted | cmp - "$planted/commit"
}

TheyAreInNoByteThatWasWrittenOrSaid() {
  local secrets
  for secrets in "$planted" "$made"; do
    tests/e2e/seek_secrets.py "$secrets" "$SCRATCH/repository" "$said" "$SCRATCH/kept-state" \
      "$place/home" >"$SCRATCH/found" || complain "$(<"$SCRATCH/found")"
    printf '%s: %s\n' "${secrets##*/}" "$(tail -n 1 "$SCRATCH/found")" >&3
  done
  grep -q . "$said/backup.json" "$said/check" "$said/report.md"
}

TheyAreInNoArgumentOfAnyProcess() {
  local secrets name
  for name in backup recover; do
    (($(grep -c 'execve(.* = 0' "$traced/$name") >= 10))
  done
  for name in pg_dump git; do
    grep -q "execve(.*/$name\"" "$traced/backup" || complain "$name was never started"
  done
  for name in git postgres-new rabbitmq-new backend-start; do
    grep -q "execve(.*$name" "$traced/recover" || complain "$name was never started"
  done
  for secrets in "$planted" "$made"; do
    tests/e2e/seek_secrets.py "$secrets" "$traced" >"$SCRATCH/found" || complain "$(<"$SCRATCH/found")"
    printf 'arguments, %s: %s\n' "${secrets##*/}" "$(tail -n 1 "$SCRATCH/found")" >&3
  done
}

ASecretInAnArgumentWouldBeFound() {
  with_trace planted sh -c "/bin/true --password $(<"$planted/postgres_admin")"
  never tests/e2e/seek_secrets.py "$planted" "$traced/planted" >"$SCRATCH/found"
  grep "^postgres_admin text-as-raw" "$SCRATCH/found"
}

# The whole program with crypt::seal() and crypt::open() replaced (tests/unsealed/unsealed.cpp).
WithoutSealingTheSearchFindsThem() {
  local name
  ninja -C "$build" lifeboat-unsealed >"$SCRATCH/build.log" 2>&1 ||
    complain "$(tail -n 30 "$SCRATCH/build.log")"
  mkdir "$SCRATCH/unsealed" "$SCRATCH/unsealed/home" "$SCRATCH/unsealed/uploads"
  # Each amid what no compression changes: what is left to hide it is the sealing.
  for name in file inside; do
    (head -c 2000000 /dev/urandom && cat "$planted/$name" && head -c 2000000 /dev/urandom) \
      >"$SCRATCH/unsealed/uploads/$name"
  done
  (
    cd "$SCRATCH/unsealed"
    printf 'version: 1\nplatform: open\nrepository: %s\nsources:\n  uploads: { files: { path: %s } }\n' \
      "$SCRATCH/unsealed/repository" "$SCRATCH/unsealed/uploads" >lifeboat.yaml
    program=$(find "$build" -name lifeboat-unsealed -type f)
    for name in "init --repository $SCRATCH/unsealed/repository --new-passphrase-file $keys/passphrase" \
      backup; do
      # shellcheck disable=SC2086
      env -i HOME="$SCRATCH/unsealed/home" PATH="$PATH" \
        LIFEBOAT_PASSPHRASE_FILE="$keys/passphrase" "$program" $name
    done
  )
  never tests/e2e/seek_secrets.py "$planted" "$SCRATCH/unsealed/repository" >"$SCRATCH/found"
  cat "$SCRATCH/found"
  for name in file inside; do
    grep "^$name .*unsealed/repository/packs/" "$SCRATCH/found" || complain "$name is not found"
  done
}

run_cases
