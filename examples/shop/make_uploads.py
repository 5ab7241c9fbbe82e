#!/usr/bin/python3 -B
"""Make a folder of uploaded files of every hard kind, the same for the same seed.

Symbolic links (also broken, absolute, to themselves), hard links, sparse files, extended
attributes, access control lists, file capabilities, owners, times before 1970 and after 2106,
device nodes, FIFOs, a socket, names of any bytes, empty files, deep folders, every odd mode, and a
few larger files; about 100 MB. What needs root, or what the file system does not have, is left out
and counted as 0: the summary, JSON on standard output, tells how many of each kind there are.
"""
import argparse
import errno
import json
import os
import random
import socket
import stat
import struct
import sys
from collections import Counter

MEBI = 1 << 20
NEW_YEAR_2024 = 1704067200
ODD_TIMES = (-1, -2208988800 + 86400 * 400, 0, 1, 2**31 - 1, 2**31, 2**32 + 12345, 7258118400)
WORDS = ("invoice", "photo", "label", "scan", "letter", "return", "drawing", "receipt")
ENDINGS = ("txt", "png", "pdf", "json", "csv", "bin")
ODD_NAMES = (
    b"line\nbreak", b"tab\tand\rreturn", b"\xff\xfe not UTF-8 \x80", b"latin1-caf\xe9", b"-rf",
    b"--help", b" leading and trailing ", b"*?[a]{b}", b"$HOME `id` $(id)", b"quote'\"quote",
    b"back\\slash", b"~", b"#hash#", b"a:b|c;d&e<f>g", b"...", b"..two", b"bell\x07escape\x1b[31m",
    b"\x01\x7f", b"%s%n%2F", "ä composed".encode(), "a\u0308 decomposed".encode(),
    "日本語のファイル".encode(), "🛒".encode(), "\u202eright to left".encode(),
    b"\xed\xa0\x80 surrogate", b"\xc0\xaf overlong", b"n" * 255, b"\xc3\xbc" * 127, b"CON",
    b"aux.txt",
)
# struct vfs_cap_data, revision 2: cap_net_bind_service permitted and effective.
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
ACL_VERSION = 2
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NOBODY_IN_PARTICULAR = 0xFFFFFFFF


def acl(*entries):
    """An access control list as the kernel takes it: (tag, permissions, id) each."""
    return struct.pack("<I", ACL_VERSION) + b"".join(struct.pack("<HHI", *e) for e in entries)


def usual_acl(number):
    return acl((USER_OBJ, 6, NOBODY_IN_PARTICULAR), (USER, 4, 1500 + number % 7),
               (GROUP_OBJ, 4, NOBODY_IN_PARTICULAR), (GROUP, 6, 2500),
               (MASK, 6, NOBODY_IN_PARTICULAR), (OTHER, 0, NOBODY_IN_PARTICULAR))


