"""Folders and files that are their owner's alone: what is in them says who spends what, and a password.

A command and its children make everything for their owner alone (`private_umask`), wherever they make it. What was
there before with wider rights is closed, and what is another user's, or leads through another user's link, is refused:
in a folder that all may write to, somebody could have put it there for us to fall into.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from stream_jobs.base.errors import ConfigError

UMASK: Final = 0o077
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600


@contextmanager
def private_umask() -> Iterator[None]:
    """Whatever this process and those it starts make meanwhile is for their owner alone."""
    before = os.umask(UMASK)
    try:
        yield
    finally:
        os.umask(before)


def private_folder(folder: Path, *, inside: bool = True) -> None:
    """Make it, and the parents that are missing, for this user alone; one that others could enter is closed to them,
    and with `inside` all that is in it. Raises ConfigError that says what to do, OSError when it cannot be made."""
    with private_umask():
        folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    _refuse_foreign_link(folder)
    status = folder.stat()
    if status.st_uid != os.geteuid():
        raise ConfigError(
            f"{folder} belongs to another user (uid {status.st_uid}), who could read and change what is written there; "
            f"change its owner (chown -R {os.geteuid()} {folder}) or choose another folder"
        )
    if stat.S_IMODE(status.st_mode) & UMASK:
        folder.chmod(FOLDER_MODE)  # first: from here on nobody else gets in
        for place, _, names, handle in os.fwalk(folder) if inside else ():
            _close(handle)
            for name in names:
                close_file(Path(place, name))


def open_private(path: Path) -> BinaryIO:
    """The file for writing, emptied, for this user alone. Devices and pipes are what they are. Raises ConfigError when
    it is another user's, OSError when it cannot be written."""
    _refuse_foreign_link(path)
    follow = 0 if path.is_symlink() else os.O_NOFOLLOW
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | follow, FILE_MODE)
    try:
        status = os.fstat(handle)
        if stat.S_ISREG(status.st_mode):
            if status.st_uid != os.geteuid():
                raise ConfigError(
                    f"{path} belongs to another user (uid {status.st_uid}); remove it or choose another file"
                )
            os.fchmod(handle, FILE_MODE)
            os.ftruncate(handle, 0)
        return os.fdopen(handle, "wb")
    except BaseException:
        os.close(handle)
        raise


def _refuse_foreign_link(path: Path) -> None:
    if path.is_symlink() and (owner := path.lstat().st_uid) not in (os.geteuid(), 0):
        raise ConfigError(f"{path} is a link that another user (uid {owner}) made; remove it or choose another")


def close_file(path: Path) -> None:
    """Take everybody else's rights to it, if it is there and ours."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return  # a link, which is not ours to change, or gone; the folder above is closed anyway
    try:
        _close(handle)
    finally:
        os.close(handle)


def _close(handle: int) -> None:
    """Take the rights of everybody else."""
    status = os.fstat(handle)
    mode = stat.S_IMODE(status.st_mode)
    if mode & UMASK and status.st_uid == os.geteuid():
        os.fchmod(handle, mode & ~UMASK)
