"""Takes up files that people change while a worker runs.

A thread looks at them every few seconds. Once they have changed and then stayed the same for one look (they may be
written one after the other), they are loaded and handed over. Files that cannot be used change nothing, whatever they
hold and whatever that makes our code raise: what is wrong with them is logged, and a metric says so until they are
right.
"""

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Generic, TypeVar

from stream_jobs.base.errors import ConfigError, SpendstreamError
from stream_jobs.runtime.metrics import CONFIG_REFUSED, CONFIG_RELOADS
from stream_jobs.runtime.timer import Timer

log = logging.getLogger(__name__)

INTERVAL_S: Final = 5.0
AGAIN_S: Final = 60.0
"""A file may be right and yet not be had for a moment, or name another that is there by now."""
T = TypeVar("T")
_Files = tuple[tuple[str, int, int, int], ...]


class FilesReload(Generic[T]):
    """Looks whenever its `timer` ticks; or call `look` oneself. What the files hold now counts as loaded.

    `load` may raise ConfigError, and so may `files` (a folder that cannot be listed). `take` is told of what is to be
    used from now on, and may raise SpendstreamError: it is told again.
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
        self._again_s = 0.0  # when to try the refused ones again, by a clock that nobody sets
        self._said = ""
        self.timer = Timer(f"reload-{what}", interval_s, self.look, doing=f"look for changed {what}")

    def look(self) -> None:
        """Look once; take up what has changed since it was loaded and not since the last look."""
        try:
            before, self._seen = self._seen, self._files()
        except ConfigError as error:
            self._refuse(error)
            return
        if self._seen == self._loaded:
            self._accept()
        elif self._seen == before and (self._seen != self._refused or time.monotonic() >= self._again_s):
            self._load(self._seen)

    def _load(self, files: _Files) -> None:
        try:
            loaded = self._load_files()
        except Exception as error:  # noqa: BLE001 - the one kind that validators raise, or one that nobody thought of
            self._refuse(error, files)
            return
        try:
            self._take(loaded)
        except ConfigError as error:
            self._refuse(error, files)
            return
        except SpendstreamError as error:
            log.warning("cannot take up the changed %s yet: %s", self._what, error)
            return
        except Exception as error:  # noqa: BLE001 - going on with the old ones is always possible
            self._refuse(error, files)
            return
        log.info("took up the changed %s", self._what)
        self._loaded = files
        self._accept()
        CONFIG_RELOADS.labels(self._what).inc()

    def _accept(self) -> None:
        self._refused, self._said = None, ""
        CONFIG_REFUSED.labels(self._what).set(0)

    def _refuse(self, error: Exception, files: _Files | None = None) -> None:
        """Go on with what was loaded. What is wrong is said once, however often it is tried again."""
        self._refused, self._again_s = files, time.monotonic() + AGAIN_S
        CONFIG_REFUSED.labels(self._what).set(1)
        said = f"{type(error).__name__}: {error}"
        if said != self._said:
            ours = isinstance(error, SpendstreamError)
            log.error(
                "the %s have changed but cannot be used, going on with what was loaded: %s",
                *(self._what, error if ours else said),
                exc_info=None if ours else error,
            )
        self._said = said

    def _files(self) -> _Files:
        found = []
        for path in self._paths():
            try:
                status = path.stat()
            except OSError:
                continue  # not there, or just gone
            found.append((str(path), status.st_mtime_ns, status.st_ctime_ns, status.st_size))
        return tuple(found)
