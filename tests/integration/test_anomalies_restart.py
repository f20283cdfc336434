"""The same deltas give the same findings: in other groups, another order, twice, lost on the way, through restarts.

On the real store, in simulated time. What happens is fixed first (blocks, when each is booked, what comes late); how
the job hears of it is drawn. Every run is compared with one that hears of everything at once and is never restarted.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stream_jobs.anomalies import running
from stream_jobs.anomalies.model import Series, Silent, Steer
from stream_jobs.anomalies.running import Running
from stream_jobs.anomalies.settings import AnomaliesSettings
from stream_jobs.anomalies.states import JudgedRow, States
from stream_jobs.series.delta import Delta
from stream_jobs.store.client import StoreClient
from tests.integration.anomaly_world import (
    BEGIN,
    MINUTE,
    Blocks,
    Log,
    in_memory,
    learn,
    minute,
    only_history,
    records,
    told,
)
from tests.store_server import StoreProcess

pytestmark = pytest.mark.slow

MINUTES = 36
SPIKE = range(8, 20)  # u1 asks for 60 times as much
LATE = 28  # in this minute comes what happened in the spike
DAYS = 15


class Always:
    """It is time for everything."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s

    def __call__(self) -> bool:
        return self._every_s < 1000  # but for snapshots, which come when a test wants them


@dataclass
class Run:
    """How the job hears of what happens."""

    restarts: frozenset[int] = frozenset()  # before these minutes
    snapshots: frozenset[int] = frozenset()
    lost: frozenset[int] = frozenset()  # of these blocks no delta comes
    twice: frozenset[int] = frozenset()
    held: frozenset[int] = frozenset()  # in these minutes nothing comes: later, all at once
    seed: int = 0
    late: int = 0  # minutes that a third of the usage comes late, at most


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        learn(Blocks(store, "history", BEGIN - timedelta(hours=3)), random.Random(5), DAYS, BEGIN)
        in_memory(store)
        yield store


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "Due", Always)


SETTINGS = AnomaliesSettings(history_days=DAYS + 1, grace_s=20, max_series=50)


def play(store: StoreClient, run: Run) -> list[dict[str, Any]]:
    """What is found in the end."""
    only_history(store)
    world = Blocks(store, "topic", BEGIN)
    log = Log(world)
    events, rng = random.Random(7), random.Random(run.seed)
    late: list[dict[str, Any]] = []
    waiting: list[Delta] = []
    job: Running | None = None
    number = 0
    later: dict[int, list[dict[str, Any]]] = {}
    for at in range(MINUTES + run.late):
        start = BEGIN + at * MINUTE
        rows = minute(events, start, 60 if at in SPIKE else 1) if at < MINUTES else []
        if at in SPIKE and at % 3 == 0:  # some of it is heard of long after
            late += rows[:3]
            rows = rows[3:]
        if at == LATE:
            rows += late
        if run.late:
            for row in rows:
                later.setdefault(at + (rng.randint(1, run.late) if rng.random() < 1 / 3 else 0), []).append(row)
            rows = later.pop(at, [])
        world.now = start + timedelta(seconds=59)
        for partition in range(2 if at % 4 == 0 else 1):
            delta = world.book(partition, rows[partition::2] if at % 4 == 0 else rows)
            if partition or at % 4:
                world.receipt(delta)
            if number not in run.lost:
                waiting += [delta] * (2 if number in run.twice else 1)
            number += 1
        if job is None or at in run.restarts:
            if job is not None:
                job.close()
            job = Running(store, SETTINGS, log, Silent(), lambda: world.now)
        come, waiting = ([], waiting) if at in run.held else (waiting, [])
        if rng.random() < 0.5:  # partitions in any order, each in its own
            come.sort(key=lambda delta: delta.origin.partition)
        for after in (25, 35):  # how far the log goes is asked by the first, and known by the second
            world.now = start + timedelta(seconds=59 + after)
            job.handle(records(come))
            come = []
        if at in run.snapshots:
            job._write_snapshot(world.now)
    assert job is not None
    for _ in range(4):
        world.now += MINUTE / 2
        job.handle(records(waiting))
        waiting = []
    job.close()
    return told(store)


