"""Rotation of the children's logs. They write to a file we gave them and know nothing of it.

A file that has reached its bound is copied and then emptied in place: the children append (O_APPEND), so they go on at
its beginning. A line written between the two steps, milliseconds apart, is lost; a pipe through the supervisor would
not lose it, but would stop the children whenever the supervisor stands still.
"""

import contextlib
import logging
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger(__name__)


def rotate(paths: Iterable[Path], max_bytes: int, files: int) -> None:
    """Start every log anew that has reached `max_bytes`; keep `files` of each, the one in use included: NAME.log,
    NAME.log.1 (the last one before), NAME.log.2, ... A disk that is full is reported, and the log is emptied anyway."""
    for path in paths:
        try:
            if path.stat().st_size < max_bytes:
                continue
        except OSError:
            continue  # not written yet, or gone
        try:
            _shift(path, files)
        except OSError as error:
            log.warning("%s cannot be kept: %s", path, error)
        with contextlib.suppress(OSError):
            os.truncate(path, 0)


def _shift(path: Path, files: int) -> None:
    older = [path.with_name(f"{path.name}.{number}") for number in range(1, files)]
    if not older:
        return
    for newer, old in zip(reversed(older[:-1]), reversed(older[1:]), strict=True):
        if newer.exists():
            newer.replace(old)
    copy = path.with_name(f"{path.name}.new")
    try:
        shutil.copyfile(path, copy)
        copy.replace(older[0])
    finally:
        copy.unlink(missing_ok=True)
