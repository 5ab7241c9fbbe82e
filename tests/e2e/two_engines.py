#!/usr/bin/python3 -B
"""Two engines on one run, stopped and continued at random moments.

    tests/e2e/two_engines.py LIFEBOAT FOLDER ROUNDS [SEED]

Each round begins a run of a small plan; a second engine takes it over by order while the first is
stopped, continued, or at work, and now and then the first takes it back. Whoever is left in the end
brings the run to its end. Then the journal is read, by tools/unpack_repository.py:

- no driver writes a segment after another one has joined: one writer in each epoch. (Evidence of
  an end that nobody has sealed is made by whoever comes next, and changes nothing.)
- no step's program was at work twice at once, and none ran again once it had ended well.

A failing round says its seed. The last line is "N rounds, N takeovers, N drivers stopped".
"""
import concurrent.futures
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import unpack_repository  # noqa: E402

STEPS = 5
AT_ONCE = 6
PATIENCE_S = 120

WORK = """#!/bin/sh
# What a step does: says when it begins and ends, and leaves its effect. The lock is this program's
# alone, and lasts as long as it does, however it ends: who finds it taken is at work beside it.
exec 9>"$2/$1.lock"
flock -n 9 || echo "twice $1 $$" >>"$2/log"
echo "begin $1 $$" >>"$2/log"
sleep 0.2 9>&-
: >"$2/$1"
echo "end $1 $$" >>"$2/log"
"""


class Broken(Exception):
    """A law did not hold."""


