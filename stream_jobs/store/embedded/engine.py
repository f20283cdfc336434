"""The ClickHouse engine in this process. Blocking calls for worker threads; each statement gets a handle of its own.

A handle costs about a millisecond and keeps its settings, its database and its temporary tables to itself, as a request
to a ClickHouse server does.
"""

import os
import queue
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.runtime import system
from stream_jobs.store.embedded.canonical import quoted_name
from stream_jobs.store.embedded.engine_config import DATABASE
from stream_jobs.store.embedded.errors import EngineError, engine_error, refusal
from stream_jobs.store.embedded.reading import Asked, Call, Reader
from stream_jobs.store.embedded.vocabulary import read_vocabulary

_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_READ_ONLY: Final = "2"  # statements that read, and SET
_IDLE_HANDLES: Final = 4
ROWS_FOLDER: Final = "rows"
"""Beside the data: where rows wait for the engine on systems without files in memory."""
_LONGEST_TEXT_BYTES: Final = 64 * 1024 * 1024  # of a statement that is only read, not run


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes in the output format, and how much was read and written to get them."""

    body: bytes = b""
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0


class Engine:
    """Owns the data folder. Use it from any thread; `close` when no call runs any more."""

    def __init__(self, path: Path, config: Path) -> None:
        """`config` is what `write_engine_config` wrote. Raises ConfigError when the folder cannot be opened."""
        import chdb  # loads 400 MB and reads the time zone: only for the process that owns a store

        connect: Any = chdb.connect
        self._connect: Callable[[str], Any] = connect
        marks = "?&#%" if system.LINUX else "?&#%*{}'\\"  # the engine looks for the file of rows by its name
        if any(mark in str(path) + str(config) for mark in marks):
            raise ConfigError(f"{path}: the embedded store cannot use a path with any of {' '.join(marks)}")
        self._rows = None if system.LINUX else _rows_folder(path.parent)
        self._address = f"{path}?config-file={config}"
        self._opening = threading.Lock()
        try:
            self._keeper = self._connect(self._address)  # as long as one handle is open, the engine is
            self._keeper.query(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
            self._readers: queue.SimpleQueue[Any] = queue.SimpleQueue()
            self._reader = Reader(self._ask, read_vocabulary(self._ask))
        except Exception as error:
            raise ConfigError(f"{path}: the embedded store cannot be opened: {engine_error(error)}") from error

    def read(self, asked: Asked) -> Call:
        """The statement as it will run, if this user may run it. Raises EngineError."""
        return self._reader.read(asked)

    def run(self, call: Call) -> Answer:
        """The whole answer at once. Raises EngineError."""
        if call.verb == "SET":  # it would hold for this statement's handle, which ends with it
            return Answer()
        with self._handle(call) as handle:
            result = handle.query(call.sql, call.output_format, params=dict(call.parameters))
            return Answer(
                body=result.bytes(), read_rows=result.storage_rows_read(), read_bytes=result.storage_bytes_read()
            )

    def stream(self, call: Call) -> Iterator[bytes]:
        """The answer in pieces that may simply be joined. Only for formats without a header or footer."""
        with self._handle(call) as handle:
            result = handle.send_query(call.sql, call.output_format, params=dict(call.parameters))
            try:
                for piece in result:
                    yield piece.bytes()
            finally:
                result.close()

    def insert(self, call: Call) -> Answer:
        """An insert that carries its rows. Raises EngineError.

        The rows go through a file in memory, as `INSERT ... FROM INFILE` of clickhouse-client: the engine's streaming
        insert is a quarter cheaper but reports success when writing fails after the rows were read (a full disk, a
        constraint, a view), which would lose them.
        """
        with self._handle(call) as handle, _rows_file(call.data, self._rows) as path:
            result = handle.query(f"{call.sql[: call.rows_at]}FROM INFILE '{path}' {call.sql[call.rows_at :]}", "Null")
            return Answer(written_rows=result.rows_written(), written_bytes=result.bytes_written())

    def probe(self) -> None:
        """Whether the engine answers. Raises EngineError."""
        try:
            with self._opening:
                self._keeper.query("SELECT 1")
        except Exception as error:
            raise engine_error(error) from error

    def kill(self, mark: str | None = None) -> None:
        """Ask one running statement to stop, or all of them. Never raises: it may have ended by itself."""
        which = "Settings['log_comment'] != ''" if mark is None else f"Settings['log_comment'] = {_quote(mark)}"
        try:
            with self._opening:
                self._keeper.query(f"KILL QUERY WHERE {which} ASYNC")
        except Exception:  # noqa: BLE001 - chDB raises whatever; a statement that can't be killed runs into its timeout
            return

    def close(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._readers.get_nowait().close()
        self._keeper.close()

    def _ask(self, sql: str, output_format: str, parameters: Mapping[str, str] | None = None) -> bytes:
        """A question of our own about a text, with a handle that is kept for the next one. Raises EngineError."""
        handle = None
        try:
            try:
                handle = self._readers.get_nowait()
            except queue.Empty:
                with self._opening:
                    handle = self._connect(self._address)
                handle.query(f"SET max_query_size = {_LONGEST_TEXT_BYTES}, readonly = {_READ_ONLY}")
            answer: bytes = handle.query(sql, output_format, params=dict(parameters or {})).bytes()
        except Exception as error:
            if handle is not None:
                handle.close()
            raise engine_error(error) from error
        if self._readers.qsize() < _IDLE_HANDLES:
            self._readers.put(handle)
        else:
            handle.close()
        return answer

    @contextmanager
    def _handle(self, call: Call) -> Iterator[Any]:
        try:
            with self._opening:
                handle = self._connect(self._address)
            try:
                handle.query(f"USE {quoted_name(call.rights.database)}")
                handle.query(_set_statement({**call.settings, "log_comment": call.mark}))
                if call.rights.read_only:
                    handle.query(f"SET readonly = {_READ_ONLY}")
                yield handle
            finally:
                handle.close()
        except EngineError:
            raise
        except GeneratorExit:
            raise
        except Exception as error:
            raise engine_error(error) from error


@contextmanager
def _rows_file(pieces: Iterable[bytes], folder: Path | None) -> Iterator[str]:
    """The path of a file that holds the pieces: in `folder`, or in memory, without a name that others could find."""
    path = None
    if folder is None and hasattr(os, "memfd_create"):  # what no other system has
        handle = os.memfd_create("rows")
    else:
        handle, path = tempfile.mkstemp(dir=folder)
    try:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(handle, view) :]
        yield path or f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
        if path is not None:
            Path(path).unlink(missing_ok=True)


def _rows_folder(store: Path) -> Path:
    """A fresh folder of the owner's alone for rows on their way: what a kill left behind of them goes."""
    folder = store / ROWS_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    return folder


def _set_statement(settings: Mapping[str, str]) -> str:
    for name in settings:
        if not _SETTING_NAME.fullmatch(name):
            raise refusal(115, "UNKNOWN_SETTING", f"Unknown setting {name!r}")
    return "SET " + ", ".join(f"{name} = {_quote(value)}" for name, value in settings.items())


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
