"""A Faust transport that hands an agent one bundle per fetch and partition instead of single records.

Stock Faust spends event-loop work on every record. Here the records of a fetch travel as one message whose offset is
that of its last record. This applies to event topics only: on a changelog it would break table recovery.

Faust's own offset bookkeeping is bypassed for these topics too. Faust commits what was acknowledged in its own time;
here the commit is a step of booking, sent with the group generation the partition was assigned under, so that the
broker itself refuses a worker that has lost the partition.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiokafka import errors as kafka_errors
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream_jobs.base.errors import BrokerUnavailableError, CrashError, LostPartitionError
from stream_jobs.streams.fetches import begin_poll
from stream_jobs.streams.model import Bundle, SourceRecord

FETCH_MAX_WAIT_MS = 100
FETCH_MAX_BYTES = 16 * 1024 * 1024  # of one answer, as packed; of each partition a megabyte
CHOSEN_WAIT_S = 0.05  # for those that were chosen: another choice may be right in a moment
OTHERS_AFTER_S = 0.5  # without a record of those that come first: their broker may be away
COORDINATOR_BACKOFF_S = 0.1
COORDINATOR_TIMEOUT_S = 10.0
"""aiokafka looks for a group's coordinator for as long as the broker is away; a commit must not hold up a stop."""
_COORDINATOR_GONE = (kafka_errors.GroupCoordinatorNotAvailableError, kafka_errors.NotCoordinatorForGroupError)


@dataclass(frozen=True, slots=True)
class Membership:
    """The group generation under which partitions were assigned. A commit is valid only with exactly this one."""

    generation: int
    member_id: str


Assigned = Callable[[Mapping[TP, int | None], Membership, int], Awaitable[Mapping[TP, int]]]
"""Called with the committed offset of each event partition (None: nothing is committed) and the number of the reading
that begins; returns where to start reading each."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a partition is read, and where its records end as far as the last answer said."""

    next_offset: int
    end: int


Choose = Callable[[Mapping[TP, Position]], tuple[Sequence[TP], Sequence[TP]]]
"""Called in the consumer's thread with the partitions that may be read. Returns which to read, and which else if for
OTHERS_AFTER_S nothing comes of those; of others nothing is taken this time."""


class BundleRecord:
    """Looks like one consumer record to Faust; its value is a Bundle."""

    __slots__ = (
        "checksum",
        "headers",
        "key",
        "offset",
        "partition",
        "serialized_key_size",
        "serialized_value_size",
        "timestamp",
        "timestamp_type",
        "topic",
        "value",
    )

    def __init__(self, tp: TP, records: list[SourceRecord], reading: int) -> None:
        last = records[-1]
        self.topic = tp.topic
        self.partition = tp.partition
        self.offset = last.offset
        self.timestamp = last.timestamp_ms
        self.timestamp_type = 0
        self.headers = ()
        self.key = None
        self.value = Bundle(reading, records)
        self.checksum = None
        self.serialized_key_size = 0
        self.serialized_value_size = 0


