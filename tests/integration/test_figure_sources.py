"""Each figure is the same from every table that has it, and what plain addition of the ledger's rows comes to."""

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from stream_jobs.economics import stretches
from stream_jobs.economics.asked import Question
from stream_jobs.economics.figures import FIGURES
from stream_jobs.economics.parts import PARTS
from stream_jobs.economics.question import ask, decimal
from stream_jobs.series.history import LEDGER, SOURCES, Source
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import COMPARISONS
from tests.integration.test_operations_rollup import WRITES, book, bucket, charge, corrections, money
from tests.store_server import BOOKED_AT, StoreProcess

DAY = BOOKED_AT.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
SINCE, UNTIL = DAY - timedelta(days=4), DAY + timedelta(days=2)
Row = dict[str, Any]


@pytest.fixture(scope="module", params=range(2))
def booked(request: pytest.FixtureRequest, process: StoreProcess) -> Iterator[tuple[StoreClient, list[Row]]]:
    """A ledger with whatever a block or a correction may book, and its rows."""
    rng = random.Random(request.param)
    rows: list[Row] = []
    for number in range(250):
        row = charge(rng) | {
            "event_id": f"e{number}",
            "kind": rng.choice(["tokens", "tokens", "compute", "metered"]),
            "operation": rng.choice(["chat", "embeddings", "Rerank", ""]),
            "stated_cost": rng.choice([None, money(rng)]),
            "price_model": rng.choice(["", "m", "stated"]),
            **{name: rng.choice([None, money(rng)]) for name in ("cpu_seconds", "busy_cpu_seconds")},
            **{"held_cost": rng.choice([None, money(rng)]), "held_flat": rng.choice([0, 1])},
        }
        rows += [row, *corrections(rng, row)]
    with StoreClient(process.settings) as store:
        for table in ("ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d"):
            store.command(f"TRUNCATE TABLE {table}")
        book(store, rows)
        yield store, rows


def parts_of(rows: Sequence[Row], unpriced: set[str]) -> dict[str, Fraction]:
    """Every part, by plain addition. `unpriced`: the events that have no price now."""
    found: dict[str, Any] = defaultdict(Decimal)
    users: dict[str, int] = defaultdict(int)
    spread: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        events, cost, read = row["events"], row["effective_cost"] or 0, row["cache_read_tokens"] or 0
        tokens_in, tokens_out = row["input_tokens"] or 0, row["output_tokens"] or 0
        request = row["kind"] == "tokens" and row["operation"].lower() not in ("embeddings", "embedding", "rerank")
        call, cached = request and not row["cached_response"], row["cached_response"]
        gpu, busy = row["gpu_seconds"], row["busy_gpu_seconds"]
        timed = row["latency_ms"] is not None and events and not cached
        costed = row["effective_cost"] is not None and events and not cached
        if timed:
            spread["latency_ms"][bucket(row["latency_ms"])] += events
        if costed:
            spread["cost"][bucket(row["effective_cost"])] += events
        if row["user_id"]:
            users[row["user_id"]] += events
        sums: dict[str, Any] = {
            **{name: row[name] or 0 for name in ("list_cost", "contracted_cost", "effective_cost", *COMPARISONS)},
            **{name: row[name] or 0 for name in ("avoided_cost", "reasoning_tokens")},
            **{
                "entries": 1,
                "events": events,
                "unpriced_events": row["unpriced"],
                "tool_calls": row["tool_web_search"] or 0,
            },
            **{"input_tokens": tokens_in, "output_tokens": tokens_out, "cache_read_tokens": read},
            "cache_write_tokens": sum(row[name] or 0 for name in WRITES),
            **{"gpu_seconds": gpu or 0, "busy_gpu_seconds": busy or 0},
            **{name: row[name] or 0 for name in ("cpu_seconds", "busy_cpu_seconds", "held_cost")},
            "flat_held_events": row["held_flat"],
        }
        for holds, given in (
            (row["status"] == "ok", {"ok": events, "ok_cost": cost}),
            (row["status"] == "error", {"errors": events, "error_cost": cost}),
            (row["status"] == "cancelled", {"cancelled": events, "cancelled_cost": cost}),
            (row["retry_of"], {"retries": events, "retry_cost": cost}),
            (row["unallocated"], {"unallocated_events": events, "unallocated_cost": cost}),
            (cached, {"cached_responses": events}),
            (not cached, {"billed_input_tokens": tokens_in, "billed_output_tokens": tokens_out}),
            (request, {"requests": events, "request_cost": cost}),
            (request and row["status"] == "ok", {"ok_requests": events}),
            (request and cached, {"cached_requests": events}),
            (call, {"call_cost": cost, "call_input_tokens": tokens_in, "call_cache_read_tokens": read}),
            (call and row["event_id"] not in unpriced, {"priced_call_tokens": tokens_in + tokens_out}),
            (busy is not None, {"measured_gpu_seconds": gpu or 0}),
            (gpu is not None, {"gpu_cost": cost}),
            (gpu is not None and busy is not None, {"measured_gpu_cost": cost}),
            (row["user_id"], {"cost_of_users": cost}),
            (
                row["stated_cost"] is not None and not cached and row["price_model"] != "stated",
                {
                    "compared_events": events,
                    "compared_cost": row["contracted_cost"] or 0,
                    "stated_cost": row["stated_cost"],
                },
            ),
            (timed, {"timed_calls": events}),
            (costed, {"costed_calls": events}),
        ):
            sums |= given if holds else {}
        for name, amount in sums.items():
            found[name] += amount
    for percent, name in ((50, "latency_ms"), (95, "latency_ms"), (99, "latency_ms"), (50, "cost"), (95, "cost")):
        found[f"p{percent}_{name}"] = quantile(spread[name], percent)
    found["users"] = sum(number > 0 for number in users.values())
    return {name: Fraction(found[name]) for name in PARTS}


