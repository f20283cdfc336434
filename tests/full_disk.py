"""A disk that is full: no file that this process writes may grow beyond so many bytes.

Python writes no bytecode meanwhile: 3.11 keeps what it could write of a module, and whoever imports that module next,
in whatever process, fails.
"""

import contextlib
import resource
import sys
from collections.abc import Iterator


def limit_files(most_bytes: int) -> None:
    """For good."""
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))


@contextlib.contextmanager
def limited_files(most_bytes: int) -> Iterator[None]:
    """While the block runs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sys.dont_write_bytecode = bytecode
