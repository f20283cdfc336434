"""Who owns which folder of the spool: every process claims its own, and adopts those whose owner is gone.

    SPOOL_DIR/<claim>/lock             held (flock) for as long as the owner lives; the kernel lets go of it on kill -9
    SPOOL_DIR/<claim>/<topic>/*.seg    see `spool`

Two processes that share a spool folder can therefore never write to, or send from, the same files.
"""

import contextlib
import os
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from spendstream.private import make_private, open_private

_LOCK: Final = "lock"
_UNBORN: Final = ".new-"
_ATTEMPTS: Final = 10
_BIRTH_S: Final = 60.0  # a claim that is younger may be on its way


class _TakenError(Exception):
    """Another process locked the folder first."""


class SpoolClaim:
    """An exclusive hold on one folder of the spool. `release` gives it up, and removes it when it is empty."""

    def __init__(self, folder: Path, lock_fd: int) -> None:
        self.folder = folder
        self._lock_fd: int | None = lock_fd

    @classmethod
    def make(cls, root: Path) -> Self:
        """A fresh claim below `root`. Raises OSError when the folder cannot be used."""
        make_private(root)
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(_TakenError):
                return cls._make(root)
        raise OSError(f"{root}: {_ATTEMPTS} new folders in a row were locked by other processes")

    @classmethod
    def _make(cls, root: Path) -> Self:
        # Sorts by age. It is locked under a name nobody adopts, then renamed: never visible without its owner.
        name = f"{time.time_ns():020d}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        unborn = root / f"{_UNBORN}{name}"
        make_private(unborn)
        lock_fd = _try_lock(unborn / _LOCK)
        if lock_fd is None:
            raise _TakenError  # another start took it for one whose owner had been killed just here
        try:
            unborn.rename(root / name)
        except OSError:
            os.close(lock_fd)
            raise
        return cls(root / name, lock_fd)

    def topics(self) -> list[str]:
        """The topics that have a folder here."""
        return sorted(entry.name for entry in self.folder.iterdir() if entry.is_dir())

    def release(self) -> None:
        """Give the folder up. What is still in it belongs to whoever adopts it."""
        if self._lock_fd is None:
            return
        with contextlib.suppress(OSError):
            for topic in self.topics():
                with contextlib.suppress(OSError):
                    (self.folder / topic).rmdir()
            if [entry.name for entry in self.folder.iterdir()] == [_LOCK]:
                (self.folder / _LOCK).unlink()
                self.folder.rmdir()
        self.abandon()

    def abandon(self) -> None:
        """Let go of the lock's descriptor only: in a forked child, where the parent goes on holding the lock."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None


def adopt_orphans(root: Path, on_error: Callable[[OSError], None] | None = None) -> list[SpoolClaim]:
    """Claims whose owner is gone, oldest first, now held by this process. Raises OSError if `root` cannot be listed.

    What another process holds, and what cannot be read (told to `on_error`), is left: ask again later.
    """
    adopted = []
    for folder in sorted(root.iterdir()):
        try:
            claim = _adopt(folder)
        except OSError as error:
            if on_error is not None:
                on_error(error)
            continue
        if claim is not None:
            adopted.append(claim)
    return adopted


def _adopt(folder: Path) -> SpoolClaim | None:
    unborn = folder.name.startswith(_UNBORN)
    if not (folder / _LOCK).is_file() or (unborn and time.time() - folder.stat().st_mtime < _BIRTH_S):
        return None
    lock_fd = _try_lock(folder / _LOCK, create=False)
    if lock_fd is None:
        return None
    claim = SpoolClaim(folder, lock_fd)
    try:
        if claim.topics() and not unborn:
            return claim
    except OSError:
        claim.abandon()
        raise
    claim.release()  # nothing in it: its owner was killed while idle, or while claiming
    return None


def _try_lock(path: Path, *, create: bool = True) -> int | None:
    """A descriptor that holds the lock, or None when another process holds it or has just removed the file."""
    if sys.platform == "win32":  # pragma: no cover - flock has no equal there that the kernel lets go of on a kill
        raise OSError("the spool needs POSIX file locks; set spool_dir to None on this platform")
    import fcntl

    try:
        lock_fd = open_private(path, os.O_RDWR | (os.O_CREAT if create else 0))
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same = os.fstat(lock_fd).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        same = False
    except OSError:
        os.close(lock_fd)
        raise
    if not same:
        os.close(lock_fd)
        return None
    return lock_fd
