"""The rollup for operations is the ledger, added up: whatever is booked, corrected, taken back or moved."""

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa
import pytest

from stream_jobs.ledger.amounts import opposite
from stream_jobs.report.figures import SHARES, Figures
from stream_jobs.report.queries import DIMENSIONS, PEOPLE
from stream_jobs.store.client import StoreClient
from stream_jobs.store.fill import Feed, feeds, fill
from stream_jobs.store.migrations import load_migrations
from stream_jobs.store.tables import COMPARISONS, TABLES, insert
from tests.store_server import BOOKED_AT, StoreProcess, ledger_rows

pytestmark = pytest.mark.slow

KEY: Final = (
    *("day", "project", "team", "environment", "category", "subcategory", "feature", "provider", "model"),
    *("cost_center", "workload_type", "owner", "budget_code", "customer", "source", "price_model", "operation"),
    *("service_tier", "region", "accelerator", "purchase_option"),
)
COSTS: Final = ("list_cost", "contracted_cost", "effective_cost")
WRITES: Final = tuple(name for name in TABLES["ledger"].names if name.startswith("cache_write_"))
METERS: Final = ("input_tokens", "output_tokens", "reasoning_tokens", "cache_read_tokens", *WRITES)
DEFAULTED: Final = ("events", "unpriced", "subcategory", *COMPARISONS)
ZERO: Final = Decimal(0)
TAKEN: Final = "ALTER TABLE operations_1d DELETE WHERE day < '{day}' SETTINGS mutations_sync = 2"
MIGRATIONS: Final = {migration.name: migration for migration in load_migrations()}
OPERATIONS: Final = MIGRATIONS["operations_1d"]
SUMS_WITHIN: Final = MIGRATIONS["operations_1d_sums"]


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        yield store


def money(rng: random.Random) -> Decimal:
    return Decimal(rng.randrange(10 ** rng.randrange(2, 16))).scaleb(-12)


def charge(rng: random.Random) -> dict[str, Any]:
    """Anything that a block might book."""
    priced, gpu = rng.random() < 0.9, rng.random() < 0.3
    row: dict[str, Any] = {
        name: rng.choice(["", "a", "b'; DROP TABLE ledger --"]) for name in KEY if name not in ("day", "model")
    }
    row |= {name: rng.choice([None, rng.randrange(10**9)]) for name in METERS}
    row |= {name: money(rng) if priced else None for name in COSTS}
    row |= {name: rng.choice([None, money(rng)]) for name in COMPARISONS}
    provisioned = Decimal(rng.randrange(1, 10**9)).scaleb(-3)
    return row | {
        "entry_kind": "charge",
        "model": rng.choice(["", "m"]),
        "response_model": rng.choice(["", "served"]),
        "user_id": rng.choice(["", "u1", "u2"]),
        "occurred_at": BOOKED_AT - timedelta(seconds=rng.randrange(3 * 86_400)),
        "events": 1,
        "unpriced": int(not priced),
        "avoided_cost": rng.choice([ZERO, money(rng)]),
        "status": rng.choice(["ok", "ok", "error", "cancelled"]),
        "cached_response": rng.random() < 0.2,
        "retry_of": rng.choice(["", "", "other"]),
        "unallocated": rng.choice([[], ["project"]]),
        "latency_ms": rng.choice([None, 0.0, rng.random() * 10 ** rng.randrange(6)]),
        "gpu_seconds": provisioned if gpu else None,
        "busy_gpu_seconds": rng.choice([None, provisioned / 2]) if gpu else None,
        "tool_web_search": rng.choice([None, 3]),
        "stated_cost": None,
        "line_quantity": [],
        "line_list_cost": [],
        "line_cost": [],
        "line_effective_cost": [],
    }


def corrections(rng: random.Random, row: dict[str, Any]) -> list[dict[str, Any]]:
    """What may follow a charge: nothing, another cost, another place, or that it is taken back."""
    complete = dict.fromkeys(TABLES["ledger"].names) | row
    kind = rng.choice(["nothing", "cost", "place", "back"])
    if kind == "cost":
        only = dict.fromkeys((*METERS, "gpu_seconds", "busy_gpu_seconds", "tool_web_search", *COMPARISONS))
        difference = {name: money(rng) - money(rng) for name in (*COSTS, *rng.sample(COMPARISONS, 2), "avoided_cost")}
        return [row | only | difference | {"entry_kind": "adjustment", "events": 0, "unpriced": -row["unpriced"]}]
    if kind == "nothing":
        return []
    back = {name: value for name, value in opposite(complete).items() if name in row}
    if kind == "back":
        return [back | {"entry_kind": "retraction"}]
    return [back | {"entry_kind": "adjustment"}, row | {"entry_kind": "adjustment", "team": "moved"}]