class BundlingThread(driver.AIOKafkaConsumerThread):
    """Where aiokafka runs. Fetches and seeks are told apart here, in its own thread, where they cannot overlap."""

    consumer: "BundlingConsumer"
    reading = 0
    _came_s = 0.0  # when records came last, by a clock that nobody sets

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust asks for 1.5 s. Kafka answers as soon as there is something; Tansu, when it was asked while there was
        # nothing, only after the whole wait: that would be most of an event's way to the ledger.
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS
        # Faust reads what transactions took back, too, unless it writes in transactions itself. librdkafka does not, by
        # default: what looks for the ends and the gaps of partitions (LogEnds, conservation) sees what is read here.
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_bytes = FETCH_MAX_BYTES
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP] | None,
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Any:
        choose = self.consumer.transport.choose
        if not active_partitions or choose is None:
            return await self._bundles(consumer, active_partitions, timeout, max_records)
        first, others = choose(_positions(consumer, active_partitions))
        chosen = {*first, *others} if time.monotonic() - self._came_s > OTHERS_AFTER_S else set(first)
        if not chosen:
            with consumer._fetcher._subscriptions.fetch_context():  # we do ask, the group may know
                await asyncio.sleep(CHOSEN_WAIT_S)
            return {}
        # What is left out may be wanted in a moment.
        wait_s = timeout if chosen == active_partitions else CHOSEN_WAIT_S
        if fetched := await self._bundles(consumer, chosen, wait_s, max_records):
            self._came_s = time.monotonic()
        return fetched

    async def _bundles(
        self, consumer: Any, partitions: set[TP] | None, wait_s: float | None, max_records: int | None
    ) -> dict[TP, Any]:
        event_topics = self.consumer.transport.event_topics
        begin_poll(event_topics)
        fetched = await super()._fetch_records(consumer, cast(set[TP], partitions), wait_s, max_records)
        return {
            tp: [BundleRecord(tp, records, self.reading)] if tp.topic in event_topics else records
            for tp, records in fetched.items()
            if records
        }

    async def committed(self) -> dict[TP, int | None]:
        """The committed offset of each assigned partition; None: nothing is committed.

        aiokafka's own look-up passes over the error of the whole answer, and so takes a coordinator that is still
        loading its log for a group that never committed anything.
        """
        consumer = self._ensure_consumer()
        coordinator = consumer._coordinator
        topics: dict[str, list[int]] = {}
        for tp in consumer.assignment():
            topics.setdefault(tp.topic, []).append(tp.partition)
        if not topics:
            return {}
        while True:
            await coordinator.ensure_coordinator_known()
            try:
                return committed_offsets(
                    await coordinator._send_req(OffsetFetchRequest(coordinator.group_id, list(topics.items())))
                )
            except kafka_errors.KafkaError as error:
                if not error.retriable:
                    raise
                if isinstance(error, _COORDINATOR_GONE):
                    coordinator.coordinator_dead()
            await asyncio.sleep(COORDINATOR_BACKOFF_S)

    async def start_reading(self, starts: Mapping[TP, int], reading: int) -> None:
        """Seek; what is fetched from now on belongs to this reading."""
        consumer = self._ensure_consumer()
        for tp in consumer.assignment() & starts.keys():  # what is missing went with the next rebalance
            consumer.seek(tp, starts[tp])
        self.reading = reading


def _positions(consumer: Any, partitions: set[TP]) -> dict[TP, Position]:
    """What aiokafka knows of these; of one that has not been read from yet, that nothing is in it."""
    assignment = consumer._fetcher._subscriptions.subscription.assignment
    found = {}
    for tp in partitions:
        state = None if assignment is None else assignment.state_value(tp)
        if state is None or not state.has_valid_position:
            continue  # it goes with the next rebalance, or is not sought yet
        ends = [end for end in (state.highwater, state.lso) if end is not None and end >= 0]
        found[tp] = Position(state.position, max(state.position, min(ends, default=0)))
    return found


def committed_offsets(answer: Any) -> dict[TP, int | None]:
    """What an OffsetFetch response says. Raises the KafkaError that it reports, of the whole (from version 2 on) or of
    a partition."""
    codes = [getattr(answer, "error_code", 0)]
    codes += [error_code for _, partitions in answer.topics for *_, error_code in partitions]
    for code in codes:
        if (error := kafka_errors.for_code(code)) is not kafka_errors.NoError:
            raise error()
    return {
        TP(topic, partition): offset if offset >= 0 else None
        for topic, partitions in answer.topics
        for partition, offset, *_ in partitions
    }


class ReadOffsets(dict[TP, int | None]):
    """Faust's note of what it has handed out, without the event topics.

    It passes over whatever ends before the last offset that it noted, and a fetch that overlaps with a seek makes it
    note the old reading's offset after the seek: what is read again would be lost. The bookers know what they have.
    """

    def __init__(self, event_topics: frozenset[str]) -> None:
        super().__init__()
        self._event_topics = event_topics

    def __getitem__(self, tp: TP) -> int | None:
        return None if tp.topic in self._event_topics else self.get(tp)


