"""A Faust app for a feed between our own jobs: one reader, which begins with what the store knows.

What these topics carry may come again and changes nothing then, so at least once is enough: what was handled is
committed afterwards. The work itself is plain and blocking, and is done in one thread, a cycle at a time: all records
that have come since the last cycle, or none when it is only time that has passed.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

import faust
from faust.types import TP

from stream_jobs.base.errors import NOT_OF_A_RECORD, BrokerUnavailableError, CrashError, LostPartitionError, RetryError
from stream_jobs.runtime.kafka import TopicStart
from stream_jobs.runtime.refused import pass_over
from stream_jobs.runtime.retry import OUTAGE, retry
from stream_jobs.streams.app import new_app, run_with
from stream_jobs.streams.held_up import HeldUp, Progress
from stream_jobs.streams.model import Bundle, SourceRecord
from stream_jobs.streams.transport import BundlingConsumer, Membership

log = logging.getLogger(__name__)

CYCLE_S: Final = 0.2  # at the latest, when no records come
QUEUED_BUNDLES: Final = 64
COMMIT_EVERY_S: Final = 1.0


class FeedHandler(Protocol):
    """The work. Every call comes from the same thread, and may raise RetryError: it is then called again.

    A record that is none of the feed's is refused by the handler itself (see refused.py). Where a cycle raises anything
    else than NOT_OF_A_RECORD all the same, the handler begins anew, and the record that it comes from is found and
    passed over: see `FeedRunner._handle`.
    """

    def begin(self) -> None:
        """The feed is ours from now on: forget everything, and begin with what the store knows."""

    def handle(self, records: list[SourceRecord]) -> None:
        """Handle these records, in order, and whatever is due. After a RetryError it is called with the same again."""

    def end(self) -> None:
        """The feed is another's now, or nobody's: do nothing more. May be called twice."""


@dataclass(frozen=True, slots=True)
class FeedJob:
    """What makes one job different from another."""

    name: str
    topic: str
    handler: FeedHandler


class FeedRunner:
    """Runs the handler while the feed is ours. Looks like a BlockJobRunner to the worker."""

    def __init__(self, app: faust.App, job: FeedJob, topic_start: Callable[[str], TopicStart]) -> None:
        self._app = app
        self._job = job
        self._topic_start = topic_start
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=job.name)
        self._bundles: asyncio.Queue[Bundle] = asyncio.Queue(QUEUED_BUNDLES)
        self._reading = 0
        self._task: asyncio.Task[None] | None = None
        self._progress = Progress()
        self.name = job.name
        self.joined = False  # has the group told us our partitions, even if there are none for us?

    def held_up(self) -> HeldUp:
        """Implements Runner. A cycle comes every CYCLE_S, whether there is something to do or not."""
        return HeldUp(self._progress.working_s, "its turn does not end")

    async def stop_booking(self) -> None:
        """No cycle is under way or will follow when this returns."""
        task, self._task = self._task, None
        waiting, self._bundles = self._bundles, asyncio.Queue(QUEUED_BUNDLES)
        while not waiting.empty():
            waiting.get_nowait()  # so that nobody goes on waiting for room in it
        if task is not None:
            task.cancel()
            await asyncio.wait([task])  # what it failed with is said by `_on_done`
            await self._in_thread(self._job.handler.end)

    async def rest(self) -> None:
        """The group has no partition for us: ready to take over when another worker goes."""
        await self.stop_booking()
        self.joined = True

    async def assigned(
        self, committed: Mapping[TP, int | None], membership: Membership, reading: int
    ) -> Mapping[TP, int]:
        """Begin; returns where the feed is read from."""
        self._reading = reading
        self.joined = True
        if not committed:
            return {}
        if len(committed) > 1:
            raise CrashError(f"{self._job.topic} has {len(committed)} partitions; its one reader needs exactly one")
        ((tp, offset),) = committed.items()
        start = await self._start(offset, membership)
        if start is None:
            return {}
        self._task = asyncio.create_task(self._run(tp, membership), name=self.name)
        self._task.add_done_callback(self._on_done)
        return {tp: start}

    async def _start(self, committed: int | None, membership: Membership) -> int | None:
        """None when the group has moved on before the broker answered."""

        async def ask() -> int | None:
            if self._app.should_stop or self._app.consumer_generation_id != membership.generation:
                return None
            topic = await asyncio.to_thread(self._topic_start, self._job.topic)
            return max(committed or 0, topic.earliest[0])

        return await retry(ask, f"{self.name} cannot start", BrokerUnavailableError, OUTAGE)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("%s stopped", self.name, exc_info=error)
            self._app.loop.create_task(self._app.crash(error))

    async def dispatch(self, topic: str, partition: int, bundle: Bundle) -> None:  # noqa: ARG002 - there is one
        if self._task is not None and not self._task.done() and bundle.reading == self._reading:
            await self._bundles.put(bundle)

    async def _run(self, tp: TP, membership: Membership) -> None:
        """Cycle after cycle, until cancelled or until the feed is another's."""
        handler = self._job.handler
        await self._repeat(handler.begin)
        log.info("%s has begun", self.name)
        handled = committed = 0
        commit_at = 0.0
        try:
            while True:
                records = await self._next_records()
                await self._handle(tp, records)
                handled = records[-1].offset + 1 if records else handled
                if handled > committed and time.monotonic() >= commit_at:
                    with contextlib.suppress(BrokerUnavailableError):  # the next commit says it too
                        await cast(BundlingConsumer, self._app.consumer).commit_fenced(tp, handled, membership)
                        committed = handled
                    commit_at = time.monotonic() + COMMIT_EVERY_S
        except LostPartitionError as lost:
            log.info("%s", lost)
            await self._in_thread(handler.end)  # whoever has it now speaks for it

    async def _handle(self, tp: TP, records: list[SourceRecord]) -> None:
        """One cycle. What these topics carry may come again, so where a record makes it fail, the handler begins anew
        with what the store knows, and takes the records by halves, until the one that it cannot cope with is alone.

        Raises what the cycle raises when that comes of no record.
        """
        handler = self._job.handler
        try:
            await self._repeat(lambda: handler.handle(records))
            return
        except NOT_OF_A_RECORD:
            raise
        except Exception as error:
            if not records:
                raise
            log.exception("%s cannot handle offsets %d to %d", self.name, records[0].offset, records[-1].offset)
            why = error
        await self._repeat(handler.begin)
        if len(records) > 1:
            middle = len(records) // 2
            await self._handle(tp, records[:middle])
            await self._handle(tp, records[middle:])
            return
        await self._repeat(lambda: handler.handle([]))  # it fails without the record, too? Then it is not the record
        pass_over(tp.topic, tp.partition, records[0].offset, records[0].value, repr(why), failed=True)

    async def _next_records(self) -> list[SourceRecord]:
        """All that have come; waits for some, but no longer than CYCLE_S."""
        records: list[SourceRecord] = []
        with contextlib.suppress(TimeoutError):
            # Not wait_for: Python 3.11's swallows a cancellation that comes at the same time as a bundle.
            async with asyncio.timeout(CYCLE_S):
                records += (await self._bundles.get()).records
        while not self._bundles.empty():
            records += self._bundles.get_nowait().records
        return records

    async def _repeat(self, step: Callable[[], None]) -> None:
        with self._progress.at_work():
            await retry(lambda: self._in_thread(step), self.name, RetryError, OUTAGE)

    async def _in_thread(self, step: Callable[[], None]) -> None:
        # Shielded: a step that has begun is waited for, so that no two are ever under way.
        work = asyncio.get_running_loop().run_in_executor(self._thread, step)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                await work
            raise


def build_feed_app(
    job: FeedJob,
    *,
    broker_urls: list[str],
    faust_options: Mapping[str, Any],
    topic_start: Callable[[str], TopicStart],
) -> tuple[faust.App, FeedRunner]:
    """The Faust app of a feed's reader, and what runs its handler."""
    app = new_app(job.name, job.topic, broker_urls=broker_urls, faust_options=faust_options)
    runner = FeedRunner(app, job, topic_start)
    run_with(app, job.topic, runner)
    return app, runner
