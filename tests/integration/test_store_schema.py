"""Migrations, views, queries and retention on the embedded store."""

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from stream_jobs.base.errors import ConfigError
from stream_jobs.cli import migrate as migrate_command
from stream_jobs.cli import query as query_command
from stream_jobs.report.figures import Figures
from stream_jobs.report.requests import dearest
from stream_jobs.store.client import StoreClient, connect
from stream_jobs.store.migrate import applied_migrations, migrate, pending
from stream_jobs.store.migrations import Migration, load_migrations
from stream_jobs.store.queries import INTERNAL, named_queries
from stream_jobs.store.retention import KEPT_FOR_EVER, RetentionSettings, apply_retention
from stream_jobs.store.tables import (
    DEADLINE_TABLES,
    INSERT_BEFORE,
    LEDGER_DEFAULTS,
    TABLES,
    insert,
)
from stream_jobs.store.views import load_views
from tests.integration.pipeline import until
from tests.store_server import StoreProcess, ledger_rows


@dataclass
class Stores:
    """One store for all tests of this module, until one of them changes its schema: the next test has another."""

    folder: Path
    running: StoreProcess | None = None
    schema: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def intact(self) -> StoreProcess:
        """With today's schema."""
        if self.running is not None and self._read() != self.schema:
            self.close()
        if self.running is None:
            self.made += 1
            self.running = StoreProcess.made(self.folder / f"store-{self.made}")
            self.schema = self._read()
        return self.running

    def _read(self) -> dict[str, str]:
        """All that makes a table or a function, and what was applied."""
        assert self.running is not None
        with self.running.connect() as client:
            rows = client.query(
                "SELECT name, create_table_query FROM system.tables WHERE database = 'spendstream' "
                "UNION ALL SELECT name, create_query FROM system.functions WHERE origin != 'System' "
                "UNION ALL SELECT concat('applied ', toString(number)), concat(name, checksum) "
                "FROM schema_migrations"
            ).result_rows
        return {str(name): str(made) for name, made in rows}

    def close(self) -> None:
        if self.running is not None:
            self.running.kill()
        self.running = None


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    stores = Stores(tmp_path_factory.mktemp("store"))
    yield stores
    stores.close()


@pytest.fixture
def store(stores: Stores) -> StoreProcess:
    return stores.intact()


@pytest.fixture
def client(store: StoreProcess) -> Iterator[Client]:
    """A client on empty tables."""
    with store.connect() as client:
        filled = client.query(
            "SELECT name FROM system.tables WHERE database = 'spendstream' AND engine LIKE '%MergeTree' "
            "AND total_rows > 0 AND name != 'schema_migrations'"
        )
        for (name,) in filled.result_rows:
            client.command(f"TRUNCATE TABLE `{name}`")
        yield client


EMPTY_WHEN_ALL_IS_WELL = {"quarantine", "accounting", "rollup_difference", "anomalies", "anomaly_marks"}
OF_CORRECTIONS = (
    "quarantine_open",
    "adjustment_history",
    "duplicates_by_source",
    "duplicates_from_others",
    "response_duplicates",
)
"""Views that are empty while nothing was refused, sent twice or corrected."""
OF_COMPUTE = ("compute_by_hour",)
"""Views that are empty while only calls of models are booked."""
OF_ALERTS = (
    *("alerts_open", "alert_history", "alert_delivery_status", "budget_status", "budget_history"),
    *("anomalies", "anomalies_open", "anomaly_history"),
    *("forecast_runs_now", "forecasts_now", "budget_forecasts_now", "forecast_quality", "demand_ahead"),
    "drivers_ahead",
)
"""Views that are empty while there are no budgets and nothing was found."""


def command(module: ModuleType, *arguments: str) -> int:
    """Run a subcommand as `spendstream` does."""
    parser = argparse.ArgumentParser()
    module.add_parser(parser.add_subparsers())
    args = parser.parse_args([module.__name__.rpartition(".")[2], *arguments])
    return int(args.run(args))