def book(store: StoreClient, rows: Sequence[dict[str, Any]]) -> None:
    """As blocks of their own."""
    for first in range(0, len(rows), 100):
        part = rows[first : first + 100]
        columns: dict[str, Any] = {name: [row[name] for row in part] for name in part[0] if name not in DEFAULTED}
        columns["unallocated"] = [row["unallocated"] for row in part]
        table = ledger_rows(len(part), **{name: values for name, values in columns.items() if "line_" not in name})
        for field in (field for field in TABLES["ledger"] if field.name in TABLES["ledger"].names[table.num_columns :]):
            if field.name == "adjustment_run":
                continue
            values = [row.get(field.name) for row in part]
            values = [[] for _ in part] if pa.types.is_map(field.type) else values
            table = table.append_column(field, pa.array(values, field.type))
        insert(store.client, "ledger", table, uuid4().hex)


def bucket(amount: Any) -> int:
    return max(-32767, min(32767, math.ceil(math.log(abs(amount)) / 0.02))) if amount else -32767


def added_up(rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """By plain addition, what the rollup must hold by KEY."""
    found: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(lambda: defaultdict(Decimal))
    for entry in rows:
        row = entry | {"day": entry["occurred_at"].date(), "model": entry["model"] or entry["response_model"]}
        sums, events, cost = found[tuple(row[name] for name in KEY)], row["events"], row["effective_cost"] or ZERO
        sums["entries"] += 1
        for name in (*COSTS, *COMPARISONS, "avoided_cost", *METERS[:4], "gpu_seconds", "busy_gpu_seconds"):
            sums[name] += row[name] or 0
        sums["events"] += events
        sums["unpriced_events"] += row["unpriced"]
        sums["cache_write_tokens"] += sum(row[name] or 0 for name in WRITES)
        sums["tool_calls"] += row["tool_web_search"] or 0
        for holds, number, amount in (
            (bool(row["unallocated"]), "unallocated_events", "unallocated_cost"),
            (row["status"] == "error", "errors", "error_cost"),
            (row["status"] == "cancelled", "cancelled", "cancelled_cost"),
            (row["status"] == "ok", "ok_events", "ok_cost"),
            (bool(row["retry_of"]), "retries", "retry_cost"),
        ):
            sums[number] += events * holds
            sums[amount] += cost * holds
        sums["cached_responses"] += events * row["cached_response"]
        if not row["cached_response"]:
            sums["billed_input_tokens"] += row["input_tokens"] or 0
            sums["billed_output_tokens"] += row["output_tokens"] or 0
            for name, amount in (("cost_buckets", row["effective_cost"]), ("latency_buckets", row["latency_ms"])):
                if amount is not None:
                    sums[f"{name} {bucket(amount)}"] += events
        if row["busy_gpu_seconds"] is not None:
            sums["known_gpu_seconds"] += row["gpu_seconds"]
    return {key: {name: value for name, value in sums.items() if value} for key, sums in found.items()}


def held(store: StoreClient, table: str = "operations_1d") -> dict[tuple[Any, ...], dict[str, Any]]:
    """What the rollup holds by KEY."""
    columns = store.rows(
        f"SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = '{table}' "
        "AND NOT is_in_sorting_key"
    )
    names = [str(name) for name, _ in columns]
    sums = [f"{'sumMap' if 'Map(' in str(kind) else 'sum'}({table}.{name})" for name, kind in columns]
    found = {}
    for row in store.rows(f"SELECT {', '.join(KEY)}, {', '.join(sums)} FROM {table} GROUP BY {', '.join(KEY)}"):
        values: dict[str, Any] = {}
        for name, value in zip(names, row[len(KEY) :], strict=True):
            if isinstance(value, dict):
                values |= {f"{name} {at}": number for at, number in value.items() if number}
            elif value:
                values[name] = value
        found[tuple(row[: len(KEY)])] = values
    return {key: values for key, values in found.items() if values}


def without_buckets(sums: dict[tuple[Any, ...], dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {key: {name: n for name, n in values.items() if "buckets" not in name} for key, values in sums.items()}


def bucket_numbers(sums: dict[tuple[Any, ...], dict[str, Any]]) -> dict[str, Any]:
    """How many events are in buckets, and how far up the middle of them is, over everything."""
    total: dict[str, Any] = defaultdict(int)
    for values in sums.values():
        for name, number in values.items():
            if "buckets" in name:
                total[name.split()[0]] += number
    return dict(total)


@pytest.fixture(scope="module", params=[0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def booked(request: pytest.FixtureRequest, store: StoreClient) -> list[dict[str, Any]]:
    for table in ("ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d"):
        store.command(f"TRUNCATE TABLE {table}")
    rng = random.Random(request.param)
    rows = [row for first in [charge(rng) for _ in range(200)] for row in (first, *corrections(rng, first))]
    book(store, rows)
    return rows


def test_its_sums_are_the_ledgers_to_the_last_digit(store: StoreClient, booked: list[dict[str, Any]]) -> None:
    """Charges, corrections of the cost, moves, retractions; unpriced, failed, retried; caches and GPUs."""
    wanted, found = added_up(booked), held(store)
    assert without_buckets(found) == without_buckets({key: values for key, values in wanted.items() if values})
    assert bucket_numbers(found) == bucket_numbers(wanted)
    store.command("OPTIMIZE TABLE operations_1d FINAL")
    assert held(store) == found, "merging changes nothing"


def test_the_views_of_days_read_no_row_per_user(store: StoreClient, booked: list[dict[str, Any]]) -> None:
    """They say what the ledger does, with cost_1d empty; only who spends is asked there."""
    store.command("RENAME TABLE cost_1d TO cost_1d_away")
    try:
        effective = sum(row["effective_cost"] or ZERO for row in booked)
        for view in ("team", "project", "model", "feature", "customer", "category"):
            assert store.rows(f"SELECT sum(effective_cost) FROM cost_by_{view}") == [(effective,)], view
        for view in ("daily_trend", "unallocated_share", "cost_stack", "operations"):
            assert store.rows(f"SELECT sum(effective_cost) FROM {view}") == [(effective,)], view
        assert store.rows("SELECT sum(avoided_cost) FROM cache_hit_rate") == [
            (sum(row["avoided_cost"] for row in booked),)
        ]
    finally:
        store.command("RENAME TABLE cost_1d_away TO cost_1d")


def test_second_levels_add_up_to_the_first(store: StoreClient, booked: list[dict[str, Any]]) -> None:
    """Per day and category, to the last digit."""
    stack = "SELECT day, category, sum(effective_cost), sum(events) FROM cost_stack GROUP BY 1, 2 ORDER BY 1, 2"
    first = "SELECT day, category, sum(effective_cost), sum(events) FROM cost_by_category GROUP BY 1, 2 ORDER BY 1, 2"
    assert store.rows(stack) == store.rows(first)


def test_the_report_adds_whole_days_and_parts_of_days(store: StoreClient, booked: list[dict[str, Any]]) -> None:
    """The cost stack, users and customers of any minutes are the ledger's: within a day, over midnight, whole days."""
    rng, figures = random.Random(3), Figures(store.client)
    midnight = (BOOKED_AT - timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
    periods = [(midnight, midnight + timedelta(days=1)), (midnight, midnight + timedelta(minutes=1))]
    for _ in range(8):
        first, last = sorted(rng.sample(range(-1_500, 4 * 1_440), 2))
        periods.append((midnight + timedelta(minutes=first), midnight + timedelta(minutes=last)))
    for start, end in periods:
        figures.period = {"start": start, "end": end}
        inside = [row for row in booked if start <= row["occurred_at"] < end]
        wanted: dict[tuple[str, ...], list[Any]] = defaultdict(lambda: [ZERO, 0])
        for row in inside:
            for key in (
                ("stack", row["category"], row["subcategory"]),
                ("customer", row["customer"]),
                ("user_id", row["user_id"]),
            ):
                wanted[key][0] += row["effective_cost"] or ZERO
                wanted[key][1] += row["events"]
        stack = {("stack", *row[:2]): list(row[2:]) for row in figures.rows("stack")}
        assert stack == {key: sums for key, sums in wanted.items() if key[0] == "stack" and any(sums)}, (start, end)
        for name, rollup in PEOPLE.items():
            rows = figures.rows("by_person", dimension=name, rollup=rollup, rows=100)
            found = {(name, row[0]): [row[1], row[4]] for row in rows}
            assert found == {key: sums for key, sums in wanted.items() if key[0] == name and key[1]}, (start, end)


def test_the_reports_breakdowns_are_the_ledgers(store: StoreClient, booked: list[dict[str, Any]]) -> None:
    """Every value of every dimension, to the last digit: of periods that cut minutes, hours and days."""
    rng, figures = random.Random(4), Figures(store.client)
    midnight = (BOOKED_AT - timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
    for _ in range(6):
        first, last = sorted(rng.sample(range(-1_500, 4 * 1_440), 2))
        figures.period = {"start": midnight + timedelta(minutes=first), "end": midnight + timedelta(minutes=last)}
        inside = [row for row in booked if figures.period["start"] <= row["occurred_at"] < figures.period["end"]]
        for dimension, answer in zip(DIMENSIONS, figures.registered_each(SHARES, DIMENSIONS), strict=True):
            wanted: dict[str, list[Any]] = defaultdict(lambda: [ZERO] * len(SHARES))
            for row in inside:
                name = row[dimension] or (row["response_model"] if dimension == "model" else "")
                sums = wanted[name]
                amounts = (
                    row["effective_cost"],
                    row["contracted_cost"],
                    row["list_cost"],
                    row["events"],
                    row["unpriced"],
                )
                wanted[name] = [old + (new or 0) for old, new in zip(sums, amounts, strict=True)]
            lines = {line.values[0]: [line.figures[name] for name in SHARES] for line in answer.lines}
            shown = {name: sums for name, sums in lines.items() if any(sums)}
            assert shown == {name: sums for name, sums in wanted.items() if any(sums)}, (figures.period, dimension)
            assert answer.total.effective_cost == sum((sums[0] for sums in wanted.values()), ZERO)
        assert figures.registered(["entries"]).total.figures == {"entries": len(inside)}


DAYS: Final = "FROM {view} WHERE day >= '2026-01-01'"
ADDED_UP: Final = {
    **{f"cost_by_{name}": "without_customer" for name in ("team", "project", "model", "feature", "category")},
    **dict.fromkeys(("cost_stack", "cache_hit_rate", "unallocated_share"), "without_customer"),
    "cost_by_customer": "by_customer",
}


def test_what_most_people_ask_is_added_up_beforehand(store: StoreClient, booked: list[dict[str, Any]]) -> None:
    """Views of days read the sums within the parts, which say what the rows do: before and after a merge, and after one
    that retention takes rows from."""
    for view, name in ADDED_UP.items():
        plan = store.rows(f"EXPLAIN SELECT * {DAYS.format(view=view)}")
        assert any(f"({name})" in str(row[0]) for row in plan), (view, plan)
    store.command("CREATE TABLE kept_aside AS operations_1d")
    store.command("INSERT INTO kept_aside SELECT * FROM operations_1d")
    kept = BOOKED_AT - timedelta(days=1)
    try:
        for step in ("", "OPTIMIZE TABLE operations_1d FINAL", TAKEN.format(day=kept.date())):
            if step:
                store.command(step)
            rows = [row for row in booked if "DELETE" not in step or row["occurred_at"].date() >= kept.date()]
            costs = sum((row["effective_cost"] or ZERO for row in rows), ZERO)
            for view in ("operations", "cost_by_team", "cost_by_customer", "cost_stack"):  # the first reads rows
                assert store.rows(f"SELECT sum(effective_cost) {DAYS.format(view=view)}") == [(costs,)], (view, step)
    finally:
        store.command("EXCHANGE TABLES kept_aside AND operations_1d")
        store.command("DROP TABLE kept_aside")


def test_a_rollup_that_comes_later_is_filled(store: StoreClient, booked: list[dict[str, Any]]) -> None:
    """From what is booked, beside what its view has seen; by several at once, and again, without doubling."""
    wanted = held(store)
    (feed,) = feeds(OPERATIONS.statements)
    store.command("DROP VIEW operations_1d_feed")
    store.command("DROP TABLE operations_1d")
    for statement in (*OPERATIONS.statements, *SUMS_WITHIN.statements):
        store.command(statement)
    assert held(store) == {}
    rng = random.Random(99)
    late = [charge(rng) for _ in range(50)]
    book(store, late)  # the view has seen these
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda number: _fill(store, feed, number), range(3)))
    both = added_up([*booked, *late])
    assert without_buckets(held(store)) == without_buckets({key: values for key, values in both.items() if values})
    days: list[date] = []
    fill(store.client, feed, days.append)
    assert without_buckets(held(store)) == without_buckets({key: values for key, values in both.items() if values})
    book(store, [_back(row) for row in late])
    left = {key: values for key, values in held(store).items() if values.keys() != {"entries"}}
    assert {key: _amounts(values) for key, values in left.items()} == {
        key: _amounts(values) for key, values in wanted.items() if values.keys() != {"entries"}
    }


def _amounts(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "entries"}


def _fill(store: StoreClient, feed: Feed, number: int) -> None:
    with StoreClient(store.settings) as own:
        fill(own.client, feed)


def _back(row: dict[str, Any]) -> dict[str, Any]:
    complete = dict.fromkeys(TABLES["ledger"].names) | row
    return {name: value for name, value in opposite(complete).items() if name in row}


def test_quantiles_are_within_one_percent(store: StoreClient) -> None:
    """Of costs and latencies from very small to very large, answers of the own cache left out."""
    rng = random.Random(5)
    rows = [charge(rng) | {"team": "quantiles", "feature": "f", "provider": "p", "model": "m"} for _ in range(999)]
    for row in rows:
        row |= {"latency_ms": math.exp(rng.random() * 16 - 2), "cached_response": rng.random() < 0.3}
        row |= {"occurred_at": BOOKED_AT, "effective_cost": Decimal(math.exp(rng.random() * 20 - 25)).quantize(
            Decimal("1e-12"))}  # fmt: skip
    book(store, rows)
    found = store.rows(
        "SELECT p50_latency_ms, p95_latency_ms, p99_latency_ms, p50_cost, p95_cost FROM operations "
        "WHERE team = 'quantiles'"
    )[0]
    calls = [row for row in rows if not row["cached_response"]]
    latencies = sorted(row["latency_ms"] for row in calls)
    costs = sorted(float(row["effective_cost"]) for row in calls)
    for got, values, level in zip(found, [latencies] * 3 + [costs] * 2, (0.5, 0.95, 0.99, 0.5, 0.95), strict=True):
        at = level * len(values)
        low, high = values[max(0, math.floor(at) - 2)], values[min(len(values) - 1, math.ceil(at) + 1)]
        assert low * 0.99 <= float(str(got)) <= high * 1.01


def test_what_is_moved_away_leaves_no_quantiles(store: StoreClient) -> None:
    """Of no event there is no latency and no cost, and what is left is not pulled down by what went."""
    rng = random.Random(6)
    plain = {"feature": "f", "provider": "p", "model": "m", "cached_response": False, "occurred_at": BOOKED_AT}
    rows = [charge(rng) | plain | {"team": team, "latency_ms": latency, "effective_cost": Decimal(cost)}
            for team, latency, cost in (("gone", 50.0, "3"), ("left", 1.0, "0.1"), ("left", 900.0, "7"))]  # fmt: skip
    back = [opposite(dict.fromkeys(TABLES["ledger"].names) | row) for row in rows[:2]]
    book(store, [*rows, *({name: one[name] for name in rows[0]} | {"entry_kind": "adjustment"} for one in back)])
    asked = "SELECT p50_latency_ms, p99_latency_ms, p50_cost, p95_cost FROM operations WHERE team = "
    assert store.rows(f"{asked}'gone'") == [(None,) * 4]
    ((p50, p99, *costs),) = store.rows(f"{asked}'left'")
    assert (p50, p99) == (pytest.approx(900, rel=0.01),) * 2
    assert [float(str(cost)) for cost in costs] == [pytest.approx(7, rel=0.01)] * 2


def test_rows_from_before_say_what_they_can(store: StoreClient) -> None:
    """A part of the ledger without the columns: the receipt has the prices, the meters what was busy."""
    expected = {
        "tokens": ("tokens", None, None, Decimal("0.00135"), Decimal("0.000375")),
        "gpu": ("GPU compute", Decimal(8), Decimal("1.333333333333"), None, None),
    }
    receipt: dict[str, Any] = {
        "line_meter": ["input_tokens", "cache_read_tokens", "cache_write_5m_tokens"],
        "line_quantity": [Decimal(100), Decimal(1000), Decimal(1000)],
        "line_cost": [Decimal("0.00015"), Decimal("0.00015"), Decimal("0.001875")],
    }
    gpu: dict[str, Any] = {
        "gpu_seconds": Decimal(3),
        "busy_gpu_seconds": Decimal(2),
        "accelerator": "H100",
        "list_cost": Decimal(8),
    }
    for name, columns in (
        ("tokens", receipt),
        ("gpu", gpu | {"kind": "compute", "effective_cost": Decimal(4)}),
    ):
        insert(
            store.client,
            "ledger",
            ledger_rows(1, event_id=[f"before-{name}"], category="inference", **columns),
            uuid4().hex,
        )
        got = store.rows(f"SELECT subcategory, {', '.join(COMPARISONS)} FROM ledger WHERE event_id = 'before-{name}'")
        assert got == [expected[name]]
    assert exactly(Decimal(4), 1, 3) == Decimal("1.333333333333")


def exactly(amount: Decimal, part: int, whole: int) -> Decimal:
    return Decimal(int(Fraction(amount) * part / whole * 10**12)).scaleb(-12, Context(prec=60))
