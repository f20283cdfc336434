"""Finding the .sql files of this checkout, wherever the command is started from."""

from pathlib import Path
from typing import Final

from stream_jobs.base.checkout import ROOT
from stream_jobs.base.errors import ConfigError

SQL_ROOT: Final = ROOT / "sql"


def sql_files(folder: Path) -> list[Path]:
    """All .sql files of a folder by name. Raises ConfigError when there is none: that is a broken installation."""
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise ConfigError(f"{folder}: no .sql files found; the application runs from a complete checkout")
    return files


def read_sql(path: Path) -> str:
    """The text of one file. Raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
