#!/usr/bin/python3 -B
"""An HTTP server that stands before another one and lets things go wrong, as asked.

Every request is forwarded as it is (a signature is for the host that was asked: this one's name goes
on), unless a rule of the script strikes. The script is set by PUT /.script, a JSON list of rules; GET
/.script answers a line for each: how many requests it matched, and how many it struck. A rule:

  {"method": "PUT", "path": "regular expression", "skip": 2, "times": 1, "fault": FAULT, ...}

strikes requests that match, after `skip` of them, `times` times (-1: always). Faults:

  status      answer "status" with "body" and "headers", forward nothing
  lost_reply  forward, then break the connection instead of answering
  cut_upload  break the connection after "bytes" bytes of the request's body, forward nothing
  reset       break the connection after "bytes" bytes of the answer's body
  refuse      break the connection before anything is forwarded
  slow        one byte of the answer each "pause" seconds
  hang        answer the head, then nothing for "pause" seconds
  replace     forward, and replace "from" by "to" in the answer's body (regular expression)
  drop_condition   forward without If-None-Match: as a server that does not know it

  testbed/fault_proxy.py --port 8080 --upstream 127.0.0.1:7070
"""
import argparse
import http.client
import json
import re
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK = 64 * 1024
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Script:
    """The rules, and how often each has matched and struck."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rules = []

    def set(self, rules):
        with self.lock:
            self.rules = [{"skip": 0, "times": 1, **rule, "matched": 0, "struck": 0}
                          for rule in rules]

    def strike(self, method, path):
        """The rule that strikes this request, or None."""
        with self.lock:
            for rule in self.rules:
                if rule.get("method", method) != method or not re.search(rule.get("path", ""), path):
                    continue
                rule["matched"] += 1
                spent = 0 <= rule["times"] <= rule["struck"]
                if rule["matched"] > rule["skip"] and not spent:
                    rule["struck"] += 1
                    return rule
        return None

    def counts(self):
        with self.lock:
            return "".join(f"{rule['matched']} {rule['struck']}\n" for rule in self.rules)


class Broken(Exception):
    """The connection is to break now."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        if self.path == "/.script":
            return self.control(self.rfile.read(length))
        rule = self.server.script.strike(self.command, self.path) or {"fault": None}
        try:
            if rule["fault"] == "cut_upload":
                self.rfile.read(min(length, rule["bytes"]))
                raise Broken
            self.serve(rule, self.rfile.read(length))
        except Broken:
            # A reset, not an end: what was sent may be lost too.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
        return None

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    def control(self, body):
        if self.command == "PUT":
            self.server.script.set(json.loads(body))
        self.answer(200, {}, self.server.script.counts().encode())

    def serve(self, rule, body):
        fault = rule["fault"]
        if fault == "refuse":
            raise Broken
        if fault == "status":
            return self.answer(rule["status"], rule.get("headers", {}),
                               rule.get("body", "").encode())
        status, headers, answer = self.forward(body, fault == "drop_condition")
        if fault == "lost_reply":
            raise Broken
        if fault == "replace":
            answer = re.sub(rule["from"].encode(), rule["to"].encode(), answer, flags=re.S)
        if fault in ("reset", "slow", "hang"):
            return self.answer_badly(rule, (status, headers, answer))
        return self.answer(status, headers, answer)

    def forward(self, body, drop_condition):
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in HOP_BY_HOP}
        if drop_condition:
            headers = {name: value for name, value in headers.items()
                       if name.lower() != "if-none-match"}
        headers["Content-Length"] = str(len(body))
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        told = {name: value for name, value in answer.getheaders()
                if name.lower() not in HOP_BY_HOP or
                (name.lower() == "content-length" and self.command == "HEAD")}
        content = answer.read()
        connection.close()
        return answer.status, told, content

    def head(self, status, headers, length):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.command != "HEAD" and status not in (204, 304):
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def answer(self, status, headers, body):
        self.head(status, headers, len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_badly(self, rule, answer):
        status, headers, body = answer
        self.head(status, headers, len(body))
        self.wfile.flush()
        if rule["fault"] == "reset":
            self.wfile.write(body[:rule["bytes"]])
            self.wfile.flush()
            raise Broken
        if rule["fault"] == "hang":
            time.sleep(rule["pause"])
            raise Broken
        for byte in body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(rule["pause"])

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, metavar="HOST:PORT")
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), Handler)
    server.script, server.upstream = Script(), options.upstream
    server.serve_forever()


if __name__ == "__main__":
    main()
