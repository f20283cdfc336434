"""Figures against the ledger: by every dimension, from rollups as from the ledger, whatever is booked and asked."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from stream_jobs.economics import stretches
from stream_jobs.economics.asked import Question
from stream_jobs.economics.dimensions import OTHERS, TIMES, scope
from stream_jobs.economics.figures import FIGURES
from stream_jobs.economics.parts import PARTS
from stream_jobs.economics.question import Answer, ask, figures_named
from stream_jobs.series.history import LEDGER
from stream_jobs.series.measures import DIMENSIONS
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from tests import commands
from tests.integration.pipeline import COMMAND
from tests.integration.test_series_history import NASTY, NOW, Booked
from tests.store_server import StoreProcess, ledger_rows

SINCE, UNTIL = datetime(2026, 10, 20, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
BY = (*DIMENSIONS, *OTHERS, *TIMES, "labels.tenant", f"labels.{NASTY}")


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        for seed in (1, 2):
            Booked(store, seed)
        yield store


def answer(store: StoreClient, *names: str, by: Sequence[str] = (), where: Sequence[str] = (), **asked: Any) -> Answer:
    """Of the whole time in which something was booked, if nothing else is said."""
    asked = {"since": SINCE, "until": UNTIL} | asked
    return ask(store, Question(figures_named(names or FIGURES), by=by, where=scope(where), **asked))


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("zone", ["UTC", pytest.param("Asia/Kolkata", marks=pytest.mark.slow)])
def test_what_adds_up_adds_up_to_its_total_by_every_dimension(store: StoreClient, by: str, zone: str) -> None:
    """The lines of every additive figure come to the total, and that is the ledger's, to the last digit."""
    found = answer(store, by=[by, "team"], zone=ZoneInfo(zone))
    plain = answer(store)
    for name, figure in FIGURES.items():
        assert found.total.figures[name] == plain.total.figures[name]
        if figure.additive:
            lines = [Fraction(line.figures[name] or 0) for line in found.lines]
            assert sum(lines, Fraction(0)) == Fraction(found.total.figures[name] or 0), name
    ((cost, events),) = store.rows("SELECT sum(ifNull(effective_cost, 0)), sum(events) FROM ledger")
    assert (plain.total.effective_cost, plain.total.events) == (cost, events)
    assert len({line.values for line in found.lines}) == len(found.lines) > 1


