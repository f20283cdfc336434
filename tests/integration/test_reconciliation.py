"""Reconciliation on the real store: what slipped past is taken back, in the ledger and in every rollup, once."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from stream_jobs.base.errors import CrashError, SpendstreamError, StoreUnavailableError
from stream_jobs.cli import reconcile as command
from stream_jobs.ledger import posting
from stream_jobs.ledger import runs as ledger_turns
from stream_jobs.reconciliation import findings, journal, runs
from stream_jobs.reconciliation.findings import Finding
from stream_jobs.reconciliation.run import Outcome, Reconciler
from stream_jobs.reconciliation.runs import BusyError, LostLeaseError, Runs, Tally
from stream_jobs.reconciliation.settings import ReconciliationSettings
from stream_jobs.store.client import StoreClient
from stream_jobs.store.retention import RetentionSettings, apply_retention
from stream_jobs.store.tables import arrow_table, insert
from tests.store_server import StoreProcess, ledger_rows

pytestmark = pytest.mark.slow

ROLLUPS = ("cost_1m", "cost_1h", "cost_1d", "operations_1d")
TABLES = (
    *("ledger", "booked_ids", "blocks", "block_receipts", "response_ids"),
    *("reconciliation_runs", "reconciliation_batches", "reconciliation_findings"),
    *ROLLUPS,
)
SETTINGS = ReconciliationSettings(sources="gateway-*")


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    """A client on empty tables."""
    with StoreClient(process.settings) as store:
        for table in TABLES:
            store.command(f"DROP TABLE IF EXISTS {table}_kept")
            store.command(f"TRUNCATE TABLE {table}")
        yield store


def now() -> datetime:
    """A moment ago: what is booked then is seen by the next pass, and not taken for something of the future."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=5)


_tokens = iter(range(10**6))


def book(store: StoreClient, ids: list[str], **columns: Any) -> None:
    """A block of charges of these events: a token and an instant of its own, at the next offsets of a partition."""
    number = next(_tokens)
    columns["booked_at"] = columns.get("booked_at", now()) + timedelta(microseconds=number)
    rows = ledger_rows(
        len(ids),
        first=1000 * number,
        **{"event_id": ids, "occurred_at": now()} | columns,
    )
    insert(store.client, "ledger", rows, f"{id(store)}-{number}")


def apply(store: StoreClient, settings: ReconciliationSettings = SETTINGS) -> Outcome:
    return Reconciler(store, settings).apply("test")


def value(store: StoreClient, sql: str) -> Any:
    return store.rows(sql)[0][0]


def total(store: StoreClient, table: str) -> tuple[Any, ...]:
    unpriced = "unpriced" if table == "ledger" else "unpriced_events"
    return store.rows(
        f"SELECT sum(events), sum(ifNull(list_cost, 0)), sum(ifNull(effective_cost, 0)), "
        f"sum(ifNull(input_tokens, 0)), sum({unpriced}) FROM {table}"
    )[0]


def check_rollups(store: StoreClient) -> None:
    """Every rollup holds what the ledger holds, also per team."""
    for table in ROLLUPS:
        assert total(store, table) == total(store, "ledger"), table
        by_team = (
            "SELECT team, sum(events) AS n, sum(ifNull(list_cost, 0)) FROM {} GROUP BY team HAVING n != 0 ORDER BY ALL"
        )
        assert store.rows(by_team.format(table)) == store.rows(by_team.format("ledger")), table


def test_nothing_is_found_in_a_ledger_that_is_right(store: StoreClient) -> None:
    """Events booked once, with and without a price, are left alone."""
    book(store, [f"e{n}" for n in range(50)], response_id=[f"r{n}" for n in range(50)])
    assert apply(store).causes == {}
    assert value(store, "SELECT count() FROM ledger") == 50


