#!/usr/bin/python3 -B
"""Read a Lifeboat repository without Lifeboat. Written from docs/format.md alone.

Needs Python 3.11 and Debian's python3-cryptography, python3-zstandard and python3-argon2; reads a
repository that is a folder, and never writes to it. SNAPSHOT is an id, its first digits, or the
name of a source, which means its newest snapshot. Streams (tables, a git pack, definitions) become
files under their names. The facts about everything go to a file beside the folder, DIR.json.

exit status: 0 all of it; 1 refused or damaged, the last line says what; 2 usage; 3 extracted, but
what is named could not be put back as it was (most of that needs root)
"""
import argparse
import base64
import contextlib
import json
import os
import sys
import time

from unpack_format import ITEM_KINDS, Opener, Refused
from unpack_repository import Repository

FILE, FOLDER, SYMLINK, HARD_LINK, FIFO, CHARACTERS, BLOCKS, STREAM = ITEM_KINDS
SELF = b"."  # the name of the item that is the captured folder itself
NODES = {FIFO: 0o010000, CHARACTERS: 0o020000, BLOCKS: 0o060000}


def shown(name):
    """Any bytes as one line of text: what cannot be printed is escaped."""
    text = name.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def moment(nanoseconds):
    """RFC 3339 in UTC; the sign and years outside of 1 to 9999 stay readable."""
    seconds, rest = divmod(nanoseconds, 10**9)
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest // 10**6:03}Z"
    except (OverflowError, ValueError, OSError):
        return f"@{seconds}"


def as_json(name, raw):
    """{"name": text}, and beside it the bytes where they are no UTF-8."""
    try:
        return {name: raw.decode()}
    except UnicodeDecodeError:
        return {name: shown(raw), name + "_bytes": base64.b64encode(raw).decode()}


def facts_of(facts):
    return {shown(key): value.decode("utf-8", "backslashreplace") for key, value in facts.items()}


# --- putting items below one folder --------------------------------------------------------------

class Target:
    """A new or empty folder. Nothing is put outside of it, and never through a symbolic link."""

    def __init__(self, path):
        os.makedirs(path, mode=0o700, exist_ok=True)
        if os.listdir(path):
            raise Refused(f"{path}: is not empty")
        self.root = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.folders, self.left_out = [], []

    @contextlib.contextmanager
    def parent(self, name):
        """Descriptor of the folder that holds `name`, and the last component."""
        *folders, leaf = name.split(b"/")
        for part in (*folders, leaf):
            if part in (b"", b".", b"..") or b"\0" in part:
                raise Refused(f"{shown(name)}: the name leads out of the folder")
        at = os.dup(self.root)
        try:
            for part in folders:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=at)
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
                os.close(at)
                at = inner
            yield at, leaf
        finally:
            os.close(at)

    def put(self, item, pieces):
        if item.kind == FOLDER:
            self.folders.append((item.name, item.file))
            if item.name == SELF:
                return
        if item.file is None and item.kind != STREAM:
            raise Refused(f"{shown(item.name)}: a {ITEM_KINDS[item.kind]} without metadata")
        try:
            with self.parent(item.name) as (folder, leaf):
                if self.make(item, folder, leaf, pieces) and item.kind not in (FOLDER, HARD_LINK):
                    self.dress(item.name, item.file, folder, leaf)
        except OSError as error:
            raise Refused(f"{shown(item.name)}: {error.strerror}") from None

    def make(self, item, folder, leaf, pieces):
        if item.kind in (FILE, STREAM):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(leaf, flags, 0o600, dir_fd=folder), "wb") as file:
                write_sparse(file, pieces)
        elif item.kind == FOLDER:
            os.mkdir(leaf, 0o700, dir_fd=folder)
        elif item.kind == SYMLINK:
            os.symlink(item.file.target, leaf, dir_fd=folder)
        elif item.kind == HARD_LINK:
            with self.parent(item.file.target) as (other, first):
                os.link(first, leaf, src_dir_fd=other, dst_dir_fd=folder, follow_symlinks=False)
        else:
            try:
                os.mknod(leaf, 0o600 | NODES[item.kind], item.file.rdev, dir_fd=folder)
            except PermissionError:
                self.leave_out(item.name, ITEM_KINDS[item.kind] + " needs root")
                return False
        return True

    def dress(self, name, file, folder, leaf):
        """Owner first, for it takes capabilities and the setuid bit away; times last."""
        if file is None:
            return
        path = b"/proc/self/fd/%d/%s" % (folder, leaf)
        if os.geteuid() == 0:
            os.chown(path, file.uid, file.gid, follow_symlinks=False)
        elif (file.uid, file.gid) != (os.geteuid(), os.getegid()):
            self.leave_out(name, f"owner {file.uid}:{file.gid} needs root")
        for key, value in file.xattrs.items():
            try:
                os.setxattr(path, key, value, follow_symlinks=False)
            except OSError as error:
                self.leave_out(name, f"attribute {shown(key)}: {error.strerror}")
        if not os.path.islink(path):
            os.chmod(path, file.mode)
        when = file.mtime * 10**9 + file.mtime_ns
        os.utime(path, ns=(when, when), follow_symlinks=False)

    def finish(self):
        """Folders get theirs when everything is inside, the inner ones first."""
        for name, file in reversed(self.folders):
            if name == SELF:
                parent = os.open("/proc/self/fd/%d/.." % self.root, os.O_RDONLY | os.O_DIRECTORY)
                own = os.path.basename(os.readlink(b"/proc/self/fd/%d" % self.root))
                self.dress(name, file, parent, own)
                os.close(parent)
                continue
            with self.parent(name) as (folder, leaf):
                self.dress(name, file, folder, leaf)

    def leave_out(self, name, what):
        self.left_out.append((name, what))
        print(f"not put back: {shown(name)}: {what}", file=sys.stderr)


