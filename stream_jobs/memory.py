"""Keeps what a long-running process has freed from staying with it.

Each thread that allocates gets an arena of glibc's own, and Arrow's allocator keeps freed blocks for later: a worker
whose blocks moved through several threads held a sixth more memory than with these bounds (`make bench`, pipeline).
"""

import ctypes
import sys
from typing import Final

import pyarrow as pa

_M_ARENA_MAX: Final = -8  # <malloc.h>
ARENAS: Final = 2


def bound_allocators() -> bool:
    """To be called before threads start. False where the C library has no such setting (musl, macOS)."""
    pa.set_memory_pool(pa.system_memory_pool())
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_ARENA_MAX, ARENAS) == 1
