"""Jobs that run for long: figures that are spread have them where they ran, everything else where they began.

What is where is worked out by whole numbers here, from the rows alone; sums are the ledger's, to the last digit.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final
from uuid import uuid4
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import time_zone, unix_micros
from stream_jobs.economics import spread
from stream_jobs.economics.asked import Question
from stream_jobs.economics.dimensions import scope
from stream_jobs.economics.figures import FIGURES
from stream_jobs.economics.parts import PARTS
from stream_jobs.economics.question import ask, figures_named
from stream_jobs.series import calendar
from stream_jobs.series.block_sums import delta_of
from stream_jobs.series.facts import Facts
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.series.sums import LedgerSums
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import LEDGER_DEFAULTS, TABLES, TEXT, insert
from stream_jobs.streams.model import Block, SourcePartition, Versions
from tests.store_server import StoreProcess, ledger_rows

pytestmark = pytest.mark.slow

NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR_US: Final = 3_600_000_000
ZONES: Final = ("UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns")
"""Clocks went back in two of them on the days that are looked at."""
MONEY: Final = ("list_cost", "contracted_cost", "effective_cost", "idle_cost", "on_demand_cost")
SECONDS: Final = ("gpu_seconds", "busy_gpu_seconds")
ROLLUPS: Final = {"cost_1m": "minute", "cost_1h": "hour", "cost_1d": "day", "operations_1d": "day"}
Row = dict[str, Any]


def charge(rng: random.Random) -> Row:
    """Of a job that says how long it ran (a microsecond to 31 days), of one that does not, or of a model. Some begin or
    end just where a day or an hour does."""
    kind = rng.choice(["compute", "compute", "compute", "tokens"])
    longest = 10 ** rng.randint(0, 12)
    ran = Decimal(rng.randint(0, min(longest, 31 * 86_400_000_000))).scaleb(-6)
    if rng.random() < 0.3:
        ran = Decimal(3600 * rng.randint(0, 31 * 24))
    began = NOW - timedelta(days=32, microseconds=rng.randrange(30 * 86_400_000_000))
    began = rng.choice([began, began, began.replace(minute=0, second=0, microsecond=0), began.replace(hour=0, minute=0,
                        second=0, microsecond=0)])  # fmt: skip
    known = rng.random() < 0.5
    return {
        "event_id": uuid4().hex,
        "revision": 0,
        "entry_kind": "charge",
        "occurred_at": began,
        "kind": kind,
        "team": rng.choice(["a", "b", ""]),
        "user_id": rng.choice(["u", "v", ""]),
        "unallocated": rng.choice([[], ["team"]]),
        "status": rng.choice(["ok", "error"]),
        "accelerator": "H100",
        "reported_tags": [],
        **dict.fromkeys(("input_tokens", "output_tokens")),
        "duration_s": ran if kind == "compute" and rng.random() < 0.8 else None,
        **{name: Decimal(rng.randrange(10 ** rng.randint(1, 18))).scaleb(-12) for name in MONEY},
        "gpu_seconds": Decimal(rng.randrange(10**18)).scaleb(-12),
        "busy_gpu_seconds": Decimal(rng.randrange(10**17)).scaleb(-12) if known else None,
        "events": 1,
    }


def opposite(row: Row) -> Row:
    """Takes all of it back."""
    back = {name: None if row[name] is None else -row[name] for name in (*MONEY, *SECONDS)}
    return row | back | {"entry_kind": "retraction", "events": -1}


def corrected(rng: random.Random, row: Row) -> list[Row]:
    """What may follow a charge: another price, another length, another beginning, or nothing at all."""
    what = rng.choice(["nothing", "price", "revision", "price and revision", "retraction"])
    found = []
    if "price" in what:
        less = {name: Decimal(rng.randint(-(10**13), 10**13)).scaleb(-12) for name in MONEY}
        found.append(row | less | dict.fromkeys(SECONDS) | {"entry_kind": "adjustment", "events": 0})
        found.append(opposite(row | {name: row[name] + less[name] for name in MONEY}))
    elif what != "nothing":
        if what == "retraction":
            row["user_id"] = row["event_id"]  # nobody is left of it
        found.append(opposite(row))
    if what == "price":
        return found[:1]
    if "revision" in what:
        same = {name: row[name] for name in ("event_id", "kind", "team")}
        found.append(charge(rng) | same | {"revision": 1} | ({} if row["kind"] == "compute" else {"duration_s": None}))
    return found


class Jobs:
    """Rows in the ledger, in blocks as metering books them; and their deltas."""

    def __init__(self, store: StoreClient, seed: int) -> None:
        rng = random.Random(seed)
        self.deltas = []
        self.rows: list[Row] = []
        topic = uuid4().hex
        for number in range(3):
            made = [charge(rng) for _ in range(60)]
            rows = made + [row for one in made for row in corrected(rng, one)]
            at = store.now() + timedelta(microseconds=number)
            given = {name: [row[name] for row in rows] for name in rows[0]}
            plain: dict[str, Any] = {name: column for name, column in given.items() if name not in LEDGER_DEFAULTS}
            table = ledger_rows(len(rows), **plain, booked_at=at, topic_id=topic, partition=0)
            for item in (TABLES["ledger"].field(name) for name in LEDGER_DEFAULTS[:-1]):
                nothing: Any = "" if item.type == TEXT else 0 if pa.types.is_integer(item.type) else None
                column = given.get(item.name, [nothing] * len(rows))
                table = table.append_column(item, pa.array(column, item.type))
            insert(store.client, "ledger", table, f"{topic}/{number}")
            block = Block(SourcePartition("usage.events.v1", topic, 0), number, number, at, Versions(), 1)
            self.deltas.append(delta_of(block, table).rows)
            self.rows += rows


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        yield store


@pytest.fixture(scope="module", params=[0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))])
def jobs(request: pytest.FixtureRequest, store: StoreClient) -> Jobs:
    for table in TABLES:
        store.command(f"TRUNCATE TABLE {table}")
    for table in ROLLUPS:
        store.command(f"TRUNCATE TABLE {table}")
    return Jobs(store, request.param)


def part(amount: Decimal | None, row: Row, since: int, until: int) -> Fraction:
    """Of an entry's amount, what falls into [since, until), in microseconds since 1970."""
    began = unix_micros(row["occurred_at"])
    whole = max(int((row["duration_s"] or 0) * 1_000_000), 1)
    units = int((amount or Decimal(0)).scaleb(12))

    def up_to(at: int) -> int:
        ran = min(max(at - began, 0), whole)
        return abs(units) * ran // whole * (1 if units > 0 else -1)

    return Fraction(up_to(until) - up_to(since), 10**12)