def write_sparse(file, pieces):
    for data, length in pieces:
        if data is None:
            file.seek(length, os.SEEK_CUR)
        else:
            file.write(data)
    file.truncate()


class Sidecar:
    """DIR.json: the snapshot, and an object per item with what a file system does not hold."""

    def __init__(self, path, snapshot):
        self.file, self.first = open(path, "x", encoding="utf-8"), True
        self.file.write('{"snapshot": ' + json.dumps(about(snapshot)) + ',\n"items": [')

    def add(self, item):
        row = {**as_json("name", item.name), "kind": ITEM_KINDS[item.kind], "size": item.size,
               "facts": facts_of(item.facts)}
        if item.changed:
            row["changed_while_read"] = True
        if item.file:
            row |= {"mode": f"{item.file.mode:04o}", "uid": item.file.uid, "gid": item.file.gid,
                    **as_json("user", item.file.user), **as_json("group", item.file.group)}
        self.file.write(("\n" if self.first else ",\n") + json.dumps(row))
        self.first = False

    def close(self, left_out):
        rows = [{**as_json("name", name), "what": what} for name, what in left_out]
        self.file.write('\n],\n"not_put_back": ' + json.dumps(rows) + "}\n")
        self.file.close()


# --- commands ------------------------------------------------------------------------------------

def about(snapshot):
    when = snapshot.moments
    return {"id": snapshot.id.hex(), "source": snapshot.source, "type": snapshot.type,
            "run": snapshot.run, "host": snapshot.host, "begin": moment(when.begin),
            "consistent_at": moment(when.consistent_at), "end": moment(when.end),
            "position": when.position, "partial": when.partial, "remarks": when.remarks,
            "facts": facts_of(snapshot.facts), "moments_facts": facts_of(when.facts)}


def find_snapshot(repository, wanted):
    found = [snapshot for _, snapshot in repository.snapshots.values()
             if snapshot.id.hex().startswith(wanted)]
    if not found:
        found = [snapshot for _, snapshot in repository.snapshots.values()
                 if snapshot.source == wanted and snapshot.kind == 1][-1:]
    if len(found) != 1:
        why = "several snapshots begin so" if found else "there is no such snapshot or source"
        raise Refused(f"{wanted}: {why}")
    return found[0]


