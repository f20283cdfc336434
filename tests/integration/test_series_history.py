"""What deltas tell, what the ledger adds up to and what history says of a series are the same, for every measure."""

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from spendstream_schemas.scope import LABEL, Condition
from stream_jobs.base.instants import from_unix_micros, time_zone, unix_micros
from stream_jobs.series import calendar
from stream_jobs.series.block_sums import delta_of
from stream_jobs.series.facts import Cells, Facts, Sums, Values
from stream_jobs.series.history import Grain, History, boundaries, source_of
from stream_jobs.series.measures import CACHE_WRITES, DIMENSIONS, MEASURES, Measure, exact
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.series.sums import LedgerSums
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import LEDGER_DEFAULTS, TABLES, TEXT, TOOL_COLUMNS, insert
from stream_jobs.streams.model import Block, SourcePartition, Versions
from tests.store_server import StoreProcess, ledger_rows
from tests.unit.series.test_block_sums import plainly

pytestmark = pytest.mark.slow

NOW = datetime(2026, 10, 26, 12, tzinfo=UTC)  # the clocks of Europe went back on the day before
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata")
NASTY = "it's; DROP TABLE ledger --"
COSTS = ("list_cost", "contracted_cost", "effective_cost", "gpu_seconds", "busy_gpu_seconds")
METERS = ("input_tokens", "cache_read_tokens", *CACHE_WRITES, "output_tokens", "reasoning_tokens", *TOOL_COLUMNS)


def entry(rng: random.Random) -> dict[str, Any]:
    """A charge, or what takes one back."""
    sign = rng.choice([1, 1, 1, -1])
    money = {name: rng.choice([None, sign * Decimal(rng.randrange(10**17)).scaleb(-12)]) for name in COSTS}
    counts = {name: rng.choice([None, None, sign * rng.randrange(10**9)]) for name in METERS}
    unpriced = sign if money["effective_cost"] is None else 0
    is_known = unpriced and rng.random() < 0.5
    return {
        "occurred_at": NOW - timedelta(seconds=rng.randrange(3 * 86_400)),
        **{name: rng.choice(["", "a", NASTY]) for name in DIMENSIONS},
        "response_model": rng.choice(["", "served"]),
        "entry_kind": "charge" if sign > 0 else "retraction",
        "events": sign,
        "unpriced": unpriced,
        "reported_tags": [],
        "stated_cost": None,
        "held_cost": sign * Decimal(rng.randrange(10**17)).scaleb(-12) if is_known else None,
        "held_flat": 0 if is_known else unpriced,
        "status": rng.choice(["ok", "ok", "error", "cancelled"]),
        "cached_response": rng.random() < 0.2,
        "avoided_cost": Decimal(0) if rng.random() < 0.5 else sign * Decimal(rng.randrange(10**15)).scaleb(-12),
        "labels": [(name, rng.choice(["x", NASTY])) for name in ("tenant", NASTY) if rng.random() < 0.5],
        **money,
        **counts,
    }


class Booked:
    """Blocks in the ledger, with the rows that they are of."""

    def __init__(self, store: StoreClient, seed: int) -> None:
        self.store, self.rng = store, random.Random(seed)
        self.rows: list[dict[str, Any]] = []
        self.deltas: list[pa.Table] = []
        topic = uuid4().hex
        for number in range(4):
            rows = [entry(self.rng) for _ in range(60)]
            at = store.now() + timedelta(microseconds=number)
            columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
            given = {name: column for name, column in columns.items() if name not in LEDGER_DEFAULTS}
            table = ledger_rows(len(rows), **given, booked_at=at, topic_id=topic, partition=0)
            for item in (TABLES["ledger"].field(name) for name in LEDGER_DEFAULTS[:-1]):
                nothing = "" if item.type == TEXT else None
                table = table.append_column(item, pa.array(columns.get(item.name, [nothing] * len(rows)), item.type))
            insert(store.client, "ledger", table, f"{topic}/{number}")
            block = Block(SourcePartition("usage.events.v1", topic, 0), number, number, at, Versions(), 1)
            self.deltas.append(delta_of(block, table, ["tenant", NASTY]).rows)
            self.rows += rows

    def plain(self, spec: SeriesSpec, bounds: list[int], *, held: bool = True) -> Cells:
        """By plain addition of the rows; without what is `held`, which history does not tell."""
        found: dict[int, dict[Values, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0] * 4))
        for row in self.rows:
            facts = facts_of(row)
            values = tuple(facts.get(name, "") for name in spec.per)
            cell = bisect_right(bounds, unix_micros(row["occurred_at"])) - 1
            if not 0 <= cell < len(bounds) - 1 or "" in values:
                continue
            start = bounds[cell]
            if all(condition.holds(facts.get(name, "")) for name, condition in spec.scope.items()):
                amounts, sums = plainly(row), found[start][values]
                sums[0] += exact(spec.measure, amounts[spec.measure])
                sums[1] += row["unpriced"]
                sums[2] += exact("held_cost", row["held_cost"] or 0) if held else 0
                sums[3] += row["held_flat"] if held else 0
        cells = {
            start: {values: Sums(*sums) for values, sums in by_values.items() if any(sums)}
            for start, by_values in found.items()
        }
        return {start: by_values for start, by_values in cells.items() if by_values}


