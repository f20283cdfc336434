"""stdout and stderr while a command runs: whatever is written to them, by whom ever, is escaped on the way.

This is the wall behind the others: argparse, warnings, tracebacks and libraries write to `sys.stdout` and `sys.stderr`
without asking us. Only our own modules of this package reach the streams behind it: the console for its styling, and
`data` for bytes that are somebody's answer.
"""

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO

from stream_jobs.output.escape import escaped

KEPT = "\n\t"


class GuardedStream(io.TextIOBase):
    """A text stream in front of another. It has no `buffer`: bytes go out through `data`."""

    def __init__(self, behind: IO[str]) -> None:
        super().__init__()
        self.behind = behind
        self._above: Callable[[str], None] | None = None
        self._begun = ""
        self._lock = threading.Lock()
        # A terminal that lacks a character of ours must not end the command.
        if isinstance(behind, io.TextIOWrapper):
            behind.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        with self._lock:
            if self._above is None:
                self.behind.write(escaped(text, KEPT))
            else:
                *lines, self._begun = (self._begun + text).split("\n")
                for line in lines:
                    self._above(escaped(line, KEPT))
        return len(text)

    @contextmanager
    def lines_go_to(self, above: Callable[[str], None]) -> Iterator[None]:
        """Whole lines are handed over meanwhile: to who draws something that stands below them."""
        self._above = above
        try:
            yield
        finally:
            with self._lock:
                self._above, begun, self._begun = None, self._begun, ""
            self.write(begun)

    def flush(self) -> None:
        with suppress(ValueError):  # it may be closed before us when the process ends
            self.behind.flush()

    def isatty(self) -> bool:
        return self.behind.isatty()

    def fileno(self) -> int:
        return self.behind.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self.behind, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return getattr(self.behind, "errors", None)

    def close(self) -> None:
        """The stream behind is not ours to close."""


def behind(stream: IO[str]) -> IO[str]:
    """What a guarded stream writes to; any other stream is what it is."""
    return stream.behind if isinstance(stream, GuardedStream) else stream


@contextmanager
def guarded() -> Iterator[None]:
    """Guard both streams. An error that nobody catches is printed later, by the interpreter: guarded too."""
    before = sys.stdout, sys.stderr
    _guard()
    sys.excepthook = _print_uncaught
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _guard() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, GuardedStream):  # None: the shell has closed it
            setattr(sys, name, GuardedStream(stream))


def _print_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    _guard()
    sys.__excepthook__(kind, error, traceback)
