"""A block store in memory that records every step, and bookers that run on it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from stream_jobs.blocks.booking import Announce
from stream_jobs.blocks.limits import BookerLimits
from stream_jobs.blocks.partition import PartitionBooker
from stream_jobs.blocks.queue import Room
from stream_jobs.store.deadline import LateInsertError
from stream_jobs.streams.model import Block, BlockCounts, BlockOutput, SourcePartition, SourceRecord, Versions

SOURCE = SourcePartition("usage.events.v1", "topic-id", 3)
VERSIONS = Versions("book-1", "rules-1")
GENERATION = 7


def records(first: int, end: int, size: int = 1) -> list[SourceRecord]:
    return [SourceRecord(offset, 1_700_000_000_000, None, b"x" * size) for offset in range(first, end)]


@dataclass
class World:
    """What survives a worker: the store's rows and the committed offset; and the order in which they came to be."""

    steps: list[tuple[str, int, int]] = field(default_factory=list)
    rows: list[Block] = field(default_factory=list)
    committed: int = 0
    inserted: dict[tuple[int, int], list[int]] = field(default_factory=dict)  # range: offsets of its records
    failures: dict[str, list[Exception]] = field(default_factory=dict)  # by step: raised before it takes effect
    on_step: Callable[[str], None] = lambda _: None
    now: datetime = datetime(2026, 11, 20, tzinfo=UTC)  # by the store's clock

    def _step(self, name: str, first: int, last: int) -> None:
        self.on_step(name)
        if self.failures.get(name):
            raise self.failures[name].pop(0)
        self.steps.append((name, first, last))

    async def process(self, block: Block, taken: list[SourceRecord]) -> BlockOutput:
        await asyncio.sleep(0)
        self._step("process", block.first_offset, block.last_offset)
        self._taken = [record.offset for record in taken]
        return BlockOutput(BlockCounts(received=len(taken), booked=len(taken)))

    async def write_block_row(self, block: Block) -> None:
        await asyncio.sleep(0)
        self._step("row", block.first_offset, block.last_offset)
        self.rows.append(block)

    async def commit(self, offset: int) -> None:
        await asyncio.sleep(0)
        self._step("commit", offset, offset)
        self.committed = offset

    async def instant(self) -> datetime:
        return self.now

    async def deadline(self) -> datetime:
        return self.now + timedelta(seconds=60)

    async def insert(self, block: Block, output: BlockOutput, not_after: datetime) -> None:
        await asyncio.sleep(0)
        if self.now > not_after:
            raise LateInsertError("late")
        self._step("insert", block.first_offset, block.last_offset)
        self.inserted.setdefault((block.first_offset, block.last_offset), self._taken)

    async def write_receipt(self, block: Block, output: BlockOutput, not_after: datetime) -> None:
        """Not among the steps: see Announcing."""

    def last_block(self) -> Block | None:
        return next((row for row in reversed(self.rows) if row.last_offset == self.committed - 1), None)

    def booker(
        self,
        limits: BookerLimits | None = None,
        redo: Block | None = None,
        announce: Announce | None = None,
        room: Room | None = None,
    ) -> PartitionBooker:
        self.booked: list[tuple[int, int, int]] = []
        bounds = limits or BookerLimits()
        return PartitionBooker(
            SOURCE,
            self.committed,
            redo,
            generation=GENERATION,
            process=self.process,
            store=self,
            commit=self.commit,
            announce=announce,
            versions=lambda: VERSIONS,
            on_booked=lambda block, output, _: self.booked.append(
                (block.first_offset, block.last_offset, output.counts.received)
            ),
            limits=bounds,
            room=room or Room(bounds.max_queued_records, bounds.max_queued_bytes),
            slots=asyncio.Semaphore(1),
        )

    def names(self) -> list[str]:
        return [name for name, *_ in self.steps]


class Announcing(World):
    """Counts the announcement and the receipt among the steps."""

    async def announce(self, block: Block, output: BlockOutput) -> None:
        self._step("announce", block.first_offset, block.last_offset)

    async def write_receipt(self, block: Block, output: BlockOutput, not_after: datetime) -> None:
        self._step("receipt", block.first_offset, block.last_offset)


async def reach(condition: Callable[[], bool]) -> None:
    """Let the event loop go on until it holds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def end(booker: PartitionBooker, task: "asyncio.Task[None]") -> None:
    await booker.close()
    await asyncio.wait_for(task, 5)