class Round:
    def __init__(self, lifeboat, folder, seed):
        self.lifeboat, self.folder, self.seed = lifeboat, folder, seed
        self.random = random.Random(seed)
        self.takeovers = self.stops = 0
        self.drivers = []

    def lifeboat_at(self, home, *words):
        """Starts the program as on a machine that never saw the run."""
        place = self.folder / home
        place.mkdir(exist_ok=True)
        environment = {"HOME": str(place), "PATH": "/usr/bin:/bin",
                       "LIFEBOAT_IDENTITY": str(self.folder / "key.txt"),
                       "LIFEBOAT_REPOSITORY": str(self.folder / "repository")}
        with open(self.folder / f"{home}.said", "ab") as said:
            return subprocess.Popen([self.lifeboat, *words], cwd=self.folder, env=environment,
                                    stdin=subprocess.DEVNULL, stdout=said, stderr=said)

    def call(self, home, *words):
        driver = self.lifeboat_at(home, *words)
        if driver.wait(PATIENCE_S) != 0:
            raise Broken(f"{words}: {(self.folder / f'{home}.said').read_text()[-3000:]}")

    def prepare(self):
        self.folder.mkdir()
        (self.folder / "target").mkdir()
        (self.folder / "data").mkdir()
        (self.folder / "work").write_text(WORK)
        (self.folder / "work").chmod(0o755)
        target, lines = self.folder / "target", []
        for number in range(STEPS):
            after = f", after: [s{number - 1}]" if number % 2 else ""
            lines.append(f'      s{number}: {{ exec: {{ run: [./work, s{number}, "{target}"], '
                         f'observe: [/usr/bin/test, -e, "{target}/s{number}"] }}{after} }}')
        (self.folder / "lifeboat.yaml").write_text(
            "version: 1\nplatform: two\nsources: { data: { files: { path: data } } }\n"
            "plans:\n  lost:\n    files: [work]\n    steps:\n" + "\n".join(lines) + "\n")
        self.call("home", "init", "--new-age-identity", "key.txt")
        self.call("home", "backup")

    def play(self):
        self.prepare()
        self.drivers.append(self.lifeboat_at("engine0", "recover", "lost"))
        self.wait_for_the_run()
        for number in range(1, 1 + self.random.randint(1, 2)):
            self.disturb(number)
        self.bring_to_its_end()
        self.judge()

    def wait_for_the_run(self):
        end = time.monotonic() + PATIENCE_S
        while not list(self.folder.glob("repository/runs/*/0000000000000000")):
            if time.monotonic() > end:
                raise Broken("the run never began")
            time.sleep(0.02)

    def disturb(self, number):
        last = self.drivers[-1]
        time.sleep(self.random.uniform(0, 0.6))
        stopped = self.random.random() < 0.7
        if stopped and last.poll() is None:
            last.send_signal(signal.SIGSTOP)
            self.stops += 1
        self.drivers.append(
            self.lifeboat_at(f"engine{number}", "recover", "--resume", "latest", "--takeover"))
        self.takeovers += 1
        time.sleep(self.random.uniform(0, 1.5))
        if self.random.random() < 0.3 and self.drivers[-1].poll() is None:
            self.drivers[-1].send_signal(signal.SIGSTOP)
            self.stops += 1
            time.sleep(self.random.uniform(0, 0.5))
            self.drivers[-1].send_signal(signal.SIGCONT)
        if stopped and last.poll() is None:
            last.send_signal(signal.SIGCONT)

    def bring_to_its_end(self):
        for driver in self.drivers:
            driver.wait(PATIENCE_S)
        for attempt in range(5):
            driver = self.lifeboat_at(f"last{attempt}", "recover", "--resume", "latest")
            if driver.wait(PATIENCE_S) == 0:
                return
        raise Broken("it is not recovered: " +
                     (self.folder / "last4.said").read_text()[-3000:])

    def judge(self):
        """One writer in each epoch; each program alone, and none again after it ended well."""
        class Options:
            passphrase_file, identity = None, str(self.folder / "key.txt")
        repository = unpack_repository.Repository(str(self.folder / "repository"),
                                                  opener_of(Options))
        for _, run in repository.runs:
            joined, writers, over = [], [], False
            for segment in repository.run_segments(run.run):
                writer = segment["driver"]["id"]
                kinds = {event["kind"] for event in segment["events"]}
                # Whoever comes next makes the evidence of an end that nobody has sealed.
                evidence = over and kinds == {"evidence.sealed"}
                for event in segment["events"]:
                    if event["kind"] == "driver.joined":
                        joined.append(event["facts"]["id"])
                        over = False
                    over = over or event["kind"] == "run.end"
                if joined and writer != joined[-1] and not evidence:
                    raise Broken(f"segment {segment['number']} of {writer} after {joined[-1]} joined")
                writers.append(writer)
            self.epochs = len(joined)
        self.judge_work((self.folder / "target" / "log").read_text())

    @staticmethod
    def judge_work(log):
        at_work, ended = {}, set()
        for line in log.splitlines():
            word, step, pid = line.split()
            if word == "twice":
                raise Broken(f"{step} twice at once: {at_work.get(step)} and {pid}")
            if word == "begin":
                if step in ended:
                    raise Broken(f"{step} was done again after it had ended")
                at_work[step] = pid
            else:
                if at_work.get(step) != pid:
                    raise Broken(f"{step}: {pid} ended beside {at_work.get(step)}")
                ended.add(step)
        if len(ended) != STEPS:
            raise Broken(f"{len(ended)} of {STEPS} steps ended")

    def close(self):
        for driver in self.drivers:
            if driver.poll() is None:
                driver.kill()
                driver.send_signal(signal.SIGCONT)
                driver.wait()


def opener_of(options):
    import unpack
    return unpack.Opener(options)


def one_round(lifeboat, folder, seed):
    game = Round(lifeboat, folder, seed)
    try:
        game.play()
    except (Broken, subprocess.TimeoutExpired, OSError, unpack_repository.Refused) as problem:
        return f"seed {seed}: {problem}", game
    finally:
        game.close()
    return None, game


def main(lifeboat, folder, rounds, first_seed="1"):
    folder = Path(folder)
    seeds = range(int(first_seed), int(first_seed) + int(rounds))
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        played = list(pool.map(lambda seed: one_round(lifeboat, folder / str(seed), seed), seeds))
    failures = [why for why, _ in played if why]
    for why in failures:
        print(re.sub(r"[^\n -~]", "?", why))
    print(f"{len(played)} rounds, {sum(game.takeovers for _, game in played)} takeovers, "
          f"{sum(game.stops for _, game in played)} drivers stopped")
    return 1 if failures else 0


if __name__ == "__main__":
    os.environ.pop("LIFEBOAT_CONFIG", None)
    sys.exit(main(*sys.argv[1:]))
