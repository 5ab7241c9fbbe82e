#!/usr/bin/python3 -B
"""Serves the bare repositories under a folder by `git http-backend` on 127.0.0.1, for tests: fetch
and push, with basic authentication for both. Bodies are streamed, whatever their size.
"""
import argparse
import base64
import hmac
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CHUNK = 1 << 16
PASSED_ON = {"Content-Type": "CONTENT_TYPE", "Git-Protocol": "GIT_PROTOCOL",
             "Content-Encoding": "HTTP_CONTENT_ENCODING", "Content-Length": "CONTENT_LENGTH"}


class GitHandler(BaseHTTPRequestHandler):
    """One request: check who asks, hand it to git http-backend (CGI), hand its answer back."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # pylint: disable=invalid-name
        if not self.is_authorised():
            self.refuse()
            return
        backend = subprocess.Popen(["git", "http-backend"], env=self.backend_environment(),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        feeder = threading.Thread(target=self.feed, args=(backend.stdin,))
        feeder.start()
        try:
            self.answer(backend.stdout)
        finally:
            backend.stdout.close()
            feeder.join()
            backend.wait()

    do_POST = do_GET

    def is_authorised(self):
        given = self.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), self.server.authorization.encode())

    def refuse(self):
        self.close_connection = True  # the body was not read
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="testbed"')
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def backend_environment(self):
        path, _, query = self.path.partition("?")
        env = dict(os.environ, GIT_PROJECT_ROOT=self.server.root, GIT_HTTP_EXPORT_ALL="1",
                   PATH_INFO=path, QUERY_STRING=query, REQUEST_METHOD=self.command,
                   REMOTE_ADDR="127.0.0.1", REMOTE_USER=self.server.user,
                   GIT_CONFIG_COUNT="2", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*",
                   GIT_CONFIG_KEY_1="http.receivepack", GIT_CONFIG_VALUE_1="true")
        for header, name in PASSED_ON.items():
            if self.headers.get(header):
                env[name] = self.headers[header]
        return env

    def feed(self, stdin):
        try:
            with stdin:
                for piece in self.body():
                    stdin.write(piece)
        except (BrokenPipeError, ConnectionError):
            self.close_connection = True  # git has seen enough, or the client went away

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0 and (piece := self.rfile.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece

    def answer(self, stdout):
        status, headers = 200, []
        while line := stdout.readline().strip().decode():
            name, _, value = line.partition(": ")
            if name.lower() == "status":
                status = int(value.split()[0])
            else:
                headers.append((name, value))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Connection", "close")  # the end of the stream ends the answer
        self.end_headers()
        self.close_connection = True
        shutil.copyfileobj(stdout, self.wfile, CHUNK)


def main():
    parser = argparse.ArgumentParser(prog="git_http.py", description=__doc__)
    parser.add_argument("--root", required=True, help="the folder of bare repositories")
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-file", required=True)
    options = parser.parse_args()
    password = Path(options.password_file).read_text(encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", options.port), GitHandler)
    server.daemon_threads = True
    server.root, server.user = options.root, options.user
    login = f"{options.user}:{password}".encode()
    server.authorization = "Basic " + base64.b64encode(login).decode()
    server.serve_forever()


if __name__ == "__main__":
    main()
