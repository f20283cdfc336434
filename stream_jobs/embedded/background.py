"""Watching over an instance from a thread, for commands that have something else to do meanwhile."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from stream_jobs.base.errors import SpendstreamError
from stream_jobs.embedded.supervisor import Embedded

log = logging.getLogger(__name__)

INTERVAL_S: Final = 1.0


@contextmanager
def watched(embedded: Embedded) -> Iterator[None]:
    """Restart what dies and keep the broker under its bound while the block runs; then stop the started instance."""
    leave, idle, stopped = threading.Event(), threading.Event(), threading.Event()

    def watch() -> None:
        try:
            while not leave.wait(INTERVAL_S):
                try:
                    embedded.watch()
                except SpendstreamError as error:
                    log.error("cannot bring it back yet, trying again: %s", error)
        finally:
            idle.set()
            stopped.wait()  # the brokers it has started die with this thread: see orphan.py

    thread = threading.Thread(target=watch, name="embedded-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        leave.set()
        try:
            idle.wait()
        finally:
            embedded.stop()
            stopped.set()
            thread.join()
