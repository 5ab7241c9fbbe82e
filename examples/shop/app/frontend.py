#!/usr/bin/python3 -B
"""The shop's page: shows what is sold and ordered, and hands /api and /health to the backend.

GET  /             the page
GET  /uploads/...  an uploaded file, as it is
/api/..., /health  as the backend answers; 502 when it does not

Settings: frontend.env in the folder given by --config; the folder of uploads is --uploads.
"""
import argparse
import http.client
import json
import os
import shutil
import sys
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

LARGEST_BODY = 1 << 20
PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:16px/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;padding:.2rem .6rem;
border-bottom:1px solid #ccc}}</style>
<h1>{title}</h1>
<h2>Products</h2><table><tr><th>No.<th>Name<th>Price<th>In stock</tr>{products}</table>
<h2>Newest orders</h2><table><tr><th>No.<th>Customer<th>Total<th>Status</tr>{orders}</table>
</html>
"""


def read_settings(path):
    """NAME=VALUE lines; # begins a comment line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def row(*cells):
    return "<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in cells) + "</tr>"


class Handler(BaseHTTPRequestHandler):
    """One connection of a visitor."""
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self):  # pylint: disable=invalid-name
        path = urlsplit(self.path).path
        if path == "/":
            self.show_page()
        elif path.startswith("/uploads/"):
            self.show_upload(unquote_to_bytes(path.removeprefix("/uploads/")))
        elif path == "/health" or path.startswith("/api/"):
            self.answer(*self.ask_backend("GET", self.path))
        else:
            self.answer(404, "text/plain", b"There is no such page.\n")

    def do_POST(self):  # pylint: disable=invalid-name
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST_BODY:
            self.close_connection = True
            self.answer(413, "text/plain", b"Too large.\n")
            return
        body = self.rfile.read(length)
        if self.path.startswith("/api/"):
            self.answer(*self.ask_backend("POST", self.path, body))
        else:
            self.answer(404, "text/plain", b"There is no such page.\n")

    def ask_backend(self, method, path, body=None):
        """Status, content type and body of the backend's answer, or of ours in its place."""
        address = urlsplit(self.server.settings["BACKEND_URL"])
        backend = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        try:
            backend.request(method, path, body, {"Content-Type": "application/json"})
            answer = backend.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read()
        except (OSError, http.client.HTTPException) as problem:
            self.log_message("backend: %s", problem)
            return 502, "application/json", b'{"error": "the backend does not answer"}\n'
        finally:
            backend.close()

    def show_page(self):
        lists = []
        for path in ("/api/products", "/api/orders"):
            status, _, body = self.ask_backend("GET", path)
            if status != 200:
                self.answer(status, "text/plain", b"The shop is closed for a moment.\n")
                return
            lists.append(json.loads(body))
        products = [row(p["id"], p["name"], p["price"] / 100, p["quantity"]) for p in lists[0]]
        orders = [row(o["id"], o["email"], o["total"] / 100, o["status"]) for o in lists[1]]
        page = PAGE.format(title=escape(self.server.settings["TITLE"]),
                           products="".join(products), orders="".join(orders))
        self.answer(200, "text/html; charset=utf-8", page.encode())

    def show_upload(self, name):
        root = os.path.realpath(os.fsencode(self.server.uploads))
        path = os.path.realpath(os.path.join(root, name))
        if not path.startswith(root + b"/") or not os.path.isfile(path):
            self.answer(404, "text/plain", b"There is no such upload.\n")
            return
        with open(path, "rb") as stream:
            self.start_answer(200, "application/octet-stream", os.fstat(stream.fileno()).st_size)
            shutil.copyfileobj(stream, self.wfile)

    def start_answer(self, status, kind, length):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def answer(self, status, kind, body):
        self.start_answer(status, kind, len(body))
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        """Successes are not logged."""

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        sys.stderr.write(f"{self.log_date_time_string()} {format % args}\n")


class Server(ThreadingHTTPServer):
    """One thread a connection, none of which keeps the process alive."""
    daemon_threads = True
    request_queue_size = 64


def main():
    parser = argparse.ArgumentParser(prog="frontend.py", description="The shop's page.")
    parser.add_argument("--config", required=True, type=Path, help="folder of the settings")
    parser.add_argument("--uploads", required=True, type=Path, help="folder of uploaded files")
    options = parser.parse_args()
    settings = read_settings(options.config / "frontend.env")
    server = Server((settings["FRONTEND_HOST"], int(settings["FRONTEND_PORT"])), Handler)
    server.settings, server.uploads = settings, options.uploads
    server.serve_forever()


if __name__ == "__main__":
    main()
