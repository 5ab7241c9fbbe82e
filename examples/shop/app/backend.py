#!/usr/bin/python3 -B
"""The shop's backend: orders over HTTP, kept in PostgreSQL, confirmed over RabbitMQ.

POST /api/orders      {"email": TEXT, "items": [{"product_id": N, "quantity": N}]} -> 201, the order
GET  /api/orders/ID   the order;  GET /api/orders  the newest ones
GET  /api/products    a page of the catalog, by ?after=ID
GET  /health          200 when both databases and the broker answer, else 503; JSON in either case

The way of an order: its rows and an entry in the outbox are one transaction; the publisher sends
the outbox to the broker and strikes off what the broker has taken; the consumer takes the message
from the queue, looks at the stock, and confirms the order. A message may arrive twice or, after a
disaster, never: the consumer confirms what is still new, and at start whatever is still new is put
into the outbox again.

Settings: backend.yaml and limits.json in the folder given by --config. Passwords:
SHOP_DB_ORDERS_PASSWORD, SHOP_DB_CATALOG_PASSWORD, SHOP_MQ_PASSWORD, or each with _FILE appended,
then it names a file.
"""
import argparse
import collections
import json
import logging
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pika
import psycopg2
import yaml

ORDER = """
  SELECT json_build_object('id', o.id, 'status', o.status, 'total', o.total, 'invoice', o.invoice,
    'email', c.email, 'placed_at', o.placed_at, 'confirmed_at', o.confirmed_at, 'items',
    (SELECT coalesce(json_agg(json_build_object('product_id', product_id, 'quantity', quantity,
       'price', price) ORDER BY line), '[]') FROM order_items WHERE order_id = o.id))
  FROM orders AS o JOIN customers AS c ON c.id = o.customer_id"""


class BadRequest(Exception):
    """The client's mistake; the text tells it."""


def password(name):
    """A secret from the environment, or from the file that NAME_FILE names."""
    if name in os.environ:
        return os.environ[name]
    path = os.environ.get(f"{name}_FILE")
    if path is None:
        raise SystemExit(f"backend: set {name}_FILE (or {name}): the password is not configured")
    return Path(path).read_text(encoding="utf-8").rstrip("\n")


class Database:
    """A bounded number of connections to one database, kept while they are sound."""

    def __init__(self, settings, secret):
        self.slots = threading.BoundedSemaphore(settings["connections"])
        self.idle = collections.deque()
        self.access = {
            "host": settings["host"], "port": settings["port"], "dbname": settings["name"],
            "user": settings["user"], "password": secret, "connect_timeout": 5,
            "application_name": "shop-backend"}

    @contextmanager
    def transaction(self):
        with self.slots:
            connection = self.take()
            try:
                with connection, connection.cursor() as cursor:
                    yield cursor
            except psycopg2.OperationalError:
                connection.close()
                raise
            finally:
                if not connection.closed:
                    self.idle.append(connection)

    def take(self):
        while self.idle:
            connection = self.idle.pop()
            if not connection.closed:
                return connection
        return psycopg2.connect(**self.access)

    def value(self, query, *arguments):
        with self.transaction() as cursor:
            cursor.execute(query, arguments)
            row = cursor.fetchone()
            return row[0] if row else None


class Broker:
    """How to reach the broker; each thread opens a connection of its own."""

    def __init__(self, settings, secret):
        self.exchange, self.queue = settings["exchange"], settings["queue"]
        self.routing_key = settings["routing_key"]
        self.parameters = pika.ConnectionParameters(
            host=settings["host"], port=settings["port"], virtual_host=settings["vhost"],
            credentials=pika.PlainCredentials(settings["user"], secret), heartbeat=60,
            connection_attempts=1, socket_timeout=5, blocked_connection_timeout=30)

    def connect(self):
        return pika.BlockingConnection(self.parameters)


class Worker(threading.Thread):
    """Does one job for ever: when it fails, it is begun anew after a moment."""

    def __init__(self, name, job):
        super().__init__(name=name, daemon=True)
        self.job = job
        self.works = threading.Event()

    def run(self):
        pause = threading.Event()
        while True:
            try:
                self.job(self.works)
            except (pika.exceptions.AMQPError, psycopg2.Error, OSError) as problem:
                self.works.clear()
                logging.warning("%s: %s: %s", self.name, type(problem).__name__, problem)
                pause.wait(0.5)


