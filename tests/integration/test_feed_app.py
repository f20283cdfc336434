"""A feed's reader on real brokers: every record is handled at least once, through restarts."""

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Callable
from functools import partial

from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.kafka import TopicSpec, broker_urls, ensure_topics, topic_start
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.runtime.topics import COST_DELTAS
from stream_jobs.streams.feed_app import FeedJob, build_feed_app
from stream_jobs.streams.model import SourceRecord
from tests.brokers import RunningBroker
from tests.integration.pipeline import until

TIMEOUT_S = 40.0


class Handler:
    """Keeps what it is given; the first cycle of each assignment with records fails once."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.values: list[bytes] = []
        self.cycles: list[list[int]] = []
        self.begun = self.ended = 0
        self._fail = False

    def begin(self) -> None:
        self.begun += 1
        self._fail = True

    def handle(self, records: list[SourceRecord]) -> None:
        if records and self._fail:
            self._fail = False
            raise StoreUnavailableError("away")
        self.offsets += [record.offset for record in records]
        self.values += [record.value or b"" for record in records]

    def end(self) -> None:
        self.ended += 1


class Job:
    """The app in a thread of its own, as the worker runs it."""

    def __init__(self, broker: RunningBroker, handler: Handler) -> None:
        self._kafka = embedded_kafka(broker.address)
        self._handler = handler
        self._stopping: Callable[[], None] = lambda: None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Job":
        begun = self._handler.begun
        self._thread.start()
        until(lambda: self._handler.begun > begun or self._error, TIMEOUT_S, "the feed is ours")
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping()
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - told by the test's thread
            self._error = error

    async def _main(self) -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()

        def stop() -> None:
            loop.call_soon_threadsafe(stopping.set)

        self._stopping = stop
        with tempfile.TemporaryDirectory() as scratch:
            app, runner = build_feed_app(
                FeedJob("test", COST_DELTAS, self._handler),
                broker_urls=broker_urls(self._kafka),
                faust_options={
                    "broker_client_id": "test",
                    "broker_session_timeout": 4.0,
                    "broker_heartbeat_interval": 1.0,
                    "datadir": scratch,
                },
                topic_start=partial(topic_start, self._kafka),
            )
            starting = asyncio.ensure_future(app.start())
            try:
                await stopping.wait()
                assert not app.crashed, app.crash_reason
            finally:
                starting.cancel()
                await runner.stop_booking()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(app.stop(), 8)
                with contextlib.suppress(asyncio.CancelledError):
                    await starting


def test_every_record_is_handled_at_least_once_through_restarts(any_broker: RunningBroker) -> None:
    """In order; a cycle that fails is made again with the same records; a restart goes on near where it was, and what
    came while nobody read is read."""
    kafka = embedded_kafka(any_broker.address)
    ensure_topics(kafka, [TopicSpec(COST_DELTAS, 1, 1, {})])
    sender, handler = RecordProducer(kafka), Handler()
    values: list[bytes] = []

    def send(number: int) -> None:
        more = [f"record {len(values) + n}".encode() for n in range(number)]
        sender.send(COST_DELTAS, [(b"k", value) for value in more])
        values.extend(more)

    try:
        send(300)
        with Job(any_broker, handler):
            send(500)
            until(lambda: set(handler.values) == set(values), TIMEOUT_S, "all is handled")
        assert handler.ended == handler.begun
        before = len(handler.offsets)
        send(200)
        with Job(any_broker, handler):
            until(lambda: set(handler.values) == set(values), TIMEOUT_S, "the rest is handled")
    finally:
        sender.close()
    first = handler.offsets[:before]
    assert sorted(set(handler.offsets)) == list(range(len(values)))
    assert len(first) < 2 * len(values), "what was committed is not read again"
    ordered = handler.offsets[before:]
    assert ordered == list(range(ordered[0], len(values))), "in order, without a gap"
