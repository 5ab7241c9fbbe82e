#!/usr/bin/python3 -B
"""The shop's customers: places orders through the page's API all the time, and leaves a heartbeat
row in shop_orders every tenth of a second. Whatever fails is tried again.

It is the witness of what the shop promised. --log gets a JSON line for each order that the shop
acknowledged ({"order": ID, "at": SECONDS}; SECONDS is Unix time when the answer came), written
through before the next order is placed.

Environment: SHOP_FRONTEND_URL; SHOP_POSTGRES_HOST, SHOP_POSTGRES_PORT and
SHOP_DB_WRITER_PASSWORD_FILE for the heartbeat.
"""
import argparse
import http.client
import json
import logging
import os
import random
import signal
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2

HEARTBEAT_SECONDS = 0.1
CUSTOMERS = 20000
PRODUCTS = 10000


class Orders:
    """Places one order at a time."""

    def __init__(self, url, log, seed):
        self.address = urlsplit(url)
        self.log = open(log, "a", encoding="utf-8")
        self.random = random.Random(seed)
        self.connection = None

    def wish(self):
        products = self.random.sample(range(1, PRODUCTS + 1), self.random.randint(1, 4))
        return {"email": f"customer{self.random.randint(1, CUSTOMERS)}@shop.example",
                "items": [{"product_id": product, "quantity": self.random.randint(1, 3)}
                          for product in products]}

    def place(self):
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(
                    self.address.hostname, self.address.port, timeout=10)
            self.connection.request("POST", "/api/orders", json.dumps(self.wish()))
            answer = self.connection.getresponse()
            body = answer.read()
            if answer.status != 201:
                raise OSError(f"{answer.status} {body.decode(errors='replace').strip()}")
            self.log.write(json.dumps({"order": json.loads(body)["id"], "at": time.time()}) + "\n")
            self.log.flush()
        except (OSError, ValueError, http.client.HTTPException):
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            raise


class Heart:
    """One row in each beat."""

    def __init__(self, environment):
        self.access = {
            "host": environment["SHOP_POSTGRES_HOST"], "port": environment["SHOP_POSTGRES_PORT"],
            "dbname": "shop_orders", "user": "shop_writer", "connect_timeout": 5,
            "password": Path(environment["SHOP_DB_WRITER_PASSWORD_FILE"]).read_text().strip()}
        self.connection = None

    def beat(self):
        try:
            if self.connection is None:
                self.connection = psycopg2.connect(**self.access)
                self.connection.autocommit = True
            with self.connection.cursor() as cursor:
                cursor.execute("INSERT INTO heartbeat DEFAULT VALUES")
        except psycopg2.Error:
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            raise


def keep_doing(action, pause, stop):
    """Again and again; a failure is logged when it begins and when it is over."""
    failing = False
    while not stop.wait(pause):
        try:
            action()
            if failing:
                logging.info("%s: works again", action.__qualname__)
            failing = False
        except Exception as problem:  # pylint: disable=broad-except
            if not failing:
                logging.warning("%s: %s", action.__qualname__, str(problem).strip())
            failing = True


def main():
    parser = argparse.ArgumentParser(prog="writer.py", description="The shop's customers.")
    parser.add_argument("--log", required=True, help="acknowledged orders, one a line")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two orders")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    orders = Orders(os.environ["SHOP_FRONTEND_URL"], options.log, options.seed)
    heart = Heart(os.environ)
    beating = threading.Thread(target=keep_doing, args=(heart.beat, HEARTBEAT_SECONDS, stop))
    beating.start()
    keep_doing(orders.place, options.pause, stop)
    beating.join()


if __name__ == "__main__":
    main()