def facts_of(row: Mapping[str, Any]) -> dict[str, str]:
    labels = {f"{LABEL}{name}": value for name, value in row["labels"]}
    return {**{name: row[name] for name in DIMENSIONS}, "model": row["model"] or row["response_model"], **labels}


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        yield store


@pytest.fixture(scope="module", params=range(2))
def booked(request: pytest.FixtureRequest, store: StoreClient) -> Booked:
    for table in ("ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d"):
        store.command(f"TRUNCATE TABLE {table}")
    return Booked(store, request.param)


def specs(rng: random.Random, measure: Measure, dimensions: tuple[str, ...]) -> SeriesSpec:
    conditions = (
        Condition(any_of=("a", NASTY)),
        Condition(none_of=(NASTY,)),
        Condition(glob="*DROP*"),
        Condition(missing=True),
        Condition(missing=False),
    )
    scope = {name: rng.choice(conditions) for name in rng.sample(dimensions, rng.randrange(3))}
    per = tuple(rng.sample(dimensions, rng.randrange(3)))
    return SeriesSpec(scope, per, measure, calendar.days(time_zone(rng.choice(ZONES))))


ALL = (*DIMENSIONS, f"{LABEL}tenant", f"{LABEL}{NASTY}")


@pytest.mark.parametrize("measure", MEASURES)
def test_deltas_the_ledger_and_plain_addition_agree(booked: Booked, measure: Measure) -> None:
    """Any scope and values, in days of any zone, to the last digit; names of labels are data, whatever they are."""
    sums = LedgerSums(booked.store)
    for _ in range(4):
        spec = specs(booked.rng, measure, ALL)
        bounds = boundaries(spec, "day", NOW - timedelta(days=4), NOW)
        wanted = booked.plain(spec, bounds)
        cells = list(pairwise(bounds))
        assert sums.sums(spec, cells, sums.vector()).blocks == wanted, spec
        facts = Facts(pa.concat_tables(booked.deltas))
        rows = facts.matching(spec.scope, spec.per)
        starts = (rows * 0) if not len(rows) else starts_of(facts, rows, bounds)
        told = facts.sums(rows, starts, spec.per, measure) if len(rows) else {}
        nothing = {start: {key: one for key, one in by.items() if one != Sums()} for start, by in told.items()}
        assert {start: by for start, by in nothing.items() if by} == wanted, spec


def starts_of(facts: Facts, rows: Any, bounds: list[int]) -> Any:
    minutes = facts.minutes[rows]
    return [bounds[bisect_right(bounds, minute) - 1] for minute in minutes.tolist()]


@pytest.mark.parametrize("grain", ["minute", "hour", "day"])
@pytest.mark.parametrize("measure", MEASURES)
def test_history_is_what_was_booked(booked: Booked, measure: Measure, grain: Grain) -> None:
    """From whichever table answers, in cells of the zone's clock, with the hour that comes twice as two."""
    history = History(booked.store)
    for dimensions in (("team", "model", "provider"), ("customer", "source", "team"), ("user_id", "region"), ALL):
        spec = specs(booked.rng, measure, dimensions)
        since = NOW - timedelta(seconds=booked.rng.randrange(2, 3 * 86_400))
        until = min(NOW, since + timedelta(hours=30)) if grain == "minute" else NOW
        bounds = boundaries(spec, grain, since, until)
        assert from_unix_micros(bounds[0]) <= since < from_unix_micros(bounds[1])
        assert from_unix_micros(bounds[-2]) < until <= from_unix_micros(bounds[-1])
        assert history.read(spec, grain, since, until) == booked.plain(spec, bounds, held=False), (spec, since)
    assert history.read(spec, grain, NOW, NOW) == {}


