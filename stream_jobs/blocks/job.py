"""A block job as a Faust app: the thin shell between Kafka and a plain function.

One agent reads bundles and hands each to the booker of its partition. Bookers of different partitions overlap: while
one waits for ClickHouse, another decodes.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, cast

import faust
from faust.types import TP

from stream_jobs.base.errors import LostPartitionError, RetryError
from stream_jobs.blocks.booking import Announce, BlockStore
from stream_jobs.blocks.isolate import isolated
from stream_jobs.blocks.limits import BookerLimits
from stream_jobs.blocks.partition import OnBooked, PartitionBooker
from stream_jobs.blocks.queue import Room
from stream_jobs.blocks.reading import Standing, wanted
from stream_jobs.runtime.kafka import TopicStart
from stream_jobs.runtime.retry import OUTAGE, retry
from stream_jobs.streams.app import MAX_POLL_RECORDS, new_app, run_with
from stream_jobs.streams.held_up import HeldUp, Progress
from stream_jobs.streams.model import Block, BlockOutput, Bundle, SourcePartition, SourceRecord, Versions
from stream_jobs.streams.transport import BundlingConsumer, Membership, Position

log = logging.getLogger(__name__)

CHECK_INTERVAL_S = 0.1
BLOCKS_IN_FLIGHT = 2  # per job, from decoding to the last insert: one is worked out while another is inserted


class OfficialBlocks(BlockStore, Protocol):
    """BlockStore plus the look-up that finds where an earlier owner of a partition stopped."""

    async def last_block(self, source: SourcePartition, committed: int) -> Block | None:
        """The official block that ends just before the committed offset, if its row is there."""

    async def is_complete(self, block: Block) -> bool:
        """Whether the block's receipt is there, and so everything that it inserted before."""

    async def booked_to(self, source: SourcePartition) -> int:
        """The offset after the last finished block of the partition; 0 if there is none."""

    async def other_topic_id(self, source: SourcePartition, committed: int) -> str | None:
        """The latest other incarnation of the topic of which a block ends just before the committed offset."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where booking of a partition goes on, and the block before it that must be redone."""

    source: SourcePartition
    offset: int
    redo: Block | None


@dataclass(frozen=True, slots=True)
class BlockJob:
    """What makes one job different from another. `process` is a plain function and runs in a thread; `announce`, a
    step of booking, tells others of each block."""

    name: str
    topic: str
    process: Callable[[Block, list[SourceRecord]], BlockOutput]
    versions: Callable[[], Versions]
    on_booked: OnBooked
    announce: Announce | None = None


