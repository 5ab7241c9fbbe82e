#!/usr/bin/python3 -B
"""A small shop's site on 127.0.0.1 for tests: a cookie, a login, a page behind it, and hooks that
keep what they are told.

usage: site.py PORT FOLDER     FOLDER/told gets one line of JSON for each message to /hook/...
"""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PASSWORD, COOKIE, TOKEN = "of-the-probe", "of-the-cookie", "of-the-token"


class Site(BaseHTTPRequestHandler):
    """One request."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # pylint: disable=invalid-name
        if self.path == "/":
            self.answer(200, {}, {"Set-Cookie": f"csrf={COOKIE}; Path=/; HttpOnly"})
        elif self.path == "/account" and self.headers["Authorization"] == f"Bearer {TOKEN}":
            self.answer(200, {"user": "probe"})
        else:
            self.answer(404, {})

    def do_POST(self):  # pylint: disable=invalid-name
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/login":
            right = (self.headers["Cookie"] == f"csrf={COOKIE}" and said["csrf"] == COOKIE
                     and said["password"] == PASSWORD)
            self.answer(200 if right else 403, {"token": TOKEN} if right else {})
        elif self.path.startswith("/hook/"):
            said["key"] = self.headers["Idempotency-Key"]
            with open(Path(sys.argv[2]) / "told", "a", encoding="utf-8") as told:
                told.write(json.dumps(said) + "\n")
            self.answer(200, {})
        else:
            self.answer(500, {})

    def answer(self, status, body, headers=None):
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_args):  # pylint: disable=arguments-differ
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Site).serve_forever()