class Shop:
    """The shop without HTTP: places, confirms and shows orders."""

    def __init__(self, settings, limits):
        self.limits = limits
        self.orders = Database(settings["db"]["orders"], password("SHOP_DB_ORDERS_PASSWORD"))
        self.catalog = Database(settings["db"]["catalog"], password("SHOP_DB_CATALOG_PASSWORD"))
        self.broker = Broker(settings["mq"], password("SHOP_MQ_PASSWORD"))
        self.waiting = threading.Event()
        self.publisher = Worker("publisher", self.publish)
        self.consumer = Worker("consumer", self.consume)

    def start(self):
        self.publisher.start()
        self.consumer.start()

    def place(self, wish):
        email, items = self.checked(wish)
        with self.catalog.transaction() as cursor:
            cursor.execute("SELECT id, price FROM products WHERE id = ANY(%s)", (list(items),))
            prices = dict(cursor.fetchall())
        unknown = sorted(set(items) - set(prices))
        if unknown:
            raise BadRequest(f"no product {unknown[0]}")
        with self.orders.transaction() as cursor:
            cursor.execute("INSERT INTO customers (email, name) VALUES (%s, %s) ON CONFLICT (email)"
                           " DO UPDATE SET name = customers.name RETURNING id",
                           (email, email.split("@")[0]))
            cursor.execute("INSERT INTO orders (customer_id) VALUES (%s) RETURNING id",
                           cursor.fetchone())
            number = cursor.fetchone()[0]
            for line, (product, quantity) in enumerate(items.items(), 1):
                cursor.execute("INSERT INTO order_items VALUES (%s, %s, %s, %s, %s)",
                               (number, line, product, quantity, prices[product]))
            cursor.execute("INSERT INTO outbox VALUES (%s)", (number,))
        self.waiting.set()
        return self.order(number)

    def checked(self, wish):
        try:
            email, items = wish["email"], wish["items"]
            pairs = {int(item["product_id"]): int(item["quantity"]) for item in items}
        except (KeyError, TypeError, ValueError) as problem:
            raise BadRequest("wanted: email, and items with product_id and quantity") from problem
        if not isinstance(email, str) or "@" not in email[1:]:
            raise BadRequest("email is not an address")
        if not 1 <= len(pairs) <= self.limits["max_items_per_order"]:
            raise BadRequest(f"between 1 and {self.limits['max_items_per_order']} items")
        if not all(1 <= quantity <= self.limits["max_quantity"] for quantity in pairs.values()):
            raise BadRequest(f"a quantity is between 1 and {self.limits['max_quantity']}")
        return email, pairs

    def order(self, number):
        return self.orders.value(f"{ORDER} WHERE o.id = %s", number)

    def newest(self):
        return self.orders.value(f"SELECT coalesce(json_agg(json_build_object), '[]') FROM ({ORDER}"
                                 " ORDER BY o.id DESC LIMIT %s) AS page", self.limits["page_size"])

    def products(self, after):
        return self.catalog.value(
            "SELECT coalesce(json_agg(page), '[]') FROM (SELECT id, name, price, quantity FROM"
            " products JOIN available ON product_id = id WHERE id > %s ORDER BY id LIMIT %s)"
            " AS page", after, self.limits["page_size"])

    def publish(self, works):
        """The publisher's job: the outbox, in order, until the connection breaks."""
        with self.broker.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            self.orders.value("INSERT INTO outbox SELECT id FROM orders WHERE status = 'new'"
                              " ON CONFLICT DO NOTHING RETURNING 1")
            while True:
                self.waiting.clear()
                self.empty_outbox(channel)
                works.set()
                self.waiting.wait(5)
                connection.process_data_events(0)  # heartbeats

    def empty_outbox(self, channel):
        while True:
            with self.orders.transaction() as cursor:
                cursor.execute("SELECT order_id FROM outbox ORDER BY 1 LIMIT 100")
                numbers = [row[0] for row in cursor.fetchall()]
            for number in numbers:
                channel.basic_publish(
                    self.broker.exchange, self.broker.routing_key,
                    json.dumps({"order": number}), pika.BasicProperties(
                        content_type="application/json", delivery_mode=2), mandatory=True)
                with self.orders.transaction() as cursor:
                    cursor.execute("DELETE FROM outbox WHERE order_id = %s", (number,))
            if not numbers:
                return

    def consume(self, works):
        """The consumer's job: message by message, until the connection breaks."""
        with self.broker.connect() as connection:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=10)
            channel.queue_declare(self.broker.queue, passive=True)
            works.set()
            for method, _, body in channel.consume(self.broker.queue):
                self.confirm(json.loads(body)["order"])
                channel.basic_ack(method.delivery_tag)

    def confirm(self, number):
        with self.orders.transaction() as cursor:
            cursor.execute("SELECT product_id, quantity FROM order_items WHERE order_id = %s",
                           (number,))
            wanted = cursor.fetchall()
        with self.catalog.transaction() as cursor:
            cursor.execute("SELECT product_id, quantity FROM available WHERE product_id = ANY(%s)",
                           ([product for product, _ in wanted],))
            stock = dict(cursor.fetchall())
        enough = all(stock.get(product, 0) >= quantity for product, quantity in wanted)
        with self.orders.transaction() as cursor:
            cursor.execute(
                "UPDATE orders SET status = %s, confirmed_at = clock_timestamp()"
                " WHERE id = %s AND status = 'new'",
                ("confirmed" if enough else "backordered", number))

    def health(self):
        """What works, by name; "status" is "ok" when all of it does."""
        answer = {"orders_db": self.answers(self.orders, "SELECT 1 FROM orders LIMIT 1"),
                  "catalog_db": self.answers(self.catalog, "SELECT 1 FROM products LIMIT 1"),
                  "publisher": "ok" if self.publisher.works.is_set() else "failing",
                  "consumer": "ok" if self.consumer.works.is_set() else "failing"}
        good = all(value == "ok" for value in answer.values())
        return {"status": "ok" if good else "failing", **answer}

    @staticmethod
    def answers(database, query):
        try:
            database.value(query)
            return "ok"
        except psycopg2.Error:
            return "failing"


