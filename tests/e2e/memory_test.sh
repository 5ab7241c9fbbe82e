#!/usr/bin/env bash
# Memory stays bounded: a tree that is many times larger than the limit is backed up, checked and
# restored under it, and comes back equal. 1 GiB by default, 10 GiB with LIFEBOAT_LONG=1.
#
# The key is an age identity: opening with a passphrase takes Argon2id's own 256 MiB on purpose.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/cases.sh
. tests/cases.sh

BINARY=$(realpath "${LIFEBOAT_BINARY:-build/release/lifeboat}")
LIMIT_KIB=$((256 * 1024))
SIZE_MIB=1024
if [[ -n ${LIFEBOAT_LONG:-} ]]; then
  SIZE_MIB=10240
fi
export HOME=$SCRATCH/home XDG_CACHE_HOME=$SCRATCH/home/cache XDG_STATE_HOME=$SCRATCH/home/state
mkdir -p "$HOME"
export LIFEBOAT_REPOSITORY=$SCRATCH/repository LIFEBOAT_IDENTITY=$SCRATCH/identity

# Half of it is one large file (random, zeros, text), a quarter middle ones, the rest many small.
make_tree() {
  python3 - "$1" "$2" <<'END'
import os, pathlib, random, sys
root, total = pathlib.Path(sys.argv[1]), int(sys.argv[2]) << 20
numbers = random.Random(3)
words = [bytes(numbers.choices(range(97, 123), k=numbers.randint(2, 9))) for _ in range(4000)]
line = lambda: b" ".join(numbers.choices(words, k=12)) + b"\n"
text = b"".join(line() for _ in range(20000))[:1 << 20]
def part(index):  # 1 MiB: half random, a quarter zeros, a quarter text that differs a little
    return (os.urandom(1 << 20) if index % 4 < 2 else bytes(1 << 20) if index % 4 == 2
            else b"%d\n" % index + text[:-16])
def write(path, parts):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        for index in parts:
            file.write(part(index))
write(root / "large", range(total >> 21))  # 5 GiB of 10
for index in range(total >> 26):
    write(root / "middle" / str(index), range(index * 16, index * 16 + 16))
for index in range(total >> 14):  # 16,384 bytes each, a quarter of all
    if index % 4 == 0:
        path = root / "small" / str(index % 256) / str(index)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(8192) + text[index % 4096:][:8192])
END
}

# under_the_limit COMMAND...: runs it in a memory cgroup of its own with this limit, where one can be
# made (so that the kernel's caches press as well); fails when it is killed there, or when the resident
# memory of it or any of its children was larger at any moment.
under_the_limit() {
  python3 - "$LIMIT_KIB" "$@" <<'END'
import contextlib, os, pathlib, resource, subprocess, sys, time
limit, command = int(sys.argv[1]), sys.argv[2:]

@contextlib.contextmanager
def cgroup():  # of version 1 or 2; None where this machine lets us make none
    for top, name in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        folder = pathlib.Path(top, f"lifeboat-memory-test-{os.getpid()}")
        try:
            folder.mkdir()
            (folder / name).write_text(str(limit << 10))
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        yield folder
        folder.rmdir()
        return
    yield None

with cgroup() as folder:
    enter = None if folder is None else lambda: (folder / "cgroup.procs").write_text(str(os.getpid()))
    began = time.monotonic()
    status = subprocess.run(command, stdin=subprocess.DEVNULL, preexec_fn=enter).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(f"peak {peak / 1024:.0f} MiB, {time.monotonic() - began:.1f} s, "
      f"{'in a cgroup' if folder else 'measured'}: {' '.join(command[1:3])}")
if status == -9 or peak >= limit:
    sys.exit(f"more than {limit // 1024} MiB")
if status != 0:
    sys.exit(f"it ended with {status}")
END
}

digests() { (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum); }

TheMeasureSeesAProgramThatTakesTooMuch() {
  fails_with 1 under_the_limit python3 -c 'x = b"1" * (300 << 20)' | grep "more than 256 MiB"
  under_the_limit python3 -c 'x = b"1" * (100 << 20)'
}

ALargeTreeIsBackedUpUnderTheLimit() {
  make_tree "$SCRATCH/tree" "$SIZE_MIB"
  local made
  made=$(du -sm --apparent-size "$SCRATCH/tree" | cut -f1)
  ((made >= SIZE_MIB && made < SIZE_MIB * 12 / 10)) || complain "the tree has $made MiB"
  digests "$SCRATCH/tree" >"$SCRATCH/wanted"
  "$BINARY" init -C "$SCRATCH/init.yaml" --new-age-identity "$LIFEBOAT_IDENTITY" -q
  printf 'version: 1\nplatform: memory\nsources: { tree: { files: { path: %s } } }\n' \
    "$SCRATCH/tree" >"$SCRATCH/lifeboat.yaml"
  under_the_limit "$BINARY" backup -C "$SCRATCH/lifeboat.yaml" | tee "$SCRATCH/figures"
}

ASecondBackupUnderTheLimitStoresAlmostNothing() {
  local before after
  before=$(du -sm "$LIFEBOAT_REPOSITORY" | cut -f1)
  under_the_limit "$BINARY" backup -C "$SCRATCH/lifeboat.yaml" | tee -a "$SCRATCH/figures"
  after=$(du -sm "$LIFEBOAT_REPOSITORY" | cut -f1)
  ((after - before <= 2 + SIZE_MIB / 100)) || complain "it grew by $((after - before)) MiB"
}

EverythingIsReadAndCheckedUnderTheLimit() {
  under_the_limit "$BINARY" check --read-data | tee -a "$SCRATCH/figures"
  grep -q '^ok: ' "$SCRATCH/figures"
}

TheTreeComesBackEqualUnderTheLimitWithEmptyCaches() {
  rm -rf "$SCRATCH/tree" "$HOME"
  mkdir "$HOME"
  under_the_limit "$BINARY" restore tree --to "$SCRATCH/back" | tee -a "$SCRATCH/figures"
  digests "$SCRATCH/back" | cmp - "$SCRATCH/wanted"
}

run_cases
grep '^peak' "$SCRATCH/figures" >&2
