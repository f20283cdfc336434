"""The reader of a feed: one cycle at a time, in one thread, until it is told to stop."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from stream_jobs.base.errors import BrokerUnavailableError, CrashError, LostPartitionError, StoreUnavailableError
from stream_jobs.runtime.kafka import TopicStart
from stream_jobs.runtime.metrics import REFUSED_MESSAGES
from stream_jobs.runtime.retry import Backoff
from stream_jobs.streams import feed_app
from stream_jobs.streams.feed_app import QUEUED_BUNDLES, FeedJob, FeedRunner
from stream_jobs.streams.model import Bundle, SourceRecord
from stream_jobs.streams.transport import Membership
from tests.unit.blocks.build import reach, records

TOPIC = "cost.deltas.v1"
PARTITION = TP(TOPIC, 0)
MEMBER = Membership(4, "me")


class Handler:
    """Notes what it is called with. `failures`: raised before the next calls take effect; `held`: a cycle waits for
    it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.failures: dict[str, list[Exception]] = {}
        self.threads: set[int] = set()
        self.held: threading.Event | None = None
        self.entered = threading.Event()

    def _call(self, name: str, offsets: list[int]) -> None:
        self.threads.add(threading.get_ident())
        if offsets or name != "handle":
            self.calls.append((name, offsets))
        if offsets and self.held is not None:
            self.entered.set()
            assert self.held.wait(20)
        if self.failures.get(name) and (offsets or name != "handle"):
            raise self.failures[name].pop(0)

    def begin(self) -> None:
        self._call("begin", [])

    def handle(self, records: list[SourceRecord]) -> None:
        self.cycles = getattr(self, "cycles", 0) + 1
        self._call("handle", [record.offset for record in records])

    def end(self) -> None:
        self._call("end", [])

    def handled(self) -> list[int]:
        return [offset for name, offsets in self.calls if name == "handle" for offset in offsets]

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


class World:
    """A runner on a broker that is not there."""

    def __init__(self) -> None:
        self.handler = Handler()
        self.commits: list[int] = []
        self.commit_failures: list[Exception] = []
        self.starts: list[Exception] = []
        self.crashed: list[BaseException] = []
        self.earliest = 0
        self.app = SimpleNamespace(
            consumer=SimpleNamespace(commit_fenced=self.commit),
            consumer_generation_id=MEMBER.generation,
            should_stop=False,
            crash=self.crash,
        )
        self.runner = FeedRunner(cast(Any, self.app), FeedJob("budgets", TOPIC, self.handler), self.topic_start)

    def topic_start(self, topic: str) -> TopicStart:
        if self.starts:
            raise self.starts.pop(0)
        return TopicStart("topic-id", {0: self.earliest})

    async def commit(self, tp: TP, offset: int, membership: Membership) -> None:
        assert (tp, membership) == (PARTITION, MEMBER)
        if self.commit_failures:
            raise self.commit_failures.pop(0)
        self.commits.append(offset)

    async def crash(self, error: BaseException) -> None:
        self.crashed.append(error)

    async def begin(self, reading: int = 1, committed: int | None = None) -> None:
        self.app.loop = asyncio.get_running_loop()
        assert await self.runner.assigned({PARTITION: committed}, MEMBER, reading) == {PARTITION: committed or 0}

    async def give(self, first: int, end: int, reading: int = 1) -> None:
        await self.runner.dispatch(TOPIC, 0, Bundle(reading, records(first, end)))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses as short as can be."""
    for name, value in (("CYCLE_S", 0.005), ("COMMIT_EVERY_S", 0.0), ("OUTAGE", Backoff(0.001, 0.002))):
        monkeypatch.setattr(feed_app, name, value)


def run(test: Callable[[World], Any]) -> World:
    world = World()

    @contextlib.asynccontextmanager
    async def ended() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await world.runner.stop_booking()
            world.runner._thread.shutdown()

    async def whole() -> None:
        async with ended():
            await test(world)

    asyncio.run(asyncio.wait_for(whole(), 20))
    return world


def test_turns_take_all_that_has_come_and_also_nothing() -> None:
    """In order, in one thread that is not the event loop's; time alone makes cycles too."""

    async def test(world: World) -> None:
        await world.begin()
        world.handler.held = threading.Event()
        await world.give(0, 3)
        await reach(world.handler.entered.is_set)
        await world.give(3, 5)
        await world.give(5, 6)
        world.handler.held.set()
        await reach(lambda: len(world.handler.handled()) == 6)
        cycles = world.handler.cycles
        await reach(lambda: world.handler.cycles > cycles + 2)

    world = run(test)
    assert world.handler.calls == [("begin", []), ("handle", [0, 1, 2]), ("handle", [3, 4, 5]), ("end", [])]
    assert len(world.handler.threads) == 1
    assert threading.get_ident() not in world.handler.threads


