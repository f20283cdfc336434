"""The words of the pool: what it may take, and what became of a task."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from stream_jobs.base.errors import SpendstreamError

R = TypeVar("R")
MIB: Final = 2**20


class PoolError(SpendstreamError):
    """The process that forks workers cannot start, or has ended twice in one run."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the processes of a pool may take."""

    workers: int = 2
    task_s: float = 30.0
    """A task that takes longer is killed, with all processes that it has started."""
    memory_bytes: int = 256 * MIB
    """What a worker may ask for beyond what was loaded before it was forked: a task that needs more fails with a
    MemoryError. A worker that has half as much of its own after a task is replaced."""
    nice: int = 10
    start_s: float = 120.0
    """How long loading may take."""

    def __post_init__(self) -> None:
        if self.workers < 1 or self.task_s <= 0 or self.memory_bytes < 16 * MIB or not 0 <= self.nice <= 19:
            raise ValueError(f"no pool works within {self}")


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """What became of one task."""

    name: str
    result: R | None
    failed: str  # why there is no result; empty when there is one
    took_s: float
    cut_short: bool = False  # the run ended before it did: nothing is said of the task


@dataclass(frozen=True, slots=True)
class Terms:
    """What the server is told first; it is pickled, so functions go by their names."""

    load: Callable[[], None] | None
    memory_bytes: int
    nice: int
