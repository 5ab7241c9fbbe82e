#!/usr/bin/env bash
# The shop is a real application, its disaster leaves nothing, and the scripts of its recovery build
# it anew, from wherever they were interrupted. What Lifeboat brings back is brought back by hand
# here (pg_dumpall, definitions, git, cp), so that this test needs nothing of Lifeboat.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/cases.sh
. tests/cases.sh

shop=examples/shop
old=$SCRATCH/old new=$SCRATCH/new kept=$SCRATCH/kept

clean_up() {
  local place
  for place in "$old" "$new"; do
    if compgen -G "$place/*/run" >/dev/null; then
      "$shop/destroy" --all "$place"
    fi
  done
}

live() { # exit 0 if the process lives; a zombie does not
  local state
  state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c1) || return 1
  [[ -n $state && $state != [ZX] ]]
}

# ask SHOP-URL METHOD PATH [BODY]: the answer; fails on any error status
ask() { curl -sS --fail-with-body --max-time 20 -X "$2" "$1$3" ${4:+-d "$4"}; }

# an_order_is_confirmed URL: placed through the page, kept, sent over the queue, read back
an_order_is_confirmed() {
  local number
  number=$(ask "$1" POST /api/orders \
    '{"email":"test@shop.example","items":[{"product_id":77,"quantity":2}]}' | jq -e .id)
  timeout 30 bash -c "until [[ \$(curl -sS '$1/api/orders/$number' | jq -r .status) == confirmed ]]
    do sleep 0.1; done"
  expect "its total" 1 "$(ask "$1" GET "/api/orders/$number" | jq '.items | length')"
}

sql() { # sql URL PASSWORD_FILE DATABASE STATEMENT
  PGPASSWORD=$(<"$2") psql -X -v ON_ERROR_STOP=1 -Atc "$4" "${1%/*}/$3"
}

old_sql() { sql "$SHOP_POSTGRES_URL" "$SHOP_POSTGRES_PASSWORD_FILE" "$@"; }

definitions() { # definitions URL LOGIN, without what is of the server itself
  curl -sS --fail -u "$2" "$1/api/definitions" | jq -S '
    .users |= map(select(.name | IN("admin", "shop_backend") | not)) |
    .permissions |= map(select(.user != "admin")) |
    .vhosts |= map(select(.name != "/")) |
    {users, vhosts, permissions, topic_permissions, parameters, policies, queues, exchanges,
     bindings}' | jq 'map_values(sort_by(tojson))' # keys are in order by now
}

uploads_listing() {
  (
    cd "$1"
    find . ! -type s -printf '%P|%y|%m|%U|%G|%T@|%s|%l\0' | LC_ALL=C sort -z | sha256sum
    find . -type f -size -8M -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
  )
}

UploadsAreTheSameForTheSameSeedAndOthersForAnother() {
  local name
  for name in one two; do
    "$shop/make_uploads.py" "$SCRATCH/$name" --files 2000 --seed 7 >"$SCRATCH/$name.json"
  done
  diff "$SCRATCH/one.json" "$SCRATCH/two.json"
  diff <(uploads_listing "$SCRATCH/one") <(uploads_listing "$SCRATCH/two")
  "$shop/make_uploads.py" "$SCRATCH/three" --files 2000 --seed 8 >/dev/null
  never diff <(uploads_listing "$SCRATCH/one") <(uploads_listing "$SCRATCH/three") >/dev/null
  expect "entries" 2000 "$(jq .entries "$SCRATCH/one.json")"
  rm -rf "$SCRATCH"/{one,two,three}
}

TheShopStartsAndIsWell() {
  "$shop/start" "$old"
  # shellcheck source=/dev/null
  . "$old/platform.env"
  expect "health" ok "$(ask "$SHOP_FRONTEND_URL" GET /health | jq -r .status)"
  ask "$SHOP_FRONTEND_URL" GET / | grep "Newest orders"
  expect "an upload" "Welcome to the little shop." \
    "$(ask "$SHOP_FRONTEND_URL" GET /uploads/welcome.txt)"
  fails_with 22 ask "$SHOP_FRONTEND_URL" GET "/uploads/..%2fsecrets/db_orders"
}

AnOrderGoesThroughDatabaseAndQueue() {
  # shellcheck source=/dev/null
  . "$old/platform.env"
  an_order_is_confirmed "$SHOP_FRONTEND_URL"
}