class BundlingConsumer(driver.Consumer):
    """The aiokafka consumer of Faust with bundles for event topics and generation-fenced commits."""

    transport: "BundlingTransport"
    _thread: BundlingThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = ReadOffsets(self.transport.event_topics)

    def _new_consumer_thread(self) -> BundlingThread:
        return BundlingThread(self, loop=self.loop, beacon=self.beacon)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Faust's periodic commit never touches event topics."""
        others = {tp: offset for tp, offset in offsets.items() if tp.topic not in self.transport.event_topics}
        return bool(await super()._commit(others)) if others else True

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Called after every assignment. Booking decides where reading starts: at the last block, to redo it."""
        # One at a time: Faust calls this from two tasks, its recovery and a fetch that a rebalance interrupted.
        async with self.transport.seeking:
            await self.transport.before_seek()
            membership = await self._thread.call_thread(self._membership)
            committed = await self._thread.call_thread(self._thread.committed)
            starts = {tp: offset for tp, offset in committed.items() if offset is not None}
            events = {tp: offset for tp, offset in committed.items() if tp.topic in self.transport.event_topics}
            self.transport.reading += 1
            starts |= await self.transport.assigned(events, membership, self.transport.reading)
            await self._thread.call_thread(self._thread.start_reading, starts, self.transport.reading)
            return {**committed, **starts}

    async def _membership(self) -> Membership:
        # The generation is the one of the assignment, noted by Faust when it was made, not the coordinator's: that is
        # already the next one while a rebalance is under way and the partitions are still the old ones.
        coordinator = self._thread._ensure_consumer()._coordinator
        return Membership(self.app.consumer_generation_id, coordinator.member_id)

    async def commit_fenced(self, tp: TP, offset: int, membership: Membership) -> None:
        """Commit `offset` as a member of exactly this generation.

        Raises LostPartitionError when the group has moved on, BrokerUnavailableError when there was no answer (the
        commit may or may not have happened; repeating it is harmless), CrashError for everything else.
        """
        # Not through Faust's method queue, where it could wait behind a fetch that waits for data.
        commit = self._commit_in_thread(tp, offset, membership)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(commit, self._thread.thread_loop))

    async def _commit_in_thread(self, tp: TP, offset: int, membership: Membership) -> None:
        coordinator = self._thread._ensure_consumer()._coordinator
        request = OffsetCommitRequest(
            coordinator.group_id,
            membership.generation,
            membership.member_id,
            OffsetCommitRequest.DEFAULT_RETENTION_TIME,
            [(tp.topic, [(tp.partition, offset, "")])],
        )
        try:
            await asyncio.wait_for(coordinator.ensure_coordinator_known(), COORDINATOR_TIMEOUT_S)
            response = await coordinator._send_req(request)
        except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
            raise BrokerUnavailableError(f"commit of {tp.topic}[{tp.partition}] {offset}: {error!r}") from error
        ((_, ((_, error_code),)),) = response.topics
        error_type = kafka_errors.for_code(error_code)
        if error_type is kafka_errors.NoError:
            return
        if error_type in (
            kafka_errors.UnknownMemberIdError,
            kafka_errors.IllegalGenerationError,
            kafka_errors.RebalanceInProgressError,
        ):
            # Rejoining is the coordinator's own business: its heartbeat learns the same.
            raise LostPartitionError(tp.topic, tp.partition, offset)
        if error_type in _COORDINATOR_GONE:
            coordinator.coordinator_dead()
        if error_type.retriable:
            raise BrokerUnavailableError(f"commit of {tp.topic}[{tp.partition}] {offset}: {error_type.__name__}")
        raise CrashError(f"the broker refuses the commit of {tp.topic}[{tp.partition}] {offset}: {error_type.__name__}")


class BundlingTransport(driver.Transport):
    """Faust's aiokafka transport with a BundlingConsumer.

    `before_seek` is awaited before offsets are read (whoever books must have stopped by then); `assigned` is told
    the committed offsets and decides where each event partition is read from; `choose`, what is read next.
    """

    Consumer = BundlingConsumer

    def __init__(self, app: Any, event_topics: frozenset[str]) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.event_topics = event_topics
        self.before_seek: Callable[[], Awaitable[None]] = _nothing_to_stop
        self.assigned: Assigned = _from_committed
        self.choose: Choose | None = None  # all
        self.seeking = asyncio.Lock()
        self.reading = 0


async def _nothing_to_stop() -> None:
    return None


async def _from_committed(
    committed: Mapping[TP, int | None],
    membership: Membership,  # noqa: ARG001
    reading: int,  # noqa: ARG001
) -> Mapping[TP, int]:
    return {tp: offset for tp, offset in committed.items() if offset is not None}
