#!/usr/bin/env python3
"""Fails when the code leaves the shape that CONTRIBUTING.md describes.

Lengths of lines, files and headers, a story at the top of each header, and patterns that have a
better replacement, which is named. (Length of functions: readability-function-size in .clang-tidy.)
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINE, FILE, HEADER = 100, 600, 250

# pattern, what to do instead, folders of src/ where it is allowed
BANNED = [
    (r"std::this_thread::sleep_for", "Operation::pause", ()),
    (r"system_clock::now|steady_clock::now", "the Clock that came in", ()),
    (r"\b(s?rand)\(", "the Random that came in", ()),
    (r"std::thread\b(?!::)", "std::jthread with an owner that joins it", ()),
    (r"\.detach\(\)", "an owner that joins it", ()),
    (r"catch \(\.\.\.\)", "guard() in base/guard.h", ("base", "app")),
    (r"(?<![\w:])new [A-Za-z_:]+[({<]", "std::make_unique", ()),
    (r"\bTODO\b|\bFIXME\b|\bXXX\b", "finish it, or an issue", ()),
    (r"\bGTEST_SKIP\b", "a failing test that names what is missing", ()),
]


def strip_comments(text):
    text = re.sub(r'R"(\w*)\((.|\n)*?\)\1"', lambda m: "\n" * m[0].count("\n"), text)
    return re.sub(r"//[^\n]*", "", text)


def findings(path):
    text = path.read_text(errors="replace")
    lines = text.splitlines()
    where = path.relative_to(ROOT)
    for number, line in enumerate(lines, 1):
        if len(line) > LINE:
            yield f"{where}:{number}: {len(line)} columns (at most {LINE})"
    is_suite = path.name.endswith("_contract.h")  # a test suite that is instantiated elsewhere
    limit = HEADER if path.suffix == ".h" and not is_suite else FILE
    if len(lines) > limit:
        yield f"{where}: {len(lines)} lines (at most {limit}): does it hold two ideas?"
    if path.suffix == ".h":
        if not text.startswith("// "):
            yield f"{where}: a header begins with a comment that tells its concept"
        if re.search(r"^using namespace", text, re.M):
            yield f"{where}: using namespace in a header"
        if "#pragma once" not in text:
            yield f"{where}: #pragma once is missing"
    folder = where.parts[1] if len(where.parts) > 2 else ""
    for number, line in enumerate(strip_comments(text).splitlines(), 1):
        for pattern, instead, allowed in BANNED:
            if folder not in allowed and re.search(pattern, line):
                yield f"{where}:{number}: {pattern} -> {instead}"


def main():
    bad = 0
    for path in sorted(ROOT.glob("src/**/*")):
        if path.suffix in {".h", ".cpp"}:
            for finding in findings(path):
                print(finding)
                bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
