#!/usr/bin/python3 -B
"""Everything about a folder that a backup has to bring back, one line per entry, sorted.

    tests/tree_manifest.py DIR

Two folders are equal when their lines are: name, kind, mode, owner, times to the nanosecond, size,
contents, link text, device number, extended attributes, which names are one file, and whether a
large file has holes. Sockets are left out: nothing can bring them back. Symbolic links that are one
inode are told as equal links: a capture holds the text of each.
"""
import hashlib
import os
import stat
import sys

BLOCK = 512
HOLES_FROM = 1 << 20


def digest(path):
    state = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            state.update(part)
    return state.hexdigest()


def attributes(path):
    names = sorted(os.listxattr(path, follow_symlinks=False), key=os.fsencode)
    return {name: os.getxattr(path, name, follow_symlinks=False).hex() for name in names}


def line_of(root, path, firsts):
    found = os.lstat(path)
    name = os.path.relpath(path, root)
    row = [f"mode={found.st_mode:o}", f"owner={found.st_uid}:{found.st_gid}",
           f"mtime={found.st_mtime_ns}", f"xattrs={attributes(path)}"]
    if stat.S_ISREG(found.st_mode):
        holes = found.st_size >= HOLES_FROM and found.st_blocks * BLOCK < found.st_size // 2
        row += [f"size={found.st_size}", f"sha256={digest(path)}", f"holes={holes}"]
    if stat.S_ISLNK(found.st_mode):
        row.append(f"to={os.readlink(path)!r}")
    if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        row.append(f"device={os.major(found.st_rdev)}:{os.minor(found.st_rdev)}")
    if found.st_nlink > 1 and not (stat.S_ISDIR(found.st_mode) or stat.S_ISLNK(found.st_mode)):
        row.append(f"first={firsts.setdefault((found.st_dev, found.st_ino), name)!r}")
    return repr(name) + " " + " ".join(row)


def main(root):
    root, paths = os.fsencode(root), [os.fsencode(root)]
    for folder, folders, files in os.walk(root):
        paths += [os.path.join(folder, name) for name in folders + files]
    paths = [path for path in paths if not stat.S_ISSOCK(os.lstat(path).st_mode)]
    firsts = {}
    print("\n".join(line_of(root, path, firsts) for path in sorted(paths)))


if __name__ == "__main__":
    main(sys.argv[1])
