"""One PostgreSQL 15 server in one folder, on loopback.

DIRECTORY/data is the data directory. It is made as data.new and gets its name in one rename when
it is complete: what is called `data` is whole. DIRECTORY/run/postgres.pid is the record of the
running server (process.py), DIRECTORY/postgres.log its log. The server refuses root, so as root it
runs under the account `postgres`; as anybody else it runs as that user.
"""
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import process

BINARIES = Path("/usr/lib/postgresql/15/bin")
SUPERUSER = "postgres"
LONGEST_SOCKET_PATH = 107  # bytes, sockaddr_un
LAST_WORD_OF_THE_SOCKET = "/.s.PGSQL.65535.lock"


class PostgresServer:
    """The server of one folder, running or not, made or not."""

    def __init__(self, directory):
        self.directory = Path(directory).absolute()
        self.data = self.directory / "data"
        self.pid_file = self.directory / "run" / "postgres.pid"
        self.log = self.directory / "postgres.log"
        self.socket_dir = self.directory / "socket"
        self.account = "postgres" if os.geteuid() == 0 else None

    # ---- making it

    def make(self, password, port, settings=(), durable=True, held=()):
        """A data directory with this password for the superuser. `held` are descriptors (locks)
        that initdb shall hold as well. What an earlier attempt left half made is removed."""
        if not (BINARIES / "initdb").exists():
            raise process.Failure(f"PostgreSQL 15 is not installed ({BINARIES}): "
                                  "apt-get install postgresql-15")
        draft = self.directory / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        for folder in (self.directory, self.pid_file.parent):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o711)
        for folder in (draft, self.socket_dir):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
            self._give(folder)
        self._require_passage()
        self._initdb(draft, password, durable, held)
        with open(draft / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write("\n".join(self._settings(port, durable)) + "\n")
            conf.writelines(f"{line}\n" for line in settings)
        draft.rename(self.data)

    def _initdb(self, draft, password, durable, held):
        secret = self.directory / ".superuser-password"
        process.write_atomically(secret, password + "\n")
        self._give(secret)
        argv = [BINARIES / "initdb", "--pgdata", draft, "--username", SUPERUSER, "--pwfile", secret,
                "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8",
                "--data-checksums", "--no-instructions"] + ([] if durable else ["--no-sync"])
        try:
            done = subprocess.run(
                argv, user=self.account, group=self.account, cwd="/", pass_fds=held,
                extra_groups=[] if self.account else None, env=process.child_environment({}),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors="replace", check=False)
        finally:
            secret.unlink()
        if done.returncode != 0:
            raise process.Failure(f"initdb in {draft} failed:\n{done.stdout.strip()}")

    def _settings(self, port, durable):
        fits = len(os.fsencode(f"{self.socket_dir}{LAST_WORD_OF_THE_SOCKET}"))
        sockets = self.socket_dir if fits <= LONGEST_SOCKET_PATH else ""
        lines = ["", "# Written when this server was made.", f"port = {port}",
                 "listen_addresses = '127.0.0.1'", f"unix_socket_directories = '{sockets}'",
                 "dynamic_shared_memory_type = mmap  # nothing outside the data directory",
                 "shared_buffers = 64MB", "max_connections = 100", "timezone = 'UTC'",
                 "log_timezone = 'UTC'"]
        if not durable:
            lines += ["fsync = off", "full_page_writes = off", "synchronous_commit = off"]
        return lines

    def _give(self, path):
        if self.account:
            owner = pwd.getpwnam(self.account)
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def _require_passage(self):
        """Every folder above the data must let the server's account through."""
        if not self.account:
            return
        done = subprocess.run(["/usr/bin/test", "-x", str(self.socket_dir)], user=self.account,
                              group=self.account, extra_groups=[], check=False)
        if done.returncode != 0:
            raise process.Failure(
                f"the account {self.account} cannot enter {self.directory}: a folder above it is "
                "closed to others; choose another folder, or chmod o+x those above it")

    # ---- running it

    def start(self):
        """Start the process; `ready` tells when it serves. A server that runs is left alone."""
        if process.live_pid(self.pid_file):
            return
        process.end_now([self.pid_file])  # what is left of one that died
        self._drop_stale_locks()
        self.pid_file.parent.mkdir(exist_ok=True)
        process.launch([str(BINARIES / "postgres"), "-D", str(self.data)], pid_file=self.pid_file,
                       log=self.log, user=self.account, chdir="/")
        if self.account:
            os.chmod(self.log, 0o600)

    def _drop_stale_locks(self):
        """PostgreSQL takes a dead process that nobody has waited for yet as a running server (its
        number still exists). We know better; the shared memory's own interlock stays in force."""
        for lock in (self.data / "postmaster.pid", *self.socket_dir.glob(".s.PGSQL.*.lock")):
            try:
                pid = int(lock.read_text().split("\n", 1)[0])
            except (FileNotFoundError, ValueError):
                continue
            if not process.is_live(process.status_of(pid)):
                lock.unlink()

    def ready(self, password):
        """The system identifier if the server answers, else None; Failure if it answers, but not
        to this password: waiting will not help."""
        port = self.port()
        if port is None:
            return None
        done = subprocess.run(
            [BINARIES / "psql", "--no-psqlrc", "-h", "127.0.0.1", "-p", str(port), "-U", SUPERUSER,
             "-d", "postgres", "-Atc", "select system_identifier from pg_control_system()"],
            env=process.child_environment({"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "5"}),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, check=False)
        if "password authentication failed" in done.stderr:
            raise process.Failure(f"the PostgreSQL server in {self.directory} refuses the given "
                                  f"password of {SUPERUSER}: it was made with another one")
        return done.stdout.strip() if done.returncode == 0 else None

    def wait_until_ready(self, password, timeout=120):
        """The system identifier; Failure with the end of the log when it dies or takes too long."""
        def answers_or_is_dead():
            identifier = self.ready(password)
            return identifier or not process.live_pid(self.pid_file)

        answer = process.poll(answers_or_is_dead, timeout)
        if isinstance(answer, str):
            return answer
        why = "ended at once" if answer else f"does not answer within {timeout} s"
        raise process.Failure(f"PostgreSQL in {self.directory} {why}:\n"
                              f"{process.last_lines(self.log)}")

    def port(self):
        """The configured port, or None when there is no data directory."""
        try:
            lines = (self.data / "postgresql.conf").read_text().splitlines()
        except FileNotFoundError:
            return None
        ports = [line.split("=")[1] for line in lines if line.startswith("port = ")]
        return int(ports[-1]) if ports else None

    def move_to(self, port):
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(f"port = {port}\n")

    def stop(self, kill=False):
        """End the server and free its interlock segment, which SIGKILL would leave behind."""
        segment = self.shared_memory()
        process.end(self.pid_file, signal.SIGKILL if kill else signal.SIGINT)
        self.free_shared_memory(segment)

    def shared_memory(self):
        """The id of the server's System V segment (seventh line of postmaster.pid), or None."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        return lines[6].split()[1] if len(lines) > 6 and len(lines[6].split()) == 2 else None

    @staticmethod
    def free_shared_memory(segment):
        """After the end of the server; a clean end has freed it already."""
        if segment:
            subprocess.run(["/usr/bin/ipcrm", "-m", segment], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)