def test_the_tables_are_what_the_code_declares(client: Client) -> None:
    """No drift: each declared column is in the table with a fitting type, and what isn't declared has a DEFAULT."""
    for table, schema in TABLES.items():
        live = {row[0]: (row[1], row[2]) for row in client.query(f"DESCRIBE TABLE {table}").result_rows}
        declared = {one.name: one.type for one in schema}
        deadline = {one.name: one.type for one in INSERT_BEFORE} if table in DEADLINE_TABLES else {}
        optional = {*deadline, *(LEDGER_DEFAULTS if table == "ledger" else ())}
        assert list(declared) == [name for name in live if name not in deadline], table
        for name, kind in (declared | deadline).items():
            assert _fits(kind, live[name][0]), f"{table}.{name}: {kind} and {live[name][0]}"
        assert all(live[name][1] == "DEFAULT" for name in optional)


def _fits(kind: pa.DataType, clickhouse: str) -> bool:
    plain = re.sub(r"(Nullable|LowCardinality)\(((?:[^()]|\([^()]*\))*)\)", r"\2", clickhouse)
    if pa.types.is_list(kind):
        return plain.startswith("Array(") and _fits(kind.value_type, plain[6:-1])
    expected = {
        pa.string(): r"String|Enum8\(.*\)",
        pa.binary(): "String",
        pa.int64(): "Int64",
        pa.int32(): "Int32",
        pa.int8(): "Int8",
        pa.uint16(): "UInt16",
        pa.uint32(): "UInt32",
        pa.uint64(): "UInt64",
        pa.float64(): "Float64",
        pa.float32(): "Float32",
        pa.bool_(): "Bool",
        pa.timestamp("s", tz="UTC"): r"DateTime\('UTC'\)",
        pa.timestamp("us", tz="UTC"): r"DateTime64\(6, 'UTC'\)",
        pa.timestamp("ms", tz="UTC"): r"DateTime64\(3, 'UTC'\)",
        pa.decimal128(38, 12): r"Decimal\(38, 12\)",
        pa.decimal128(38, 18): r"Decimal\(38, 18\)",
        pa.decimal128(9, 3): r"Decimal\(9, 3\)",
        pa.map_(pa.string(), pa.string()): r"Map\(String, String\)",
    }[kind]
    return re.fullmatch(expected, plain) is not None


def test_every_insertable_table_remembers_tokens(client: Client) -> None:
    """A table or a view's target without a deduplication window would count a redo twice."""
    rows = client.query(
        "SELECT name, create_table_query FROM system.tables WHERE database = 'spendstream' AND engine LIKE '%MergeTree'"
    ).result_rows
    without = [name for name, sql in rows if "non_replicated_deduplication_window = " not in sql]
    assert without == ["schema_migrations"]


def test_prorate_is_exact(client: Client) -> None:
    """For all that Decimal(38, 12) and counts hold, where the engine's own arithmetic wraps; cut off toward zero."""
    money = [Decimal(text) for text in ("16.48", "0", "-16.48", "0.000000000001", "1e14", "99999999999999999999999999")]
    counts = [Decimal(0), Decimal(1), Decimal(3400), Decimal(4800), Decimal(2**64 - 1), Decimal("-7")]
    for amount in money:
        for part in (*counts, *money):
            rows = [(amount, part, whole) for whole in (*counts, *money)]
            values = ", ".join(f"('{a:f}', '{b:f}', '{c:f}')" for a, b, c in rows)
            found = client.query(
                "SELECT prorate(toDecimal128(a, 12), toDecimal128(b, 12), toDecimal128(c, 12)) AS is, 1 "
                f"FROM values('a String, b String, c String', {values}) "
                "WHERE abs(toFloat64(a) * toFloat64(b)) <= 9e25 * greatest(abs(toFloat64(c)), 1e-12)"
            ).result_rows
            fitting = [
                row for row in rows if abs(float(row[0]) * float(row[1])) <= 9e25 * max(abs(float(row[2])), 1e-12)
            ]
            assert [row[0] for row in found] == [exactly(*row) for row in fitting]
    one = client.query("SELECT prorate(16.48::Decimal(38, 12), 3400, 4800), prorate(NULL, 1, 2)").result_rows[0]
    assert one == (Decimal("11.673333333333"), None)
    with pytest.raises(DatabaseError, match="overflow"):
        client.query("SELECT prorate(toDecimal128('99999999999999999999999999', 12), 3, 1)")