def local_days(zone: ZoneInfo, since: datetime, until: datetime) -> dict[str, tuple[int, int]]:
    """By name: the instants between which it is that day there, within [since, until)."""
    day, found = since.astimezone(zone).date(), {}
    while (start := datetime(day.year, day.month, day.day, tzinfo=zone)) < until:
        after = day + timedelta(days=1)
        end = datetime(after.year, after.month, after.day, tzinfo=zone)
        found[day.isoformat()] = unix_micros(max(start, since)), unix_micros(min(end, until))
        day = after
    return found


def told(answer: Any, name: str) -> dict[tuple[str, ...], Fraction]:
    found = {line.values: Fraction(line.figures[name] or 0) for line in answer.lines}
    return {values: amount for values, amount in found.items() if amount}


AMOUNTS: Final = {
    **{name: lambda row, name=name: row[name] for name in (*MONEY, *SECONDS)},  # type: ignore[misc]
    "unallocated_cost": lambda row: row["effective_cost"] if row["unallocated"] else None,
    "error_cost": lambda row: row["effective_cost"] if row["status"] == "error" else None,
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("time", ["day", "month"])
def test_days_and_months_of_any_zone_have_what_ran_in_them(
    jobs: Jobs, store: StoreClient, zone: str, time: str
) -> None:
    """Every amount, by team, corrections and retractions included; events count where they began. The time that is
    asked begins and ends within jobs."""
    rng = random.Random(zone + time)
    since = NOW - timedelta(days=rng.randint(35, 60), microseconds=rng.randrange(10**11))
    until = min(NOW, since + timedelta(days=rng.randint(10, 60)))
    local = ZoneInfo(zone)
    names = [*AMOUNTS, "events", "entries"]
    answer = ask(store, Question(figures_named(names), since, until, [time, "team"], zone=local, spread=True))
    wanted: dict[str, Counter[tuple[str, ...]]] = {name: Counter() for name in names}
    for day, (first, end) in local_days(local, since, until).items():
        for row in jobs.rows:
            key = (day if time == "day" else day[:7], row["team"])
            for name, amount in AMOUNTS.items():
                wanted[name][key] += part(amount(row), row, first, end)  # type: ignore[assignment,no-untyped-call]
            if first <= unix_micros(row["occurred_at"]) < end:
                wanted["events"][key] += row["events"]
                wanted["entries"][key] += 1
    for name in names:
        assert told(answer, name) == {key: amount for key, amount in wanted[name].items() if amount}, name
        assert Fraction(answer.total.figures[name] or 0) == sum(wanted[name].values()), name


def test_spread_or_not_everything_comes_to_the_same(jobs: Jobs, store: StoreClient) -> None:
    """Every figure that there is, over a time that holds all jobs: spreading moves, and neither adds nor takes."""
    since, until = NOW - timedelta(days=70), NOW + timedelta(days=1)
    plain = ask(store, Question(list(FIGURES.values()), since, until))
    moved = ask(
        store, Question(list(FIGURES.values()), since, until, ["day"], zone=ZoneInfo("Asia/Kolkata"), spread=True)
    )
    assert dict(moved.total.figures) == dict(plain.total.figures)
    assert plain.total.figures["p95_cost"]
    assert plain.total.figures["users"] == 2
    assert (moved.total.events, moved.total.known) == (plain.total.events, plain.total.known)
    assert plain.total.figures["effective_cost"] == sum(row["effective_cost"] for row in jobs.rows)
    for name, figure in FIGURES.items():
        if figure.additive:
            whole = sum((Fraction(line.figures[name] or 0) for line in moved.lines), Fraction(0))
            assert whole == Fraction(plain.total.figures[name] or 0), name


@pytest.mark.parametrize("period", ["hour", "day", "week", "month", "quarter"])
@pytest.mark.parametrize("zone", ZONES[:3])
def test_periods_of_budgets_have_what_ran_in_them(jobs: Jobs, store: StoreClient, period: str, zone: str) -> None:
    """One after the other, of the zone's own clock, whatever jobs run over their edges: they add up to everything."""
    local = time_zone(zone)
    own = getattr(calendar, f"{period}s")(local)
    long = period in ("week", "month", "quarter")
    since, until = (NOW - timedelta(days=70), NOW) if long else (NOW - timedelta(days=40), NOW - timedelta(days=39.7))
    found = Fraction(0)
    bounds = own.boundaries(since, until)
    for start, end in pairwise(bounds):
        total = ask(store, Question(figures_named(["effective_cost"]), start, end, spread=True)).total
        first, last = unix_micros(start), unix_micros(end)
        wanted = sum((part(row["effective_cost"], row, first, last) for row in jobs.rows), Fraction(0))
        assert Fraction(total.effective_cost) == wanted, (start, end)
        found += wanted
    if long:
        assert found == sum(Fraction(row["effective_cost"]) for row in jobs.rows)


def test_hours_of_the_view_have_what_ran_in_them(jobs: Jobs, store: StoreClient) -> None:
    """By hour of UTC and team, every amount; hours of a day add up to what the day is told to be."""
    wanted: dict[tuple[int, str], list[Fraction]] = {}
    rows = [row for row in jobs.rows if row["kind"] == "compute"]
    names = ("list_cost", "contracted_cost", "effective_cost", *SECONDS)
    for row in rows:
        began = unix_micros(row["occurred_at"])
        last = began + max(int((row["duration_s"] or 0) * 1_000_000), 1) - 1
        for hour in range(began // HOUR_US, last // HOUR_US + 1):
            parts = [part(row[name], row, hour * HOUR_US, (hour + 1) * HOUR_US) for name in names]
            so_far = wanted.setdefault((hour * 3600, row["team"]), [Fraction(0)] * len(names))
            wanted[hour * 3600, row["team"]] = [one + other for one, other in zip(so_far, parts, strict=True)]
    sums = ", ".join(f"ifNull(sum({name}), 0)" for name in names)
    found = {
        (int(str(at)), str(team)): list(map(Fraction, map(str, amounts)))
        for at, team, *amounts in store.rows(
            f"SELECT toUnixTimestamp(hour), team, {sums} FROM compute_by_hour GROUP BY hour, team"
        )
    }
    assert {key: amounts for key, amounts in found.items() if any(amounts)} == {
        key: amounts for key, amounts in wanted.items() if any(amounts)
    }
    by_day: Counter[tuple[str, ...]] = Counter()
    for (at, team), amounts in found.items():
        by_day[datetime.fromtimestamp(at, UTC).date().isoformat(), team] += amounts[names.index("gpu_seconds")]  # type: ignore[assignment]
    since, until = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    question = Question(
        figures_named(["gpu_seconds"]), since, until, ["day", "team"], where=scope(["kind=compute"]), spread=True
    )
    assert told(ask(store, question), "gpu_seconds") == {key: amount for key, amount in by_day.items() if amount}


def test_a_scope_and_an_instant_are_asked_of_what_ran(jobs: Jobs, store: StoreClient) -> None:
    """A filter and --as-of hold for both kinds of rows."""
    since, until = NOW - timedelta(days=40), NOW - timedelta(days=20)
    seen = sorted(row[0] for row in store.rows("SELECT DISTINCT booked_at FROM ledger"))  # type: ignore[type-var]
    total = Fraction(0)
    for at in seen:
        question = Question(
            figures_named(["effective_cost"]), since, until, where=scope(["team=a"]), as_of=at.replace(tzinfo=UTC),  # type: ignore[attr-defined]
            spread=True,
        )  # fmt: skip
        total = Fraction(ask(store, question).total.effective_cost)
    first, end = unix_micros(since), unix_micros(until)
    of_a = [row for row in jobs.rows if row["team"] == "a"]
    assert total == sum(part(row["effective_cost"], row, first, end) for row in of_a)


def test_more_days_than_a_statement_can_name_are_refused(store: StoreClient) -> None:
    """By month they can be asked."""
    since = datetime(2000, 1, 1, tzinfo=UTC)
    until = since + timedelta(days=spread.MAX_CELLS + 1)
    with pytest.raises(ConfigError, match="ask by month"):
        ask(store, Question(figures_named(["events"]), since, until, ["day"], spread=True))
    assert ask(store, Question(figures_named(["events"]), since, until, ["month"], spread=True)).lines == []
    assert ask(store, Question(figures_named(["events"]), since + timedelta(days=1), until, ["day"], spread=True))


def test_rollups_budgets_and_figures_have_a_job_where_it_began(jobs: Jobs, store: StoreClient) -> None:
    """Until they are asked to spread: the documents say so of each of them."""
    began: dict[datetime, Decimal] = {}
    for row in jobs.rows:
        minute = row["occurred_at"].replace(second=0, microsecond=0)
        began[minute] = began.get(minute, Decimal(0)) + row["effective_cost"]
    for table, time in ROLLUPS.items():
        wanted: dict[str, Decimal] = {}
        for minute, cost in began.items():
            cut = {"minute": minute, "hour": minute.replace(minute=0), "day": minute.date()}[time]
            wanted[str(cut)[:19]] = wanted.get(str(cut)[:19], Decimal(0)) + cost
        rows = store.rows(f"SELECT toString({time}), sum(effective_cost) FROM {table} GROUP BY {time}")
        assert {at: cost for at, cost in rows if cost} == {at: cost for at, cost in wanted.items() if cost}, table
    spec = SeriesSpec({}, (), "effective_cost", calendar.days(time_zone("UTC")))
    bounds = [unix_micros(at) for at in spec.calendar.boundaries(NOW - timedelta(days=70), NOW)]
    days: dict[int, int] = {}
    for minute, cost in began.items():
        start = max(bound for bound in bounds if bound <= unix_micros(minute))
        days[start] = days.get(start, 0) + int(cost.scaleb(12))
    days = {start: pico for start, pico in days.items() if pico}
    sums = LedgerSums(store)
    counted = sums.sums(spec, list(pairwise(bounds)), sums.vector()).blocks
    assert {start: by[()].amount for start, by in counted.items()} == days
    facts = Facts(pa.concat_tables(jobs.deltas))
    every = facts.matching({}, ())
    starts: Sequence[int] = [max(bound for bound in bounds if bound <= at) for at in facts.minutes.tolist()]
    heard = facts.sums(every, starts, (), "effective_cost")  # type: ignore[arg-type]
    assert {start: by[()].amount for start, by in heard.items() if by[()].amount} == days
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    answer = ask(store, Question(figures_named(["effective_cost"]), midnight - timedelta(days=70), midnight, ["day"]))
    assert answer.source == "operations_1d"
    assert [int(line.effective_cost.scaleb(12)) for line in answer.lines if line.effective_cost] == [
        days[start] for start in sorted(days)
    ]
    as_a_whole = {"entries", "users", "p50_cost", "p95_cost"}
    assert {name for name in FIGURES if PARTS[FIGURES[name].parts[0]].spread} == as_a_whole
