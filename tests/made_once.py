"""What takes long to make and never changes: made by the first process of a run of the tests that asks for it."""

import atexit
import fcntl
import functools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

shared_folder: Path | None = None
"""Of all processes of this run: conftest.py sets it. Else a process has one of its own."""


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The path that `make` was given by whoever came first; what it made there must not be changed."""
    place = shared_folder or _own_folder()
    path = place / name
    with (place / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            made = Path(tempfile.mkdtemp(dir=place)) / name
            make(made)
            made.rename(path)
    return path


@functools.cache
def _own_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="spendstream-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