def do_list(repository, arguments):
    for _, point in repository.points:
        state = ("complete" if point.complete else "incomplete") + (
            ", verified" if point.verified else "")
        print(f"point {point.id.hex()[:16]}  {moment(point.earliest)} to {moment(point.latest)}  "
              f"{state}")
        for member in point.members:
            what = member.snapshot.hex()[:16] if member.snapshot else f"missing: {member.reason}"
            print(f"    {member.source}: {what}" + ("  partial" if member.partial else ""))
        for group in point.groups:
            skew = f"skew {(group.skew - 1) / 1e9:.3f} s" if group.skew else "skew not known"
            print(f"    group {group.name}: {skew}, "
                  + ("consistent" if group.consistent else f"not consistent: {group.reason}"))
    for _, one in repository.snapshots.values():
        kind = {1: "source", 2: "bundle", 3: "kept"}.get(one.kind, f"kind-{one.kind}")
        print(f"snapshot {one.id.hex()}  {kind}  {one.source or '-'}  {one.type or '-'}  "
              f"{moment(one.moments.consistent_at)}  {one.items} items  {one.size} bytes"
              + ("  partial" if one.moments.partial else ""))
    for record, run in repository.runs:
        print(f"run {run.run}  {moment(record.time)}  {run.plan}")


def do_run(repository, arguments):
    count = 0
    for count, event in enumerate(repository.events(arguments.run_name), 1):
        time_ns = event.get("time", 0)
        print(f"{moment(time_ns) if isinstance(time_ns, int) else '-'}  {event.get('kind')}  "
              f"{json.dumps(event.get('facts', {}))}")
    if count == 0:
        raise Refused(f"{arguments.run_name}: there is no such run")


def do_ls(repository, arguments):
    for item in repository.items(find_snapshot(repository, arguments.snapshot)):
        file = item.file
        print(f"{ITEM_KINDS[item.kind]:16}  "
              f"{f'{file.mode:04o} {file.uid}:{file.gid}' if file else '-':16}  {item.size:12}  "
              f"{shown(item.name)}"
              + (f" -> {shown(file.target)}" if file and file.target else ""))


def do_extract(repository, arguments):
    snapshot = find_snapshot(repository, arguments.snapshot)
    folder = arguments.folder.rstrip("/") or "/"
    target = Target(folder)
    sidecar = Sidecar(folder + ".json", snapshot)
    count = 0
    for item in repository.items(snapshot):
        target.put(item, repository.content(item))
        sidecar.add(item)
        count += 1
    target.finish()
    sidecar.close(target.left_out)
    print(f"{count} items of {snapshot.source or 'the bundle'} are in {folder}")
    return 3 if target.left_out else 0


def do_verify(repository, arguments):
    packs, blobs = set(), 0
    for segment in repository.load_index():
        for number, pack in enumerate(segment.message.packs):
            if pack.name not in packs:
                packs.add(pack.name)
                blobs += repository.prove_pack(segment, number, arguments.read_data)
    events = sum(1 for _, one in repository.runs for _ in repository.events(one.run))
    items = sum(1 for _, one in repository.snapshots.values() for _ in repository.items(one))
    print(f"holds: {repository.slots} slots of the log ({len(repository.void)} void), "
          f"{len(repository.segments)} index segments, {len(packs)} packs, "
          f"{blobs} blobs ({'read' if arguments.read_data else 'not read'}), "
          f"{len(repository.snapshots)} snapshots, {items} items, {events} events of runs")


def arguments_of(words):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", help="folder of the repository")
    keys = parser.add_mutually_exclusive_group(required=True)
    keys.add_argument("--passphrase-file", metavar="F", help="one newline at its end is no part")
    keys.add_argument("--identity", metavar="F", help="age identity (AGE-SECRET-KEY-1…)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (("list", do_list, "points, snapshots and runs"),
                            ("ls", do_ls, "items of a snapshot"),
                            ("extract", do_extract, "a snapshot into a new folder"),
                            ("run", do_run, "the journal of a run"),
                            ("verify", do_verify, "hash chain, signatures, packs and trees")):
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run)
        if name in ("ls", "extract"):
            command.add_argument("snapshot")
        if name == "extract":
            command.add_argument("folder")
        if name == "run":
            command.add_argument("run_name", metavar="RUN")
        if name == "verify":
            command.add_argument("--read-data", action="store_true", help="open every blob")
    return parser.parse_args(words)


def main(words):
    arguments = arguments_of(words)
    try:
        repository = Repository(arguments.repository, Opener(arguments))
        status = arguments.run(repository, arguments) or 0
        sys.stdout.flush()
        return status
    except Refused as error:
        print(f"unpack.py: {error}", file=sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        print(f"unpack.py: {error.filename or 'system'}: {error.strerror}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
