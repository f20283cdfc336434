"""Files for the tests of the scan."""

from pathlib import Path

from stream_jobs.base.errors import ConfigError
from stream_jobs.timed_csv.columns import Mode
from stream_jobs.timed_csv.reading import Rows, read


def written(folder: Path, content: str | bytes, name: str = "usage.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows_of(folder: Path, content: str | bytes, mode: Mode | None = None) -> Rows:
    return read(written(folder, content), mode)


def refusal(folder: Path, content: str | bytes) -> str:
    """What the error says; fails where there is none."""
    try:
        rows_of(folder, content)
    except ConfigError as error:
        return str(error)
    raise AssertionError("it was accepted")
