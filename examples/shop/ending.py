"""Ends a shop: the one that `start` built, or the one that a recovery built in its place.

Both keep one folder for each part (postgres, rabbitmq, backend, frontend, writer), with the records
of its processes in PART/run (recovery/process.py).
"""
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "recovery"), str(HERE.parents[1] / "testbed")]
# pylint: disable=wrong-import-position
import components
import process
from postgres_server import PostgresServer
from rabbitmq_server import RabbitmqServer

SERVICES = ("writer", "frontend", "backend")  # who needs others, first
KEPT = "witness"


def require_shop(directory):
    parts = ("postgres", "rabbitmq", "backend", "frontend", "secrets")
    if not any((directory / part).is_dir() for part in parts):
        raise process.Failure(f"{directory} holds no shop; nothing is touched")


def end_cleanly(directory):
    """Everybody finishes what they do, in the order of their needs."""
    for name in SERVICES:
        process.end(directory / name / "run" / f"{name}.pid")
    RabbitmqServer(directory / "rabbitmq").stop()
    PostgresServer(directory / "postgres").stop()


def end_at_once(directory):
    """SIGKILL for all of them in the same moment."""
    database = PostgresServer(directory / "postgres")
    segment = database.shared_memory()
    process.end_now(list(directory.glob("*/run/*.pid")))
    database.free_shared_memory(segment)


def remove(directory, keep=()):
    """The folder's content except what is to be kept; the folder itself when nothing is."""
    for entry in directory.iterdir():
        if entry.name in keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(os.fsencode(entry))  # bytes: the names in it may be anything
        else:
            entry.unlink()
    for part in ("postgres", "rabbitmq"):
        components.forget(directory / part)
    if not any(directory.iterdir()):
        directory.rmdir()
