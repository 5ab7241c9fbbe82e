# shellcheck shell=bash
# A shop that is captured and then lost, for scripts that recover it. Source it after cases.sh, in
# the folder of the project:
#
#   capture_the_shop     starts examples/shop, two backups under load, destroys it
#   place=$(new_place)   a folder with a copy of the repository, and an empty folder `target`
#   alone PLACE [VARIABLE=VALUE...] -- WORDS...   lifeboat on a machine that never saw the run: empty
#                        environment, empty home. Its process id is in PLACE/pid. It has the age
#                        identity, or where `with_passphrase` is set the passphrase. `machine`
#                        gives it another host name.
#
# Besides shop-lost the platform file has a plan for each source alone, made of the same steps:
# rows, broker-alone, refs, uploads-alone.

# A copy: somebody may build while this runs.
lifeboat=$SCRATCH/lifeboat
cp "${LIFEBOAT_BINARY:-build/release/lifeboat}" "$lifeboat"
shop=$PWD/examples/shop
lost=$SCRATCH/lost operator=$SCRATCH/operator keys=$SCRATCH/keys

clean_up() {
  local place pid
  for pid in $(cat "$SCRATCH"/place.*/pid 2>/dev/null); do
    if [[ $(readlink "/proc/$pid/exe") == "$lifeboat" ]]; then
      kill -KILL "$pid"
    fi
  done
  for place in "$lost" "$SCRATCH"/place.*/target; do
    if [[ -d $place ]]; then
      "$shop/destroy" --all "$place" >/dev/null 2>&1 || true
    fi
  done
}

write_platform_file() {
  # shellcheck source=/dev/null
  . "$lost/platform.env"
  mkdir -p "$operator"
  cp -r "$shop/recovery" "$operator/recovery"
  sed -e "s|@REPOSITORY@|$SCRATCH/repository|" -e "s|@POSTGRES_URL@|$SHOP_POSTGRES_URL|" \
    -e "s|@RABBITMQ_URL@|$SHOP_RABBITMQ_URL|" -e "s|@GIT@|$SHOP_REPOSITORY|" \
    -e "s|@UPLOADS@|$SHOP_UPLOADS|" -e "s|@SECRETS@|$SHOP_SECRETS|" \
    "$shop/lifeboat.yaml" >"$operator/lifeboat.yaml"
  add_small_plans "$operator/lifeboat.yaml"
}

# `plans` is the last key of the file, so that more of them are only more lines.
add_small_plans() {
  python3 - "$1" <<'END'
import sys, textwrap, yaml
small = {"rows": ["passwords", "dbserver", "databases"], "refs": ["deploy"],
         "broker-alone": ["passwords", "mqserver", "broker"], "uploads-alone": ["uploads"]}
with open(sys.argv[1], "r+") as file:
    whole = yaml.safe_load(file)["plans"]["shop-lost"]
    for name, steps in small.items():
        plan = {key: whole[key] for key in ("inputs", "files")}
        plan["scenario"] = "A part of the shop: " + ", ".join(steps)
        plan["steps"] = {step: whole["steps"][step] for step in steps}
        file.write(textwrap.indent(yaml.safe_dump({name: plan}, sort_keys=False), "  "))
END
}

# as_operator WORDS...: lifeboat where the shop is at home
as_operator() {
  (
    cd "$operator"
    env -i HOME="$operator" PATH="$PATH" LIFEBOAT_IDENTITY="$keys/identity.txt" "$lifeboat" "$@"
  )
}

make_repository() {
  mkdir -p -m 700 "$keys"
  [[ -e $keys/passphrase ]] || (umask 077 && head -c 24 /dev/urandom | base64 >"$keys/passphrase")
  as_operator init --repository "$SCRATCH/repository" --new-passphrase-file "$keys/passphrase" \
    --new-age-identity "$keys/identity.txt"
}

capture_the_shop() {
  "$shop/start" --uploads 300 "$lost"
  write_platform_file
  make_repository
  as_operator backup
  as_operator backup
  "$shop/destroy" "$lost"
  rm -rf "$operator"
}

new_place() {
  local place
  place=$(mktemp -d "$SCRATCH/place.XXXXXX")
  chmod 711 "$place"
  mkdir -m 711 "$place/target" # PostgreSQL has an account of its own and must get in
  cp -r "$SCRATCH/repository" "$place/repository"
  printf '%s\n' "$place"
}

# The shell lets programs that it starts in the background ignore SIGINT: env undoes that.
alone() {
  local place=$1 home
  local -a environment=() key=(--identity "$keys/identity.txt")
  [[ -z ${with_passphrase:-} ]] || key=(--passphrase-file "$keys/passphrase")
  shift
  while [[ $1 != -- ]]; do
    environment+=("$1")
    shift
  done
  shift
  home=$(mktemp -d "$place/home.XXXXXX")
  (
    cd "$home"
    printf '%s\n' "$BASHPID" >"$home.pid"
    mv "$home.pid" "$place/pid"
    as_machine=()
    [[ -z ${machine:-} ]] ||
      as_machine=(unshare --uts sh -c 'hostname "$0" && exec "$@"' "$machine")
    exec "${as_machine[@]}" env --default-signal=INT -i HOME="$home" PATH=/usr/bin:/bin:/usr/sbin:/sbin TERM=dumb \
      "${environment[@]}" "$lifeboat" "$@" --repository "$place/repository" \
      "${key[@]}" 3>&-
  )
}

# recovered FILE: how many checks of how many, of a recovery that ended well
recovered() {
  sed -nE '$s/^RECOVERED rto=[0-9.]+ rpo=[0-9.]+ checks=([0-9]+)\/\1$/\1/p' "$1" | grep . ||
    complain "not recovered: $(tail -n 30 "$1")"
}

# end_platform PLACE: the recovered platform and everything else of it
end_platform() {
  if compgen -G "$1/target/*/run" >/dev/null; then
    "$shop/destroy" --all "$1/target"
  fi
  rm -rf "$1"
}
