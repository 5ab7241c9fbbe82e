"""The components of the testbed: how each is brought up in a folder, and what it tells of itself.

A folder of the testbed holds: `component` (its name; written first, so that `down` knows what it
looks at whatever happened), `env` (KEY=VALUE lines, written last: the component is up), `run/` (the
records of its processes, see process.py), `password` (0600), logs and the component's own files.

Running folders are listed in /tmp/lifeboat-testbed.UID, one symbolic link each, until `down`.
"""
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path

import process
import tools
from knot_server import KnotServer
from postgres_server import SUPERUSER, PostgresServer
from rabbitmq_server import PORTS, RabbitmqServer

HERE = Path(__file__).parent
REGISTRY = Path(f"/tmp/lifeboat-testbed.{os.getuid()}")
ATTEMPTS = 3  # a port that was free may be taken a moment later


class Postgres:
    """PostgreSQL 15, scram-sha-256 everywhere, nothing forced to disk."""
    prefix = "TESTBED_POSTGRES_"
    setting = "a line for postgresql.conf"

    @staticmethod
    def up(directory, password, settings):
        server = PostgresServer(directory)
        if not server.data.exists():
            server.make(password, process.free_ports(1)[0], settings, durable=False)
        else:
            server.move_to(process.free_ports(1)[0])
        server.start()
        identifier = server.wait_until_ready(password)
        port = server.port()
        return {"HOST": "127.0.0.1", "PORT": port, "USER": SUPERUSER,
                "URL": f"postgresql://{SUPERUSER}@127.0.0.1:{port}/postgres",
                "DATA_DIR": server.data, "SOCKET_DIR": server.socket_dir, "LOG": server.log,
                "SYSTEM_IDENTIFIER": identifier, "PID": process.live_pid(server.pid_file)}

    @staticmethod
    def down(directory, kill):
        PostgresServer(directory).stop(kill)


class Rabbitmq:
    """RabbitMQ 3.10 with the management API; the administrator is `admin`, there is no guest."""
    prefix = "TESTBED_RABBITMQ_"
    setting = "a line for rabbitmq.conf"

    @staticmethod
    def up(directory, password, settings):
        server = RabbitmqServer(directory)
        server.stop(kill=True)
        server.make("admin", password, dict(zip(PORTS, process.free_ports(len(PORTS)))), settings)
        server.start()
        node = server.wait_until_ready("admin", password)
        ports = server.ports()
        return {"HOST": "127.0.0.1", "PORT": ports["management"], "AMQP_PORT": ports["amqp"],
                "URL": f"http://127.0.0.1:{ports['management']}", "USER": "admin", "NODE": node,
                "DATA_DIR": server.directory / "database", "LOG": server.log,
                "PID": process.live_pid(server.pid_file)}

    @staticmethod
    def down(directory, _kill):
        RabbitmqServer(directory).stop(kill=True)  # a clean stop takes 6 s, for data thrown away


class GitHttp:
    """`git http-backend` with basic authentication, and one empty bare repository."""
    prefix = "TESTBED_GIT_"
    setting = "the name of one more empty repository"

    @staticmethod
    def up(directory, _password, settings):
        root = directory / "repositories"
        for name in ("testbed.git", *settings):
            if not (root / name).exists():
                subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main",
                                root / name], check=True, stdin=subprocess.DEVNULL)
        port = process.free_ports(1)[0]
        pid = launch_server(
            directory, "git-http", port,
            [str((HERE / "git_http.py").resolve()), "--root", str(root), "--port", str(port),
             "--user", "git", "--password-file", str(directory / "password")], {})
        return {"HOST": "127.0.0.1", "PORT": port, "USER": "git",
                "URL": f"http://127.0.0.1:{port}/testbed.git", "BASE": f"http://127.0.0.1:{port}",
                "ROOT": root, "REPOSITORY": root / "testbed.git",
                "LOG": directory / "git-http.log", "PID": pid}

    @staticmethod
    def down(directory, kill):
        process.end(directory / "run" / "git-http.pid",
                    signal.SIGKILL if kill else signal.SIGTERM)