def test_a_rollup_says_what_the_ledger_says(store: StoreClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every figure that a rollup has, by everything that it can be cut by, in one zone and another."""
    asked = [
        (["team", "model"], "UTC", "operations_1d"),
        (["customer", "region"], "UTC", "operations_1d"),
        (["source"], "Asia/Kolkata", "operations_1d"),
        (["day"], "Asia/Kolkata", "cost_1m"),
        (["day"], "Europe/Berlin", "cost_1h"),
        (["day", "team"], "UTC", "operations_1d"),
    ]
    names = [
        name
        for name, figure in FIGURES.items()
        if all(PARTS[part].rollup for part in figure.needs) and not any(PARTS[part].dimensions for part in figure.needs)
    ]
    for by, zone, table in asked:
        rolled = answer(store, *names, by=by, zone=ZoneInfo(zone))
        assert rolled.source == table
        with monkeypatch.context() as patched:
            patched.setattr(stretches, "SOURCES", (LEDGER,))
            booked = answer(store, *names, by=by, zone=ZoneInfo(zone))
        assert booked.source == "ledger"
        told = [line for line in booked.lines if any(line.figures.values())]
        assert [line for line in rolled.lines if any(line.figures.values())] == told
    assert answer(store, "users", "cost_per_user").source == "cost_1d"
    assert answer(store, "effective_cost", until=UNTIL - timedelta(seconds=1)).source == (
        "operations_1d+cost_1h+cost_1m+ledger"
    )
    assert answer(store, "effective_cost", by=["labels.tenant"]).source == "ledger"


@pytest.mark.parametrize(
    "where",
    [
        ["team=a"],
        [f"team={NASTY}"],
        ["team="],
        ["team=a*"],
        [f"labels.{NASTY}={NASTY}"],
        ['source={"none_of": ["a"]}'],
        ["labels.tenant=x", "region=a"],
        ["model=served"],
        ["team=a", f"team={NASTY}"],
    ],
)
def test_a_scope_and_its_opposite_are_everything(store: StoreClient, where: list[str]) -> None:
    """Hostile names and values are values; what a filter leaves out is what it does not name."""
    inside = answer(store, "effective_cost", "events", where=where).total
    by = [text.partition("=")[0] for text in where]
    lines = answer(store, "effective_cost", "events", by=list(dict.fromkeys(by))).lines
    conditions = scope(where)
    among = [
        line
        for line in lines
        if all(on.holds(value) for (_, on), value in zip(conditions.items(), line.values, strict=True))
    ]
    assert inside.effective_cost == sum((line.effective_cost for line in among), Decimal(0))
    assert inside.events == sum(line.events for line in among)


def test_as_of_an_instant_only_what_was_booked_until_then_counts(store: StoreClient) -> None:
    """Each block comes at an instant of its own: the answer grows with them, from nothing to everything."""
    instants = [row[0] for row in store.rows("SELECT DISTINCT booked_at FROM ledger ORDER BY booked_at")]
    seen = [answer(store, "entries", as_of=at.replace(tzinfo=UTC)).total.figures["entries"] for at in instants]  # type: ignore[attr-defined]
    assert seen == sorted(set(map(int, seen)))  # type: ignore[arg-type]
    assert seen[-1] == answer(store, "entries").total.figures["entries"]
    assert answer(store, "entries", as_of=NOW - timedelta(days=999)).total.figures == {"entries": 0}


def test_unit_economics_of_a_hundred_requests(process: StoreProcess) -> None:
    """100 requests of gpt-4o at 2000/500, 10 cancelled at 2000/0, 10 errors: 0.85, per ok request 0.010625, 0.80. With
    20 of 100 from the own cache: hit rate 0.20, per request 0.008, per call 0.01, still $4.00 per million tokens."""
    with StoreClient(process.settings) as store:
        at, later = datetime(2026, 8, 1, 12, tzinfo=UTC), datetime(2026, 9, 1, 12, tzinfo=UTC)
        kinds = ["ok"] * 80 + ["cancelled"] * 10 + ["error"] * 10
        costs = [Decimal("0.01")] * 80 + [Decimal("0.005")] * 10 + [Decimal(0)] * 10
        rows = ledger_rows(
            100, first=1000, occurred_at=at, status=kinds, effective_cost=costs, list_cost=costs, contracted_cost=costs
        )
        insert(store.client, "ledger", rows, "unit-1")
        cached = [True] * 20 + [False] * 80
        paid = [Decimal(0)] * 20 + [Decimal("0.01")] * 80
        tokens = {"input_tokens": [None] * 20 + [2000] * 80, "output_tokens": [None] * 20 + [500] * 80}
        rows = ledger_rows(
            100,
            first=2000,
            occurred_at=later,
            status="ok",
            cached_response=cached,
            effective_cost=paid,
            list_cost=paid,
            contracted_cost=paid,
            **tokens,
        )
        insert(store.client, "ledger", rows, "unit-2")
        rows = ledger_rows(
            5,
            first=3000,
            occurred_at=later,
            model="nobody-knows",
            status="ok",
            effective_cost=None,
            list_cost=None,
            contracted_cost=None,
            unpriced_reason="unknown_model",
            unallocated=["team"],
        )
        insert(store.client, "ledger", rows, "unit-3")
        day = timedelta(days=1)
        names = ("request_cost", "cost_per_ok_request", "api_efficiency", "gpu_utilization", "cost_per_user")
        first = answer(store, *names, since=at - day, until=at + day)
        assert first.total.figures == {
            "request_cost": Decimal("0.85"),
            "cost_per_ok_request": Decimal("0.010625"),
            "api_efficiency": Decimal("0.8"),
            "gpu_utilization": None,
            "cost_per_user": None,
        }
        assert "the user is known for 0.0 % of the cost only" in first.warnings()[-1]
        cached_names = ("cache_hit_rate", "cost_per_request", "cost_per_provider_call", "cost_per_million_tokens")
        second = answer(store, *cached_names, since=later - day, until=later + day, where=["model=gpt-4o"])
        assert second.total.figures == {
            "cache_hit_rate": Decimal("0.2"),
            "cost_per_request": Decimal("0.008"),
            "cost_per_provider_call": Decimal("0.01"),
            "cost_per_million_tokens": Decimal(4),
        }
        third = answer(store, "cost_per_million_tokens", since=later - day, until=later + day)
        assert third.total.figures == {"cost_per_million_tokens": Decimal(4)}, "what has no price has no tokens either"
        assert third.warnings() == ["5 of 105 events have no price yet: no cost covers them"]


def test_who_has_no_event_left_is_no_user(process: StoreProcess) -> None:
    """Taken back, or moved to another team: not where it was, and once where it is. So say ledger and rollup."""
    with StoreClient(process.settings) as store:
        at = datetime(2026, 7, 1, 12, tzinfo=UTC)
        who = [("stays", "a", "charge"), ("stays", "a", "charge"), ("goes", "a", "charge"), ("moves", "a", "charge"),
               ("stays", "a", "retraction"), ("goes", "a", "retraction"), ("moves", "a", "retraction"),
               ("moves", "b", "charge")]  # fmt: skip
        for number, (user, team, kind) in enumerate(who):
            cost = Decimal(-1 if kind == "retraction" else 1)
            rows = ledger_rows(
                1, first=number, occurred_at=at, user_id=user, team=team, entry_kind=kind, effective_cost=cost
            )
            insert(store.client, "ledger", rows, f"users-{number}")
        for hours in (24, 13):
            asked = answer(store, "users", "cost_per_user", by=["team"], since=at - timedelta(hours=12),
                           until=at + timedelta(hours=hours - 12))  # fmt: skip
            assert asked.source == {24: "cost_1d", 13: "ledger"}[hours]
            assert asked.total.figures == {"users": 2, "cost_per_user": Decimal(1)}
            assert {line.values: line.figures["users"] for line in asked.lines} == {("a",): 1, ("b",): 1}


VIEWS = {
    "cost_by_team": (["day", "team"], ("effective_cost", "contracted_cost", "list_cost", "events", "unpriced_events")),
    "cost_by_customer": (["day", "customer"], ("effective_cost", "events", "unpriced_events")),
    "operations": (
        ["day", "team", "feature", "provider", "model"],
        ("effective_cost", "errors", "error_cost", "ok_cost", "cancelled", "retries", "billed_input_tokens",
         "busy_gpu_seconds", "idle_cost", "cache_saving", "p50_latency_ms", "p99_latency_ms", "p95_cost"),
    ),
    "cache_hit_rate": (
        ["day", "provider", "model", "feature"],
        ("input_tokens", "cache_read_tokens", "cache_write_tokens", "events", "cached_responses", "avoided_cost",
         "token_hit_rate", "response_hit_rate"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_says_what_the_registry_says(store: StoreClient, view: str) -> None:
    """Its columns are the figures of their names: sums to the last digit, shares as far as a float goes."""
    by, names = VIEWS[view]
    keys = ", ".join(f"toString({name})" for name in by)
    rows = store.rows(f"SELECT {keys}, {', '.join(names)} FROM {view} WHERE day >= '2026-10-20' AND day < '2026-11-01'")
    found: dict[tuple[str, ...], list[Any]] = {}
    for row in rows:
        found.setdefault(tuple(map(str, row[: len(by)])), []).append(row[len(by) :])
    lines = {line.values: line.figures for line in answer(store, *names, by=by).lines}
    for key, figures in lines.items():
        for at, name in enumerate(names):
            shown, exact = [row[at] for row in found[key]], figures[name]
            if FIGURES[name].additive:
                assert sum(map(Fraction, shown), Fraction(0)) == Fraction(exact or 0), name
            elif exact is not None:
                assert list(map(float, shown)) == [pytest.approx(float(exact), abs=1e-11, rel=1e-9)], name
    assert lines


OTHER_NAMES = {
    ("operations", "ok_events"): "ok",
    ("operations", "known_gpu_seconds"): "measured_gpu_seconds",
    ("unallocated_share", "share"): "unallocated_share",
    ("unpriced_usage", "held"): "held_cost",
    ("unpriced_usage", "events_of_unknown_models"): "flat_held_events",
    ("stated_costs", "our_cost"): "compared_cost",
    ("stated_costs", "stated_for_them"): "stated_cost",
    ("request_cost", "unpriced"): "unpriced_events",
    ("compute_by_hour", "unpriced"): "unpriced_events",
}
"""Columns of views that had a name before the figure had one."""
NO_FIGURES = {
    "operations": {"latency_buckets", "latency_spread", "cost_buckets", "spread"},  # what its quantiles are read from
    "daily_trend": {"day_before", "week_before"},  # the same figure of other days
    "compute_by_hour": {"accelerator_count", "seconds"},  # of one entry
    "stated_costs": {"difference", "only_stated_events", "only_stated_cost"},  # of what has no price of ours
    "unpriced_usage": {"input_tokens_without_price", "output_tokens_without_price"},  # of the entries that it lists
    **{view: {"revision"} for view in ("costs_as_booked", "costs_as_repriced", "response_duplicates")},
}
OF_SOMETHING_ELSE = {
    *("adjustment_history", "alert_delivery_status", "alert_history", "alerts_open", "budget_history", "budget_status"),
    *("conservation", "duplicates_by_source", "duplicates_from_others", "prices_now", "quarantine_open"),
    *("anomalies", "anomalies_open", "anomaly_history"),
    *(
        "budget_forecasts_now",
        "demand_ahead",
        "drivers_ahead",
        "forecast_quality",
        "forecast_runs_now",
        "forecasts_now",
    ),
}
"""Views of alerts, anomalies, budgets, forecasts, prices and records; no cost or usage of the ledger."""


def test_every_number_that_a_view_shows_is_a_figure(store: StoreClient) -> None:
    """By the figure's name, or one of those above: a figure that is not in the registry does not exist."""
    columns = store.rows(
        "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() "
        "AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View')"
    )
    numbers = [
        (str(view), str(name)) for view, name, kind in columns
        if view not in OF_SOMETHING_ELSE and any(word in str(kind) for word in ("Int", "Decimal", "Float"))
    ]  # fmt: skip
    assert len(numbers) > 50
    assert [
        (view, name) for view, name in numbers
        if OTHER_NAMES.get((view, name), name) not in FIGURES and name not in NO_FIGURES.get(view, ())
    ] == []  # fmt: skip
    assert OTHER_NAMES.keys() <= set(numbers)


def command(process: StoreProcess, *flags: str) -> tuple[int, str, str]:
    """`spendstream figures ...` on the store."""
    where = ("--url", process.url) if flags and flags[0] == "show" else ()
    done = commands.run("figures", *flags, *where)
    return done.returncode, done.stdout, done.stderr


TIME = ("--from", "2026-10-20", "--to", "2026-11-01")


def test_the_command_says_the_same_as_json_csv_parquet_and_to_people(
    process: StoreProcess, store: StoreClient, tmp_path: Path
) -> None:
    """One answer: exact in three forms, and rounded lines that add up to their total."""
    names = ("effective_cost", "error_rate", "users")
    told = answer(store, *names, by=["team"])
    code, out, _ = command(process, "show", *names, *TIME, "--by", "team", "--json")
    document = json.loads(out)
    assert code == 0
    assert [line["figures"] for line in document["lines"]] == [
        {name: value if isinstance(value, int) or value is None else f"{value:f}".rstrip("0").rstrip(".") or "0"
         for name, value in line.figures.items()} for line in told.lines
    ]  # fmt: skip
    assert document["total"]["coverage"]["events"] == told.total.events
    assert document["source"] == "cost_1d"
    assert document["spread"] is False
    document = json.loads(command(process, "show", *names, *TIME, "--by", "team", "--spread", "--json")[1])
    assert (document["spread"], document["source"], document["total"]["coverage"]["events"]) == (
        True, "ledger", told.total.events,
    )  # fmt: skip
    code, out, _ = command(process, "show", *names, *TIME, "--by", "team", "--csv")
    rows = list(csv.reader(io.StringIO(out)))
    assert rows[0][:4] == ["team", *names]
    assert [Decimal(row[1]) for row in rows[1:]] == [line.effective_cost for line in told.lines]
    code, out, _ = command(process, "show", *names, *TIME, "--by", "team", "--parquet", "--out", str(tmp_path / "f"))
    assert (code, out) == (0, f"written to {tmp_path / 'f'}\n")
    table = pq.read_table(tmp_path / "f")
    assert table.column("effective_cost").to_pylist() == [line.effective_cost for line in told.lines]
    nobody = ("--where", "team=nobody", "--by", "team", "--parquet", "--out", str(tmp_path / "nobody"))
    assert command(process, "show", *names, *TIME, *nobody)[0] == 0
    assert pq.read_table(tmp_path / "nobody").schema == table.schema, "types do not depend on what is found"
    shown_to_people = [*COMMAND, "figures", "show", *names, *TIME, "--by", "team", "--url", process.url]
    done = subprocess.run(shown_to_people, capture_output=True, text=True, timeout=60, check=True)
    lines = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    shown = [Decimal(line[1].replace(",", "")) for line in lines[1:]]
    assert sum(shown[:-1]) == shown[-1] == round(told.total.effective_cost, 2)
    assert "have no price yet" in done.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["efective_cost"], "did you mean effective_cost"),
        (["events", "--by", "taem"], "did you mean team"),
        (["events", "--where", "team"], "write NAME=VALUE"),
        (["events", "--where", "team' OR 1=1"], "is no dimension"),
        (["events", "--month", "2026-13"], "no month like 2026-10"),
        (["events", "--month", "2026-10", "--from", "2026-10-01"], "--month, or --from and --to"),
        (["events", "--timezone", "Mars/Base"], "--timezone 'Mars/Base'"),
        (["events", "--from", "2026-11-01", "--to", "2026-10-01"], "the time is empty"),
        (["events", "--from", "yesterday"], "no time like"),
        (["events", "--as-of", "0001-01-01"], "out of range"),
        (["events", "--json", "--csv"], "one of --json"),
        (["events", "--parquet"], "needs --out FILE"),
        (["events", "--out", "x"], "--out goes with"),
        (["events", "--from", "2000-01-01", "--by", "day", "--spread"], "or ask by month"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(process: StoreProcess, flags: list[str], said: str) -> None:
    """Exit code 2, and what to do."""
    code, out, err = command(process, "show", *flags)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_month_is_one_of_the_time_zone(process: StoreProcess, store: StoreClient) -> None:
    """The first instants of October in Berlin are in September in UTC."""
    code, out, _ = command(process, "show", "events", "--month", "2026-10", "--timezone", "Europe/Berlin", "--json")
    document = json.loads(out)
    assert (document["from"], document["to"]) == ("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z")
    assert document["total"]["figures"]["events"] == answer(store, "events").total.events
    code, out, _ = command(process)
    assert code == 0
    assert all(name in out for name in FIGURES)


RATES = """
currencies:
  EUR: [{usd: "1.08", valid_from: 2026-01-01, source: "ECB, 2 January"}, {usd: "1.11", valid_from: 2026-10-25}]
  JPY: [{usd: "0.0067", valid_from: 2026-10-25}]
"""


def test_figures_in_another_currency_are_the_same_at_the_rate_of_the_first_day(
    process: StoreProcess, store: StoreClient, tmp_path: Path
) -> None:
    """Money, also per something, is the exact quotient, rounded once; counts and shares stay; the rate is said."""
    (tmp_path / "currencies.yaml").write_text(RATES)
    names = ("effective_cost", "cost_per_request", "unallocated_share", "events")
    here = ("--config-dir", str(tmp_path))
    in_usd = answer(store, *names, by=["team"])
    code, out, err = command(process, "show", *names, *TIME, "--by", "team", *here, "--currency", "eur", "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["currency"], document["rate"]) == (
        "EUR", {"usd": "1.08", "valid_from": "2026-01-01", "source": "ECB, 2 January"}
    )  # fmt: skip
    assert document["figures"]["cost_per_request"]["unit"] == "EUR per request"
    assert "EUR has another rate from 2026-10-25 on" in err
    for told, line in zip(document["lines"], in_usd.lines, strict=True):
        got, usd = told["figures"], line.figures
        assert (got["events"], got["unallocated_share"] is None) == (usd["events"], usd["unallocated_share"] is None)
        exact = Fraction(line.effective_cost) / Fraction("1.08")
        assert abs(Fraction(got["effective_cost"]) - exact) * 2 <= Fraction(1, 10**12)
        assert Fraction(told["coverage"]["effective_cost"]) == Fraction(got["effective_cost"])
    code, out, _ = command(process, "show", *names, *TIME, *here, "--currency", "EUR", "--csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row["currency"], row["rate_usd"], row["rate_valid_from"]) == ("EUR", "1.08", "2026-01-01")
    code, out, _ = command(process, "show", *names, *TIME, *here, "--currency", "EUR")
    assert "1 EUR = 1.08 USD, the rate from 2026-01-01 on (ECB, 2 January)" in out
    out_file = str(tmp_path / "f")
    assert command(process, "show", *names, *TIME, *here, "--currency", "EUR", "--parquet", "--out", out_file)[0] == 0
    assert pq.read_table(out_file).column("rate_usd").to_pylist() == [Decimal("1.08")]
    for currency, said in (("JPY", "no rate of JPY on 2026-10-20"), ("XXX", "there are USD, EUR, JPY")):
        code, out, err = command(process, "show", *names, *TIME, *here, "--currency", currency)
        assert (code, out) == (2, "")
        assert said in err
