"""Knot DNS 3.2 in one folder, on loopback: one server with authority for each zone file.

Each zone has an address of its own (127.0.0.1, 127.0.0.2, ... in the order in which they were
given), all of them the same port, so that a zone can delegate to another one as in the world: by
address. A test changes a zone by dynamic update (RFC 2136) from loopback, as by nsupdate or knsupdate.
"""
import signal
import socket
import struct
from pathlib import Path

import process

PROGRAM = Path("/usr/sbin/knotd")
UPDATE_NOTHING = b"\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"  # a header: one question


class KnotServer:
    """The servers of one folder, running or not."""

    def __init__(self, directory):
        self.directory = Path(directory).absolute()

    def address(self, number):
        return f"127.0.0.{number + 1}"

    def folder(self, number):
        return self.directory / f"server-{number + 1}"

    def pid_file(self, number):
        return self.directory / "run" / f"knot-{number + 1}.pid"

    def make(self, zones, port):
        """Configuration and zone files: `zones` has (name, records) in the order of addresses."""
        if not PROGRAM.exists():
            raise process.Failure(f"Knot DNS is not installed ({PROGRAM}): apt-get install knot")
        (self.directory / "run").mkdir(parents=True, exist_ok=True)
        for number, (zone, records) in enumerate(zones):
            place = self.folder(number)
            place.mkdir(parents=True, exist_ok=True)
            (place / "zone").write_text(f"$ORIGIN {zone}.\n$TTL 5\n{records}\n")
            (place / "knot.conf").write_text(f"""\
server:
  listen: {self.address(number)}@{port}
  rundir: {place}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {place}
log:
  - target: stderr
    any: info
acl:
  - id: loopback
    address: 127.0.0.0/8
    action: [update, transfer]
zone:
  - domain: {zone}
    storage: {place}
    file: zone
    acl: loopback
    zonefile-sync: -1
    journal-content: none
""")

    def start(self, zones, port):
        for number in range(len(zones)):
            place = self.folder(number)
            process.launch([str(PROGRAM), "-c", str(place / "knot.conf")],
                           pid_file=self.pid_file(number), log=place / "log", chdir=str(place))
        for number, (zone, _) in enumerate(zones):
            ready = process.poll(lambda: answers(self.address(number), port, zone)
                                 or not process.live_pid(self.pid_file(number)), 60)
            if ready is None or not process.live_pid(self.pid_file(number)):
                words = process.last_lines(self.folder(number) / "log")
                raise process.Failure(f"the name server of {zone} does not start:\n{words}")

    def stop(self, count, kill):
        for number in range(count):
            process.end(self.pid_file(number), signal.SIGKILL if kill else signal.SIGTERM)


def answers(address, port, zone):
    """True when the server has the zone's SOA."""
    name = b"".join(bytes([len(part)]) + part.encode() for part in zone.split(".")) + b"\x00"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.5)
        try:
            asking.connect((address, port))
            asking.send(UPDATE_NOTHING + name + b"\x00\x06\x00\x01")
            answer = asking.recv(4096)
        except OSError:
            return False
    return len(answer) > 12 and answer[3] & 15 == 0 and struct.unpack(">H", answer[6:8])[0] > 0