def exactly(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal | None:
    if not whole:
        return None
    exact = Fraction(amount) * Fraction(part) / Fraction(whole) * 10**12
    return Decimal(int(exact)).scaleb(-12, Context(prec=60))  # `int` cuts off toward zero


def test_nobody_defines_other_functions(client: Client, store: StoreProcess) -> None:
    """A function is the whole engine's: only those of the migrations, by whoever may write, and read by everybody."""
    with pytest.raises(DatabaseError, match="CREATE FUNCTION mine"):
        client.command("CREATE FUNCTION mine AS x -> x")
    with pytest.raises(DatabaseError, match="CREATE FUNCTION mine"):
        client.command("CREATE OR REPLACE FUNCTION mine AS prorate -> prorate")
    with connect(store.read_settings) as reader:
        with pytest.raises(DatabaseError, match="may read"):
            reader.command("CREATE OR REPLACE FUNCTION prorate AS x -> x")
        assert reader.query("SELECT prorate(1, 1, 2)").result_rows == [(Decimal("0.5"),)]


def test_running_again_changes_nothing(client: Client, store: StoreProcess) -> None:
    """The second run applies nothing; what is recorded has number, name, checksum and time."""
    assert migrate(store.settings) == []
    applied = applied_migrations(store.settings)
    assert [(row.number, row.name, row.checksum) for row in applied] == [
        (migration.number, migration.name, migration.checksum) for migration in load_migrations()
    ]
    assert pending(load_migrations(), applied) == []


@pytest.mark.slow
def test_two_runs_at_once_are_harmless(client: Client, store: StoreProcess) -> None:
    """Both end well, and each migration counts as applied once."""
    client.command("DROP VIEW cost_1m_feed")
    client.command("DROP TABLE cost_1m")
    client.command("TRUNCATE TABLE schema_migrations")
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(migrate, store.settings) for _ in range(4)]:
            future.result()
    assert len(applied_migrations(store.settings)) == len(load_migrations())
    insert(client, "ledger", ledger_rows(3), "once")
    assert client.command("SELECT sum(events) FROM cost_1m") == 3


@pytest.mark.slow
def test_a_cut_migration_is_healed_by_running_again(client: Client, store: StoreProcess) -> None:
    """A run that dies between two statements of a migration leaves nothing that stops the next one."""
    first, *rest = load_migrations()
    broken = [first, *rest, Migration(len(rest) + 2, "two_steps", "x", ("CREATE TABLE IF NOT EXISTS made (a Int8) "
              "ENGINE = MergeTree ORDER BY a", "ALTER TABLE nothing MODIFY COMMENT 'x'"))]  # fmt: skip
    with pytest.raises(Exception, match="nothing"):
        migrate(store.settings, broken)
    fixed = [*broken[:-1], replace(broken[-1], statements=(broken[-1].statements[0],))]
    assert [migration.number for migration in migrate(store.settings, fixed)] == [len(fixed)]
    assert first.number == 1


@pytest.mark.slow
def test_a_changed_or_unknown_migration_is_refused(client: Client, store: StoreProcess) -> None:
    """History that differs from the files stops the run before anything is changed."""
    first, *rest = load_migrations()
    with pytest.raises(ConfigError, match=r"0001_ledger\.sql was changed after it was applied"):
        migrate(store.settings, [replace(first, checksum="other"), *rest])
    with pytest.raises(ConfigError, match=f"{[first, *rest][-1].label}, which this version does not know"):
        migrate(store.settings, [first, *rest][:-1])


