"""What the recovery scripts have in common: how they are called and what they answer.

    SCRIPT           brings its effect about, once or again, and writes outputs
    SCRIPT observe   only looks: exit 0 and outputs written, the effect is there; exit 1, it is not

Any other exit status is an error, told on standard error. Outputs are one JSON object, written to
the file that $LIFEBOAT_OUTPUT names (standard output without it). Settings come from the
environment; a secret NAME from $NAME, or from the file that $NAME_FILE names. $SHOP_DIR is the
folder of the platform that is being built; each script owns one folder in it, and holds a lock
there while it changes something, so that a second one waits for the first.
"""
import argparse
import fcntl
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import process

DONE, ABSENT, ERROR = 0, 1, 2
LOCK_TIMEOUT = 120  # seconds


def setting(name, default=None):
    value = os.environ.get(name, default)
    if not value:
        raise process.Failure(f"set {name}; see examples/shop/README.md")
    return value


def secret(name):
    """The value of a secret. Only the end of the line is taken off a file's content."""
    if os.environ.get(name):
        return os.environ[name]
    path = os.environ.get(f"{name}_FILE")
    if not path:
        raise process.Failure(f"set {name}_FILE to a file that holds it, or {name} itself")
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\n")
    except OSError as problem:
        raise process.Failure(f"{name}_FILE: {path}: {problem.strerror}") from problem


def shop_dir():
    return Path(setting("SHOP_DIR")).absolute()


@contextmanager
def lock(directory):
    """Yields the descriptor, for children that must finish before anybody else begins."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + LOCK_TIMEOUT
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                raise process.Failure(f"somebody has been working on {directory} for "
                                      f"{LOCK_TIMEOUT} s; wait for them, or find them: "
                                      f"fuser {directory}/.lock")
            time.sleep(0.1)
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


reasons = []


def explain(text):
    """Why observe() will answer that the effect is not there; the last word counts."""
    reasons.append(text)


def write_outputs(outputs):
    text = json.dumps(outputs, indent=2) + "\n"
    path = os.environ.get("LIFEBOAT_OUTPUT")
    if path:
        # In place: whoever named the file may have opened it already.
        Path(path).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


def run(description, observe, apply):
    """The main function of a script. Both functions return the outputs, observe also None."""
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", nargs="?", choices=("apply", "observe"), default="apply")
    name = parser.prog
    try:
        outputs = observe() if parser.parse_args().verb == "observe" else apply()
    except process.Failure as failure:
        print(f"{name}: {failure}", file=sys.stderr)
        sys.exit(ERROR)
    except (OSError, subprocess.SubprocessError) as problem:
        print(f"{name}: {problem}", file=sys.stderr)
        sys.exit(ERROR)
    if outputs is None:
        print(f"{name}: not there yet" + "".join(f": {text}" for text in reasons[-1:]),
              file=sys.stderr)
        sys.exit(ABSENT)
    write_outputs(outputs)
    sys.exit(DONE)
