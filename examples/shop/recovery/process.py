#!/usr/bin/python3 -B
"""Processes that outlive whoever started them, known by more than a number.

A service is launched in a session of its own, with a clean environment and no inherited
descriptor. Before it becomes the service, it writes its *record*, "PID START-TICKS", to a file: so
there is no moment in which it runs and nobody can find it, and a number that was given to another
process since is never taken for it.

Ending a service ends its whole *family*, by pid descriptors: the recorded process, its
descendants, its session, and whoever still carries the mark that it was given in its environment.
(Each alone is too little: servers open sessions for their children, a killed parent loses its
descendants, and some programs overwrite their environment.)

usage: process.py launch --pid-file FILE --log FILE [--user NAME] [--chdir DIR]
                         [--env NAME=VALUE]... -- PROGRAM [ARGUMENT...]
       process.py end [--signal NAME] [--timeout SECONDS] [--kill] PID_FILE...
       process.py alive PID_FILE...        exit 0 if all of them live, 1 if one does not
       process.py pids PID_FILE...         every live process of those families, one a line
       process.py free-ports COUNT         ports of 127.0.0.1 that nobody listens on, one a line
"""
import argparse
import os
import pwd
import random
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NamedTuple

MARK = "LAUNCHED_AS"  # in the environment of a service: the path of its record
AFTER_THE_PARENT = 3.0  # seconds that the rest of a family has when its parent has ended
CLEAN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Failure(Exception):
    """What went wrong, for a person; raised instead of an exit deep inside."""


class Record(NamedTuple):
    """One process for all time: its number, and when it started (clock ticks after boot)."""
    pid: int
    ticks: int


class Status(NamedTuple):
    """What the kernel tells of a process just now."""
    state: str
    parent: int
    session: int
    ticks: int


def status_of(pid):
    """The state of a process, or None when there is none of that number."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return Status(fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def is_live(status):
    return status is not None and status.state not in "ZX"


def read_record(pid_file):
    """The record in the file, or None when it is absent or was cut short."""
    try:
        pid, ticks = Path(pid_file).read_text().split()
        return Record(int(pid), int(ticks))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def live_pid(pid_file):
    """The number of the recorded process if exactly that process lives, else None."""
    record = read_record(pid_file)
    if record is None:
        return None
    status = status_of(record.pid)
    return record.pid if is_live(status) and status.ticks == record.ticks else None


def family_of(pid_file):
    """The records of every live process of the service, as far as they can be seen now."""
    root = read_record(pid_file)
    live = {int(name): status_of(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    live = {pid: status for pid, status in live.items() if is_live(status)}
    found = {pid for pid in live if carries_mark(pid, pid_file)}
    if root is not None and (root.pid not in live or live[root.pid].ticks == root.ticks):
        found |= {pid for pid, status in live.items() if root.pid in (pid, status.session)}
    while more := {pid for pid, status in live.items() if status.parent in found} - found:
        found |= more
    return {Record(pid, live[pid].ticks) for pid in found - {os.getpid()}}


def carries_mark(pid, pid_file):
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False  # it ended, or it belongs to somebody else
    return os.fsencode(f"{MARK}={Path(pid_file).absolute()}") in entries


def child_environment(extra):
    return {"PATH": CLEAN_PATH, "LANG": "C.UTF-8", **extra}


def write_atomically(path, text, mode=0o600):
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as stream:
        os.fchmod(stream.fileno(), mode)  # whatever the umask
        stream.write(text)
    os.replace(draft, path)


def become(user):
    account = pwd.getpwnam(user)
    os.initgroups(user, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def run_service(argv, service, report):
    """In the grandchild: turn into the service. Returns only by failing."""
    # The record first: who ends our process group before setsid ends us too, who comes later
    # finds the record.
    write_atomically(service["pid_file"], f"{os.getpid()} {status_of(os.getpid()).ticks}\n")
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(service["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, report)
    os.closerange(report + 1, os.sysconf("SC_OPEN_MAX"))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    os.umask(0o077)
    if service.get("user"):
        become(service["user"])
    os.chdir(service.get("chdir") or "/")
    mark = {MARK: str(Path(service["pid_file"]).absolute())}
    os.execve(argv[0], argv, child_environment({**(service.get("env") or {}), **mark}))


def launch(argv, **service):
    """Start a service; keywords: pid_file, log, and if wanted user, chdir, env. Its number returns
    when it runs; Failure when it could not be started."""
    reader, writer = os.pipe()  # closes by itself when the program has begun
    first = os.fork()
    if first == 0:
        code = 127
        try:
            if os.fork() == 0:
                run_service(list(argv), service, writer)
            code = 0
        except BaseException as problem:  # pylint: disable=broad-except
            os.write(writer, str(problem).encode())
        finally:
            os._exit(code)
    os.close(writer)
    os.waitpid(first, 0)
    with os.fdopen(reader, "rb") as stream:
        problem = stream.read().decode()
    if problem:
        raise Failure(f"{argv[0]} cannot be started: {problem}")
    record = read_record(service["pid_file"])
    if record is None:
        raise Failure(f"{argv[0]} left no record in {service['pid_file']}")
    return record.pid


def send(record, number):
    """Signal a process through a descriptor, so that its number cannot change hands meanwhile."""
    try:
        handle = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return
    try:
        status = status_of(record.pid)
        if is_live(status) and status.ticks == record.ticks:
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def wait_until_gone(records, timeout):
    """True when all of them have ended within the time (seconds)."""
    deadline = time.monotonic() + timeout
    for record in records:
        try:
            handle = os.pidfd_open(record.pid)
        except ProcessLookupError:
            continue
        try:
            status = status_of(record.pid)
            left = max(0.0, deadline - time.monotonic())
            if is_live(status) and status.ticks == record.ticks:
                if not select.select([handle], [], [], left)[0]:
                    return False
        finally:
            os.close(handle)
    return True


def end(pid_file, number=signal.SIGTERM, timeout=30.0):
    """Ask the recorded process to end by the signal and wait; then end what is left of its family
    by SIGKILL: at once for SIGKILL, and when the process itself has died before. Nothing recorded
    and nobody marked: nothing done."""
    record = read_record(pid_file)
    family = family_of(pid_file)
    if live_pid(pid_file) and number != signal.SIGKILL:
        send(record, number)
        if wait_until_gone([record], timeout):
            wait_until_gone(family, AFTER_THE_PARENT)
    end_now([pid_file], family)


def end_now(pid_files, known=frozenset()):
    """SIGKILL for the families of all these records, and for the processes known already. First
    everybody is stopped, so that nobody has children while the others die."""
    stopped = set()
    while fresh := set(known).union(*map(family_of, pid_files)) - stopped:
        for record in fresh:
            send(record, signal.SIGSTOP)
        stopped |= fresh
    for record in stopped:
        send(record, signal.SIGKILL)
    if not wait_until_gone(stopped, 30):
        names = ", ".join(map(str, pid_files))
        raise Failure(f"processes of {names} survive SIGKILL; look at their state with ps")
    for pid_file in pid_files:
        Path(pid_file).unlink(missing_ok=True)


def free_ports(count):
    """Ports below the range that the kernel gives to outgoing connections: one of those could be
    taken between our look and the service's start. Somebody else's service still can: be ready to
    choose again."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as stream:
        first_ephemeral = int(stream.read().split()[0])
    last = min(first_ephemeral, 32000)
    choices = range(20000, last) if last > 21000 else range(61001, 65535)
    found = []
    for port in random.SystemRandom().sample(choices, len(choices)):
        if len(found) == count:
            break
        if not is_listening(port):
            found.append(port)
    return found