ABadOrderIsRefusedWithItsReason() {
  # shellcheck source=/dev/null
  . "$old/platform.env"
  fails_with 22 ask "$SHOP_FRONTEND_URL" POST /api/orders '{"email":"a@b"}' | grep "wanted: email"
  fails_with 22 ask "$SHOP_FRONTEND_URL" POST /api/orders \
    '{"email":"a@b","items":[{"product_id":999999,"quantity":1}]}' | grep "no product 999999"
}

ItHoldsWhatIsWorthRestoring() {
  local orders catalog
  # shellcheck source=/dev/null
  . "$old/platform.env"
  # shellcheck disable=SC2016  # $$ quotes in SQL
  local count='select sum((xpath($$/row/c/text()$$, query_to_xml(format(
    $$select count(*) as c from %s$$, oid::regclass), false, true, $$$$)))[1]::text::bigint)
    from pg_class where relkind = $$r$$ and relnamespace::regnamespace::text not like $$pg\_%$$
    and relnamespace::regnamespace::text <> $$information_schema$$'
  orders=$(old_sql shop_orders "$count") catalog=$(old_sql shop_catalog "$count")
  ((orders > 100000 && catalog > 50000))
  expect "uploads" 10000 "$(find "$SHOP_UPLOADS" ! -type d -printf x | wc -c)"
  # Root on a file system that has them all, as here, makes every kind.
  jq -e '[.["access control lists", "capabilities", "device nodes", "empty files",
    "extended attributes", "FIFOs", "hard links", "odd modes", "odd names", "odd times",
    "owned by others", "regular", "sockets", "sparse files", "symbolic links"]] | all(. > 0)' \
    "$old/witness/uploads.json"
  expect "large objects" 30 \
    "$(old_sql shop_orders 'select count(*) from pg_largeobject_metadata')"
  git -C "$SHOP_REPOSITORY" fsck --strict
  expect "refs" 5 "$(git -C "$SHOP_REPOSITORY" for-each-ref | wc -l)"
}

NoPasswordIsInRepositoryLogOrArgument() {
  local name
  # shellcheck source=/dev/null
  . "$old/platform.env"
  for name in "$SHOP_SECRETS"/*; do
    (($(stat -c %s "$name") >= 24))
    expect "mode of $name" 600 "$(stat -c %a "$name")"
    # By its output: grep's status is 2 when a process has ended meanwhile, found or not.
    expect "where $name is found" "$name" "$(grep -ralF -f "$name" "$name" "$old"/*/*.log \
      "$old/witness" "$old/platform.env" "$old/backend/releases" "$old/frontend/releases" \
      /proc/[0-9]*/cmdline 2>/dev/null || true)"
    never grep -F -f "$name" <(git -C "$SHOP_REPOSITORY" log --all -p)
  done
}

TheWriterLeavesOrdersAndAHeartbeat() {
  local before after
  # shellcheck source=/dev/null
  . "$old/platform.env"
  before=$(old_sql shop_orders 'select count(*) from sales.heartbeat')
  after=$(wc -l <"$SHOP_WITNESS/acknowledged.log")
  timeout 30 bash -c "until (( \$(wc -l <'$SHOP_WITNESS/acknowledged.log') > $after + 20 ))
    do sleep 0.1; done"
  (($(old_sql shop_orders 'select count(*) from sales.heartbeat') > before + 3))
  expect "acknowledged, but unknown" 0 "$(jq .order "$SHOP_WITNESS/acknowledged.log" | head -n -1 |
    paste -sd, | xargs -I{} printf 'select count(*) from unnest(array[%s]) as a(id) where not
      exists (select from sales.orders where id = a.id)' {} |
    PGPASSWORD=$(<"$SHOP_POSTGRES_PASSWORD_FILE") psql -XAt "${SHOP_POSTGRES_URL%/*}/shop_orders")"
}

