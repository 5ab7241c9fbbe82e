#!/usr/bin/env python3
"""Runs one fuzz target, and proves first that it could fail.

    tests/fuzz/run.py PROGRAM SECONDS        PROGRAM: build/fuzz/tests/fuzz/fuzz_NAME

1. fuzz_NAME_planted replays the seeds (tests/fuzz/corpus/NAME) and must find nothing; then it
   fuzzes from them, with fixed random seeds, and must find the bug that is planted behind the
   parser within PLANTED_INPUTS inputs. A rig that finds no planted bug would find no real one.
   Inputs are counted, not seconds, so that a busy machine changes no result; PLANTED_S only ends
   what hangs.
2. fuzz_NAME fuzzes from the seeds for SECONDS. What it finds is printed, with the input in base64
   (`base64 -d > input; fuzz_NAME input` shows it again), and status 1.

The seeds are copied: what a run adds to them stays in a scratch folder.
"""
import base64
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PLANTED_INPUTS = 100_000
PLANTED_S = 100
PLANTED_TRIES = 2  # each with another random seed
FOUND = "the planted bug was found"
# -len_control=0: from its start an input may grow. By default it may only be as long as the longest
# seed for the first thousands of inputs, and nothing that is doubled or nested fits into that.
# -mutate_depth=2: what is changed more often in a row hardly ever gets past a parser.
LIMITS = ["-rss_limit_mb=2048", "-timeout=30", "-max_len=4096", "-len_control=0",
          "-mutate_depth=2", "-print_final_stats=1"]


class Failure(Exception):
    pass


def fuzz(program, name, scratch, *words):
    """(status, output) of one run of libFuzzer in an own copy of the corpus."""
    corpus = scratch / "corpus"
    shutil.rmtree(corpus, ignore_errors=True)
    shutil.copytree(HERE / "corpus" / name, corpus)
    dictionary = HERE / f"{name}.dict"
    options = [f"-dict={dictionary}"] if dictionary.exists() else []
    done = subprocess.run([program, *LIMITS, *options, f"-artifact_prefix={scratch}/", *words,
                           corpus], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, errors="replace", cwd=scratch, check=False)
    return done.returncode, done.stdout


def said(output, lines=60):
    return "\n".join(output.splitlines()[-lines:])


def count(output, pattern):
    found = re.findall(pattern, output)
    return int(found[-1]) if found else 0


def reproducers(scratch):
    for file in sorted(scratch.glob("*-*")):
        if file.is_file():
            yield f"{file.name}: {base64.b64encode(file.read_bytes()).decode()}"


def prove_rig(program, name, scratch):
    status, output = fuzz(program, name, scratch, "-runs=0")
    if status != 0:
        raise Failure(f"{program.name}: the seeds alone end it, so it proves nothing\n{said(output)}")
    executed = 0
    for seed in range(1, PLANTED_TRIES + 1):
        status, output = fuzz(program, name, scratch, f"-seed={seed}",
                              f"-runs={PLANTED_INPUTS}", f"-max_total_time={PLANTED_S}")
        executed += count(output, r"stat::number_of_executed_units: (\d+)")
        if status != 0 and FOUND in output:
            return executed
        if status != 0:
            raise Failure(f"{program.name}: another failure than the planted one\n{said(output)}\n"
                          + "\n".join(reproducers(scratch)))
    raise Failure(f"{program.name}: the planted bug was not found with {PLANTED_TRIES} random seeds"
                  f" ({executed} inputs): the fuzzer does not get past the parser\n{said(output)}")


def run(program, seconds):
    name = program.name.removeprefix("fuzz_")
    planted = program.with_name(f"{program.name}_planted")
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        needed = prove_rig(planted, name, scratch)
        for left in scratch.glob("*-*"):
            left.unlink()
        status, output = fuzz(program, name, scratch, f"-max_total_time={seconds}")
        executed = count(output, r"stat::number_of_executed_units: (\d+)")
        if status != 0:
            raise Failure(f"{program.name} ended with {status}\n{said(output)}\n"
                          "reproducer, base64:\n" + "\n".join(reproducers(scratch)))
        seeds = len(list((HERE / "corpus" / name).iterdir()))
        if executed <= 2 * seeds:
            raise Failure(f"{program.name} tried {executed} inputs: that is no fuzzing\n{said(output)}")
        edges = re.findall(r"cov: (\d+)", output) or ["0"]
        print(f"{program.name}: {executed} inputs, coverage {edges[0]} -> {edges[-1]} edges; "
              f"planted bug found after {needed} inputs")


def main(words):
    if len(words) != 2 or not words[1].isdigit():
        sys.exit(__doc__)
    try:
        run(pathlib.Path(words[0]).resolve(), int(words[1]))
    except Failure as failure:
        print(failure)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