def test_an_event_booked_from_two_partitions_is_counted_once(store: StoreClient) -> None:
    """Two workers that each took a copy at the same moment: the first charge stays, the other is taken back."""
    book(store, ["a", "b"])
    book(store, ["b", "c"], partition=1, booked_at=now() + timedelta(seconds=1), list_cost=Decimal("0.5"))
    outcome = apply(store)
    assert outcome.causes == {"booked_twice": 1}
    assert total(store, "ledger")[:2] == (3, Decimal("0.0052") + Decimal("0.5"))
    row = store.rows("SELECT event_id, partition, list_cost, reason_text FROM ledger WHERE entry_kind = 'retraction'")
    assert [item[:3] for item in row] == [("b", 1, Decimal("-0.5"))]
    check_rollups(store)


def test_the_same_block_inserted_twice_is_counted_once(store: StoreClient) -> None:
    """A zombie beyond the token interval books the identical range again: every row of it stands twice."""
    rows = ledger_rows(30, booked_at=now(), occurred_at=now())
    insert(store.client, "ledger", rows, f"{next(_tokens)} first")
    before = total(store, "ledger")
    insert(store.client, "ledger", rows, f"{next(_tokens)} again")
    assert apply(store).causes == {"booked_twice": 30}
    assert total(store, "ledger") == before
    check_rollups(store)
    assert apply(store).causes == {}


def test_one_call_reported_by_gateway_and_sdk_is_counted_once(store: StoreClient) -> None:
    """The configured source counts; the other's report is taken back, with a reason that names the winner."""
    book(store, ["sdk-1"], source="checkout", response_id="resp_1", team="search")
    book(store, ["gw-1"], source="gateway-eu", response_id="resp_1", team="platform", booked_at=now())
    outcome = apply(store)
    assert outcome.causes == {"response_id": 1}
    assert store.rows("SELECT event_id, reason_text FROM ledger WHERE entry_kind = 'retraction'") == [
        ("sdk-1", "reported twice: event gw-1 of gateway-eu counts")
    ]
    assert total(store, "ledger")[0] == 1
    check_rollups(store)
    assert apply(store).causes == {}
    found = store.rows("SELECT event_id, kept_event_id, kept_source, events, list_cost FROM reconciliation_findings")
    assert found == [("sdk-1", "gw-1", "gateway-eu", -1, Decimal("-0.0026"))]


def test_the_analysts_views_name_what_was_taken_back(store: StoreClient) -> None:
    """Which event does not count, which one does, and what it would have added, by source."""
    book(store, ["sdk-1", "x"], source="checkout", response_id=["resp_1", ""])
    book(store, ["gw-1"], source="gateway-eu", response_id="resp_1")
    book(store, ["x"], source="checkout", booked_at=now() + timedelta(seconds=5))
    apply(store)
    found = store.rows("SELECT event_id, source, kept_event_id, kept_source, list_cost FROM response_duplicates")
    assert found == [("sdk-1", "checkout", "gw-1", "gateway-eu", Decimal("0.0026"))]
    by_source = store.rows("SELECT source, how, events, effective_cost FROM duplicates_by_source ORDER BY how")
    assert by_source == [
        ("checkout", "booked_twice", 1, Decimal("0.0026")),
        ("checkout", "response_id", 1, Decimal("0.0026")),
    ]


def test_revisions_out_of_order_across_partitions(store: StoreClient) -> None:
    """Revision 2 was booked, then revision 1 by a worker that did not see it: the highest counts."""
    book(store, ["e"], revision=2, list_cost=Decimal(2))
    book(store, ["e"], revision=1, list_cost=Decimal(1), partition=1)
    assert apply(store).causes == {"superseded_revision": 1}
    assert total(store, "ledger")[:2] == (1, Decimal(2))
    check_rollups(store)


def test_a_late_revision_of_the_losing_report_is_taken_back_in_the_next_pass(store: StoreClient) -> None:
    """The job sees what was booked since its last pass, finds the call again, and decides as before."""
    book(store, ["sdk-1"], source="checkout", response_id="resp_1")
    book(store, ["gw-1"], source="gateway-eu", response_id="resp_1", list_cost=Decimal(3))
    apply(store)
    book(store, ["sdk-1"], source="checkout", response_id="resp_1", revision=1, list_cost=Decimal(9))
    assert apply(store).causes == {"response_id": 1}
    assert total(store, "ledger")[:2] == (1, Decimal(3))
    check_rollups(store)
    assert apply(store).causes == {}


