"""Which ports an instance listens on, when others run or start on the same machine.

A port that was asked for is taken or refused. The usual port of a service gives way to a free one. Each is held by a
lock file of the user's, so that two instances which start at once do not choose the same.
"""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import urlsplit

from stream_jobs.base.errors import ConfigError
from stream_jobs.embedded.instance import running_instances
from stream_jobs.runtime.ports import IN_USE, free_port, listener, port_trouble
from stream_jobs.runtime.user_folder import lock_of, user_folder

_FOLDER: Final = "ports"
log = logging.getLogger(__name__)


class PortClaims:
    """The ports of one instance, from `claim` until `close` or the end of the process."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._locks: dict[int, TextIO] = {}

    def claim(self, port: int | None, usual: int, service: str, option: str) -> int:
        """`port` itself, a free one for 0; for None `usual`, or a free one if that is taken, which the log says.

        Raises ConfigError that says who has a port that was asked for, and which option to change.
        """
        if port == 0:
            return free_port()
        wanted = usual if port is None else port
        trouble = port_trouble(wanted)
        if trouble is None and self._lock(wanted):
            return wanted
        if trouble is None or trouble == IN_USE:
            trouble = f"is taken by {self._who_has(wanted)}"
        if port is not None:
            raise ConfigError(f"port {port} {trouble}; choose another with {option} (0 picks a free one)")
        chosen = free_port()
        log.warning("port %d %s: %s is on port %d (%s chooses one)", wanted, trouble, service, chosen, option)
        return chosen

    def close(self) -> None:
        """Safe to call twice."""
        while self._locks:
            self._locks.popitem()[1].close()

    def _lock(self, port: int) -> bool:
        lock = lock_of(user_folder(_FOLDER) / str(port))
        if lock is None:
            return False
        lock.truncate(0)
        lock.write(_told(str(self._data_dir), os.getpid()))
        lock.flush()
        self._locks[port] = lock
        return True

    def _who_has(self, port: int) -> str:
        if port in self._locks:
            return "another service of this instance"
        for instance in running_instances():
            if port in {int(instance.kafka.rpartition(":")[2]), *_ports(instance.clickhouse_http, instance.http)}:
                return _told(instance.data_dir, instance.pid)
        with contextlib.suppress(OSError):
            if not self._lock(port):  # one that is not up yet
                return (user_folder(_FOLDER) / str(port)).read_text(encoding="utf-8") or "another spendstream"
            self._locks.pop(port).close()
        return listener(port) or "another program"


def _told(data_dir: str, pid: int) -> str:
    return f"the spendstream on {data_dir} (process {pid})"


def _ports(*urls: str) -> Iterator[int]:
    return (port for url in urls if (port := urlsplit(url).port) is not None)