def is_listening(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def poll(condition, timeout, pause=0.1):
    """Ask until the answer is true (and return it) or the time is over (None)."""
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            return None
        time.sleep(pause)


def last_lines(path, count=15):
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return "(no log)"
    return "\n".join(lines[-count:]) or "(the log is empty)"


def parse(arguments):
    parser = argparse.ArgumentParser(prog="process.py", description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    launching = commands.add_parser("launch", help="start a service in a session of its own")
    launching.add_argument("--pid-file", required=True)
    launching.add_argument("--log", required=True)
    launching.add_argument("--user")
    launching.add_argument("--chdir")
    launching.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    launching.add_argument("argv", nargs="+")
    ending = commands.add_parser("end", help="end services and all of their families")
    ending.add_argument("--signal", default="TERM")
    ending.add_argument("--timeout", type=float, default=30.0)
    ending.add_argument("--kill", action="store_true", help="SIGKILL at once")
    ending.add_argument("pid_files", nargs="+")
    for name in ("alive", "pids"):
        commands.add_parser(name).add_argument("pid_files", nargs="+")
    commands.add_parser("free-ports").add_argument("count", type=int)
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    if options.command == "launch":
        env = dict(pair.split("=", 1) for pair in options.env)
        print(launch(options.argv, pid_file=options.pid_file, log=options.log, user=options.user,
                     chdir=options.chdir, env=env))
    elif options.command == "end":
        number = signal.SIGKILL if options.kill else signal.Signals[f"SIG{options.signal}"]
        for pid_file in options.pid_files:
            end(pid_file, number, options.timeout)
    elif options.command == "alive":
        return 0 if all(live_pid(pid_file) for pid_file in options.pid_files) else 1
    elif options.command == "pids":
        for pid_file in options.pid_files:
            for record in sorted(family_of(pid_file)):
                print(record.pid)
    elif options.command == "free-ports":
        print(*free_ports(options.count), sep="\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as failure:
        sys.exit(f"process.py: {failure}")
