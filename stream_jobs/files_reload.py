"""Takes up files that people change while a worker runs.

A thread looks at them every few seconds. Once they have changed and then stayed the same for one look (they may be
written one after the other), they are loaded and handed over. Files that cannot be used change nothing: what is wrong
with them is logged, and a metric says so until they are right.
"""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Generic, TypeVar

from stream_jobs.errors import ConfigError, SpendstreamError
from stream_jobs.metrics import CONFIG_REFUSED, CONFIG_RELOADS
from stream_jobs.timer import STOP_TIMEOUT_S, Timer

log = logging.getLogger(__name__)

INTERVAL_S: Final = 5.0
T = TypeVar("T")
_Files = tuple[tuple[str, int, int], ...]


class FilesReload(Generic[T]):
    """`start` and `stop` it, or call `look` oneself. What the files hold now counts as loaded.

    `load` may raise ConfigError; `take` is told of what is to be used from now on, and may raise SpendstreamError: it
    is told again.
    """

    def __init__(
        self,
        what: str,
        files: Callable[[], Iterable[Path]],
        load: Callable[[], T],
        take: Callable[[T], None],
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._what = what
        self._paths = files
        self._load_files = load
        self._take = take
        self._loaded = self._seen = self._files()
        self._refused: _Files | None = None
        self._timer = Timer(f"reload-{what}", interval_s, self.look, doing=f"look for changed {what}")

    def start(self) -> None:
        self._timer.start()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        self._timer.stop(timeout_s)

    def look(self) -> None:
        """Look once; take up what has changed since it was loaded and not since the last look."""
        before, self._seen = self._seen, self._files()
        if self._seen == self._loaded:
            self._refused = None
            CONFIG_REFUSED.labels(self._what).set(0)
        elif self._seen == before and self._seen != self._refused:
            self._load(self._seen)

    def _load(self, files: _Files) -> None:
        try:
            loaded = self._load_files()
        except ConfigError as error:
            log.error("the %s have changed but cannot be used, going on with what was loaded: %s", self._what, error)
            self._refused = files
            CONFIG_REFUSED.labels(self._what).set(1)
            return
        try:
            self._take(loaded)
        except SpendstreamError as error:
            log.warning("cannot take up the changed %s yet: %s", self._what, error)
            return
        log.info("took up the changed %s", self._what)
        self._loaded, self._refused = files, None
        CONFIG_REFUSED.labels(self._what).set(0)
        CONFIG_RELOADS.labels(self._what).inc()

    def _files(self) -> _Files:
        found = []
        for path in self._paths():
            try:
                status = path.stat()
            except OSError:
                continue  # not there, or just gone
            found.append((str(path), status.st_mtime_ns, status.st_size))
        return tuple(found)
