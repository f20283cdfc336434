"""Logging of the application's processes: one line per record, UTC, on stderr."""

import logging
import sys
import threading
import time

log = logging.getLogger(__name__)

FORMAT = "%(asctime)sZ %(levelname)s %(name)s: %(message)s"
_lock = threading.Lock()
_given: set[str] = set()


def log_to_stderr(level: int | str = logging.INFO) -> None:
    """Set up the root logger. Safe to call twice."""
    formatter = logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("faust", "mode", "aiokafka"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def warn_once(text: str | None) -> None:
    """Log a warning, if there is one, unless this process has given the same one already."""
    with _lock:
        if text is None or text in _given:
            return
        _given.add(text)
    log.warning("%s", text)