WriterAndFrontendSurviveABackendThatDies() {
  local before
  # shellcheck source=/dev/null
  . "$old/platform.env"
  "$shop/recovery/process.py" end --kill "$SHOP_BACKEND_PID_FILE"
  fails_with 22 ask "$SHOP_FRONTEND_URL" GET /health | grep "the backend does not answer"
  before=$(wc -l <"$SHOP_WITNESS/acknowledged.log")
  SHOP_DIR=$old SHOP_REPOSITORY=$SHOP_REPOSITORY \
    SHOP_DB_ORDERS_PASSWORD_FILE=$SHOP_SECRETS/db_orders \
    SHOP_DB_CATALOG_PASSWORD_FILE=$SHOP_SECRETS/db_catalog \
    SHOP_MQ_PASSWORD_FILE=$SHOP_SECRETS/mq_backend "$shop/recovery/backend-start"
  timeout 30 bash -c "until (( \$(wc -l <'$SHOP_WITNESS/acknowledged.log') > $before + 3 ))
    do sleep 0.1; done"
}

# What the disaster must not take, saved by the means of each system.
save_everything() {
  local login
  mkdir "$kept"
  cp -r "$SHOP_SECRETS" "$kept/secrets"
  login=admin:$(<"$SHOP_RABBITMQ_PASSWORD_FILE")
  kill -STOP "$(cut -d' ' -f1 "$SHOP_WRITER_PID_FILE")" # the proof below is exact
  timeout 30 bash -c "until curl -sS '$SHOP_FRONTEND_URL/api/orders' |
    jq -e 'all(.status == \"confirmed\")'; do sleep 0.2; done"
  PGPASSWORD=$(<"$SHOP_POSTGRES_PASSWORD_FILE") pg_dumpall -d "$SHOP_POSTGRES_URL" >"$kept/all.sql"
  old_sql shop_orders 'select id, status, total from sales.orders order by 1' >"$kept/orders"
  curl -sS --fail -u "$login" "$SHOP_RABBITMQ_URL/api/definitions" >"$kept/definitions.json"
  definitions "$SHOP_RABBITMQ_URL" "$login" >"$kept/definitions.wanted"
  git clone -q --mirror "$SHOP_REPOSITORY" "$kept/shop.git"
  cp -a "$SHOP_UPLOADS" "$kept/uploads"
  uploads_listing "$SHOP_UPLOADS" >"$kept/uploads.wanted"
}

