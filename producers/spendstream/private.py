"""Folders and files that are their owner's alone, whatever the service's umask, which is not ours to change."""

import os
import stat
from pathlib import Path
from typing import Final

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_OTHERS: Final = 0o077


def make_private(folder: Path) -> None:
    """Make the folder, and the parents that are missing, for this user alone; one that others can enter is closed to
    them. Raises OSError when it is another user's: what is in it could be theirs, and what we write would be."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        try:
            missing.mkdir(mode=FOLDER_MODE)
            missing.chmod(FOLDER_MODE)  # a umask may take rights from the owner too
        except FileExistsError:
            continue  # by another process, meanwhile
    check_owner(folder)
    if stat.S_IMODE(folder.stat().st_mode) & _OTHERS:
        folder.chmod(FOLDER_MODE)


def check_owner(folder: Path) -> None:
    """Raises OSError unless the folder, and the link that leads to it if it is one, are this user's, and nobody else
    may put another in its place."""
    if not hasattr(os, "geteuid"):  # pragma: no cover - no POSIX, and no spool
        return
    us = os.geteuid()
    link = folder.lstat()
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in (us, 0):
        raise PermissionError(f"{folder} is a link that another user (uid {link.st_uid}) made; use another folder")
    owner = folder.stat().st_uid
    if owner != us:
        raise PermissionError(f"{folder} belongs to another user (uid {owner}); use another folder or change its owner")
    parent = folder.parent.stat().st_mode
    if parent & stat.S_IWOTH and not parent & stat.S_ISVTX:
        raise PermissionError(f"others can replace {folder}; run: chmod o-w {folder.parent}, or use another folder")


def open_private(path: Path, flags: int) -> int:
    """A descriptor of the file, which is made for this user alone; a link in its place is not followed."""
    handle = os.open(path, flags | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), FILE_MODE)
    try:
        if stat.S_IMODE(os.fstat(handle).st_mode) != FILE_MODE:
            os.fchmod(handle, FILE_MODE)
    except OSError:
        os.close(handle)
        raise
    return handle
