"""Books one assigned partition, block after block, in offset order.

A PartitionBooker lives from one assignment to the next: after every rebalance a new one starts from what the broker
and the store say is official. It owns no thread; `offer` queues bundles, `run` books them.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stream_jobs.base.errors import LostPartitionError, RetryError
from stream_jobs.blocks.booking import Announce, BlockStore, Commit, Process, Steps, book_block, redo_block
from stream_jobs.blocks.limits import BookerLimits
from stream_jobs.blocks.queue import RecordQueue, Room
from stream_jobs.blocks.reading import Standing
from stream_jobs.runtime.retry import OUTAGE, retry
from stream_jobs.streams.held_up import HeldUp, Progress
from stream_jobs.streams.model import Block, BlockOutput, SourcePartition, SourceRecord, Versions

T = TypeVar("T")
OnBooked = Callable[[Block, BlockOutput, float], None]
"""Told of every block that is booked, and how many seconds that took."""
log = logging.getLogger(__name__)

REST_SHARE = 0.5
"""How long a booker rests after a block, for each second that the block took. A block costs the store the same tenth of
a second of CPU whether it has five rows or five hundred, so without a rest a trickle of events keeps both busy all the
time and everybody else waiting. A booker that a whole block is waiting for does not rest."""
MAX_REST_S = 0.5  # a block may have taken minutes, through an outage


class PartitionBooker:
    """See the module. `start_offset` is where booking goes on; `redo` is the official block before it, if any;
    `generation` is the group's, under which the partition was assigned."""

    def __init__(
        self,
        source: SourcePartition,
        start_offset: int,
        redo: Block | None,
        *,
        generation: int,
        process: Process,
        store: BlockStore,
        commit: Commit,
        announce: Announce | None,
        versions: Callable[[], Versions],
        on_booked: OnBooked,
        limits: BookerLimits,
        room: Room,
        slots: asyncio.Semaphore,
    ) -> None:
        self.source = source
        self._next = redo.first_offset if redo else start_offset
        self._redo = redo
        self._generation = generation
        self._store = store
        self._commit_offset = commit
        self._steps = Steps(process, store, self._commit, announce, self._retry)
        self._versions = versions
        self._on_booked = on_booked
        self._limits = limits
        self._slots = slots
        self._room = room
        self._queue = RecordQueue(self._next, room)
        self._changed = asyncio.Condition()
        self._commit_lock = asyncio.Lock()
        self._rest_until = 0.0  # by the event loop's clock
        self._closed = False
        self._progress = Progress()
        self._turn = 0  # when a block was taken last

    @property
    def next_offset(self) -> int:
        """The first offset that is not part of an official block of this booker."""
        return self._next

    @property
    def next_to_queue(self) -> int:
        """The offset that the next records should begin with."""
        return self._queue.end

    def standing(self, position: int, end: int) -> Standing:
        """From any thread. `position`: up to where records were fetched; `end`: up to where there are some."""
        queue, redo = self._queue, self._redo
        return Standing(
            self._turn,
            queue.records + max(0, position - queue.end),
            max(0, end - position),
            0 if redo is None else max(0, redo.last_offset + 1 - position),
        )

    def held_up(self, job_moved_s: float) -> HeldUp:
        """From any thread. A partition that only waits for its turn stands still no longer than its whole job does,
        which booked something last at `job_moved_s` (time.monotonic)."""
        working_s, waiting_s = self._progress.working_s, self._progress.waiting_s(job_moved_s)
        if self._closed:
            return HeldUp(0)  # another worker's
        if working_s >= waiting_s:
            return HeldUp(working_s, f"the block of partition {self.source.partition} from offset {self._next} on")
        return HeldUp(waiting_s, f"{self._queue.records} records of partition {self.source.partition} wait")

    async def offer(self, records: list[SourceRecord]) -> None:
        """Queue records; waits while there is no room. What was queued before (a re-read) is skipped."""
        async with self._room.changed:
            await self._room.changed.wait_for(lambda: self._closed or self._has_room())
            if self._closed:
                return
            self._queue.add(records)
        if self._queue.records:
            self._progress.waits()
        async with self._changed:
            self._changed.notify_all()

    def _has_room(self) -> bool:
        """A partition of which nothing waits always has: what fills the room may be waiting for records behind these,
        to redo a block. So every partition goes on, whatever others hold."""
        return not self._room.full or not self._queue.records or self._needs_more()

    def _needs_more(self) -> bool:
        """A block to redo must be complete before it can be booked, however large it is."""
        return self._redo is not None and self._queue.end <= self._redo.last_offset

    async def run(self) -> None:
        """Book until closed or until the partition is lost. Raises CrashError when an invariant breaks."""
        try:
            if self._redo is not None:
                with self._progress.at_work():
                    await self._redo_official(self._redo)
                if self._queue.records:
                    self._progress.waits()
            while not self._closed:
                await self._wait_for_records()
                await self._rest()
                async with self._slots:
                    with self._progress.at_work():
                        records = await self._take()
                        if records:
                            await self._book_new(records)
                if self._queue.records:
                    self._progress.waits()
        except LostPartitionError as lost:
            log.info("%s", lost)
        finally:
            # However it ends: nobody may go on waiting for room in the queue.
            await self._stop()

    async def close(self) -> None:
        """Stop before the next commit. When this returns no commit of this booker is under way or will follow."""
        await self._stop()
        async with self._commit_lock:
            pass

    async def _stop(self) -> None:
        self._closed = True
        self._queue.close()
        for changed in (self._changed, self._room.changed):
            async with changed:
                changed.notify_all()

    async def _wait_for_records(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or self._queue.records > 0)

    async def _rest(self) -> None:
        """Let more records come in; see REST_SHARE."""
        rest_s = self._rest_until - asyncio.get_running_loop().time()
        if rest_s <= 0:
            return
        async with self._changed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait_for(lambda: self._closed or self._block_is_full()), rest_s)

    def _block_is_full(self) -> bool:
        """Whether more could not come in, or would not go along. Of those that fill the room, one at least is so."""
        queue, room, limits = self._queue, self._room, self._limits
        largest = room.full and queue.records * room.queues >= room.records
        return queue.records >= limits.max_block_rows or queue.bytes >= limits.max_block_bytes or largest

    async def _take(self) -> list[SourceRecord]:
        """The next block's records: all that is queued, up to the bound. Taken when it is this booker's turn, so that
        what came in while it waited goes along."""
        async with self._room.changed:
            if self._closed:
                return []
            self._room.changed.notify_all()
            self._turn = self._room.turn()
            return self._queue.take(self._limits.max_block_rows, self._limits.max_block_bytes)

    async def _redo_official(self, block: Block) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or not self._needs_more())
            if self._closed:
                return
            records = self._queue.take_to(block.last_offset)
            self._redo = None
            self._next = block.last_offset + 1
        async with self._room.changed:
            self._room.changed.notify_all()
        async with self._slots:
            began = asyncio.get_running_loop().time()
            output = await redo_block(block, records, self._steps)
        self._on_booked(block, output, asyncio.get_running_loop().time() - began)

    async def _book_new(self, records: list[SourceRecord]) -> None:
        # The block starts where the last one ended even if offsets are missing in between: blocks tile the log.
        fixed_at = await self._retry(self._store.instant)
        block = Block(self.source, self._next, records[-1].offset, fixed_at, self._versions(), self._generation)
        clock = asyncio.get_running_loop().time
        began = clock()
        output = await book_block(block, records, self._steps)
        took_s = clock() - began
        self._rest_until = clock() + min(MAX_REST_S, REST_SHARE * took_s)
        self._on_booked(block, output, took_s)

    async def _commit(self, offset: int) -> None:
        async with self._commit_lock:
            if self._closed:
                raise LostPartitionError(self.source.topic, self.source.partition, offset)
            await self._commit_offset(offset)
            self._next = offset

    async def _retry(self, step: Callable[[], Awaitable[T]]) -> T:
        """Repeat a step through outages. Gives up when closed: whoever gets the partition next takes over."""
        return await retry(step, str(self.source), RetryError, OUTAGE, self._pause)

    async def _pause(self, pause_s: float) -> None:
        async with self._changed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait_for(lambda: self._closed), pause_s)
                raise LostPartitionError(self.source.topic, self.source.partition, self._next)