def test_what_fails_for_now_is_called_again_with_the_same() -> None:
    """Beginning and turning; what came meanwhile waits for the next cycle."""

    async def test(world: World) -> None:
        away = StoreUnavailableError("away")
        world.handler.failures = {"begin": [away, away], "handle": [away, away]}
        await world.begin()
        await world.give(0, 2)
        await world.give(2, 3)
        await reach(lambda: world.handler.names().count("handle") >= 3)

    world = run(test)
    assert world.handler.names()[:4] == ["begin", "begin", "begin", "handle"]
    cycles = [offsets for name, offsets in world.handler.calls if name == "handle"]
    assert cycles[0] == cycles[1] == cycles[2]
    assert sorted(set(world.handler.handled())) == [0, 1, 2]


def test_only_what_was_handled_is_committed() -> None:
    """Never while its turn is under way; a commit that was not answered is made good by the next."""

    async def test(world: World) -> None:
        world.commit_failures = [BrokerUnavailableError("away")]
        await world.begin()
        world.handler.held = threading.Event()
        await world.give(0, 3)
        await reach(world.handler.entered.is_set)
        assert world.commits == []
        world.handler.held.set()
        await reach(lambda: world.commits == [3])

    run(test)


def test_commits_are_not_more_often_than_they_need_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many cycles there are."""
    monkeypatch.setattr(feed_app, "COMMIT_EVERY_S", 3600.0)

    async def test(world: World) -> None:
        await world.begin()
        for number in range(5):
            await world.give(number, number + 1)
            await reach(lambda n=number: len(world.handler.handled()) == n + 1)  # type: ignore[misc]

    assert run(test).commits == [1]


def test_stopping_waits_for_the_turn_under_way() -> None:
    """No two are ever under way, and after it only `end`; what was not handled stays uncommitted."""

    async def test(world: World) -> None:
        await world.begin()
        world.handler.held = threading.Event()
        await world.give(0, 3)
        await reach(world.handler.entered.is_set)
        stopping = asyncio.create_task(world.runner.stop_booking())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not stopping.done()
        world.handler.held.set()
        await stopping
        assert world.handler.names() == ["begin", "handle", "end"]
        await world.runner.stop_booking()  # again: nothing
        assert world.handler.names() == ["begin", "handle", "end"]

    assert run(test).commits == []


def test_a_stop_that_comes_together_with_a_bundle_stops() -> None:
    """Whatever the event loop does first. A cancellation that gets lost would hang the rebalance for ever."""

    async def test(world: World) -> None:
        for number in range(300):
            await world.begin(number + 1)
            for _ in range(number % 7):
                await asyncio.sleep(0)
            await world.give(number, number + 1, number + 1)
            for _ in range(number % 3):
                await asyncio.sleep(0)
            await world.runner.stop_booking()

    world = run(test)
    assert world.handler.names().count("begin") >= 1
    assert world.handler.names().count("end") == 300


def test_a_stop_cuts_the_pauses_between_attempts_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """ClickHouse is away for hours: the worker stops all the same."""
    monkeypatch.setattr(feed_app, "OUTAGE", Backoff(3600.0, 3600.0))

    async def test(world: World) -> None:
        world.handler.failures = {"begin": [StoreUnavailableError("away")]}
        await world.begin()
        await reach(lambda: world.handler.names() == ["begin"])

    assert run(test).handler.names() == ["begin", "end"]


def test_a_dispatcher_that_waits_for_room_is_let_go_by_a_stop() -> None:
    """Faust's stream must not hang in a queue that nobody empties any more; the old bundles are read again."""

    async def test(world: World) -> None:
        await world.begin()
        world.handler.held = threading.Event()

        async def fill() -> None:
            for number in range(3 * QUEUED_BUNDLES):
                await world.give(number, number + 1)

        filling = asyncio.create_task(fill())
        await reach(world.handler.entered.is_set)
        await reach(world.runner._bundles.full)
        stopping = asyncio.create_task(world.runner.stop_booking())
        await filling
        world.handler.held.set()
        await stopping
        await world.begin(2)
        await world.give(0, 1)  # of the reading before
        await world.give(0, 2, reading=2)
        await reach(lambda: world.handler.handled()[-2:] == [0, 1])

    run(test)


def test_a_lost_feed_is_left_alone() -> None:
    """Another has it: no cycle follows, nothing is queued, and nobody hangs."""

    async def test(world: World) -> None:
        world.commit_failures = [LostPartitionError(TOPIC, 0, 3)]
        await world.begin()
        await world.give(0, 3)
        await reach(lambda: world.runner._task is not None and world.runner._task.done())
        cycles = world.handler.cycles
        for number in range(3, QUEUED_BUNDLES + 10):
            await world.give(number, number + 1)
        assert world.runner._bundles.empty()
        assert world.handler.cycles == cycles

    world = run(test)
    assert world.crashed == []
    assert world.handler.names() == ["begin", "handle", "end", "end"]  # at once, and when the worker stops