@pytest.fixture(scope="module")
def expected(store: StoreClient) -> Iterator[list[dict[str, Any]]]:
    patch = pytest.MonkeyPatch()
    patch.setattr(running, "Due", Always)
    yield play(store, Run())
    patch.undo()


def test_the_spike_is_found_where_it_is(expected: list[dict[str, Any]]) -> None:
    """By user and in total, with what came late."""
    names = {found["series"].name for found in expected}
    assert {"total", "user_id=u1"} <= names
    assert "user_id=u2" not in names
    u1 = next(found for found in expected if found["series"].name == "user_id=u1")
    assert Decimal(u1["document"]["late_usd"]) > 0
    assert (u1["direction"], u1["closing"]) != ("up", "corrected")


_NUMBERS = st.frozensets(st.integers(0, MINUTES - 1), max_size=8)
_MINUTES = st.frozensets(st.integers(1, MINUTES - 1), min_size=1, max_size=3)


@given(st.builds(Run, _MINUTES, _MINUTES, _NUMBERS, _NUMBERS, _NUMBERS, st.integers(0, 9)))
@settings(max_examples=2, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_findings_follow_from_what_was_booked(store: StoreClient, expected: list[dict[str, Any]], run: Run) -> None:
    """However the job heard of it."""
    assert play(store, run) == expected


def test_late_deltas_end_in_the_same_findings(store: StoreClient, expected: list[dict[str, Any]]) -> None:
    """But for which was told first, and so when; what was told and is not so is taken back. Through restarts, too."""
    in_the_end = play(store, Run(restarts=frozenset((20, 40)), snapshots=frozenset((17, 30)), seed=3, late=12))
    assert _standing(in_the_end) == _standing(expected)
    told_open = [(one["series"], one["direction"]) for one in in_the_end if one["state"] == "open"]
    assert len(set(told_open)) == len(told_open)


def _standing(found: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    names = ("series", "direction", "measure", "starts_at")
    return {tuple(one[name] for name in names) for one in found if one["closing"] != "corrected"}


def test_who_learns_anew_goes_on_from_what_was_learned_last(store: StoreClient) -> None:
    """A snapshot of the minute of an earlier one is kept as well, as where history was loaded meanwhile: else the next
    restart would learn anew once more. What was said before a minute is known to any format."""
    only_history(store)
    states, judged = States(store, BEGIN), JudgedRow(7, {}, steers=[Steer(Series(("team",), ("a",)))])
    for second, state in enumerate(({"of": "nothing"}, {"of": "history"})):
        states.write(7, {}, state, BEGIN + timedelta(seconds=second))
        states.judged([judged], BEGIN + timedelta(seconds=second))
    snapshot, rows = states.latest(BEGIN - MINUTE)
    assert snapshot is not None
    assert snapshot.state == {"of": "history"}
    assert rows == [judged]
    assert states.said(7) == {7: judged.steers}
    assert states.said(8) == {}


def test_where_nothing_is_booked_the_job_begins_and_begins_again(store: StoreClient) -> None:
    """Minutes are judged all the same, and what is written down of them is gone on from."""
    only_history(store)
    store.command("TRUNCATE TABLE ledger")
    store.command("TRUNCATE TABLE cost_1h")
    world = Blocks(store, "topic", BEGIN)
    log = Log(world)
    nexts = []
    for _ in range(2):
        job = Running(store, SETTINGS, log, Silent(), lambda: world.now)
        for _ in range(8):
            world.now += MINUTE / 4
            job.handle([])
        nexts.append(job._watch.next)
        job.close()
    assert nexts[1] == nexts[0] + 2
    assert told(store) == []
