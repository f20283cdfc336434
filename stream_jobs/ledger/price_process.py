"""The rows of the price book in use, written beside booking: by a process of its own, because a thread of the worker
that works for seconds takes them from the others."""

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

from stream_jobs.ledger.prices import without_prices
from stream_jobs.store.client import StoreClient
from stream_jobs.store.settings import ClickHouseSettings

log = logging.getLogger(__name__)

LOOK_S: Final = 30.0
"""How often a worker looks whether the prices of its book are there, until they are."""
RETRY_S: Final = 600.0
"""How long it waits after a process that could not write them."""
_NICE: Final = 19
_OURS: Final = "SPENDSTREAM_"


class PriceRows:
    """Each version is written once, by whoever finds it missing: the one in use first, then what was in use for too
    short a time, or when a worker ended. To be used by one thread, but for `version`.

    The process reads the end of its stdin when the worker ends, however it ends, and ends too: nothing is written then,
    and the next worker that starts writes it.
    """

    def __init__(self, new_client: Callable[[], StoreClient], version: str) -> None:
        self._new_client = new_client
        self.version = version  # in use, once it is recorded; written by another thread
        self._settled = ""  # in use when there was nothing left to write
        self._process: subprocess.Popen[bytes] | None = None
        self._writing = ""
        self._again_s: dict[str, float | None] = {}  # when those that could not be written are tried again, if by us

    def tick(self) -> None:
        """See to what is missing. Raises StoreUnavailableError: then the next tick does it."""
        version = self.version
        if self._writes() or self._settled == version:
            return
        with self._new_client() as store:
            missing = without_prices(store, version)
            now_s = time.monotonic()
            due = [one for one in missing if self._is_due(one, now_s)]
            if due:
                self._writing = due[0]
                self._process = _start(due[0], store.settings)
            elif version not in missing:
                self._settled = version

    def _is_due(self, version: str, now_s: float) -> bool:
        again_s = self._again_s.get(version, now_s)
        return version == self.version if again_s is None else again_s <= now_s

    def close(self) -> None:
        """End what is under way, at once. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            _let_go(process)

    def _writes(self) -> bool:
        """Whether a process is at work, on whatever version: what was in use once is written too."""
        process = self._process
        if process is None:
            return False
        if (code := process.poll()) is None:
            return True
        self._process = None
        _let_go(process)
        if code:
            in_use = self._writing == self.version  # what is not is the next worker's
            self._again_s[self._writing] = time.monotonic() + RETRY_S if in_use else None
            then = f"again in {RETRY_S:g} s" if in_use else "the next worker tries again"
            log.warning("the process that writes the prices of %s ended with code %d; %s", self._writing, code, then)
        return False


def _start(version: str, settings: ClickHouseSettings) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "stream_jobs.ledger.prices", version],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
        start_new_session=True,  # Ctrl-C is for the worker, which ends it
    )
    with contextlib.suppress(OSError):  # gone already: its code is looked at with the next tick
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        assert process.stdin is not None
        process.stdin.write(_line(settings))
        process.stdin.flush()
    return process


def _line(settings: ClickHouseSettings) -> bytes:
    """The settings with their password: only the process reads this. `url` is in the other fields already."""
    said = settings.model_dump(mode="json", exclude={"url"})
    return json.dumps({**said, "password": settings.password.get_secret_value()}).encode() + b"\n"


def _let_go(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(OSError):
        assert process.stdin is not None
        process.stdin.close()