def quantile(buckets: Mapping[int, int], percent: int) -> Decimal:
    """The first bucket up to which at least so many of the events are."""
    there = sorted((place, number) for place, number in buckets.items() if number > 0)
    whole, passed = sum(number for _, number in there), 0
    for place, number in there:
        passed += number
        if passed * 100 >= whole * percent:
            return Decimal(math.exp(0.02 * place - 0.01))
    return Decimal(0)


def alike(told: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """To the last digit; quantiles, which a float has been, to nine."""
    spread = {name for name in told if name.startswith("p") and name[1:3].isdigit()}
    return all(
        (told[name] is None) == (wanted[name] is None)
        and (
            told[name] == wanted[name]
            if name not in spread or told[name] is None
            else math.isclose(told[name], wanted[name], rel_tol=1e-9, abs_tol=1e-11)
        )
        for name in told
    )


def expected(rows: Sequence[Row], by: Sequence[str]) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """The figures of each combination of values, and under () of everything."""
    left: dict[str, int] = defaultdict(int)
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        left[row["event_id"]] += row["unpriced"]
        shown = row | {"model": row["model"] or row["response_model"], "day": str(row["occurred_at"].date())}
        for values in {tuple(shown[name] for name in by), ()}:
            groups[values].append(row)
    unpriced = {event_id for event_id, number in left.items() if number > 0}
    found: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for values, group in groups.items():
        sums = parts_of(group, unpriced)
        told = {name: figure.value(sums) for name, figure in FIGURES.items()}
        found[values] = {name: None if value is None else decimal(value) for name, value in told.items()}
    return found


def carried(source: Source) -> list[str]:
    """The figures that a table has."""
    return [name for name, figure in FIGURES.items() if all(PARTS[part].of(source) for part in figure.needs)]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.table)
def test_a_figure_is_the_same_from_each_table_that_has_it(
    booked: tuple[StoreClient, list[Row]], source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By nothing, by days, and by any two of the table's dimensions, to the last digit."""
    store, rows = booked
    rng = random.Random(source.table)
    names = carried(source)
    dimensions = [name for name in source.dimensions or SOURCES[0].dimensions or () if name in rows[0]]
    monkeypatch.setattr(stretches, "SOURCES", (source,))
    for by in ([], ["day"], *(rng.sample(dimensions, 2) for _ in range(4))):
        told = ask(store, Question([FIGURES[name] for name in names], SINCE, UNTIL, by))
        assert told.source == source.table
        wanted = expected(rows, by)
        assert alike(told.total.figures, wanted[()])
        if by:
            lines = {line.values: line.figures for line in told.lines}
            for values in wanted.keys() - {()}:
                figures = {name: wanted[values][name] for name in names}
                assert alike(lines.get(values, dict.fromkeys(names)), figures) or not any(figures.values()), (
                    by,
                    values,
                )
            assert lines.keys() <= wanted.keys()


def test_the_rollup_for_operations_has_what_needs_no_user_no_kind_and_no_label() -> None:
    """Whoever asks about days and names no user reads it, and not a row per user, nor the ledger."""
    assert [name for name in carried(SOURCES[0]) if name in carried(SOURCES[1])] == [
        name for name in carried(SOURCES[1]) if not any(PARTS[part].dimensions for part in FIGURES[name].needs)
    ]
    only_ledger = set(FIGURES) - {name for source in SOURCES if source is not LEDGER for name in carried(source)}
    assert {part for name in only_ledger for part in FIGURES[name].needs if PARTS[part].of(SOURCES[0]) is None} == {
        *("requests", "ok_requests", "cached_requests", "request_cost", "call_cost", "priced_call_tokens"),
        *("call_input_tokens", "call_cache_read_tokens", "gpu_cost", "measured_gpu_cost"),
        *("cpu_seconds", "busy_cpu_seconds", "held_cost", "flat_held_events"),
        *("compared_events", "compared_cost", "stated_cost"),
    }
