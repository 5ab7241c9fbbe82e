#!/usr/bin/env python3
"""Runs clang-tidy over every product file of a build, one a core, and remembers what was clean.

    tools/tidy.py BUILD_DIR CACHE_DIR

A file is looked at again only when it, a header that it includes, or .clang-tidy has changed: the
key is a digest of the contents of all of them, never a time.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIDY = "clang-tidy-19"


def dependencies(entry):
    """Project files that this translation unit reads, by the compiler's own account."""
    words = shlex.split(entry["command"])
    if os.path.basename(words[0]) == "ccache":
        words = words[1:]
    out = words.index("-o")
    words = words[:out] + words[out + 2:]
    words = [w for w in words if w != "-c" and "cmake_pch" not in w]
    told = subprocess.run([*words, "-MM", "-MG"], cwd=entry["directory"], text=True,
                          capture_output=True, check=False).stdout
    names = told.replace("\\\n", " ").split()[1:]
    return sorted(n for n in names if str(ROOT) in n)


def key(entry):
    digest = hashlib.sha256()
    for name in [str(ROOT / ".clang-tidy"), *dependencies(entry)]:
        digest.update(os.path.relpath(name, ROOT).encode() + b"\0")
        digest.update(hashlib.sha256(pathlib.Path(name).read_bytes()).digest())
    return digest.hexdigest()


def look(build, cache, entry):
    stamp = cache / key(entry)
    if stamp.exists():
        return 0, ""
    done = subprocess.run([TIDY, "--quiet", "-p", build, entry["file"]], text=True,
                          capture_output=True, check=False)
    if done.returncode == 0:
        stamp.touch()
        return 0, ""
    return 1, f"{os.path.relpath(entry['file'], ROOT)}\n{done.stdout}"


def main(build, cache):
    cache = pathlib.Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    entries = json.loads((pathlib.Path(build) / "compile_commands.json").read_text())
    product = re.compile(re.escape(str(ROOT / "src")) + r"/(?!.*_(test|e2e)\.cpp$)")
    entries = [e for e in entries if product.match(e["file"])]
    if not entries:
        sys.exit("no source file in " + build)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for status, said in pool.map(lambda e: look(build, cache, e), entries):
            bad += status
            if said:
                print(said, flush=True)
    print(f"{len(entries)} files, {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