def test_a_call_is_found_again_however_long_ago_it_was_booked(store: StoreClient) -> None:
    """The second report comes weeks later: the first is found by the index, outside of the interval looked at."""
    old = now() - timedelta(days=25)
    book(store, ["sdk-1"], source="checkout", response_id="resp_1", booked_at=old, occurred_at=old)
    assert apply(store).causes == {}
    book(store, ["gw-1"], source="gateway-eu", response_id="resp_1", occurred_at=old)
    outcome = apply(store)
    assert (outcome.causes, outcome.tally.examined) == ({"response_id": 1}, 1)


def test_one_call_under_two_names_and_a_report_sent_again_count_once(store: StoreClient) -> None:
    """The index finds them whatever the provider is called and whoever sends them; parts that differ stay."""
    book(store, ["sdk-1"], provider="openai", response_id="chatcmpl-x1")
    book(store, ["gw-1"], source="gateway-eu", provider="azure", model="gpt-4o-2024-11-20", response_id="chatcmpl-x1")
    book(store, ["batch-1", "batch-2"], source="jobs", response_id=["r1", "r2"], input_tokens=[5, 6])
    book(store, ["part-1", "part-2"], source="jobs", response_id="r3", input_tokens=[5, 6])
    book(store, ["turn-1", "turn-2"], source="jobs", provider="mistral", response_id="conv_1")
    first = apply(store)
    assert first.causes == {"response_id": 1}
    book(store, ["batch-1-again", "batch-2-again"], source="jobs", response_id=["r1", "r2"], input_tokens=[5, 6])
    assert apply(store).causes == {"response_id": 2}
    assert total(store, "ledger")[0] == 7
    taken_back = store.rows("SELECT event_id, kept_event_id FROM response_duplicates ORDER BY event_id")
    assert len(taken_back) == 3
    assert taken_back[:2] == [("batch-1-again", "batch-1"), ("batch-2-again", "batch-2")]
    check_rollups(store)
    assert apply(store).causes == {}


def test_a_constant_id_is_no_id(store: StoreClient) -> None:
    """A proxy that gives every call the same id: what was taken back while it looked like one call is put back."""
    settings = ReconciliationSettings(max_reports=5)
    book(store, ["a1", "a2"], source="a", response_id="cmpl-proxy")
    book(store, ["b1", "b2"], source="b", response_id="cmpl-proxy")
    assert apply(store, settings).causes == {"response_id": 3}
    calls = [f"c{n}" for n in range(20)]
    book(store, calls, source="c", response_id="cmpl-proxy", input_tokens=list(range(20)))
    assert apply(store, settings).causes == {"reinstated": 3}
    assert total(store, "ledger")[0] == 24
    assert value(store, "SELECT count() FROM response_duplicates") == 0
    check_rollups(store)


def test_a_response_that_is_polled_all_day_counts_once(store: StoreClient) -> None:
    """Many events with one id that say the same are one call, and stay one when more come, also without attribution."""
    settings = ReconciliationSettings(max_reports=5)
    book(store, [f"p{n:02}" for n in range(30)], response_id="resp_1", customer="acme")
    assert apply(store, settings).causes == {"response_id": 29}
    book(store, [f"q{n}" for n in range(10)], response_id="resp_1")
    assert apply(store, settings).causes == {"response_id": 10}
    assert total(store, "ledger")[0] == 1
    assert value(store, "SELECT any(customer) FROM ledger GROUP BY event_id HAVING sum(events) > 0") == "acme"
    check_rollups(store)
    assert apply(store, settings).causes == {}