def test_an_error_that_no_repetition_helps_stops_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    """It is said, the app crashes, and stopping it afterwards is no second error."""

    async def test(world: World) -> None:
        world.handler.failures = {"handle": [CrashError("broken")]}
        await world.begin()
        await world.give(0, 1)
        await reach(lambda: bool(world.crashed))

    world = run(test)
    assert [str(error) for error in world.crashed] == ["broken"]
    assert world.handler.names() == ["begin", "handle", "end"]
    assert "budgets stopped" in caplog.text


class Picky(Handler):
    """Adds up offsets, and cannot cope with some of them; what it has taken up to then it forgets when it begins."""

    def __init__(self, poison: set[int]) -> None:
        super().__init__()
        self.poison = poison
        self.kept: set[int] = set()

    def handle(self, records: list[SourceRecord]) -> None:
        for record in records:
            self.kept.add(record.offset)
            if record.offset in self.poison:
                self.kept.add(-1)  # half done
                raise ZeroDivisionError("a defect")

    def begin(self) -> None:
        super().begin()
        self.kept = {offset for offset in self.kept if offset >= 0} - self.poison  # what the store knows


def test_a_record_that_the_job_fails_on_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """It is found among the others, which are handled; it is counted, the log says where it lies, and what it left half
    done is forgotten."""
    handler = Picky({1, 6})

    async def test(world: World) -> None:
        world.runner = FeedRunner(cast(Any, world.app), FeedJob("budgets", TOPIC, handler), world.topic_start)
        await world.begin()
        await world.give(0, 8)
        await reach(lambda: world.commits[-1:] == [8])

    before = REFUSED_MESSAGES.labels(TOPIC, "failed")._value.get()
    world = run(test)
    assert not world.crashed
    assert handler.kept == {0, 2, 3, 4, 5, 7}
    assert REFUSED_MESSAGES.labels(TOPIC, "failed")._value.get() == before + 2
    for offset in (1, 6):
        assert f"{TOPIC}[0] offset {offset} is passed over (failed)" in caplog.text


def test_a_job_that_fails_without_a_record_stops_the_worker() -> None:
    """No record is to blame, so passing over them would lose them all."""

    async def test(world: World) -> None:
        world.handler.failures = {"begin": [], "handle": [ZeroDivisionError("a"), ZeroDivisionError("b")]}
        await world.begin()
        await world.give(0, 1)
        await reach(lambda: world.handler.names().count("begin") == 2)
        world.handler.failures["begin"] = [ZeroDivisionError("c")]
        await world.give(1, 2)
        await reach(lambda: bool(world.crashed))

    assert [str(error) for error in run(test).crashed] == ["c"]


def test_reading_starts_where_it_was_committed_or_where_the_topic_begins() -> None:
    """Retention may have taken what was not read."""

    async def test(world: World) -> None:
        assert await world.runner.assigned({PARTITION: 7}, MEMBER, 1) == {PARTITION: 7}
        await world.runner.stop_booking()
        world.earliest = 9
        for committed in (7, None):
            assert await world.runner.assigned({PARTITION: committed}, MEMBER, 2) == {PARTITION: 9}
            await world.runner.stop_booking()

    run(test)


def test_without_a_partition_it_is_ready_and_does_nothing() -> None:
    """It stands by for another worker."""

    async def test(world: World) -> None:
        assert await world.runner.assigned({}, MEMBER, 1) == {}
        assert world.runner.joined
        await world.runner.rest()
        await world.give(0, 1)

    assert run(test).handler.calls == []


def test_a_topic_with_more_partitions_has_no_single_reader() -> None:
    """Somebody made it by hand."""

    async def test(world: World) -> None:
        with pytest.raises(CrashError, match="has 2 partitions"):
            await world.runner.assigned({PARTITION: 0, TP(TOPIC, 1): 0}, MEMBER, 1)

    run(test)


@pytest.mark.parametrize("change", [{"consumer_generation_id": MEMBER.generation + 1}, {"should_stop": True}])
def test_an_assignment_that_is_over_before_the_broker_answers_begins_nothing(change: dict[str, Any]) -> None:
    """The group has moved on, or the worker stops: another may have the feed already."""

    async def test(world: World) -> None:
        world.starts = [BrokerUnavailableError("away")] * 10_000
        waiting = asyncio.create_task(world.runner.assigned({PARTITION: 5}, MEMBER, 1))
        await reach(lambda: len(world.starts) < 9_998)
        vars(world.app).update(change)
        assert await waiting == {}

    assert run(test).handler.calls == []