class Dns:
    """Knot DNS 3.2: the zone example. on one server, which delegates acme.example. to two others.
    All listen on PORT, on addresses of their own; dynamic updates from loopback are taken."""
    prefix = "TESTBED_DNS_"
    setting = "a record of acme.example., as in a zone file"

    ABOVE = """@ SOA ns hostmaster 1 3600 600 86400 5
@ NS ns
ns A 127.0.0.1
acme NS ns1.acme
acme NS ns2.acme
ns1.acme A 127.0.0.2
ns2.acme A 127.0.0.3"""
    BELOW = """@ SOA ns1 hostmaster 1 3600 600 86400 7
@ NS ns1
@ NS ns2
ns1 A 127.0.0.2
ns2 A 127.0.0.3
@ MX 10 mail
www A 192.0.2.1
www AAAA 2001:db8::1
@ TXT "v=spf1 -all"
shop CNAME www"""

    @classmethod
    def up(cls, directory, _password, settings):
        below = "\n".join([cls.BELOW, *settings])
        zones = [("example", cls.ABOVE), ("acme.example", below), ("acme.example", below)]
        server, port = KnotServer(directory), process.free_ports(1)[0]
        server.make(zones, port)
        server.start(zones, port)
        return {"PORT": port, "PARENT": f"127.0.0.1:{port}", "ZONE": "acme.example",
                "SERVERS": f"127.0.0.2:{port},127.0.0.3:{port}", "LOG": server.folder(1) / "log",
                "PID": process.live_pid(server.pid_file(1))}

    @staticmethod
    def down(directory, kill):
        KnotServer(directory).stop(3, kill)


class S3:
    """An S3 server (versitygw) with one bucket, `testbed`, and a fault proxy before it."""
    prefix = "TESTBED_S3_"
    setting = "the name of one more bucket"

    @staticmethod
    def up(directory, password, settings):
        data = directory / "data"
        for bucket in ("testbed", *settings):
            (data / bucket).mkdir(parents=True, exist_ok=True)
        versions = directory / "versions"
        versions.mkdir(exist_ok=True)
        port = process.free_ports(1)[0]
        pid = launch_server(
            directory, "versitygw", port,
            [str(tools.versitygw()), "--port", f"127.0.0.1:{port}", "--region", "us-east-1",
             "--virtual-domain", f"localhost:{port}",
             "posix", "--versioning-dir", str(versions), str(data)],
            {"ROOT_ACCESS_KEY": "testbed", "ROOT_SECRET_KEY": password})
        faulty = launch_fault_proxy(directory, port)
        return {"HOST": "127.0.0.1", "PORT": port, "USER": "testbed", "BUCKET": "testbed",
                "URL": f"http://127.0.0.1:{port}", "FAULTY_URL": f"http://127.0.0.1:{faulty}",
                "DATA_DIR": data, "LOG": directory / "versitygw.log", "PID": pid}

    @staticmethod
    def down(directory, kill):
        process.end(directory / "run" / "fault-proxy.pid", signal.SIGKILL)
        process.end(directory / "run" / "versitygw.pid",
                    signal.SIGKILL if kill else signal.SIGTERM)


class Moto:
    """AWS's services in memory (moto): S3 with a bucket `testbed`, STS, and what else is asked for."""
    prefix = "TESTBED_MOTO_"
    setting = "the name of one more bucket"

    @staticmethod
    def up(directory, _password, settings):
        port = process.free_ports(1)[0]
        pid = launch_server(directory, "moto", port,
                            [str(tools.moto()), "-B", str((HERE / "moto_server.py").resolve()),
                             str(port)], {})
        faulty = launch_fault_proxy(directory, port)
        for bucket in ("testbed", *settings):
            request = urllib.request.Request(f"http://127.0.0.1:{port}/{bucket}", method="PUT")
            urllib.request.urlopen(request, timeout=30).close()
        return {"HOST": "127.0.0.1", "PORT": port, "USER": "testbed", "BUCKET": "testbed",
                "URL": f"http://127.0.0.1:{port}", "FAULTY_URL": f"http://127.0.0.1:{faulty}",
                "LOG": directory / "moto.log", "PID": pid}

    @staticmethod
    def down(directory, _kill):
        for name in ("fault-proxy", "moto"):
            process.end(directory / "run" / f"{name}.pid", signal.SIGKILL)


