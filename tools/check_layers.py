#!/usr/bin/env python3
"""Fails when a file includes a module that src/LAYERS does not allow it to include.

src/LAYERS has one line per module, lowest first:   name: modules it may include
A module may only name modules above its own line, so the file itself cannot hold a cycle.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([a-z0-9_]+)/', re.M)


def read_layers(path):
    allowed = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, _, uses = line.partition(":")
        unknown = set(uses.split()) - allowed.keys()
        if unknown:
            sys.exit(f"{path}:{number}: {name} uses {sorted(unknown)}, not yet defined above it")
        allowed[name] = set(uses.split()) | {name}
    return allowed


def main(src):
    allowed, broken = read_layers(src / "LAYERS"), 0
    for file in sorted(p for p in src.rglob("*") if p.suffix in {".h", ".cpp", ".cc"}):
        module = file.relative_to(src).parts[0]
        if module == "main.cpp":  # the program: above every layer
            continue
        for used in INCLUDE.findall(file.read_text(errors="replace")):
            if used in allowed and used not in allowed.get(module, ()):
                print(f"{file}: {module} may not include {used}")
                broken += 1
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
