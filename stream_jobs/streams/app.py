"""The Faust app of a job that reads one topic in bundles: what all of them have in common."""

from collections.abc import Mapping
from typing import Any, Protocol, cast

import faust
from faust.tables.manager import TableManager
from faust.types import TP, StreamT

from stream_jobs.base.errors import CrashError
from stream_jobs.streams.batches import read_safely
from stream_jobs.streams.fetches import hand_over_bounded
from stream_jobs.streams.held_up import HeldUp
from stream_jobs.streams.model import Bundle
from stream_jobs.streams.transport import BundlingTransport, Choose, Membership

# Waiting in Faust's stream, beside what the runner queues. Small: it only hides the latency of a fetch.
STREAM_BUFFER_BUNDLES = 2
MAX_POLL_RECORDS = 4_000  # of all bundles of one fetch


class NoTables(TableManager):
    """Faust's, without the second that it gives every start for tables to be declared: our apps have none."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class Runner(Protocol):
    """The work of one job: told what partitions are ours, and given their bundles."""

    name: str
    joined: bool  # has the group told us our partitions, even if there are none for us?

    def held_up(self) -> HeldUp:
        """How long the work has been standing still, from any thread."""

    async def stop_booking(self) -> None:
        """No commit is under way or will follow when this returns."""

    async def rest(self) -> None:
        """The group has no partition for us: ready to take over when another worker goes."""

    async def assigned(
        self, committed: Mapping[TP, int | None], membership: Membership, reading: int
    ) -> Mapping[TP, int]:
        """See transport.Assigned."""

    async def dispatch(self, topic: str, partition: int, bundle: Bundle) -> None:
        """Take a bundle. Waiting in here holds up the reading."""


def new_app(
    name: str,
    topic: str,
    *,
    broker_urls: list[str],
    faust_options: Mapping[str, Any],
    max_poll_records: int = MAX_POLL_RECORDS,
) -> faust.App:
    """Consumer group `spendstream-<name>`, nothing kept in tables."""
    read_safely()
    hand_over_bounded()
    app = faust.App(
        f"spendstream-{name}",
        broker=broker_urls,
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        stream_buffer_maxsize=STREAM_BUFFER_BUNDLES,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=min(MAX_POLL_RECORDS, max_poll_records),
        autodiscover=False,
        TableManager=NoTables,
        **faust_options,
    )
    app.transport = BundlingTransport(app, frozenset({topic}))
    return app


def run_with(app: faust.App, topic: str, runner: Runner, choose: Choose | None = None) -> None:
    """Let the runner have the bundles of the app's topic; those of the partitions that it chooses first."""
    transport = cast(BundlingTransport, app.transport)
    transport.choose = choose
    transport.before_seek = runner.stop_booking
    transport.assigned = runner.assigned

    async def rest_without_partitions(_: faust.App, assigned: set[TP], **__: Any) -> None:
        # More workers than partitions: nothing will be sought, so nobody else tells the runner.
        if not assigned:
            await runner.rest()

    cast(Any, app.on_partitions_assigned).connect(rest_without_partitions)
    source = app.topic(topic, key_serializer="raw", value_serializer="raw", internal=False, allow_empty=True)

    @app.agent(source, name=runner.name)
    async def read(bundles: StreamT[Any]) -> None:
        async for event in bundles.events():
            message = event.message
            if not isinstance(event.value, Bundle):
                raise CrashError(f"{topic} was not bundled: the transport is not in place")
            await runner.dispatch(message.topic, message.partition, event.value)
