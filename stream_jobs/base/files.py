"""Files that people name: in settings, on the command line, or by putting them into a config folder.

Whatever lies there (a folder, a pipe that nobody writes to, a device without an end, a link to itself) is an error that
says so; reading never waits and never takes more memory than was asked for.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from stream_jobs.base.errors import ConfigError

MAX_SMALL_BYTES: Final = 1024 * 1024
"""Secrets and certificates; the bundle of a system's authorities has about 200 KiB."""


def folder_of(text: str | Path) -> Path:
    """A folder that somebody names; `~` is their home also where no shell has seen it, as in a file of settings.

    Raises ValueError for the home of nobody.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{printable(str(text))}: {error}") from None


def is_there(path: Path) -> bool:
    """Whether something has this name, be it a link that leads nowhere. Raises ConfigError when that cannot be told."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise ConfigError(f"{printable(str(path))}: cannot be read: {_reason(error)}") from None
    return True


def is_folder(path: Path) -> bool:
    """As Path.is_dir, which raises for names that are too long, and for folders that we may not look into."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """The same for a file."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def open_file(path: Path) -> BinaryIO:
    """A regular file, to be read. Raises ConfigError that names it and says why it cannot be had."""
    name = printable(str(path))
    try:
        # Opening a pipe would wait for its writer.
        stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{name}: cannot be read: {_reason(error)}") from None
    mode = os.fstat(stream.fileno()).st_mode
    if not stat.S_ISREG(mode):
        stream.close()
        raise ConfigError(f"{name}: cannot be read: {_kind(mode)}, and no file")
    return stream


def read_file(path: Path, max_bytes: int = MAX_SMALL_BYTES) -> bytes:
    """The content of a regular file. Raises ConfigError that names it and says why it cannot be had."""
    name = printable(str(path))
    try:
        with open_file(path) as stream:
            content = stream.read(max_bytes + 1)
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {_reason(error)}") from None
    if len(content) > max_bytes:
        raise ConfigError(f"{name}: is larger than {max_bytes:,} bytes; is it the right file?")
    return content


def checked_content(path: Path, max_bytes: int = MAX_SMALL_BYTES) -> bytes:
    """`read_file` for validators of settings. Raises ValueError."""
    try:
        return read_file(path, max_bytes)
    except ConfigError as error:
        raise ValueError(str(error)) from None


def printable(text: str) -> str:
    """Without control characters and lone surrogates, which a hostile name or value may hold."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, IsADirectoryError):
        return "it is a folder, and no file"
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "it is a folder"
    return "it is a pipe" if stat.S_ISFIFO(mode) else "it is a device"
