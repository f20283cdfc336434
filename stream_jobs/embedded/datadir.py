"""The data folder of an embedded instance: made, checked, and held by one process at a time."""

import fcntl
import os
import shutil
from pathlib import Path
from typing import Final, TextIO

from stream_jobs.base.environment import PREFIX
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import folder_of, is_file
from stream_jobs.base.private import close_file, private_folder

MIN_FREE_BYTES: Final = 200 * 1024 * 1024
LAYOUT_VERSION: Final = "1"
DATA_DIR_VARIABLE: Final = f"{PREFIX}DATA_DIR"
_HERE: Final = Path(".spendstream")
_LAYOUT: Final = "layout"


def said_data_dir() -> Path | None:
    """What the environment says; None when it says nothing. Raises ConfigError for what is no folder's name."""
    text = os.environ.get(DATA_DIR_VARIABLE)
    try:
        return folder_of(text) if text else None
    except ValueError as error:
        raise ConfigError(f"{DATA_DIR_VARIABLE}: {error}") from None


def usual_data_dir() -> Path:
    """Of who names none: what the environment says, else a folder in the current one."""
    return said_data_dir() or _HERE


def has_layout(path: Path) -> bool:
    """Whether an instance has used this folder."""
    return is_file(path / _LAYOUT)


class DataDir:
    """`<path>/store` (ClickHouse), `/logs`, `/broker`, `/run` (which children run), `/config` (yours), and a lock."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.store = self.path / "store"
        self.logs = self.path / "logs"
        self.broker = self.path / "broker"
        self.run = self.path / "run"
        self.config = self.path / "config"
        self.credentials = self.path / "credentials"
        self._lock: TextIO | None = None

    def open(self) -> None:
        """Make what is missing and take the lock. Raises ConfigError that says what to do."""
        try:
            private_folder(self.path, inside=False)  # what else somebody keeps in it is theirs to judge
            for folder in (self.store, self.logs, self.broker, self.run, self.config):
                private_folder(folder)
            for name in ("layout", "lock", "credentials", "instance.json"):
                close_file(self.path / name)
            self._take_lock()
            self._check_layout()
        except ConfigError:
            self.close()
            raise
        except PermissionError as error:
            raise ConfigError(
                f"no permission to write {error.filename}; choose another folder with --data-dir or change its owner"
            ) from None
        except (FileExistsError, NotADirectoryError) as error:
            raise ConfigError(f"{error.filename} is not a folder; choose another with --data-dir") from None
        except OSError as error:
            raise ConfigError(f"the data folder {self.path} cannot be used: {error.strerror}") from None
        free = shutil.disk_usage(self.path).free
        if free < MIN_FREE_BYTES:
            self.close()
            raise ConfigError(
                f"only {free // 2**20} MiB free on the disk of {self.path}; at least {MIN_FREE_BYTES // 2**20} MiB are "
                "needed: free some space or choose another folder with --data-dir"
            )

    def _check_layout(self) -> None:
        marker = self.path / _LAYOUT
        if not marker.exists():
            write_whole(marker, LAYOUT_VERSION + "\n", 0o600)
        found = marker.read_text(encoding="utf-8", errors="replace").strip()
        if found != LAYOUT_VERSION:
            raise ConfigError(
                f"{self.path} has layout {found!r}, this version writes {LAYOUT_VERSION!r}; use the version that made "
                "it, or another --data-dir"
            )

    def _take_lock(self) -> None:
        # The lock goes with the process, however it dies; what it left (a pid, an instance file) is stale and ignored.
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        lock = os.fdopen(handle, "a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise ConfigError(
                f"another spendstream (process {holder}) uses {self.path}; stop it or choose another --data-dir"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def write_whole(path: Path, text: str, mode: int) -> None:
    """A file with this content or none: who is killed while it writes must not leave half of it behind."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    temporary.replace(path)
