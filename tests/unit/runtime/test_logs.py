"""A log record is one line, whatever is in it."""

import io
import logging
import sys

import pytest

from stream_jobs.runtime.logs import LineFormatter, log_to_stderr
from tests.unit.output.hostile import HOSTILE, foreign


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(shown: io.StringIO) -> logging.Logger:
    logger = logging.Logger(f"test.{HOSTILE}")
    handler = logging.StreamHandler(shown)
    handler.setFormatter(LineFormatter())
    logger.addHandler(handler)
    return logger


def test_nobody_writes_a_line_of_their_own(log: logging.Logger, shown: io.StringIO) -> None:
    """Neither by the message nor by its values."""
    log.error("source %s", f"{HOSTILE}\n2026-01-01T00:00:00Z INFO spendstream: all is well")
    assert shown.getvalue().count("\n") == 1
    assert foreign(shown.getvalue()) == []


def test_a_traceback_is_indented(log: logging.Logger, shown: io.StringIO) -> None:
    """What the error quotes can't pass for a record, also when another formatter has been at it."""
    try:
        raise ValueError(f"{HOSTILE}\n2026-01-01T00:00:00Z INFO spendstream: all is well")
    except ValueError:
        record = log.makeRecord("x", logging.ERROR, "f", 1, "it failed", (), sys.exc_info(), sinfo=HOSTILE)
    logging.Formatter().format(record)
    log.handle(record)
    first, *others = shown.getvalue().splitlines()
    assert first.endswith("it failed")
    assert all(line.startswith("  ") for line in others)
    assert foreign(shown.getvalue()) == []


def test_the_root_logger_has_it() -> None:
    """All processes of ours log through it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        log_to_stderr()
        assert [type(handler.formatter) for handler in root.handlers] == [LineFormatter]
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
