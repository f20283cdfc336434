"""Memory of processes that work on many rows: what is freed goes back, what is alive is not searched for cycles.

Each thread that allocates gets an arena of glibc's own, and Arrow's allocator keeps freed blocks for later: a worker
whose blocks moved through several threads held a sixth more memory than with these bounds (`make bench`, pipeline).
"""

import ctypes
import gc
from typing import Final

import pyarrow as pa

from stream_jobs.base.no_pandas import arrow_without_pandas
from stream_jobs.runtime import system

_M_ARENA_MAX: Final = -8  # <malloc.h>
_M_MMAP_THRESHOLD: Final = -3
ARENAS: Final = 2
_MAPPED_BYTES: Final = 256 * 1024
_YOUNG_OBJECTS: Final = 100_000


def bound_allocators() -> bool:
    """To be called before threads start. False where the C library has no such setting (musl, macOS)."""
    pa.set_memory_pool(pa.system_memory_pool())
    arrow_without_pandas()
    if not system.LINUX:
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # Left alone, the threshold grows to 32 MiB, and the columns of a block leave holes in the heap.
    return all(mallopt(*option) == 1 for option in ((_M_ARENA_MAX, ARENAS), (_M_MMAP_THRESHOLD, _MAPPED_BYTES)))


def calm_collector(*, again: bool = False) -> None:
    """To be called once everything is loaded. Rows are many small objects without cycles: looking for cycles among
    them at Python's usual pace takes a fourth of a worker's time. `again` after something large was replaced: until
    then, what was frozen before a fork stays as it is, and shared."""
    if again:
        gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 100)