class Handler(BaseHTTPRequestHandler):
    """HTTP around the shop; every answer is JSON."""
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self):  # pylint: disable=invalid-name
        self.respond(self.get)

    def do_POST(self):  # pylint: disable=invalid-name
        self.respond(self.post)

    def get(self):
        shop, url = self.server.shop, urlsplit(self.path)
        if url.path == "/health":
            health = shop.health()
            health["commit"] = self.server.commit
            return (200 if health["status"] == "ok" else 503), health
        if url.path == "/api/orders":
            return 200, shop.newest()
        if url.path == "/api/products":
            after = parse_qs(url.query).get("after", ["0"])[0]
            return 200, shop.products(int(after) if after.isdecimal() else 0)
        kind, _, number = url.path.rpartition("/")
        order = shop.order(int(number)) if kind == "/api/orders" and number.isdecimal() else None
        return (200, order) if order else (404, {"error": "there is no such thing"})

    def post(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > self.server.shop.limits["max_body_bytes"]:
            self.close_connection = True
            return 413, {"error": "too large"}
        body = self.rfile.read(length)
        if self.path != "/api/orders":
            return 404, {"error": "there is no such thing"}
        try:
            return 201, self.server.shop.place(json.loads(body))
        except ValueError as problem:
            raise BadRequest("the body is not JSON") from problem

    def respond(self, action):
        try:
            status, answer = action()
        except BadRequest as problem:
            status, answer = 400, {"error": str(problem)}
        except psycopg2.Error as problem:
            logging.warning("%s %s: %s", self.command, self.path, problem)
            status, answer = 503, {"error": "a database does not answer"}
        body = json.dumps(answer).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        logging.debug(format, *args)


class Server(ThreadingHTTPServer):
    """One thread a connection, none of which keeps the process alive."""
    daemon_threads = True
    request_queue_size = 64


def main():
    parser = argparse.ArgumentParser(prog="backend.py", description="The shop's backend.")
    parser.add_argument("--config", required=True, type=Path, help="folder of the settings")
    parser.add_argument("--commit", default="", help="what the settings are of, told by /health")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    settings = yaml.safe_load((options.config / "backend.yaml").read_text(encoding="utf-8"))
    limits = json.loads((options.config / "limits.json").read_text(encoding="utf-8"))
    server = Server((settings["http"]["host"], settings["http"]["port"]), Handler)
    server.shop, server.commit = Shop(settings, limits), options.commit
    server.shop.start()
    logging.info("serving on %s port %d", *server.server_address)
    server.serve_forever()


if __name__ == "__main__":
    main()
