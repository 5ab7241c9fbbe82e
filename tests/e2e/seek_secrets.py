#!/usr/bin/env python3
"""Seeks secrets in files, in every form in which they could have slipped out.

    seek_secrets.py SECRETS PATH...     SECRETS: a folder, one file a secret, its name is the name

A secret is sought as it stands in its file, and, where that is hex or base64 text, as the bytes
behind it; each as raw bytes, as hex (both cases), and as base64 (both alphabets, at all three
alignments). Each find is a line "NAME FORM PATH"; the last line is "N found in M files, B bytes".
Exit status 1 if there is any.
"""
import base64
import binascii
import os
import pathlib
import sys


def meanings(text):
    """The secret, and the bytes that it is the text of."""
    yield "text", text
    try:
        yield "bytes of hex", bytes.fromhex(text.decode("ascii"))
    except ValueError:
        pass
    for name, altchars in (("base64", b"+/"), ("base64url", b"-_")):
        try:
            padded = text + b"=" * (-len(text) % 4)
            yield f"bytes of {name}", base64.b64decode(padded, altchars, validate=True)
        except binascii.Error:
            pass


def encodings(plain):
    yield "raw", plain
    yield "hex", plain.hex().encode()
    yield "HEX", plain.hex().upper().encode()
    for shift in range(3):
        # What neighbours decide is left out: the first and the last character of a group.
        encoded = base64.b64encode(bytes(shift) + plain)
        inner = encoded[(shift * 8 + 5) // 6:(shift + len(plain)) * 8 // 6]
        yield f"base64+{shift}", inner
        yield f"base64url+{shift}", inner.replace(b"+", b"-").replace(b"/", b"_")


def forms(text):
    seen = {}
    for meaning, plain in meanings(text):
        for encoding, pattern in encodings(plain):
            seen.setdefault(pattern, f"{meaning} as {encoding}")
    return seen


def files_below(path):
    if not path.is_dir():
        yield path
    for folder, _, names in os.walk(path):
        for name in names:
            file = pathlib.Path(folder, name)
            if file.is_file() and not file.is_symlink():
                yield file


def main(folder, places):
    wanted = [(secret.name, pattern, form) for secret in sorted(pathlib.Path(folder).iterdir())
              for pattern, form in forms(secret.read_bytes().strip(b"\n")).items()]
    assert wanted and all(len(pattern) >= 16 for _, pattern, _ in wanted), "too short to be sought"
    found = count = size = 0
    for place in places:
        for file in files_below(pathlib.Path(place)):
            content = file.read_bytes()
            names = os.fsencode(file.name)
            count, size = count + 1, size + len(content)
            for name, pattern, form in wanted:
                if pattern in content or pattern in names:
                    found += 1
                    print(name, form.replace(" ", "-"), file)
    assert count > 0, "nothing was searched"
    print(f"{found} found in {count} files, {size} bytes")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
