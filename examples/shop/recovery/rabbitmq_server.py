"""One RabbitMQ 3.10 node with its management API in one folder, on loopback.

A node is two services, each with its record (process.py): `epmd`, the port mapper, which the
runtime would otherwise start by itself, outside anybody's knowledge, and leave behind; and the
broker. Distribution, AMQP, management and epmd listen on 127.0.0.1 only, on ports of their own.
The cookie and the first administrator's password are in 0600 files, never in an argument; the
password's file is emptied once the node has it (`forget_password`).

A node killed in its first start leaves half a database. DIRECTORY/made says that the first start
was completed: without it and without a live process, the database is thrown away (`make`).
"""
import base64
import http.client
import json
import secrets
import shutil
import signal
import socket
from pathlib import Path

import process

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
EPMD = Path("/usr/bin/epmd")
NODE = "rabbit@localhost"
PORTS = ("amqp", "management", "distribution", "epmd")


class RabbitmqServer:
    """The node of one folder, running or not, made or not."""

    def __init__(self, directory):
        self.directory = Path(directory).absolute()
        self.run = self.directory / "run"
        self.pid_file = self.run / "rabbitmq.pid"
        self.epmd_pid_file = self.run / "epmd.pid"
        self.log = self.directory / "rabbitmq.log"
        self.made = self.directory / "made"

    def ports(self):
        """Its ports by name, or None before `make`."""
        try:
            return json.loads((self.directory / "ports.json").read_text())
        except (FileNotFoundError, ValueError):
            return None

    # ---- making it

    def make(self, user, password, ports, settings=()):
        """Everything but the processes. An earlier half-made database is removed."""
        if not PROGRAM.exists():
            raise process.Failure(f"RabbitMQ is not installed ({PROGRAM}): "
                                  "apt-get install rabbitmq-server")
        shutil.rmtree(self.directory / "database", ignore_errors=True)
        self.made.unlink(missing_ok=True)
        for folder in (self.directory, self.run, self.directory / "home"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        cookie = self.directory / "home" / ".erlang.cookie"
        cookie.unlink(missing_ok=True)
        process.write_atomically(cookie, secrets.token_hex(20), 0o400)
        self._write("inetrc", '{host, {127,0,0,1}, ["localhost"]}.\n{lookup, [file, native]}.\n')
        self._write("enabled_plugins", "[rabbitmq_management].\n")
        self._write("rabbitmq.conf", "\n".join([
            f"listeners.tcp.default = 127.0.0.1:{ports['amqp']}",
            "management.tcp.ip = 127.0.0.1", f"management.tcp.port = {ports['management']}",
            "log.console = true", "log.console.level = info", "log.console.use_colors = off",
            "log.file = false", "disk_free_limit.absolute = 20MB",
            "vm_memory_high_watermark.absolute = 512MB",
            "raft.wal_max_size_bytes = 33554432", *settings]) + "\n")
        self._write_advanced([f"{{default_user, {erlang_binary(user)}}}",
                              f"{{default_pass, {erlang_binary(password)}}}"])
        self._write("ports.json", json.dumps(ports) + "\n")

    def forget_password(self):
        """The first start has put the password's hash into the database; it is needed no more."""
        self._write_advanced([])

    def _write_advanced(self, rabbit):
        self._write("advanced.config",
                    "[{kernel, [{inet_dist_use_interface, {127,0,0,1}}]},\n"
                    f" {{rabbit, [{', '.join(rabbit)}]}}].\n")

    def _write(self, name, text):
        process.write_atomically(self.directory / name, text)

    # ---- running it

    def start(self):
        """Start what does not run; `ready` tells when it serves."""
        ports = self.ports()
        if not process.live_pid(self.epmd_pid_file):
            process.launch([str(EPMD), "-address", "127.0.0.1", "-port", str(ports["epmd"])],
                           pid_file=self.epmd_pid_file, log=self.directory / "epmd.log")
        if not process.live_pid(self.pid_file):
            process.launch([str(PROGRAM)], pid_file=self.pid_file, log=self.log,
                           chdir=str(self.directory), env=self._environment(ports))

    def _environment(self, ports):
        place = str(self.directory)
        return {
            "HOME": f"{place}/home", "RUNNING_UNDER_SYSTEMD": "true",  # exec, no shell between
            "RABBITMQ_NODENAME": NODE, "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(ports["amqp"]),
            "RABBITMQ_DIST_PORT": str(ports["distribution"]),
            "RABBITMQ_MNESIA_BASE": f"{place}/database", "RABBITMQ_LOG_BASE": place,
            "RABBITMQ_CONFIG_FILE": f"{place}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{place}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{place}/enabled_plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{place}/none.conf",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{place}/database/generated",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",  # one scheduler: least CPU when idle
            "ERL_EPMD_PORT": str(ports["epmd"]), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_INETRC": f"{place}/inetrc", "ERL_CRASH_DUMP": f"{place}/erl_crash.dump",
        }

    def ready(self, user, password):
        """The node's name if both its doors are open and the administrator may enter, else None;
        Failure when a made node refuses the password: waiting will not help."""
        ports = self.ports()
        if ports is None:
            return None
        try:
            with socket.create_connection(("127.0.0.1", ports["amqp"]), timeout=5):
                pass
            overview = api(ports["management"], (user, password), "GET", "/api/overview")
            return overview["node"]
        except ApiRefusal as refusal:
            if refusal.status == 401 and self.made.exists():
                raise process.Failure(f"the RabbitMQ node in {self.directory} refuses the given "
                                      f"password of {user}: it was made with another one") from None
            return None
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def wait_until_ready(self, user, password, timeout=120):
        """The node's name; Failure with the end of the log when it dies or takes too long."""
        def answers_or_is_dead():
            return self.ready(user, password) or not process.live_pid(self.pid_file)

        answer = process.poll(answers_or_is_dead, timeout, pause=0.25)
        if isinstance(answer, str):
            return answer
        why = "ended at once" if answer else f"does not answer within {timeout} s"
        raise process.Failure(f"RabbitMQ in {self.directory} {why}:\n"
                              f"{process.last_lines(self.log)}")

    def stop(self, kill=False):
        process.end(self.pid_file, signal.SIGKILL if kill else signal.SIGTERM)
        process.end(self.epmd_pid_file, signal.SIGKILL)  # it keeps nothing, and ignores SIGTERM


class ApiRefusal(Exception):
    """The management API answered with an error."""

    def __init__(self, what, status):
        super().__init__(what)
        self.status = status


def api(port, login, method, path, body=None):
    """One call of the management API on 127.0.0.1; the decoded answer, None when it is empty."""
    token = base64.b64encode(":".join(login).encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"Authorization": f"Basic {token}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            words = text.decode(errors="replace")
            raise ApiRefusal(f"{method} {path}: {answer.status} {words}", answer.status)
        return json.loads(text) if text else None
    finally:
        connection.close()


def erlang_binary(text):
    """Any text as an Erlang term, byte by byte: nothing to escape, nothing to misread."""
    return "<<" + ",".join(str(byte) for byte in text.encode()) + ">>"
