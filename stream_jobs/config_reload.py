"""Takes up changed prices and rules while a worker runs.

A thread looks at the config folder every few seconds. Once the files have changed and then stayed the same for one look
(they may be written one after the other), they are loaded and handed over. Files that cannot be used change nothing:
what is wrong with them is logged, and a metric says so until they are right.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from stream_jobs.attribution.document import FILE_NAME
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.errors import ConfigError, SpendstreamError
from stream_jobs.metrics import CONFIG_REFUSED, CONFIG_RELOADS
from stream_jobs.pricing.book import PriceBook, price_files

log = logging.getLogger(__name__)

INTERVAL_S: Final = 5.0
Take = Callable[[PriceBook, AttributionRules], None]
"""Told of prices and rules that are to be used from now on. May raise SpendstreamError: it is told again."""
_Files = tuple[tuple[str, int, int], ...]


class ConfigReload:
    """`start` and `stop` it, or call `look` oneself. What the folder holds now counts as loaded."""

    def __init__(self, config_dir: Path, take: Take, interval_s: float = INTERVAL_S) -> None:
        self._config_dir = config_dir
        self._take = take
        self._interval_s = interval_s
        self._loaded = self._seen = self._files()
        self._refused: _Files | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="config-reload", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            try:
                self.look()
            except Exception:  # booking goes on whatever is wrong in here
                log.exception("cannot look at %s", self._config_dir)

    def look(self) -> None:
        """Look once; take up what has changed since it was loaded and not since the last look."""
        before, self._seen = self._seen, self._files()
        if self._seen == self._loaded:
            self._refused = None
            CONFIG_REFUSED.set(0)
        elif self._seen == before and self._seen != self._refused:
            self._load(self._seen)

    def _load(self, files: _Files) -> None:
        try:
            book, rules = PriceBook.load(self._config_dir), AttributionRules.load(self._config_dir)
        except ConfigError as error:
            log.error("%s has changed but cannot be used, going on with what was loaded: %s", self._config_dir, error)
            self._refused = files
            CONFIG_REFUSED.set(1)
            return
        try:
            self._take(book, rules)
        except SpendstreamError as error:
            log.warning("cannot take up the changed files of %s yet: %s", self._config_dir, error)
            return
        log.info("took up the changed files of %s: prices %s, rules %s", self._config_dir, book.version, rules.version)
        self._loaded, self._refused = files, None
        CONFIG_REFUSED.set(0)
        CONFIG_RELOADS.inc()

    def _files(self) -> _Files:
        found = []
        for path in (*price_files([self._config_dir]), self._config_dir / FILE_NAME):
            try:
                status = path.stat()
            except OSError:
                continue  # not there, or just gone
            found.append((str(path), status.st_mtime_ns, status.st_size))
        return tuple(found)