def test_views_and_queries_run_and_add_up(client: Client) -> None:
    """Every view and every named query works on real rows, and the views by dimension all sum to the ledger."""
    now = datetime.now(UTC)
    for number in range(3):
        rows = ledger_rows(
            40,
            first=40 * number,
            occurred_at=[now - timedelta(hours=n) for n in range(40)],
            booked_at=now,
            effective_cost=[Decimal(n + 1) / 1000 for n in range(40)],
            team=["search", ""][number % 2],
            unallocated=[["cost_center"]] * 40 if number else [[]] * 40,
            user_id=[f"u{n % 7}" for n in range(40)],
        )
        insert(client, "ledger", rows, f"views-{number}")
    costs = {"list_cost": [None], "contracted_cost": [None], "effective_cost": [None]}
    rows = ledger_rows(1, first=900, booked_at=now, occurred_at=now, unpriced_reason="unknown_model", **costs)
    insert(client, "ledger", rows, "views-unpriced")
    rows = ledger_rows(1, first=901, booked_at=now, occurred_at=now)
    for name, value in {"events": 1, "unpriced": 0, "reported_tags": [], "stated_cost": Decimal("0.003")}.items():
        column = TABLES["ledger"].field(name)
        rows = rows.append_column(column, pa.array([value], column.type))
    insert(client, "ledger", rows, "views-stated")
    total = client.command("SELECT sum(effective_cost) FROM ledger")
    for name in load_views():
        rows_of_view = client.query(f"SELECT * FROM {name}").result_rows
        assert rows_of_view or name in (*OF_CORRECTIONS, *OF_COMPUTE, *OF_ALERTS, "prices_now"), name  # no worker ran
    for name in ("team", "project", "model", "feature", "customer", "user", "category"):
        assert client.command(f"SELECT sum(effective_cost) FROM cost_by_{name}") == total, name
    unpriced = client.query("SELECT unpriced_reason, unpriced_events FROM unpriced_usage").result_rows
    assert unpriced == [("unknown_model", 1)]
    for query in (query for query in named_queries().values() if not query.parameters):
        assert client.query(query.sql).column_names or query.name in EMPTY_WHEN_ALL_IS_WELL, query.name
    assert client.query(named_queries()["top_requests"].sql).result_rows


def test_a_day_is_compared_with_days_that_are_known(client: Client) -> None:
    """NULL, not 0, where there is no earlier day; the day that is not over stands beside no whole one."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for days, cost in ((0, "4"), (1, "3"), (2, "2"), (8, "1")):
        at = today - timedelta(days=days)
        rows = ledger_rows(1, occurred_at=at, event_id=f"e{days}", effective_cost=Decimal(cost))
        insert(client, "ledger", rows, f"day-{days}")
    found = client.query(
        "SELECT dateDiff('day', day, toDate(now('UTC'))), effective_cost, day_before, week_before "
        "FROM daily_trend ORDER BY day"
    ).result_rows
    one, two, three = Decimal(1), Decimal(2), Decimal(3)
    assert found == [(8, one, None, None), (2, two, None, None), (1, three, two, one)]


def test_people_are_ranked_not_their_teams(client: Client) -> None:
    """Whoever spends for several teams is one person; what has no user is nobody's."""
    for number, (user, team, cost) in enumerate(
        [("ann", "a", "3"), ("ann", "b", "3"), ("bob", "a", "5"), ("", "a", "99"), ("cat", "", "1")]
    ):
        who: dict[str, Any] = {"user_id": user, "team": team, "effective_cost": Decimal(cost)}
        rows = ledger_rows(1, occurred_at=datetime.now(UTC), event_id=f"e{number}", **who)
        insert(client, "ledger", rows, f"people-{number}")
    found = client.query(named_queries()["top_users"].sql).result_rows
    assert [(row[0], row[1], row[2]) for row in found] == [
        ("ann", "a, b", Decimal(6)),
        ("bob", "a", Decimal(5)),
        ("cat", "", Decimal(1)),
    ]


