"""Plain lines, JSON and data on stdout, and what goes wrong on stderr."""

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, Protocol

from stream_jobs.base.json_values import json_text
from stream_jobs.output.escape import escaped, json_escaped
from stream_jobs.output.streams import KEPT, behind

_SHOWN_ESCAPED: Final = (
    "(characters that a terminal would obey or not show are written as \\x1b and the like; into a file or a pipe the "
    "answer goes as it is)"
)


def say(line: str) -> None:
    """One line on stdout, whatever is in it."""
    _write(sys.stdout, escaped(line) + "\n")


def say_text(text: str) -> None:
    """Lines of our own on stdout: line ends and tabs stay."""
    _write(sys.stdout, escaped(text, KEPT))


def complain(message: str) -> None:
    """A message on stderr. Further lines are indented: what they quote cannot pass for a message of ours."""
    first, *rest = message.split("\n")
    _write(sys.stderr, "".join(f"{escaped(line)}\n" for line in (first, *(f"  {line}" for line in rest))))


def say_json(value: Any) -> None:
    """One JSON document on a line of stdout. Its form is base/json_values's."""
    _write(sys.stdout, json_escaped(json_text(value, getattr(sys.stdout, "encoding", None) or "utf-8")) + "\n")
    flush()


def redraw_on_stderr(line: str, *, last: bool) -> None:
    """The line that the one before becomes, on a terminal."""
    behind(sys.stderr).write(f"\r{escaped(line)}" + ("\n" if last else ""))
    sys.stderr.flush()


def flush() -> None:
    """What was said is out. Raises BrokenPipeError when nobody reads it."""
    if sys.stdout is not None:
        sys.stdout.flush()


def nobody_reads() -> None:
    """Keep the interpreter from complaining at exit that what is left cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stderr_is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


class Data(Protocol):
    """Takes bytes that are somebody's answer."""

    def write(self, data: bytes, /) -> Any: ...


@contextmanager
def data() -> Iterator[Data]:
    """stdout for bytes: as they are into a file or a pipe, escaped (and said so) on a terminal."""
    if not sys.stdout.isatty():
        sys.stdout.flush()
        stream = behind(sys.stdout)
        yield stream.buffer  # type: ignore[attr-defined]
        stream.flush()
        return
    shown = _Shown(sys.stdout)
    yield shown
    shown.finish()


@contextmanager
def json_data() -> Iterator[Data]:
    """stdout for bytes of JSON, wherever it goes: the same JSON in harmless characters. Bytes that are no UTF-8 become
    lone surrogates, `\\udc80` to `\\udcff`, as Python has them."""
    shown = _Json(sys.stdout)
    yield shown
    shown.finish()


class _Shown:
    """Text for a terminal, a piece of its bytes at a time."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._escaped = False

    def write(self, data: bytes, /) -> int:
        self._show(self._decoder.decode(data))
        return len(data)

    def finish(self) -> None:
        self._show(self._decoder.decode(b"", final=True))
        self._stream.flush()
        if self._escaped:
            complain(_SHOWN_ESCAPED)

    def _show(self, text: str) -> None:
        shown = escaped(text, KEPT)
        self._escaped |= shown != text
        _write(self._stream, shown)


class _Json:
    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def write(self, data: bytes, /) -> int:
        _write(self._stream, json_escaped(self._decoder.decode(data)))
        return len(data)

    def finish(self) -> None:
        _write(self._stream, json_escaped(self._decoder.decode(b"", final=True)))
        self._stream.flush()


def _write(stream: IO[str] | None, text: str) -> None:
    if stream is not None:  # the shell has closed it
        stream.write(text)
