"""One process per data folder: two engines on one folder destroy it."""

import fcntl
import os
from pathlib import Path
from typing import Self

from stream_jobs.base.errors import ConfigError


class FolderLock:
    """Held from construction to `release`. The kernel drops it when the process dies, so a stale one can't exist."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError when another process holds it, or the folder is not writable."""
        self._path = path
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}; choose a folder this user may write to") from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._handle, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._handle)
            raise ConfigError(
                f"{path.parent} is already open in another process (pid {holder}); "
                "stop that one, or use another --data-dir"
            ) from None
        os.ftruncate(self._handle, 0)
        os.write(self._handle, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