def test_a_request_costs_what_its_last_revision_says(client: Client) -> None:
    """Its model too; NULL, never 0, once it has no price, by a revision or by a correction; what was taken
    back is no request; and the view comes to what the ledger comes to."""
    now = datetime.now(UTC)

    def book(number: int, event_id: str, kind: str, cost: str | None, **columns: Any) -> None:
        amount = None if cost is None else Decimal(cost)
        columns |= dict.fromkeys(("list_cost", "contracted_cost", "effective_cost"), amount)
        columns |= {"entry_kind": kind, "booked_at": now + timedelta(seconds=number), "occurred_at": now}
        rows = ledger_rows(1, **({"event_id": [event_id]} | columns))
        for name in ("events", "unpriced"):
            if name in columns:
                rows = rows.append_column(name, pa.array([columns[name]], pa.int8()))
        insert(client, "ledger", rows, f"revised-{number}")

    unknown: dict[str, Any] = {"model": "unheard-of", "unpriced_reason": "unknown_model"}
    for event_id in ("dearer", "unpriced", "back", "corrected"):
        book(ord(event_id[0]), event_id, "charge", "3")
    for event_id in ("dearer", "unpriced", "back"):
        book(200 + ord(event_id[0]), event_id, "retraction", "-3")
    book(400, "dearer", "charge", "5", revision=1, model="o3", team="other")
    book(401, "unpriced", "charge", None, revision=1, **unknown)
    book(402, "corrected", "adjustment", "-3", events=-1, unpriced=0)
    book(403, "corrected", "adjustment", None, events=1, unpriced=1, unpriced_reason="unknown_model")
    columns = "event_id, model, team, effective_cost, list_cost, unpriced"
    assert client.query(f"SELECT {columns} FROM request_cost ORDER BY event_id").result_rows == [
        ("corrected", "gpt-4o", "search", None, None, 1),
        ("dearer", "o3", "other", Decimal(5), Decimal(5), 0),
        ("unpriced", "unheard-of", "search", None, None, 1),
    ]
    for table in ("ledger", "request_cost"):
        assert client.query(f"SELECT sum(effective_cost) FROM {table}").result_rows == [(Decimal(5),)]
    figures = Figures(client)
    figures.period = {"start": now - timedelta(hours=1), "end": now + timedelta(hours=1)}
    calls, _ = dearest(figures, model_calls=9, others=9)
    assert [(one.event_id, one.model, one.cost) for one in calls] == [("dearer", "o3", Decimal(5))]