TheDisasterLeavesOnlyTheWitness() {
  local pids ports item
  # shellcheck source=/dev/null
  . "$old/platform.env"
  save_everything
  pids=$("$shop/recovery/process.py" pids "$old"/*/run/*.pid)
  (($(wc -l <<<"$pids") >= 15))
  ports=$(grep -hoE '_(PORT|URL)=.*' "$old/platform.env" | grep -oE '[0-9]+$' | sort -u)
  (($(wc -l <<<"$ports") >= 4))
  "$shop/destroy" "$old"
  for item in $pids; do
    never live "$item"
  done
  for item in $ports; do
    expect "listener on port $item" "" "$(ss -Hltn "sport = :$item")"
  done
  expect "what is left" witness "$(ls -A "$old")"
  jq -e '.ended >= .began and .began > 1e9' "$old/witness/disaster.json"
  never grep -F "$old" <(testbed/list)
}

# observed STATUS SCRIPT
observed() { fails_with "$1" "$shop/recovery/$2" observe >/dev/null; }

server_environment() {
  export SHOP_DIR=$new LIFEBOAT_OUTPUT=$SCRATCH/output.json
  # shellcheck disable=SC2016
  export SHOP_POSTGRES_PASSWORD='new "pass" \ wörd $1' # whatever a generator may think of
  # shellcheck disable=SC1003
  printf '%s\n' 'rabbit "#{}[]% <<secret>>\' >"$SCRATCH/rabbit-password"
  export SHOP_RABBITMQ_PASSWORD_FILE=$SCRATCH/rabbit-password
}

# interrupted SCRIPT MOMENTS...: killed at each of them with all its children, then run to its end
interrupted() {
  local script=$1 moment child
  shift
  for moment in "$@"; do
    setsid "$shop/recovery/$script" >"$SCRATCH/interrupted.log" 2>&1 &
    child=$!
    sleep "$moment" # a moment is what is tested; where it falls, the end must be the same
    kill -KILL -- "-$child" 2>/dev/null || true
    wait "$child" || true
  done
  "$shop/recovery/$script"
}

PostgresIsBuiltAnewThoughInterrupted() {
  server_environment
  observed 1 postgres-new
  interrupted postgres-new 0.05 0.1 0.2 0.3 0.4 0.5 0.7 1
  observed 0 postgres-new
  jq -e '.port > 0 and .pid > 0 and (.system_identifier | length > 10)' "$LIFEBOAT_OUTPUT"
  cp "$LIFEBOAT_OUTPUT" "$SCRATCH/postgres.json"
  "$shop/recovery/postgres-new"
  diff "$LIFEBOAT_OUTPUT" "$SCRATCH/postgres.json"
  expect "servers" 1 "$(pgrep -cf -- "-D $new/postgres/data")"
}

RabbitmqIsBuiltAnewThoughInterrupted() {
  server_environment
  observed 1 rabbitmq-new
  interrupted rabbitmq-new 0.1 0.6 1.5 3
  observed 0 rabbitmq-new
  jq -e '.port > 0 and .amqp_port > 0 and .pid > 0' "$LIFEBOAT_OUTPUT"
  cp "$LIFEBOAT_OUTPUT" "$SCRATCH/rabbitmq.json"
  "$shop/recovery/rabbitmq-new"
  diff "$LIFEBOAT_OUTPUT" "$SCRATCH/rabbitmq.json"
  never grep -rF 'default_pass' "$new/rabbitmq/advanced.config"
}

ANodeAndAServerThatDiedAreStartedAgainWithTheirData() {
  server_environment
  local file
  sql "$(jq -r .url "$SCRATCH/postgres.json")" <(printf %s "$SHOP_POSTGRES_PASSWORD") postgres \
    'create table survives ()'
  for file in postgres rabbitmq; do
    "$shop/recovery/process.py" end --kill "$new/$file/run/$file.pid"
    observed 1 "$file-new"
    "$shop/recovery/$file-new"
    expect "its port" "$(jq .port "$SCRATCH/$file.json")" "$(jq .port "$LIFEBOAT_OUTPUT")"
    cp "$LIFEBOAT_OUTPUT" "$SCRATCH/$file.json"
  done
  sql "$(jq -r .url "$SCRATCH/postgres.json")" <(printf %s "$SHOP_POSTGRES_PASSWORD") postgres \
    'drop table survives'
}

AnotherPasswordIsAnErrorAndNotAnAbsence() {
  server_environment
  export SHOP_POSTGRES_PASSWORD=wrong
  fails_with 2 "$shop/recovery/postgres-new" observe | grep "refuses the given password"
  fails_with 2 "$shop/recovery/postgres-new" | grep "refuses the given password"
  fails_with 2 env SHOP_RABBITMQ_PASSWORD=wrong "$shop/recovery/rabbitmq-new" observe |
    grep "refuses the given password"
  unset SHOP_POSTGRES_PASSWORD
  fails_with 2 "$shop/recovery/postgres-new" | grep "set SHOP_POSTGRES_PASSWORD_FILE"
}

put_everything_back() {
  local url login name
  url=$(jq -r .url "$SCRATCH/postgres.json")
  grep -v -e '^CREATE ROLE postgres;' -e '^ALTER ROLE postgres ' "$kept/all.sql" |
    PGPASSWORD=$SHOP_POSTGRES_PASSWORD psql -X -q -v ON_ERROR_STOP=1 -o /dev/null "$url"
  sql "$url" <(printf %s "$SHOP_POSTGRES_PASSWORD") shop_orders \
    'select id, status, total from sales.orders order by 1' | diff - "$kept/orders"
  for name in orders catalog; do
    sql "$url" <(printf %s "$SHOP_POSTGRES_PASSWORD") postgres \
      "alter role shop_${name}_app password 'new-$name'"
  done
  url=$(jq -r .url "$SCRATCH/rabbitmq.json") login=admin:$(<"$SHOP_RABBITMQ_PASSWORD_FILE")
  jq 'del(.users[] | select(.name == "admin"))' "$kept/definitions.json" |
    curl -sS --fail -u "$login" -H 'Content-Type: application/json' -X POST -d @- \
      "$url/api/definitions"
  curl -sS --fail -u "$login" -X PUT -d '{"password":"new-mq","tags":""}' \
    "$url/api/users/shop_backend"
  definitions "$url" "$login" | diff - "$kept/definitions.wanted"
  cp -a "$kept/uploads" "$new/uploads"
  mkdir "$new/git"
  git clone -q --mirror "$kept/shop.git" "$new/git/shop.git"
}

commit_the_new_endpoints() {
  local work=$SCRATCH/work
  git clone -q "$new/git/shop.git" "$work"
  "$shop/recovery/ports-new"
  python3 - "$work/config/backend.yaml" "$SCRATCH"/{postgres,rabbitmq,output}.json <<'END'
import json, re, sys
text = open(sys.argv[1]).read()
postgres, rabbitmq, ports = (json.load(open(name)) for name in sys.argv[2:])
wanted = iter((ports["backend_port"], postgres["port"], postgres["port"], rabbitmq["amqp_port"]))
text, count = re.subn(r"port: \d+", lambda _: f"port: {next(wanted)}", text)
assert count == 4, count
open(sys.argv[1], "w").write(text)
END
  sed -i "s/^FRONTEND_PORT=.*/FRONTEND_PORT=$(jq .frontend_port "$LIFEBOAT_OUTPUT")/
    s,^BACKEND_URL=.*,BACKEND_URL=$(jq -r .backend_url "$LIFEBOAT_OUTPUT")," \
    "$work/config/frontend.env"
  git -C "$work" -c user.name=n -c user.email=e commit -qam "Endpoints after the recovery"
  git -C "$work" push -q
}

service_environment() {
  server_environment
  export SHOP_REPOSITORY=$new/git/shop.git SHOP_MQ_PASSWORD=new-mq \
    SHOP_DB_ORDERS_PASSWORD=new-orders SHOP_DB_CATALOG_PASSWORD=new-catalog
}

BackendAndFrontendStartFromTheRestoredRepository() {
  local name
  service_environment
  put_everything_back
  "$shop/recovery/ports-new"
  commit_the_new_endpoints
  for name in backend frontend; do
    observed 1 "$name-start"
    interrupted "$name-start" 0.05 0.15 0.3 0.5
    observed 0 "$name-start"
    cp "$LIFEBOAT_OUTPUT" "$SCRATCH/$name.json"
    "$shop/recovery/$name-start"
    diff "$LIFEBOAT_OUTPUT" "$SCRATCH/$name.json"
    expect "its commit" "$(git -C "$SHOP_REPOSITORY" rev-parse main)" \
      "$(jq -r .commit "$LIFEBOAT_OUTPUT")"
  done
}

TheRecoveredShopIsTheOneThatWasLost() {
  an_order_is_confirmed "$(jq -r .url "$SCRATCH/frontend.json")"
  uploads_listing "$new/uploads" | diff - "$kept/uploads.wanted"
  expect "an upload" "Welcome to the little shop." \
    "$(ask "$(jq -r .url "$SCRATCH/frontend.json")" GET /uploads/welcome.txt)"
}

ANewCommitMakesTheBackendDriftUntilItIsStartedAgain() {
  service_environment
  git -C "$SCRATCH/work" -c user.name=n -c user.email=e commit -q --allow-empty -m "One more"
  git -C "$SCRATCH/work" push -q
  observed 1 backend-start
  "$shop/recovery/backend-start"
  observed 0 backend-start
  expect "its commit" "$(git -C "$SCRATCH/work" rev-parse HEAD)" \
    "$(jq -r .commit "$LIFEBOAT_OUTPUT")"
}

TheScriptsNeedNothingButTheFilesBesideThem() {
  service_environment
  cp -rL "$shop/recovery" "$SCRATCH/bundle"
  (cd / && env -i SHOP_DIR="$SHOP_DIR" SHOP_REPOSITORY="$SHOP_REPOSITORY" \
    SHOP_POSTGRES_PASSWORD="$SHOP_POSTGRES_PASSWORD" "$SCRATCH/bundle/postgres-new" observe &&
    env -i SHOP_DIR="$SHOP_DIR" SHOP_REPOSITORY="$SHOP_REPOSITORY" \
      "$SCRATCH/bundle/ports-new" observe)
}

StoppingARecoveredShopLeavesItsDataOrNothing() {
  local pids item
  pids=$("$shop/recovery/process.py" pids "$new"/*/run/*.pid)
  "$shop/stop" "$new"
  for item in $pids; do
    never live "$item"
  done
  [[ -s $new/postgres/data/PG_VERSION ]]
  "$shop/stop" --remove "$new"
  [[ ! -e $new ]]
}

run_cases
