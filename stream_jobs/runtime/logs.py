"""Logging of the application's processes: one line per record, UTC, on stderr."""

import logging
import sys
import threading
import time

from stream_jobs.output.escape import escaped

log = logging.getLogger(__name__)

FORMAT = "%(asctime)sZ %(levelname)s %(name)s: %(message)s"
_lock = threading.Lock()
_given: set[str] = set()


class LineFormatter(logging.Formatter):
    """A record is one line, whatever is in it: nobody who can have a text logged can write a line of their own, or tell
    the terminal something. The lines of a traceback are indented."""

    converter = time.gmtime  # type: ignore[assignment] # as the documentation of logging has it

    def __init__(self) -> None:
        super().__init__(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # what another formatter has made of it
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class names it so
        return escaped(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802
        return _indented(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _indented(super().formatStack(stack_info))


def _indented(text: str) -> str:
    return "\n".join(f"  {escaped(line)}" for line in text.splitlines())


def log_to_stderr(level: int | str = logging.INFO) -> None:
    """Set up the root logger. Safe to call twice."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
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
