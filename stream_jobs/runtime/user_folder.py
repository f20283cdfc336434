"""A small folder of this user's, for what instances on one machine tell each other: where they run, what they hold."""

import fcntl
import os
import stat
import tempfile
from pathlib import Path
from typing import TextIO

from stream_jobs.base.errors import ConfigError


def user_folder(part: str = "") -> Path:
    """The folder, or one in it, made if need be. Raises ConfigError if somebody else owns it."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    parent = Path(runtime) if runtime and Path(runtime).is_dir() else Path(tempfile.gettempdir())
    path = parent / f"spendstream-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise ConfigError(f"{path} belongs to somebody else; set XDG_RUNTIME_DIR to a folder of your own")
    if stat.S_IMODE(status.st_mode) & 0o077:
        path.chmod(0o700)
    if part:
        path /= part
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def lock_of(path: Path) -> TextIO | None:
    """The file, open and locked for as long as it is open or this process lives; None when somebody else holds it.

    Such a file is never removed: who waits for one must not hold another of the same name.
    """
    lock = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