def test_what_requests_cost_is_read_from_the_time_asked_for(client: Client) -> None:
    """A range of time reads that range of the ledger: not all of it, to be sorted out afterwards."""
    now = datetime.now(UTC)
    for days in range(0, 40, 4):
        at = [now - timedelta(days=days + number // 3_000, minutes=5) for number in range(12_000)]
        insert(client, "ledger", ledger_rows(12_000, first=days * 3_000, occurred_at=at), f"read-{days}")
    assert client.query("SELECT count() FROM request_cost").result_rows == [(120_000,)]
    for sql in (
        "SELECT sum(effective_cost) FROM request_cost WHERE occurred_at > now() - INTERVAL 1 DAY",
        named_queries()["top_requests"].sql,
    ):
        statistics = json.loads(client.raw_query(sql, fmt="JSON"))["statistics"]
        assert 0 < statistics["rows_read"] < 20_000, sql


def test_what_our_pages_ask_is_no_question_for_people(client: Client) -> None:
    """The list has what somebody would ask; all of both run."""
    assert not [name for name in named_queries() if name.startswith("report_")]
    assert "budget_crossing_event" in named_queries(INTERNAL)


def test_quarantine_open_hides_what_was_replayed(client: Client) -> None:
    """A replay is a row of its own; raw bytes come back as they were."""
    now = datetime.now(UTC)
    raw = bytes(range(256))
    base = {"quarantined_at": now, "topic": "usage.events.v1", "topic_id": "t", "partition": 0, "record_timestamp": now,
            "key": b"\xff", "raw": raw, "raw_size": 256, "raw_sha256": "x", "reason": "not_json"}  # fmt: skip
    rows = [{**dict.fromkeys(TABLES["quarantine"].names, ""), **base, "offset": offset} for offset in (1, 2)]
    insert(client, "quarantine", pa.Table.from_pylist(rows, TABLES["quarantine"]), "q")
    replay = {"replayed_at": now, "topic_id": "t", "partition": 0, "offset": 1, "new_topic": "usage.events.v1",
              "new_partition": 0, "new_offset": 9, "operator": "me", "note": ""}  # fmt: skip
    insert(client, "quarantine_replays", pa.Table.from_pylist([replay], TABLES["quarantine_replays"]), "r")
    assert client.query("SELECT offset FROM quarantine_open").result_rows == [(2,)]
    assert client.query("SELECT hex(raw) FROM quarantine_open").result_rows == [(raw.hex().upper(),)]


def test_retention_is_set_and_can_be_changed(client: Client) -> None:
    """Every table that grows has a TTL; a second run with other numbers replaces it; fresh rows stay."""
    insert(client, "ledger", ledger_rows(3, booked_at=datetime.now(UTC)), "keep")
    for days in (400, 500):
        expressions = apply_retention(client, RetentionSettings(ledger_days=days))
        for table in expressions:
            assert "TTL " in str(client.command(f"SHOW CREATE TABLE {table}")), table
        assert f"toIntervalDay({days})" in str(client.command("SHOW CREATE TABLE ledger"))
    insert(client, "ledger", ledger_rows(2, first=50, booked_at=datetime(2024, 1, 1, tzinfo=UTC)), "old")
    client.command("OPTIMIZE TABLE ledger FINAL")
    assert client.command("SELECT count() FROM ledger") == 3


@pytest.mark.slow
def test_what_is_due_leaves_by_itself(client: Client) -> None:
    """Rows past their time go without being asked to, also those that were there before the setting was changed; what
    is not due stays, and another table's rows stay too."""
    now = datetime.now(UTC)
    apply_retention(client, RetentionSettings(ledger_days=400))
    insert(client, "ledger", ledger_rows(3, booked_at=now), "now")
    insert(client, "ledger", ledger_rows(3, first=50, booked_at=now - timedelta(days=200)), "older")
    insert(client, "ledger", ledger_rows(3, first=90, booked_at=now - timedelta(days=450)), "oldest")
    left(client, "ledger", 6)
    apply_retention(client, RetentionSettings(ledger_days=100))
    left(client, "ledger", 3)
    assert client.command("SELECT count() FROM booked_ids") == 9, "ids outlive the ledger: a copy is still known"
    assert client.command("SELECT sum(events) FROM cost_1d") == 9, "the rollups do too"


def left(client: Client, table: str, rows: int) -> None:
    until(lambda: client.command(f"SELECT count() FROM {table}") == rows, 30, f"{rows} rows left")


def test_a_ttl_that_is_in_force_is_not_set_again(client: Client) -> None:
    """`up` applies the settings at every start: tables that need no change are not touched."""
    apply_retention(client, RetentionSettings(quarantine_days=91))
    before = mutated(client)
    apply_retention(client, RetentionSettings(quarantine_days=92))
    assert mutated(client) - before == Counter({"quarantine": 1, "quarantine_replays": 1})


def mutated(client: Client) -> Counter[str]:
    """How often each table's parts were told a new TTL."""
    rows = client.query("SELECT table, count() FROM system.mutations GROUP BY table").result_rows
    return Counter({str(table): int(count) for table, count in rows})


def test_every_table_either_forgets_or_is_kept_on_purpose(client: Client) -> None:
    """A new table that grows needs a TTL; and ClickHouse keeps no log of its own that would grow."""
    limited = set(apply_retention(client, RetentionSettings()))
    rows = client.query(
        "SELECT name FROM system.tables WHERE engine LIKE '%MergeTree' AND database = currentDatabase()"
    )
    assert {str(name) for (name,) in rows.result_rows} == limited | KEPT_FOR_EVER
    logs = client.query("SELECT name FROM system.tables WHERE database = 'system' AND engine LIKE '%MergeTree'")
    assert logs.result_rows == []


def test_ids_must_outlive_the_ledger() -> None:
    """Else a copy of an event would be booked beside the event itself."""
    with pytest.raises(ValueError, match=r"must not be less than ledger_days \(600\)"):
        RetentionSettings(ledger_days=600)


def test_ids_are_looked_up_in_parts(client: Client, store: StoreProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ids hold (quotes, JSON, placeholders, line breaks), and in however many parts they are asked for, the
    answer names exactly the known ones, as rows and as columns."""
    monkeypatch.setattr("stream_jobs.store.client.MAX_IDS_BYTES", 50_000)
    odd = ["it's", '"', "\\", "\\'", "{own:String}", "a\n\t\x00b", "é😀", "%s", "/* -- ;", "['x']", "$tag$"]
    ids = [*odd, *(f"{'x' * 100}-{number}" for number in range(3000))]
    insert(client, "ledger", ledger_rows(len(ids), event_id=ids), "many")
    asked = [*ids, *(f"unknown-{number}'\\" for number in range(2000))]
    with StoreClient(store.settings) as asking:
        sql = "SELECT event_id FROM booked_ids WHERE event_id IN {ids:Array(String)} AND event_id != {none:String}"
        none: dict[str, object] = {"none": "'"}
        assert sorted(str(row[0]) for row in asking.rows_for_ids(sql, asked, none)) == sorted(ids)
        assert sorted(asking.arrow_for_ids(sql, asked, none)["event_id"].to_pylist()) == sorted(ids)
        assert asking.arrow_for_ids(sql, ["unknown"], none).num_rows == 0


def test_query_command(client: Client, store: StoreProcess, capfd: pytest.CaptureFixture[str]) -> None:
    """Decimals are exact in the table and strings in JSON; more than 1,000 rows are cut with a word about it."""
    insert(client, "ledger", ledger_rows(1, list_cost=Decimal("12345678901234.000000000001")), "one")

    def run(*arguments: str) -> int:
        return command(query_command, *arguments, "--url", store.url)

    assert run("SELECT event_id, list_cost, input_tokens FROM ledger") == 0
    assert "12345678901234.000000000001" in capfd.readouterr().out
    assert run("--json", "SELECT event_id, list_cost, input_tokens FROM ledger") == 0
    row = json.loads(capfd.readouterr().out)
    assert row == {"event_id": "e0", "list_cost": "12345678901234.000000000001", "input_tokens": 1000}
    assert run("SELECT number FROM numbers(1500)") == 0
    shown = capfd.readouterr()
    assert "only the first 1000 rows" in shown.err
    assert shown.out.endswith("\n999\n")
    assert "1000" not in shown.out
    for name in ("CSVWithNames", "CSV"):
        assert run("--format", name, "SELECT 1 AS a") == 0
        assert capfd.readouterr().out == '"a"\n1\n'
    assert run("--format", "CSVWithNames", "SELECT 1 AS a") == 0
    assert capfd.readouterr().out == '"a"\n1\n'
    assert run("SELECT {a:String} AS b", "--param", "a=it's") == 0
    assert "it's" in capfd.readouterr().out
    assert run("--name", "top_features") == 0
    assert "effective_cost" in capfd.readouterr().out
    with pytest.raises(ConfigError, match="top_features: The ten most expensive"):
        run("--name", "nothing")


@pytest.mark.slow
def test_migrate_command(
    client: Client, store: StoreProcess, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--status and --dry-run change nothing; a run applies, sets the retention and says so."""
    monkeypatch.setenv("SPENDSTREAM_CLICKHOUSE_PORT", str(store.port))
    monkeypatch.setenv("SPENDSTREAM_CLICKHOUSE_USER", "spendstream")
    monkeypatch.setenv("SPENDSTREAM_CLICKHOUSE_PASSWORD_FILE", str(store.folder / "credentials"))
    client.command("DROP VIEW cost_1m_feed")
    client.command("DROP TABLE cost_1m")
    client.command("TRUNCATE TABLE schema_migrations")

    def run(*arguments: str) -> int:
        return command(migrate_command, *arguments)

    assert run("--dry-run") == 0
    assert "CREATE TABLE IF NOT EXISTS cost_1m" in capfd.readouterr().out
    assert client.command("EXISTS TABLE cost_1m") == 0
    assert run() == 0
    assert f"{len(load_migrations())} migrations applied" in capfd.readouterr().out
    assert run("--status", "--json") == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert len(rows) == len(load_migrations())
    assert all(row["applied_at"] for row in rows)
    assert "TTL" in str(client.command("SHOW CREATE TABLE cost_1m"))


def test_the_files_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory does not matter; a folder without migrations is an error, not a success."""
    monkeypatch.chdir(tmp_path)
    assert load_migrations()
    with pytest.raises(ConfigError, match=r"no \.sql files found"):
        load_migrations(tmp_path)