def launch_fault_proxy(directory, upstream):
    """A server before another one that lets things go wrong; its port."""
    port = process.free_ports(1)[0]
    launch_server(directory, "fault-proxy", port,
                  [str((HERE / "fault_proxy.py").resolve()), "--port", str(port),
                   "--upstream", f"127.0.0.1:{upstream}"], {})
    return port


def launch_server(directory, name, port, argv, env):
    """Start a server that listens on one port; its number when it does."""
    pid_file, log = directory / "run" / f"{name}.pid", directory / f"{name}.log"
    pid_file.parent.mkdir(exist_ok=True)
    pid = process.launch(argv, pid_file=pid_file, log=log, chdir=str(directory),
                         env={"HOME": str(directory), **env})
    process.poll(lambda: process.is_listening(port) or not process.live_pid(pid_file), 60)
    if not process.live_pid(pid_file) or not process.is_listening(port):
        raise process.Failure(f"{name} does not start:\n{process.last_lines(log)}")
    return pid


COMPONENTS = {"postgres": Postgres, "rabbitmq": Rabbitmq, "git-http": GitHttp, "s3": S3,
              "moto": Moto, "dns": Dns}


def component_of(directory):
    """The name of the component whose folder this is, or None."""
    try:
        name = (directory / "component").read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return name if name in COMPONENTS else None


def bring_up(name, directory, settings=()):
    """Bring a component up in a new or empty folder; what it tells of itself, by key."""
    directory = Path(directory).absolute()
    if directory.exists() and any(directory.iterdir()):
        raise process.Failure(f"{directory} is not empty; choose a new folder, or take down what "
                              f"is in it: testbed/down {directory}")
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o711)
    (directory / "component").write_text(f"{name}\n")
    register(directory)
    password = secrets.token_urlsafe(24)
    process.write_atomically(directory / "password", password)
    facts = attempt(name, directory, password, settings)
    facts = {**facts, "PASSWORD_FILE": directory / "password", "DIR": directory}
    lines = [f"{COMPONENTS[name].prefix}{key}={value}\n" for key, value in facts.items()]
    process.write_atomically(directory / "env", "".join(lines))
    return facts


def attempt(name, directory, password, settings):
    for left in reversed(range(ATTEMPTS)):
        try:
            return COMPONENTS[name].up(directory, password, settings)
        except process.Failure:
            COMPONENTS[name].down(directory, True)
            if left == 0:
                raise
    raise AssertionError("unreachable")


def take_down(directory, kill=False):
    """End its processes and remove the folder. True if there was one."""
    directory = Path(directory).absolute()
    if not directory.exists():
        forget(directory)
        return False
    name = component_of(directory)
    if name is None:
        raise process.Failure(f"{directory} was not made by testbed/up; nothing is touched")
    COMPONENTS[name].down(directory, kill)
    shutil.rmtree(directory)
    forget(directory)
    return True


def link_name(directory):
    return hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]


def register(directory):
    REGISTRY.mkdir(mode=0o700, exist_ok=True)
    if REGISTRY.stat().st_uid != os.getuid():
        raise process.Failure(f"{REGISTRY} belongs to somebody else; remove it")
    link = REGISTRY / link_name(directory)
    link.unlink(missing_ok=True)
    link.symlink_to(directory)


def forget(directory):
    """The folder is gone: so is its place in the list, and the list with its last."""
    try:
        (REGISTRY / link_name(directory)).unlink(missing_ok=True)
        REGISTRY.rmdir()
    except OSError:
        pass  # others are listed there, or there is no list


def registered():
    """Every folder that is up, or that was not taken down."""
    if not REGISTRY.is_dir():
        return []
    return [Path(os.readlink(link)) for link in sorted(REGISTRY.iterdir())]
