"""The order of writes that makes booking happen exactly once.

A block is official if and only if the broker accepted the commit of its end offset. Everything else can be redone.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
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
        """Insert all rows with the block's token, then the receipt. Repeating it changes nothing.

        Raises LateInsertError when the store's clock is past `not_after`; a part of the rows may be in.
        """


Process = Callable[[Block, list[SourceRecord]], Awaitable[BlockOutput]]
Commit = Callable[[int], Awaitable[None]]
T = TypeVar("T")


class Retry(Protocol):
    """Repeats a step through outages; raises LostPartitionError when there is no point in going on."""

    async def __call__(self, step: Callable[[], Awaitable[T]]) -> T: ...


async def book_block(
    block: Block, records: list[SourceRecord], process: Process, store: BlockStore, commit: Commit, retry: Retry
) -> BlockOutput:
    """Book one new block, and empty `records`. Raises LostPartitionError if another worker owns the partition now."""
    output = await _work_out(block, records, process, retry)
    # A crash here loses nothing: no trace of the block exists, its records are read again.
    # What cannot be decided again (keys are replaced) goes into the row: the redo decides as this run did.
    fixed = replace(block, refusals=output.refusals)
    await retry(lambda: store.write_block_row(fixed))
    # A crash here leaves a row of a block that never became official: its end offset was not committed, so nobody
    # will look for it; the records are read again, perhaps cut into other blocks.
    await commit_and_insert(block, output, store, commit, retry)
    return output


async def redo_block(
    block: Block, records: list[SourceRecord], process: Process, store: BlockStore, commit: Commit, retry: Retry
) -> BlockOutput:
    """Insert an official block again, as fixed in its row. Harmless however much of it had been inserted."""
    output = await _work_out(block, records, process, retry)
    await commit_and_insert(block, output, store, commit, retry)
    log.info("redid block %s %d-%d", block.source, block.first_offset, block.last_offset)
    return output


async def _work_out(block: Block, records: list[SourceRecord], process: Process, retry: Retry) -> BlockOutput:
    output = await retry(lambda: process(block, records))
    records.clear()  # inserting takes longer than this did, and nothing needs them any more
    return output


async def commit_and_insert(block: Block, output: BlockOutput, store: BlockStore, commit: Commit, retry: Retry) -> None:
    """Make the block official, then insert it, while nobody else can own the partition and the token is remembered.

    The deadline is taken before the commit. Whoever sleeps between the two is refused by the broker; whoever sleeps
    after the commit, by the store.
    """
    while True:
        not_after = await retry(store.deadline)
        # Repeating a commit changes nothing, and proves anew that the partition is ours.
        await retry(lambda: commit(block.last_offset + 1))
        # A crash here leaves an official block without entries: whoever is assigned the partition finds the row by the
        # committed offset and redoes the block.
        try:
            await retry(lambda: store.insert(block, output, not_after))  # noqa: B023 - awaited within the turn
        except LateInsertError as late:
            log.warning("block %s %d-%d: %s", block.source, block.first_offset, block.last_offset, late)
        else:
            # A crash here, or within the insert, is redone too; the token drops what is already there.
            return