class Uploads:
    """Builds the tree below one folder; counts what it made."""

    def __init__(self, root, seed):
        self.root = os.fsencode(os.path.abspath(root))
        self.random = random.Random(seed)
        self.made = Counter()
        self.times = {}  # folders get theirs when everything is inside

    def path(self, *names):
        return os.path.join(self.root, *names)

    def folder(self, *names):
        path = self.path(*names)
        os.makedirs(path, exist_ok=True)
        for depth in range(len(names) + 1):
            self.times.setdefault(self.path(*names[:depth]), self.some_time())
        return path

    def some_time(self):
        return NEW_YEAR_2024 * 10**9 + self.random.randrange(31536000 * 10**9)

    def write(self, path, content, kind="regular"):
        with open(path, "wb") as stream:
            stream.write(content)
        self.finish(path, kind)

    def finish(self, path, kind, moment=None):
        moment = self.some_time() if moment is None else moment
        os.utime(path, ns=(moment, moment), follow_symlinks=False)
        self.made[kind] += 1

    def try_hard(self, kind, action, *arguments):
        """Do what may not be possible here, and count it if it was."""
        try:
            action(*arguments)
        except OSError as problem:
            if problem.errno not in (errno.EPERM, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS):
                raise
            return False
        self.made[kind] += 1
        return True

    # ---- kinds

    def ordinary(self, count):
        """Small files in dated folders, mode, owner and time varying."""
        as_root = os.geteuid() == 0
        pool = self.random.randbytes(1 << 16)
        folders = [self.folder(b"2024", b"%02d" % month, b"%02d" % day)
                   for month in range(1, 13) for day in range(1, 29, 3)]
        for number in range(count):
            name = f"{self.random.choice(WORDS)}-{number:05}.{self.random.choice(ENDINGS)}"
            path = os.path.join(self.random.choice(folders), name.encode())
            start = self.random.randrange(len(pool) - 8192)
            content = b"%d\n" % number + pool[start:start + self.random.randrange(1, 8192)]
            with open(path, "wb") as stream:
                stream.write(content)
            if number % 11 == 0:
                os.chmod(path, self.random.choice((0o600, 0o640, 0o664, 0o755, 0o444)))
            if as_root and number % 5 == 0:
                os.chown(path, 1000 + number % 40, 2000 + number % 9)
                self.made["owned by others"] += 1
            self.finish(path, "regular")

    def larger(self):
        place = self.folder(b"larger")
        for number, size in enumerate((3 * MEBI, 5 * MEBI + 1, 8 * MEBI - 1, 16 * MEBI)):
            self.write(os.path.join(place, b"film-%d.bin" % number), self.random.randbytes(size))
        block = self.random.randbytes(4096)
        self.write(os.path.join(place, b"repeating.bin"), block * 2048)
        self.write(os.path.join(place, b"zeros.bin"), bytes(4 * MEBI))

    def names(self):
        place = self.folder(b"names")
        for name in ODD_NAMES:
            self.write(os.path.join(place, name), b"named " + name, "odd names")
        for byte in (*range(1, 47), *range(48, 256)):  # every byte that a name may have
            self.write(os.path.join(place, b"byte-" + bytes([byte])), bytes([byte]), "odd names")
        inside = self.folder(b"names", b"folder\nof \xff\xfe")
        self.write(os.path.join(inside, b"file"), b"inside", "odd names")

    def links(self, regular):
        place = self.folder(b"links")
        targets = [os.path.relpath(path, place) for path in regular[:60]]
        targets += [b"/etc/hostname", b"broken", b"..", b".", b"loop", b"t" * 4000, b"\xff\xfe",
                    b"with\nnewline", b"../larger/film-0.bin"]
        for number, target in enumerate(targets):
            path = os.path.join(place, b"loop" if target == b"loop" else b"link-%03d" % number)
            os.symlink(target, path)
            self.finish(path, "symbolic links")
        for number, original in enumerate(regular[100:150]):
            for copy in range(1 + number % 3):
                os.link(original, os.path.join(place, b"hard-%03d-%d" % (number, copy)))
                self.made["hard links"] += 1
        os.link(os.path.join(place, b"link-000"), os.path.join(place, b"hard link to a link"))
        self.made["hard links"] += 1

    def sparse(self):
        place = self.folder(b"sparse")
        layouts = {b"hole-only": (), b"end-only": ((64 * MEBI - 5, b"five."),),
                   b"islands": tuple((at * 3 * MEBI, b"island %d" % at) for at in range(20)),
                   b"first-and-last": ((0, b"first"), (256 * MEBI - 4, b"last"))}
        for name, pieces in layouts.items():
            path = os.path.join(place, name)
            with open(path, "wb") as stream:
                for offset, content in pieces:
                    stream.seek(offset)
                    stream.write(content)
                if not pieces:
                    stream.truncate(16 * MEBI + 123)
            self.finish(path, "sparse files")

    def attributes(self):
        place = self.folder(b"attributes")
        for number in range(60):
            path = os.path.join(place, b"item-%02d" % number)
            with open(path, "wb") as stream:
                stream.write(b"with attributes %d" % number)
            self.try_hard("extended attributes", os.setxattr, path, b"user.shop.sum",
                          self.random.randbytes(1 + number * 10))
            if number % 10 == 0:
                self.try_hard("extended attributes", os.setxattr, path, b"user.\xc3\xbc empty", b"")
                self.try_hard("extended attributes", os.setxattr, path, b"trusted.shop", b"\0\xff")
            if number % 4 == 0:
                os.chmod(path, 0o660)
                self.try_hard("access control lists", os.setxattr, path,
                              b"system.posix_acl_access", usual_acl(number))
            if number % 6 == 1:
                self.try_hard("capabilities", os.setxattr, path, b"security.capability", CAPABILITY)
            self.finish(path, "regular")
        shared = self.folder(b"attributes", b"shared")
        self.try_hard("access control lists", os.setxattr, shared, b"system.posix_acl_default",
                      usual_acl(1))
        self.write(os.path.join(shared, b"inherits"), b"an inherited list")

    def times_and_modes(self):
        place = self.folder(b"times")
        for number, moment in enumerate(ODD_TIMES):
            path = os.path.join(place, b"at-%d" % number)
            with open(path, "wb") as stream:
                stream.write(b"%d" % moment)
            self.finish(path, "odd times", moment * 10**9 + number * 111111111)
        modes = self.folder(b"modes")
        for mode in (0o000, 0o111, 0o200, 0o222, 0o400, 0o777, 0o1644, 0o2755, 0o4755, 0o6711):
            path = os.path.join(modes, b"%04o" % mode)
            with open(path, "wb") as stream:
                stream.write(b"mode %o" % mode)
            os.chmod(path, mode)
            self.finish(path, "odd modes")
        for mode in (0o1777, 0o2770, 0o500):
            os.chmod(self.folder(b"modes", b"folder-%04o" % mode), mode)
            self.made["odd modes"] += 1

    def special(self):
        place = self.folder(b"special")
        for number in range(4):
            path = os.path.join(place, b"fifo-%d" % number)
            os.mkfifo(path, 0o640)
            self.finish(path, "FIFOs")
        nodes = {b"null": (stat.S_IFCHR, 1, 3), b"loop-200": (stat.S_IFBLK, 7, 200),
                 b"large-number": (stat.S_IFCHR, 3000, 70000)}
        for name, (kind, major, minor) in nodes.items():
            path = os.path.join(place, name)
            if self.try_hard("device nodes", os.mknod, path, kind | 0o600,
                             os.makedev(major, minor)):
                os.utime(path, ns=(0, self.some_time()))
        before = os.getcwd()
        os.chdir(place)  # the address of a socket is short, its folder's path may not be
        with socket.socket(socket.AF_UNIX) as door:
            door.bind("door")
        self.finish(b"door", "sockets")
        os.chdir(before)

    def empty_and_deep(self):
        place = self.folder(b"empty")
        for number in range(50):
            self.write(os.path.join(place, b"nothing-%02d" % number), b"", "empty files")
        self.folder(b"empty", b"folder")
        names = [b"deep"]
        for level in range(60):
            names.append(b"level-%02d-%s" % (level, b"x" * 30))
            self.folder(*names)
        self.write(self.path(*names, b"bottom"), b"down here")
        wide = self.folder(b"wide")
        for number in range(800):
            self.write(os.path.join(wide, b"%d" % number), b"%d" % (number * number))

    def all_kinds(self, count):
        self.write(os.path.join(self.folder(), b"welcome.txt"), b"Welcome to the little shop.\n")
        self.larger()
        self.names()
        self.sparse()
        self.attributes()
        self.times_and_modes()
        self.special()
        self.empty_and_deep()
        self.ordinary(max(200, count - self.files() - 180))
        days = self.path(b"2024")
        regular = sorted(os.path.join(place, name) for place, _, names in os.walk(days)
                         for name in names)
        self.links(regular)
        self.ordinary_rest(count)
        for path in sorted(self.times, reverse=True):
            os.utime(path, ns=(self.times[path],) * 2)

    def ordinary_rest(self, count):
        """Exactly `count` entries that are no folders."""
        place = self.folder(b"rest")
        for number in range(max(0, count - self.files())):
            self.write(os.path.join(place, b"%d" % number), b"%d" % number)

    def entries(self):
        """Paths of everything that is no folder."""
        for place, folders, names in os.walk(self.root):
            for name in names:
                yield os.path.join(place, name)
            for name in folders:
                if os.path.islink(os.path.join(place, name)):
                    yield os.path.join(place, name)

    def files(self):
        return sum(1 for _ in self.entries())

    def summary(self):
        on_disk = {entry.st_ino: entry.st_blocks * 512 for entry in map(os.lstat, self.entries())}
        return {"entries": self.files(), "folders": len(self.times),
                "bytes on disk": sum(on_disk.values()), **dict(sorted(self.made.items()))}


def main():
    parser = argparse.ArgumentParser(prog="make_uploads.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", metavar="DIR", help="a new or empty folder")
    parser.add_argument("--files", type=int, default=10000, help="entries that are no folders")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if os.path.isdir(options.directory) and os.listdir(options.directory):
        sys.exit(f"make_uploads.py: {options.directory} is not empty")
    os.umask(0o022)
    uploads = Uploads(options.directory, options.seed)
    uploads.all_kinds(options.files)
    print(json.dumps(uploads.summary(), indent=2))


if __name__ == "__main__":
    main()