def test_a_block_that_waited_for_the_store_is_seen(store: StoreClient) -> None:
    """Its rows carry the time it was fixed, hours before they were inserted; its receipt tells."""
    apply(store)
    early = now() - timedelta(hours=5)
    book(store, ["e"], booked_at=early - timedelta(days=1))
    book(store, ["e"], booked_at=early, partition=1)
    assert apply(store).causes == {}
    at = {"topic": "t", "topic_id": "topic", "partition": 1, "first_offset": 0, "last_offset": 9, "worker": "w"}
    fixed_at = value(store, "SELECT max(booked_at) FROM ledger")
    block = at | {"fixed_at": fixed_at, "price_book_version": "", "attribution_version": "", "generation": 1}
    block |= {"sender_rules": "", "refusals": ""}
    counts = dict.fromkeys(("received", "booked", "duplicates", "quarantined", "unpriced", "unknown_fields"), 1)
    for table, row in (("blocks", block), ("block_receipts", at | counts | {"completed_at": now()})):
        insert(store.client, table, arrow_table(table, [row]), f"late {next(_tokens)}")
    assert apply(store).causes == {"booked_twice": 1}


def test_entries_that_retention_may_have_thinned_out_are_left_alone(store: StoreClient) -> None:
    """The charge that counts has left the ledger with its month: what was taken back for it stays taken back."""
    old = now() - timedelta(days=70)
    book(store, ["gw-1"], source="gateway-eu", response_id="r", occurred_at=now(), booked_at=old)
    book(store, ["sdk-1"], source="checkout", response_id="r")
    assert Reconciler(store, SETTINGS).apply("test", old).causes == {"response_id": 1}
    store.command("TRUNCATE TABLE response_ids")
    for table in ("ledger", "booked_ids"):
        store.command(f"DELETE FROM {table} WHERE booked_at < now() - INTERVAL 60 DAY")
    apply_retention(store.client, RetentionSettings(ledger_days=60))
    try:
        assert Reconciler(store, SETTINGS).apply("test", old).causes == {}
    finally:
        apply_retention(store.client, RetentionSettings())
    # The guard is what holds it back: without a retention the report would count again.
    assert Reconciler(store, SETTINGS).dry_run(old).causes == {"reinstated": 1}


WRITERS: tuple[Any, ...] = (ledger_turns, runs, journal, posting)
"""Every module that inserts."""


class KilledError(CrashError):
    """Stands for kill -9."""


def _faulty(killed_at: int) -> Callable[..., None]:
    """The insert of a process that dies before its n-th one."""
    calls = iter(range(1000))

    def mortal(client: Any, table: str, rows: pa.Table, token: str, *deadline: datetime) -> None:
        if next(calls) >= killed_at:
            raise KilledError(table)
        insert(client, table, rows, token, *deadline)

    return mortal


@pytest.mark.parametrize(
    "killed_at", [0, 2, *(pytest.param(step, marks=pytest.mark.slow) for step in (1, 3, 4, 5))]
)  # 2: the plan is made, the ledger has nothing
def test_a_kill_between_any_two_steps_loses_and_doubles_nothing(
    store: StoreClient, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    """Opening the run, the plan, the ledger, the report, the mark, the end of the run: whoever runs next makes good
    what is missing."""
    book(store, ["a", "b", "c"])
    book(store, ["b", "c"], partition=1)
    with monkeypatch.context() as patch:
        mortal = _faulty(killed_at)
        for module in WRITERS:
            patch.setattr(module, "insert", mortal)
        with pytest.raises(KilledError):
            apply(store)
    monkeypatch.setattr(runs, "LEASE", timedelta(0))
    apply(store)
    assert total(store, "ledger")[0] == 3
    assert value(store, "SELECT count() FROM ledger") == 7
    assert value(store, "SELECT count() FROM reconciliation_findings") == 2
    check_rollups(store)
    assert apply(store).causes == {}


def test_an_insert_that_was_cut_before_a_rollup_is_completed(store: StoreClient) -> None:
    """The ledger has the retraction and a rollup does not: the next run repeats the batch, not the search."""
    book(store, ["a", "b"])
    book(store, ["b"], partition=1)
    store.command("RENAME TABLE cost_1h TO cost_1h_kept")
    try:
        with pytest.raises(SpendstreamError):
            apply(store)
    finally:
        store.command("RENAME TABLE cost_1h_kept TO cost_1h")
    outcome = apply(store)
    assert outcome.finished == 1
    assert total(store, "ledger")[0] == 2
    check_rollups(store)
    assert value(store, "SELECT countIf(state = 'failed') FROM reconciliation_runs") == 1


def test_two_workers_at_one_moment_post_once(store: StoreClient, process: StoreProcess) -> None:
    """One takes the run; the others do nothing."""
    book(store, [f"e{n}" for n in range(200)])
    book(store, [f"e{n}" for n in range(200)], partition=1)

    def run() -> str:
        with StoreClient(process.settings) as own:
            try:
                return str(Reconciler(own, SETTINGS).apply("test").causes)
            except BusyError:
                return "busy"

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: run(), range(4)))
    assert results.count("{'booked_twice': 200}") == 1
    assert total(store, "ledger")[0] == 200
    assert value(store, "SELECT count() FROM ledger") == 600
    check_rollups(store)


