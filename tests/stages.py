#!/usr/bin/env python3
"""Runs the stages of ./check and counts test cases.

    tests/stages.py [fast | all | STAGE...]      --list names the stages

A stage is a function that adds cases to the tally: GoogleTest cases one by one, shell test cases by
their own count, everything else one case each. What failed is printed with its output; the last
line is `N passed, N failed`. Nothing is skipped: a missing tool or component is a failed case.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "lifeboat-check"


class Tally:
    def __init__(self):
        self.passed, self.failed, self.failures = 0, 0, []

    def add(self, name, ok, said=""):
        if ok:
            self.passed += 1
            return
        self.failed += 1
        self.failures.append((name, said))
        print(f"FAILED {name}\n{indent(said)}", flush=True)


def indent(text, lines_max=80):
    lines = text.splitlines()
    if len(lines) > lines_max:
        lines = lines[:20] + [f"... {len(lines) - lines_max} lines ..."] + lines[20 - lines_max:]
    return "\n".join("    " + line for line in lines)


def run(command, limit_s=1800, **options):
    """(status, output); a command that exceeds its limit is ended and has failed."""
    options.setdefault("cwd", ROOT)
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=limit_s, errors="replace", **options)
        return done.returncode, done.stdout
    except FileNotFoundError as error:
        return 127, str(error)
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
        said = said.decode(errors="replace") if isinstance(said, bytes) else said
        return 124, f"{said}\nended after {limit_s} s"


# --- building ------------------------------------------------------------------------------------

def build(tally, preset, *targets):
    environment = dict(os.environ, CCACHE_BASEDIR=str(ROOT), CCACHE_NOHASHDIR="1",
                       CCACHE_SLOPPINESS="pch_defines,time_macros,include_file_mtime,include_file_ctime")
    status, said = run(["cmake", "--preset", preset], env=environment)
    if status == 0:
        status, said = run(["ninja", "-C", f"build/{preset}", *targets], limit_s=4800,
                           env=environment)
    tally.add(f"build {preset}", status == 0, said)
    return status == 0


# --- GoogleTest programs --------------------------------------------------------------------------

def gtest(tally, program, label, wrap=(), environment=None, limit_s=1500):
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / "report.json"
        env = {**os.environ, **(environment or {})}
        env = {name: value for name, value in env.items() if value is not None}
        status, said = run([*wrap, program, f"--gtest_output=json:{report}"], limit_s, env=env)
        if not report.exists():
            tally.add(f"{label} (ended with {status}, no report)", False, said)
            return
        for suite in json.loads(report.read_text())["testsuites"]:
            for case in suite["testsuite"]:
                name = f"{label}: {suite['name']}.{case['name']}"
                failures = "\n".join(f["failure"] for f in case.get("failures", []))
                ran = case["result"] == "COMPLETED"
                tally.add(name, ran and not failures, failures or case["result"])
        if status != 0 and not said.rstrip().endswith(("FAILED TEST", "FAILED TESTS")):
            tally.add(f"{label} (ended with {status} after its cases)", False, said)


def unit_programs(preset):
    return sorted((ROOT / "build" / preset).rglob("*_test"))


def sanitized(tally, preset, options, targets=()):
    options = {**options, "LIFEBOAT_LONG": None}  # stage_long is for that
    if build(tally, preset, *targets):
        for program in unit_programs(preset):
            if not targets or program.name in targets:
                gtest(tally, program, f"{preset} {program.name}", environment=options)


def shell_cases(tally, script, wrap=(), limit_s=3000):
    status, said = run([*wrap, script], limit_s)
    counted = re.findall(r"^(\d+) passed, (\d+) failed$", said, re.M)
    if not counted:
        tally.add(f"{script} (ended with {status}, no count)", False, said)
        return
    tally.passed += int(counted[-1][0])
    failures = re.findall(r"^FAILED (.*)\n((?: {4}.*\n)*)", said, re.M)
    for name, why in failures:
        tally.add(f"{script}: {name}", False, why)
    if len(failures) != int(counted[-1][1]) or (status != 0 and not failures):
        tally.add(f"{script} ended with {status}, beside its cases", False, said)
    elif int(counted[-1][0]) == 0:
        tally.add(f"{script} ran no case", False, said)


# --- stages ---------------------------------------------------------------------------------------

def stage_style(tally):
    files = subprocess.run(["git", "ls-files", "src", "tests", "bench"], cwd=ROOT, text=True,
                           capture_output=True, check=True).stdout.split()
    code = [f for f in files if f.endswith((".h", ".cpp"))]
    for name, command in {
        "format": ["clang-format-19", "--dry-run", "-Werror", *code],
        "layers": ["python3", "tools/check_layers.py", "src"],
        "shape": ["python3", "tools/check_shape.py"],
    }.items():
        status, said = run(command)
        tally.add(name, status == 0, said)


def stage_unit(tally):
    if build(tally, "dev"):
        for program in unit_programs("dev"):
            gtest(tally, program, program.name)


def stage_long(tally):
    """The unit tests at their full length (release build): every byte, 4 GiB, 20,000 seeds."""
    if build(tally, "release"):
        for program in unit_programs("release"):
            gtest(tally, program, f"long {program.name}", environment={"LIFEBOAT_LONG": "1"},
                  limit_s=3600)


RECOVERY_SCRIPTS = ("recovery_test.sh", "secrets_test.sh")


def stage_contracts(tally):
    """Every source and step against its real system (release build)."""
    if not build(tally, "release"):
        return
    testbed = ["testbed/with", "postgres", "postgres=TESTBED_POSTGRES2_", "rabbitmq",
               "rabbitmq=TESTBED_RABBITMQ2_", "git-http", "dns", "s3", "moto", "--"]
    for program in sorted((ROOT / "build/release").rglob("*_e2e")):
        gtest(tally, program, program.name, wrap=testbed, limit_s=7200)


def stage_e2e(tally):
    """The program as people use it: scripts in tests/ and tests/e2e/."""
    if not build(tally, "release"):
        return
    for script in sorted([*ROOT.glob("tests/*_test.sh"), *ROOT.glob("tests/e2e/*_test.sh")]):
        if script.name not in RECOVERY_SCRIPTS:
            shell_cases(tally, script.relative_to(ROOT))


def stage_recovery(tally):
    """Kill points, alterations and planted secrets on the shop: minutes each."""
    if build(tally, "release"):
        for name in RECOVERY_SCRIPTS:
            shell_cases(tally, f"tests/e2e/{name}", limit_s=7200)


def stage_demo(tally):
    """The main job, as the README tells it, on a directory and on a bucket: ends well, with enough checks."""
    for kind, words in {"demo": [], "demo on s3": ["--repository", "s3"]}.items():
        status, said = run(["./demo", *words], limit_s=3600)
        last = (said.rstrip().splitlines() or [""])[-1]
        ended = re.fullmatch(r"RECOVERED rto=[\d.]+ rpo=[\d.]+ checks=(\d+)/(\d+)", last)
        tally.add(f"{kind} ends with 0", status == 0, said)
        tally.add(f"{kind} recovers, by 25 checks or more",
                  ended is not None and ended[1] == ended[2] and int(ended[1]) >= 25, last)
        lost = re.search(r"^lost$(.*?)^$", said, re.M | re.S)
        tally.add(f"{kind} tells the lost rows and messages",
                  lost is not None and " rows, written in the " in lost[1].replace("\n    ", " ")
                  and "messages, not captured" in lost[1].replace("\n    ", " "), said)
        tally.add(f"{kind} keeps its repository where it is to be",
                  ("--repository s3://testbed/shop" in said.replace("'", "").replace("\\", ""))
                  == (kind != "demo"), said)


def stage_asan(tally):
    sanitized(tally, "asan", {"ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
                              "UBSAN_OPTIONS": "print_stacktrace=1"})


def stage_tsan(tally):
    """Where threads meet; the other modules belong to one thread each."""
    threaded = [f"{name}_test" for name in
                ("base", "capture", "client", "store", "repo", "journal", "run", "sim")]
    sanitized(tally, "tsan", {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}, threaded)


def stage_tidy(tally):
    status, said = run(["cmake", "--preset", "tidy"])
    if status == 0:
        status, said = run(["python3", "tools/tidy.py", "build/tidy", CACHE / "tidy"], limit_s=4800)
    tally.add("tidy", status == 0, said)


# What must have a fuzzer, and its targets. They are built by name: one that is gone fails the build.
FUZZED = {
    "platform file": ["platform"], "framing": ["wire", "envelope"], "decoded pack directory":
    ["directory"], "index": ["index"], "log record": ["log"], "snapshot": ["snapshot"],
    "journal": ["journal"], "evidence": ["evidence"],
}


def stage_fuzz(tally):
    """Also proves -Wthread-safety: this is the build by clang."""
    demanded = [f"fuzz_{name}{suffix}" for names in FUZZED.values() for name in names
                for suffix in ("", "_planted")]
    if not build(tally, "fuzz", "all", *demanded):
        return
    seconds = "60" if os.environ.get("LIFEBOAT_LONG") else "10"
    programs = [program for program in sorted((ROOT / "build/fuzz/tests/fuzz").glob("fuzz_*"))
                if program.is_file() and os.access(program, os.X_OK)
                and not program.name.endswith("_planted")]  # run.py runs those with their targets
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, ["python3", "tests/fuzz/run.py", program, seconds], 600)
                for program in programs]
        for program, one in zip(programs, runs):
            status, said = one.result()
            tally.add(f"{program.name} {seconds} s", status == 0, said)
            if status == 0:
                print(f"   {said.strip()}", flush=True)


STAGES = {name[6:]: value for name, value in list(globals().items()) if name.startswith("stage_")}
FAST = ["style", "unit"]
FULL = ["style", "demo", "contracts", "e2e", "recovery", "asan", "tsan", "tidy", "fuzz"]
# What is too long for ./check.
ALL = [*FULL, "long"]


def main(words):
    if words == ["--list"]:
        for name, stage in STAGES.items():
            print(name, "-", (stage.__doc__ or "").split("\n")[0])
        return 0
    if words == ["all"]:
        os.environ["LIFEBOAT_LONG"] = "1"
        words = ALL
    elif words in ([], ["full"]):
        words = FULL
    elif words == ["fast"]:
        words = FAST
    unknown = [word for word in words if word not in STAGES]
    if unknown:
        sys.exit(f"no stage {unknown[0]}; there are: {' '.join(STAGES)}, and fast, all")
    tally = Tally()
    for word in words:
        began, before = time.monotonic(), tally.passed
        print(f"== {word}", flush=True)
        STAGES[word](tally)
        print(f"   {tally.passed - before} passed, {time.monotonic() - began:.0f} s", flush=True)
    if tally.failed:
        print("Failed:")  # once more with its last words: whoever sees only the end sees why
        for name, said in tally.failures:
            last_words = "\n".join(said.splitlines()[-8:])
            print(f"  {name}\n{indent(last_words)}")
    print(f"{tally.passed} passed, {tally.failed} failed", flush=True)
    return 1 if tally.failed or tally.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
