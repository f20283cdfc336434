"""The order of writes that makes booking happen exactly once.

A block is official if and only if the broker accepted the commit of its end offset. Everything else can be redone.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, TypeVar

from stream_jobs.store.deadline import LateInsertError
from stream_jobs.streams.model import Block, BlockOutput, SourceRecord

log = logging.getLogger(__name__)


class BlockStore(Protocol):
    """What booking needs of ClickHouse. Every call may raise StoreUnavailableError and may be repeated."""

    async def write_block_row(self, block: Block) -> None:
        """Record the intent: this range, with these versions."""

    async def instant(self) -> datetime:
        """Now, by the store's own clock, which all workers share whatever their machines' clocks say."""

    async def deadline(self) -> datetime:
        """Until when an insert may arrive, by the store's own clock. Long before it forgets the block's token."""

    async def insert(self, block: Block, output: BlockOutput, not_after: datetime) -> None:
        """Insert the rows of all tables with the block's token. Repeating it changes nothing.

        Raises LateInsertError when the store's clock is past `not_after`; a part of the rows may be in.
        """

    async def write_receipt(self, block: Block, output: BlockOutput, not_after: datetime) -> None:
        """Record that the block is done. Repeating it changes nothing; raises LateInsertError as `insert` does."""


Process = Callable[[Block, list[SourceRecord]], Awaitable[BlockOutput]]
Commit = Callable[[int], Awaitable[None]]
Announce = Callable[[Block, BlockOutput], Awaitable[None]]
"""Tells others what a block added; of a block that is redone, again."""
T = TypeVar("T")


class Retry(Protocol):
    """Repeats a step through outages; raises LostPartitionError when there is no point in going on."""

    async def __call__(self, step: Callable[[], Awaitable[T]]) -> T: ...


@dataclass(frozen=True, slots=True)
class Steps:
    """What a block is booked with. A job that has nothing to announce leaves that step out."""

    process: Process
    store: BlockStore
    commit: Commit
    announce: Announce | None
    retry: Retry


async def book_block(block: Block, records: list[SourceRecord], steps: Steps) -> BlockOutput:
    """Book one new block, and empty `records`. Raises LostPartitionError if another worker owns the partition now."""
    output = await _work_out(block, records, steps)
    # A crash here loses nothing: no trace of the block exists, its records are read again.
    # What cannot be decided again (keys are replaced) goes into the row: the redo decides as this run did.
    fixed = replace(block, refusals=output.refusals)
    await steps.retry(lambda: steps.store.write_block_row(fixed))
    # A crash here leaves a row of a block that never became official: its end offset was not committed, so nobody
    # will look for it; the records are read again, perhaps cut into other blocks.
    await commit_and_insert(block, output, steps)
    return output


async def redo_block(block: Block, records: list[SourceRecord], steps: Steps) -> BlockOutput:
    """Insert an official block again, as fixed in its row. Harmless however much of it had been inserted."""
    output = await _work_out(block, records, steps)
    await commit_and_insert(block, output, steps)
    log.info("redid block %s %d-%d", block.source, block.first_offset, block.last_offset)
    return output


async def _work_out(block: Block, records: list[SourceRecord], steps: Steps) -> BlockOutput:
    output = await steps.retry(lambda: steps.process(block, records))
    records.clear()  # inserting takes longer than this did, and nothing needs them any more
    return output


async def commit_and_insert(block: Block, output: BlockOutput, steps: Steps) -> None:
    """Make the block official, then insert it, while nobody else can own the partition and the token is remembered.

    The deadline is taken before the commit. Whoever sleeps between the two is refused by the broker; whoever sleeps
    after the commit, by the store.
    """
    store, retry = steps.store, steps.retry
    while True:
        not_after = await retry(store.deadline)
        # Repeating a commit changes nothing, and proves anew that the partition is ours.
        await retry(lambda: steps.commit(block.last_offset + 1))
        # A crash here leaves an official block without entries: whoever is assigned the partition finds the row by the
        # committed offset and redoes the block.
        try:
            await retry(lambda: store.insert(block, output, not_after))  # noqa: B023 - awaited within the turn
            # A crash here, or within the insert, leaves a block without a receipt, which is redone too; the token drops
            # what is already there. What is announced from here on is in the tables.
            if steps.announce is not None:
                await steps.announce(block, output)
            # A crash here: the redo announces the same again, and whoever counts by it knows the block by its instant.
            await retry(lambda: store.write_receipt(block, output, not_after))  # noqa: B023 - awaited within the turn
        except LateInsertError as late:
            log.warning("block %s %d-%d: %s", block.source, block.first_offset, block.last_offset, late)
        else:
            # A crash from here on needs no redo: a receipt means that everything before it is in.
            return