@pytest.mark.parametrize("measure", ["effective_cost", "events", "tokens"])
def test_the_heaviest_values_and_all_others_as_one(booked: Booked, measure: Measure) -> None:
    """Credits weigh as much as costs; nothing is counted twice, and nothing is left out."""
    history = History(booked.store)
    for per in (("team",), ("user_id", "model"), (f"{LABEL}tenant",)):
        spec = SeriesSpec({}, per, measure, calendar.days(time_zone("UTC")))
        since = NOW - timedelta(days=4)
        whole = history.read(spec, "day", since, NOW)
        weights: dict[Values, int] = defaultdict(int)
        for by_values in whole.values():
            for values, sums in by_values.items():
                weights[values] += sums.amount
        ordered = sorted(weights, key=lambda values: (-abs(weights[values]), values))
        heaviest = history.heaviest(spec, "day", since, NOW, 1)
        assert heaviest == ordered[:1]
        assert history.heaviest(spec, "day", since, NOW, 99)[: len(ordered)] == ordered
        assert history.heaviest(spec, "day", NOW, NOW, 1) == []
        rest = ("",) * len(per)
        wanted: Cells = {}
        for start, by_values in whole.items():
            for values, sums in by_values.items():
                cells = wanted.setdefault(start, {})
                key = values if values in heaviest else rest
                cells[key] = cells.get(key, Sums()).plus(sums)
        found = history.read(spec, "day", since, NOW, heaviest)
        assert found == {
            start: {values: sums for values, sums in by.items() if sums != Sums()} for start, by in wanted.items()
        }


@pytest.mark.parametrize(
    ("zone", "grain", "per", "measure", "table"),
    [
        ("UTC", "day", "user_id", "events", "cost_1d"),
        ("UTC", "day", "team", "events", "operations_1d"),
        ("UTC", "day", "accelerator", "events", "operations_1d"),
        ("UTC", "hour", "accelerator", "events", "ledger"),
        ("UTC", "day", "team", "cost_squares", "ledger"),
        ("Europe/Berlin", "day", "customer", "errors", "cost_1h"),
        ("Europe/Berlin", "day", "user_id", "errors", "ledger"),
        ("Asia/Kolkata", "day", "team", "effective_cost", "cost_1m"),
        ("Asia/Kolkata", "day", "customer", "effective_cost", "ledger"),
        ("UTC", "hour", "source", "tool_calls", "cost_1h"),
        ("UTC", "minute", "model", "unpriced", "cost_1m"),
        ("UTC", "minute", "owner", "unpriced", "ledger"),
        ("UTC", "hour", "labels.tenant", "events", "ledger"),
    ],
)
def test_the_smallest_table_that_can_tell_answers(
    zone: str, grain: Grain, per: str, measure: Measure, table: str
) -> None:
    """Its rows lie within the cells, and it has the dimensions and the measure; else the ledger does."""
    spec = SeriesSpec({}, (per,), measure, calendar.hours(time_zone(zone)))
    assert source_of(spec, boundaries(spec, grain, NOW - timedelta(days=1), NOW)).table == table


def test_before_1970_there_is_nothing(booked: Booked) -> None:
    """Whatever the zone."""
    spec = SeriesSpec({}, (), "events", calendar.days(time_zone("America/New_York")))
    old = datetime(1969, 1, 1, tzinfo=UTC)
    assert boundaries(spec, "day", old, old + timedelta(days=9)) == []
    assert min(boundaries(spec, "day", old, datetime(1970, 2, 1, tzinfo=UTC))) >= 0


@pytest.mark.parametrize("name", ["labels.", "team; --", "day", ""])
def test_what_is_no_dimension_is_never_asked(name: str) -> None:
    """Its name would become part of the question."""
    with pytest.raises(ValueError, match="cannot be watched"):
        SeriesSpec({name: Condition(missing=True)}, (), "events", calendar.days(time_zone("UTC")))
    with pytest.raises(ValueError, match="cannot be watched"):
        SeriesSpec({}, (name,), "events", calendar.days(time_zone("UTC")))