class BlockJobRunner:
    """Keeps one PartitionBooker per assigned partition, renewed at every assignment."""

    def __init__(
        self,
        app: faust.App,
        job: BlockJob,
        store: OfficialBlocks,
        topic_start: Callable[[str], TopicStart],
        limits: BookerLimits,
    ) -> None:
        self._app = app
        self.name = job.name
        self._job = job
        self._work_out = isolated(job.process)
        self._store = store
        self._topic_start = topic_start
        self._limits = limits
        self._room = Room(limits.max_queued_records, limits.max_queued_bytes)
        # One thread: a second would share the interpreter with it and hold another half-made block in memory.
        self._processing = ThreadPoolExecutor(1, thread_name_prefix=f"process-{job.name}")
        self._slots = asyncio.Semaphore(BLOCKS_IN_FLIGHT)
        self._bookers: dict[TP, PartitionBooker] = {}
        self._reading = 0  # bundles of other readings were fetched before the last seek
        self._doubted: dict[TP, int] = {}  # where a hole began that was then read again
        self._holey: set[TP] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = Progress()
        self._booked_s = 0.0  # when a block was booked last, by a clock that nobody sets
        self.joined = False  # has the group told us our partitions, even if there are none for us?

    @property
    def positions(self) -> dict[int, int]:
        """Next offset to book, by partition."""
        return {tp.partition: booker.next_offset for tp, booker in self._bookers.items()}

    def held_up(self) -> HeldUp:
        """Implements Runner."""
        found = [HeldUp(self._starting.working_s, "store and broker do not say where to start")]
        found += [booker.held_up(self._booked_s) for booker in list(self._bookers.values())]
        return max(found)

    async def stop_booking(self) -> None:
        """No commit is under way or will follow when this returns. Inserts under way are harmless: see booking."""
        bookers, self._bookers = list(self._bookers.values()), {}
        await asyncio.gather(*(booker.close() for booker in bookers))

    async def rest(self) -> None:
        """The group has no partition for us: ready to take over when another worker goes."""
        await self.stop_booking()
        self.joined = True

    async def assigned(
        self, committed: Mapping[TP, int | None], membership: Membership, reading: int
    ) -> Mapping[TP, int]:
        """Start bookers at the committed offsets; returns where each partition must be read from.

        While store or broker do not answer it waits: nothing can be booked anyway. When the group moves on meanwhile,
        it starts nothing; the next assignment does.
        """
        self._reading = reading
        try:
            with self._starting.at_work():
                plan = await self._until_known(committed, membership)
        except LostPartitionError as lost:
            log.info("%s", lost)
            return {}
        self.joined = True
        starts: dict[TP, int] = {}
        for tp, start in plan.items():
            booker = self._new_booker(tp, start.source, start.offset, start.redo, membership)
            self._bookers[tp] = booker
            starts[tp] = booker.next_offset
            task = asyncio.create_task(booker.run(), name=f"book {start.source}")
            self._tasks.add(task)
            task.add_done_callback(self._on_done)
        if starts:
            log.info("%s books %s", self._job.name, ", ".join(f"{tp.partition} from {at}" for tp, at in starts.items()))
        return starts

    async def _until_known(self, committed: Mapping[TP, int | None], membership: Membership) -> dict[TP, Start]:
        """Repeats `_plan` through outages. Raises LostPartitionError when this assignment is no longer ours."""

        async def pause(pause_s: float) -> None:
            waited_s = 0.0
            while waited_s < pause_s:
                await asyncio.sleep(CHECK_INTERVAL_S)
                waited_s += CHECK_INTERVAL_S
                if self._app.should_stop or self._app.consumer_generation_id != membership.generation:
                    tp = next(iter(committed))
                    raise LostPartitionError(tp.topic, tp.partition, committed[tp] or 0)

        what = f"{self.name} cannot start its partitions"
        return await retry(lambda: self._plan(committed), what, RetryError, OUTAGE, pause)

    async def _plan(self, committed: Mapping[TP, int | None]) -> dict[TP, Start]:
        """Raises RetryError when store or broker do not answer."""
        if not committed:
            return {}
        # Asked outside of the consumer, whose connection may be waiting in a fetch.
        topic = await asyncio.to_thread(self._topic_start, self._job.topic)
        return {
            tp: await self._start(
                SourcePartition(tp.topic, topic.topic_id, tp.partition), topic.earliest[tp.partition], offset
            )
            for tp, offset in committed.items()
        }

    async def _start(self, source: SourcePartition, earliest: int, committed: int | None) -> Start:
        if committed is None:
            return await self._start_without_commit(source, earliest)
        if committed == earliest:
            return Start(source, earliest, None)
        redo = await self._store.last_block(source, committed) if committed > earliest else None
        # Without a row the commit is perhaps not of this topic: a group's offsets may survive the topic they were
        # made for, and offsets of one incarnation mean nothing in another.
        other = await self._store.other_topic_id(source, committed) if redo is None else None
        if other is not None:
            log.warning(
                "%s: the committed offset %d is of an earlier topic of this name (id %s), starting at %d",
                *(source, committed, other, earliest),
            )
            return Start(source, earliest, None)
        if committed < earliest:
            log.error(
                "%s: offsets %d to %d were deleted from the topic before they were booked; its retention is "
                "shorter than the outage was",
                *(source, committed, earliest - 1),
            )
            return Start(source, earliest, None)
        if redo is None:
            log.warning(
                "%s: the store knows no block that ends before the committed offset %d, so the last one cannot "
                "be checked; was the store emptied or replaced?",
                *(source, committed),
            )
        elif await self._store.is_complete(redo):
            redo = None  # a partition may have been idle for longer than the store remembers its last block's token
        return Start(source, committed, redo)

    async def _start_without_commit(self, source: SourcePartition, earliest: int) -> Start:
        """A partition that is new, or whose group was idle for so long that Kafka has dropped its offsets."""
        booked_to = await self._store.booked_to(source)
        if booked_to <= earliest:
            return Start(source, earliest, None)
        log.warning(
            "%s: the group has no committed offset, but the store has booked up to %d; going on from there",
            *(source, booked_to),
        )
        return Start(source, booked_to, None)

    def _new_booker(
        self,
        tp: TP,
        source: SourcePartition,
        start: int,
        redo: Block | None,
        membership: Membership,
    ) -> PartitionBooker:
        async def process(block: Block, records: list[SourceRecord]) -> BlockOutput:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._processing, self._work_out, block, records)

        async def commit(offset: int) -> None:
            await cast(BundlingConsumer, self._app.consumer).commit_fenced(tp, offset, membership)

        return PartitionBooker(
            source,
            start,
            redo,
            generation=membership.generation,
            process=process,
            store=self._store,
            commit=commit,
            announce=self._job.announce,
            versions=self._job.versions,
            on_booked=self._on_booked,
            limits=self._limits,
            room=self._room,
            slots=self._slots,
        )

    def _on_booked(self, block: Block, output: BlockOutput, took_s: float) -> None:
        self._booked_s = time.monotonic()
        self._job.on_booked(block, output, took_s)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("%s stopped", task.get_name(), exc_info=error)
            # Going on would leave a partition that nobody books. A fresh process starts from what is official.
            self._app.loop.create_task(self._app.crash(error))

    def choose(self, positions: Mapping[TP, Position]) -> tuple[Sequence[TP], Sequence[TP]]:
        """Implements transport.Choose. A partition that has no booker yet is read: its bundles are dropped."""
        bookers, limits, room = dict(self._bookers), self._limits, self._room
        standings = {
            tp: bookers[tp].standing(at.next_offset, at.end) if tp in bookers else Standing(0, 0, 0)
            for tp, at in positions.items()
        }
        whole = min(limits.max_block_rows, room.fitting(limits.max_block_bytes))
        # Fetches bring thousands: what came beyond a block would only take room from others until the next one.
        return wanted(standings, room.left, whole - MAX_POLL_RECORDS if whole > 2 * MAX_POLL_RECORDS else whole)

    async def dispatch(self, topic: str, partition: int, bundle: Bundle) -> None:
        booker = self._bookers.get(TP(topic, partition))
        # What was fetched before the last seek is read again, or belongs to another worker now. Taking it would leave
        # a hole in front of it that nobody books.
        if booker is None or bundle.reading != self._reading:
            return
        first, wanted = bundle.records[0].offset, booker.next_to_queue
        if first > wanted and not self._believe_hole(TP(topic, partition), wanted):
            log.warning("%s: offset %d follows %d; reading again", booker.source, first, wanted - 1)
            try:
                await self._app.consumer.perform_seek()
            except Exception as error:  # bookers have stopped; only a fresh process goes on
                log.critical("%s cannot read again", booker.source, exc_info=error)
                self._app.loop.create_task(self._app.crash(error))
            return
        self._doubted.pop(TP(topic, partition), None)  # settled: another hole at this place is doubted anew
        await booker.offer(bundle.records)

    def _believe_hole(self, tp: TP, begin: int) -> bool:
        """Whether to believe that no records have the offsets from `begin` on; remembers that it was asked.

        A topic that is written in transactions, or compacted, has such holes. Anything else would be a loss, so the
        first hole of a partition is read again.
        """
        if self._doubted.get(tp) == begin:
            self._holey.add(tp)
        self._doubted[tp] = begin
        return tp in self._holey


def build_app(
    job: BlockJob,
    store: OfficialBlocks,
    *,
    broker_urls: list[str],
    faust_options: Mapping[str, Any],
    topic_start: Callable[[str], TopicStart],
    limits: BookerLimits,
) -> tuple[faust.App, BlockJobRunner]:
    """The Faust app of a block job, and what books its partitions."""
    app = new_app(
        job.name,
        job.topic,
        broker_urls=broker_urls,
        faust_options=faust_options,
        max_poll_records=limits.max_block_rows,
    )
    runner = BlockJobRunner(app, job, store, topic_start, limits)
    run_with(app, job.topic, runner, runner.choose)
    return app, runner