def test_two_runs_that_both_believe_it_is_their_turn_post_once(
    store: StoreClient, process: StoreProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they post is named by what they found, so ClickHouse takes it once."""
    book(store, [f"e{n}" for n in range(200)])
    book(store, [f"e{n}" for n in range(200)], partition=1)
    opened = Runs(store).open("test", now() - timedelta(hours=1), now())
    monkeypatch.setattr(Runs, "open", lambda *_: opened)

    def run() -> None:
        with StoreClient(process.settings) as own:
            Reconciler(own, SETTINGS).apply("test")

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(run) for _ in range(3)]:
            done.result()
    assert total(store, "ledger")[0] == 200
    check_rollups(store)
    assert Reconciler(store, SETTINGS).dry_run(now() - timedelta(hours=1)).causes == {}


def test_a_run_that_slept_past_its_lease_posts_nothing(store: StoreClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run was opened meanwhile: it notices before it writes."""
    at = now()
    early, late = Runs(store), Runs(store)
    run = early.open("test", at, at)
    with pytest.raises(BusyError):
        late.open("test", at, at + timedelta(seconds=10))
    early.check(run, at + timedelta(minutes=2))  # a sign of life
    with pytest.raises(BusyError):
        late.open("test", at, at + runs.LEASE + timedelta(seconds=1))
    following = late.open("test", at, at + 2 * runs.LEASE)
    assert following.number == run.number + 1
    with pytest.raises(LostLeaseError):
        early.check(run, at)
    late.close(following, at, Tally())
    assert late.last_seen() == at + 2 * runs.LEASE


def test_a_batch_whose_token_may_be_forgotten_is_looked_for(
    store: StoreClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many inserts since the crash: what is in the ledger is not inserted again under a forgotten token."""
    book(store, ["a", "b"])
    book(store, ["b"], partition=1)
    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "mark_posted", lambda *_: _faulty(0)(None, "the report", None, ""))
        with pytest.raises(KilledError):
            apply(store)
    monkeypatch.setattr(posting, "REMEMBERED_INSERTS", -1)
    monkeypatch.setattr(
        posting, "insert", lambda client, table, rows, token, at: insert(client, table, rows, f"{token} forgotten", at)
    )
    outcome = apply(store)
    assert (outcome.finished, outcome.causes) == (1, {})
    assert total(store, "ledger")[0] == 2
    assert value(store, "SELECT count() FROM reconciliation_findings") == 1


def test_a_process_that_slept_before_its_insert_is_refused(
    store: StoreClient, process: StoreProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It planned, slept past its lease, and the next run posted its batch. Its insert comes too late by the server's
    clock, whatever tokens the ledger remembers."""
    book(store, ["a", "b"])
    book(store, ["b"], partition=1)

    def late(client: Any, table: str, rows: pa.Table, token: str, not_after: datetime) -> None:
        with StoreClient(process.settings) as own, monkeypatch.context() as other:
            other.setattr(posting, "insert", insert)
            other.setattr(runs, "LEASE", timedelta(0))
            assert apply(own).finished == 1
        insert(client, table, rows, f"{token} forgotten", not_after - timedelta(seconds=posting.INSERT_DEADLINE_S + 1))

    with monkeypatch.context() as patch:
        patch.setattr(posting, "insert", late)
        with pytest.raises(StoreUnavailableError, match="came after its deadline"):
            apply(store)
    assert value(store, "SELECT count() FROM ledger") == 4
    assert value(store, "SELECT count() FROM reconciliation_findings") == 1
    check_rollups(store)
    assert apply(store).causes == {}


@pytest.mark.parametrize("inserted", [False, True])
def test_a_run_of_the_version_before_is_finished(
    store: StoreClient, monkeypatch: pytest.MonkeyPatch, inserted: bool
) -> None:
    """Its worker was replaced between the plan and the mark: its rows, in that version's form, are posted once."""
    book(store, ["a", "b"])
    book(store, ["b"], partition=1)
    found: list[Finding] = []
    Reconciler(store, SETTINGS).dry_run(on_finding=found.append)
    at = now()
    batch = findings.batch(found, 7, at)
    run = {"turn": 7, "state": "open", "at": at, "owner": "host:1:ab", "worker": "host", "trigger": "timer"}
    run |= {"since": at - timedelta(days=1), "examined": 0, "findings": 0, "entries": 0, "list_cost": 0}
    run |= {"effective_cost": 0, "detail": ""}
    insert(store.client, "reconciliation_runs", arrow_table("reconciliation_runs", [run]), "reconciliation turn 7 open")
    older = batch.entries.drop_columns(["reported_tags"])  # a column that a later version has
    plan = {"batch": batch.token, "turn": 7, "state": "planned", "at": at, "entries": 1}
    plan |= {"ledger_rows": as_bytes(older), "finding_rows": as_bytes(batch.findings)}
    rows = arrow_table("reconciliation_batches", [plan])
    insert(store.client, "reconciliation_batches", rows, f"{batch.token} planned")
    if inserted:
        insert(store.client, "ledger", batch.entries, batch.token)
    with pytest.raises(BusyError):
        apply(store)
    monkeypatch.setattr(runs, "LEASE", timedelta(0))
    outcome = apply(store)
    assert (outcome.finished, outcome.causes) == (1, {})
    assert store.rows("SELECT entry_kind, adjustment_run FROM ledger WHERE adjustment_run != ''") == [
        ("retraction", "reconciliation-7")
    ]
    assert value(store, "SELECT max(turn) FROM reconciliation_runs WHERE state = 'done'") == 8
    assert value(store, "SELECT count() FROM reconciliation_findings") == 1
    check_rollups(store)
    assert apply(store).finished == 0


def as_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def run_command(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers(dest="command"))
    args = parser.parse_args(["reconcile", *arguments])
    return int(args.run(args))


def test_the_command_shows_first_and_posts_then(
    store: StoreClient, process: StoreProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--dry-run posts nothing and exits with 1 when something is to be posted; --apply posts it; then nothing is."""
    environment: Mapping[str, str] = {
        "SPENDSTREAM_CLICKHOUSE_PORT": str(process.port),
        "SPENDSTREAM_CLICKHOUSE_USER": "spendstream",
        "SPENDSTREAM_CLICKHOUSE_PASSWORD_FILE": str(process.folder / "credentials"),
        "SPENDSTREAM_RECONCILIATION_SOURCES": "gateway-*",
    }
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    book(store, ["sdk-1"], source="checkout", response_id="resp_1")
    book(store, ["gw-1"], source="gateway-eu", response_id="resp_1")
    assert run_command("--dry-run", "--full", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["findings"], found["causes"], found["effective_cost"]) == (1, {"response_id": 1}, "-0.0026")
    assert found["first"][0]["kept_event_id"] == "gw-1"
    assert value(store, "SELECT count() FROM ledger") == 2
    assert run_command("--apply") == 0
    assert "1 entries posted: -$0.00260" in capsys.readouterr().out
    assert value(store, "SELECT count() FROM ledger") == 3
    assert run_command("--dry-run", "--since", "2026-01-01") == 0
    assert "every event counts once" in capsys.readouterr().out
