"""One service of the shop, running from one commit of the platform's repository.

$SHOP_DIR/NAME/releases/COMMIT is a checkout, complete as soon as it has that name. NAME/commit
tells which one the service was started from: it runs as wanted when its recorded process lives,
that file names the branch's newest commit, and it answers. Otherwise it is ended and started anew.
"""
import http.client
import json
import os
import shutil
import subprocess

import process
import step

HTTP_TIMEOUT = 10


class Release:
    """A service by name, with the program that a checkout holds for it."""

    def __init__(self, name):
        self.name = name
        self.directory = step.shop_dir() / name
        self.pid_file = self.directory / "run" / f"{name}.pid"
        self.log = self.directory / f"{name}.log"
        self.releases = self.directory / "releases"
        self.commit_file = self.directory / "commit"

    def wanted_commit(self):
        """The newest commit of the branch, asked from the repository."""
        branch = os.environ.get("SHOP_BRANCH", "main")
        line = git("ls-remote", "--exit-code", step.setting("SHOP_REPOSITORY"),
                   f"refs/heads/{branch}")
        return line.split()[0]

    def running_commit(self):
        """The commit that the running service was started from, or None."""
        if not process.live_pid(self.pid_file):
            return None
        try:
            return self.commit_file.read_text().strip()
        except FileNotFoundError:
            return None

    def check_out(self, commit):
        """The folder of the commit; complete or not there at all."""
        place = self.releases / commit
        if not place.exists():
            draft = self.releases / ".draft"
            shutil.rmtree(draft, ignore_errors=True)
            draft.parent.mkdir(parents=True, exist_ok=True)
            git("clone", "--quiet", "--no-checkout", "--no-hardlinks",
                step.setting("SHOP_REPOSITORY"), str(draft))
            git("-C", str(draft), "checkout", "--quiet", "--detach", commit)
            draft.rename(place)
        return place

    def start(self, commit, arguments, env):
        """End what runs, start the program of this commit. Older checkouts are removed."""
        place = self.check_out(commit)
        process.end(self.pid_file)
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        process.write_atomically(self.commit_file, commit + "\n")
        program = str(place / "app" / f"{self.name}.py")
        process.launch(["/usr/bin/python3", "-B", program, "--config", str(place / "config"),
                        *arguments], pid_file=self.pid_file, log=self.log, chdir=str(place),
                       env={"HOME": str(self.directory), **env})
        for old in self.releases.iterdir():
            if old.name != commit:
                shutil.rmtree(old)

    def wait_until(self, answers, timeout=60):
        """Until answers() gives something; Failure with the log's end when that is not to be."""
        result = process.poll(lambda: answers() or not process.live_pid(self.pid_file), timeout)
        if result and result is not True:
            return result
        why = "ended at once" if result else f"does not serve within {timeout} s"
        raise process.Failure(f"the {self.name} {why}:\n{process.last_lines(self.log)}")


def git(*arguments):
    env = process.child_environment({
        "HOME": str(step.shop_dir()), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"})
    done = subprocess.run(["git", *arguments], env=env, cwd="/", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise process.Failure(f"git {arguments[0]}: {done.stderr.strip() or 'no such branch'}")
    return done.stdout


def get(host, port, path):
    """Status and body of an answer, or None when nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=HTTP_TIMEOUT)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def get_json(host, port, path):
    """The JSON of a good answer (200), else None; another answer is told."""
    answer = get(host, port, path)
    if answer is None:
        return None
    if answer[0] != 200:
        step.explain(f"{path} answers {answer[0]} {answer[1].decode(errors='replace').strip()}")
        return None
    try:
        return json.loads(answer[1])
    except ValueError:
        return None
