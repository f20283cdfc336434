"""Corrections of history in the real store: exact through kill -9, outages, crashes between any steps, and rivals."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from spendstream_schemas import UsageEvent
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.base.errors import ConfigError, StoreUnavailableError
from stream_jobs.base.instants import unix_micros
from stream_jobs.blocks.store import ClickHouseBlocks
from stream_jobs.facts import facts_of
from stream_jobs.ledger import posting
from stream_jobs.ledger.amounts import opposite
from stream_jobs.ledger.booked import ClickHouseLedger
from stream_jobs.ledger.columns import LEDGER_COLUMNS
from stream_jobs.ledger.versions import record_versions, recorded_book
from stream_jobs.metering.process import Metering
from stream_jobs.pricing.book import PriceBook
from stream_jobs.repricing import run as run_module
from stream_jobs.repricing import watch as watch_module
from stream_jobs.repricing.journal import Journal, RunIsOpenError
from stream_jobs.repricing.run import Corrector, Versions
from stream_jobs.repricing.selection import Chunk, Selection, kept_since, read
from stream_jobs.repricing.summary import Summary
from stream_jobs.repricing.watch import Watch
from stream_jobs.store.client import StoreClient
from stream_jobs.store.fitting import as_table
from stream_jobs.store.retention import RetentionSettings, apply_retention
from stream_jobs.store.tables import arrow_table
from stream_jobs.store.tables import insert as insert_rows
from stream_jobs.streams.model import Block, BlockOutput, SourcePartition
from tests.benchmarks import bench_reprice as bench
from tests.integration.block_writes import insert_block
from tests.store_server import StoreProcess
from tests.unit.metering.build import document, record
from tests.unit.repricing.build import book, rules

pytestmark = pytest.mark.slow

TABLES = (
    *("ledger", "booked_ids", "cost_1m", "cost_1h", "cost_1d", "operations_1d"),
    *("blocks", "block_receipts", "duplicates"),
    *("adjustment_runs", "adjustment_chunks", "price_book_versions", "attribution_versions"),
)
ROLLUPS = ("cost_1m", "cost_1h", "cost_1d", "operations_1d")
ALWAYS = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
LIST, DISCOUNT = book("list"), book("discount", {"discount_percent": "7.3"})
NO_RULES = AttributionRules.load(None)
_topics = count()


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    """A client on empty tables."""
    with StoreClient(process.settings) as store:
        for table in TABLES:
            store.command(f"TRUNCATE TABLE {table}")
        yield store


class Pipeline:
    """Metering into the store, block by block, without Kafka."""

    def __init__(self, store: StoreClient, prices: PriceBook = LIST, owners: AttributionRules = NO_RULES) -> None:
        self.store = store
        self.source = SourcePartition("usage.events.v1", f"topic-{next(_topics)}", 0)
        self.step = Metering(prices, owners, ClickHouseLedger(store), timedelta(minutes=5))
        self.offset = 0

    def compute(self, *events: tuple[str, dict[str, Any]]) -> tuple[Block, BlockOutput]:
        """What a block of these events would insert."""
        records = [record(self.offset + n, event_id, **changes) for n, (event_id, changes) in enumerate(events)]
        block = Block(
            self.source, self.offset, self.offset + len(records) - 1, datetime.now(UTC), self.step.versions(), 1
        )
        self.offset += len(records)
        return block, self.step.process(block, records)

    def insert(self, block: Block, output: BlockOutput) -> None:
        asyncio.run(insert_block(ClickHouseBlocks(self.store), block, output))

    def book(self, *events: tuple[str, dict[str, Any]]) -> None:
        self.insert(*self.compute(*events))


def some(number: int, **changes: Any) -> list[tuple[str, dict[str, Any]]]:
    """Events e0, e1, ... a minute apart; every fifth is of a model without a price."""
    return [
        (
            f"e{n}",
            {
                "tokens": 1000 + 7 * n,
                "model": "nobody-knows" if n % 5 == 4 else "gpt-4o",
                "occurred_at": f"2026-11-20T{8 + n // 60:02}:{n % 60:02}:00.123456Z",
                **changes,
            },
        )
        for n in range(number)
    ]


def corrector(store: StoreClient, prices: PriceBook = DISCOUNT, owners: AttributionRules = NO_RULES) -> Corrector:
    return Corrector(store, Versions(prices, owners))


def selection(kind: Any = "reprice", **more: Any) -> Selection:
    return Selection(kind, *ALWAYS, **more)


def totals(store: StoreClient, table: str, by: str = "team") -> list[tuple[Any, ...]]:
    """Everything that the ledger and a rollup must agree on."""
    unpriced = "sum(unpriced)" if table == "ledger" else "sum(unpriced_events)"
    return store.rows(
        f"SELECT {by}, sum(events), {unpriced}, sum(list_cost), sum(contracted_cost), sum(effective_cost), "
        f"sum(input_tokens) FROM {table} GROUP BY {by} "
        f"HAVING sum(events) != 0 OR sum(effective_cost) != 0 ORDER BY {by}"
    )


def assert_as_fresh(
    store: StoreClient, events: list[tuple[str, dict[str, Any]]], prices: PriceBook, **more: Any
) -> None:
    """Ledger and rollups hold what a pipeline with these prices would have booked, by team and price model."""
    kept = [row[1:] for table in ("ledger", *ROLLUPS) for row in totals(store, table)]
    by_model = totals(store, "cost_1h", "price_model")
    for table in ("ledger", "booked_ids", *ROLLUPS):
        store.command(f"TRUNCATE TABLE {table}")
    Pipeline(store, prices, **more).book(*events)
    assert kept == [row[1:] for table in ("ledger", *ROLLUPS) for row in totals(store, table)]
    assert by_model == totals(store, "cost_1h", "price_model")


def test_a_killed_run_is_resumed_exactly(process: StoreProcess, store: StoreClient, tmp_path: Path) -> None:
    """Dry run, apply, kill -9 in the middle, the same command again: what was posted is what the dry run said, and
    every event, the ledger and every rollup equal an oracle computed in SQL. Afterwards nothing differs any more."""
    bench.fill(store, 20_000)
    prices = bench.config(tmp_path / "config")
    chunk = ("--chunk-rows", "4000")
    before = store.rows("SELECT count() FROM ledger")
    dry = bench.finish(bench.start(process, prices, "--dry-run", *chunk))
    assert store.rows("SELECT count() FROM ledger") == before, "a dry run writes nothing"
    assert store.rows("SELECT count() FROM adjustment_runs") == [(0,)]
    posted = bench.kill_when(bench.start(process, prices, "--apply", *chunk), store, 2)
    assert posted < 5
    done = bench.finish(bench.start(process, prices, "--apply", *chunk))
    assert done["run"] == store.rows("SELECT run FROM adjustment_history WHERE state = 'done'")[0][0]
    assert store.rows("SELECT count() FROM adjustment_history") == [(1,)], "resumed, not begun anew"
    assert {**done, "outcome": 0, "run": 0} == {**dry, "outcome": 0, "run": 0}
    assert (done["adjusted"], done["events"], done["without_price"]) == (19_800, 20_000, 200)
    assert not bench.differences(store)
    again = corrector(store, PriceBook.load(prices)).look(selection())
    assert (again.adjusted, again.entries) == (0, 0)


class DiesError(Exception):
    """Stands for kill -9 at one call."""


STEPS = ("plan", "insert", "mark_posted", "close")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_crash_between_any_two_steps_posts_once(
    store: StoreClient, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    """Whichever write a run dies at, before or after it took effect: who resumes it posts the rest, exactly."""
    Pipeline(store).book(*some(40))
    where: Any = posting if step == "insert" else Journal
    real = getattr(where, step)
    calls = count()

    def mortal(*args: Any, **kwargs: Any) -> Any:
        number = next(calls)
        dies = number == (0 if step == "close" else 1)
        if dies and not after:
            raise DiesError
        result = real(*args, **kwargs)
        if dies:
            raise DiesError
        return result

    with monkeypatch.context() as patch:
        patch.setattr(where, step, mortal)
        first = corrector(store)
        with pytest.raises(DiesError):
            first.work(first.open(selection(), chunk_rows=8))
    second = corrector(store)
    summary = second.work(second.open(selection(), chunk_rows=8))
    ended = step == "close" and after  # then the second finds nothing left
    assert (summary.adjusted, summary.events, summary.without_price) == (0 if ended else 32, 40, 8)
    assert len(store.rows("SELECT DISTINCT run FROM adjustment_runs")) == (2 if ended else 1)
    assert corrector(store).look(selection()).adjusted == 0
    assert_as_fresh(store, some(40), DISCOUNT)


def test_a_rollup_that_a_crash_left_out_is_fed_by_the_repetition(
    store: StoreClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server dies between ledger and rollup: the state of the ledger alone would say that nothing is left to do."""
    Pipeline(store).book(*some(20))
    first = corrector(store)
    opened = first.open(selection())
    monkeypatch.setattr(Journal, "mark_posted", lambda *_: (_ for _ in ()).throw(DiesError()))
    store.command("DETACH TABLE cost_1h_feed")
    try:
        with pytest.raises(DiesError):
            first.work(opened)
    finally:
        store.command("ATTACH TABLE cost_1h_feed")
        monkeypatch.undo()
    assert totals(store, "ledger") != totals(store, "cost_1h"), "what the crash left behind"
    assert store.rows("SELECT count() FROM (SELECT 1)") == [(1,)]
    second = corrector(store)
    second.work(second.open(selection()))
    assert_as_fresh(store, some(20), DISCOUNT)


def test_rows_booked_between_plan_and_resumption_change_nothing_that_was_planned(
    store: StoreClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk that was planned is posted entry for entry, whatever was booked since; what came later is another
    run's."""
    pipeline = Pipeline(store)
    pipeline.book(*some(20))
    first = corrector(store)
    opened = first.open(selection())
    with monkeypatch.context() as patch:
        patch.setattr(posting, "insert", lambda *_: (_ for _ in ()).throw(DiesError()))
        with pytest.raises(DiesError):
            first.work(opened)
    more = some(30)[20:]
    pipeline.book(*more)
    second = corrector(store)
    assert second.work(second.open(selection())).adjusted == 16
    assert second.work(second.open(selection())).adjusted == 8
    assert_as_fresh(store, some(30), DISCOUNT)


def test_a_process_that_slept_before_its_insert_is_refused(
    process: StoreProcess, store: StoreClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked, slept, and another process finished the run meanwhile. Its insert comes too late by the server's
    clock, whatever tokens the ledger remembers; it looks again, posts nothing, and says what the run came to."""
    Pipeline(store).book(*some(10))
    sleeper = corrector(store)
    opened = sleeper.open(selection())
    seen = count()

    def late(client: Any, table: str, rows: Any, token: str, not_after: datetime) -> None:
        if next(seen) == 0:
            with StoreClient(process.settings) as own, monkeypatch.context() as other:
                other.setattr(posting, "insert", insert_rows)
                corrector(own).work(opened)
            not_after -= timedelta(seconds=posting.INSERT_DEADLINE_S + 1)
            token += " forgotten"
        insert_rows(client, table, rows, token, not_after)

    monkeypatch.setattr(posting, "insert", late)
    monkeypatch.setattr(run_module, "RETRY_S", 0.01)
    assert sleeper.work(opened).adjusted == 8
    monkeypatch.undo()
    assert_as_fresh(store, some(10), DISCOUNT)


def test_a_run_that_was_abandoned_posts_no_more(
    process: StoreProcess, store: StoreClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the chunk that was being planned meanwhile."""
    Pipeline(store).book(*some(10))
    mine = corrector(store)
    opened = mine.open(selection())
    plan = mine.journal.plan

    def abandoned(planned: Any) -> Any:
        with StoreClient(process.settings) as own:
            Journal(own).abandon(opened)
        return plan(planned)

    monkeypatch.setattr(mine.journal, "plan", abandoned)
    with pytest.raises(ConfigError, match="was ended by somebody else"):
        mine.work(opened)
    assert store.rows("SELECT count() FROM ledger WHERE adjustment_run != ''") == [(0,)]


@pytest.mark.parametrize("inserted", [False, True])
def test_a_run_of_the_version_before_is_finished(store: StoreClient, inserted: bool) -> None:
    """It was cut between a chunk's plan and its mark: what that version wrote down is posted, once, and nothing else;
    the chunk that it had not planned is computed."""
    Pipeline(store).book(*some(4))
    asked = selection()
    low, middle, high = (unix_micros(datetime(2026, 11, 20, 8, minute, tzinfo=UTC)) for minute in (0, 2, 30))
    name, now = "20261120T120000-0123abcd", datetime.now(UTC)
    run = {"turn": 3, "run": name, "state": "open", "at": now, "kind": "reprice", "operator": "me@host", "note": ""}
    run |= {"since": asked.since, "until": asked.until, "filters": [], "price_book_version": DISCOUNT.version}
    run |= {"attribution_version": NO_RULES.version, "details": ""}
    run |= {"chunks": f"[[0, {low}, {middle}, 0, 1, null], [1, {middle}, {high}, 0, 1, null], [2, 0, 1, 0, 1, 0]]"}
    run |= dict.fromkeys(("events", "adjusted", "entries", "list_cost", "contracted_cost", "effective_cost"), 0)
    insert_rows(store.client, "adjustment_runs", arrow_table("adjustment_runs", [run]), "adjustment-turn:3")
    charge = read(store, asked, Chunk(0, low, middle)).to_pylist()[0]
    entry = opposite(charge) | {"booked_at": now, "adjustment_run": f"{name}/0", "entry_kind": "adjustment"}
    entries = as_table(LEDGER_COLUMNS, [entry | {"events": 0, "input_tokens": None, "effective_cost": Decimal("-0.1")}])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, LEDGER_COLUMNS, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(entries)
    plan = {"run": name, "chunk": 0, "state": "planned", "at": now, "attempt": "0" * 32, "events": 2, "adjusted": 1}
    plan |= {"entry_count": 1, "details": Summary(events=2, adjusted=1, entries=1).to_json()}
    rows = arrow_table("adjustment_chunks", [plan | {"entries": bytes(sink.getvalue())}])
    insert_rows(store.client, "adjustment_chunks", rows, f"adjustment:{name}:0:planned")
    if inserted:
        insert_rows(store.client, "ledger", entries, f"adjustment:{name}:0:entries")
    mine = corrector(store)
    summary = mine.work(mine.open(selection()))
    assert (summary.events, summary.adjusted) == (4, 3)
    posted = store.rows(
        "SELECT adjustment_run, event_id, effective_cost < -0.05 FROM ledger WHERE adjustment_run != ''"
    )
    assert sorted(posted) == [(f"{name}/0", charge["event_id"], 1), (f"{name}/1", "e2", 0), (f"{name}/1", "e3", 0)]
    assert store.rows("SELECT run, state FROM adjustment_history") == [(name, "done")]
    assert all(totals(store, table) == totals(store, "ledger") for table in ROLLUPS)


def test_many_processes_on_one_run_post_once(process: StoreProcess, store: StoreClient) -> None:
    """Two operators resume the same run at the same moment: the first plan of each chunk counts, for both."""
    Pipeline(store).book(*some(30))
    opened = corrector(store).open(selection(), chunk_rows=5)

    def work(_: int) -> int:
        with StoreClient(process.settings) as own:
            return corrector(own).work(opened).adjusted

    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(work, range(3))) == {24}
    assert_as_fresh(store, some(30), DISCOUNT)


def test_of_many_who_open_a_run_one_has_the_turn(process: StoreProcess, store: StoreClient) -> None:
    """Two different corrections at once would both post the same difference: one is refused, and told which runs."""
    Pipeline(store).book(*some(10))
    barrier = threading.Barrier(6)

    def open_one(number: int) -> str | None:
        with StoreClient(process.settings) as own:
            mine = corrector(own)
            barrier.wait()
            try:
                return mine.open(selection(models=(f"gpt-{number}*",))).run
            except RunIsOpenError as error:
                return error.open_run.run

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(open_one, range(6)))) == 1
    journal = Journal(store)
    latest = journal.latest()
    assert latest is not None
    assert latest[1] == "open"
    journal.abandon(latest[0])
    assert corrector(store).open(selection()).number == latest[0].number + 1


def test_a_run_waits_for_a_store_that_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9 of ClickHouse while entries are posted: the run goes on when it is back, nothing is lost or doubled."""
    monkeypatch.setattr(run_module, "RETRY_S", 0.05)
    process = StoreProcess.made(tmp_path / "store")
    try:
        with StoreClient(process.settings) as store:
            Pipeline(store).book(*some(60))
            real, calls = insert_rows, count()

            def insert(*args: Any) -> None:
                nonlocal process
                number = next(calls)
                if number == 2:
                    process.kill()
                    process = StoreProcess(tmp_path / "store", port=process.port).wait_ready()
                real(*args)
                if number == 4:
                    process.kill()
                    process = StoreProcess(tmp_path / "store", port=process.port).wait_ready()
                    raise StoreUnavailableError("the answer was lost")

            monkeypatch.setattr(posting, "insert", insert)
            mine = corrector(store)
            assert mine.work(mine.open(selection(), chunk_rows=6)).adjusted == 48
            assert_as_fresh(store, some(60), DISCOUNT)
    finally:
        process.kill()


def test_revisions_and_corrections_in_any_order(store: StoreClient) -> None:
    """A revision takes back the charge and its adjustment; a correction after it corrects the new charge only."""
    pipeline = Pipeline(store)
    pipeline.book(*some(6))
    mine = corrector(store)
    mine.work(mine.open(selection()))
    revised = [(name, {**changes, "tokens": 5, "revision": 1}) for name, changes in some(6)[:2]]
    pipeline.book(*revised)
    old = "SELECT sum(effective_cost), sum(events) FROM ledger WHERE revision = 0 AND event_id IN ('e0', 'e1')"
    assert store.rows(old) == [(Decimal(0), 0)]
    assert mine.work(mine.open(selection())).adjusted == 2
    assert_as_fresh(store, [*revised, *some(6)[2:]], DISCOUNT)


def test_a_correction_that_a_revision_crossed_is_settled_by_itself(store: StoreClient) -> None:
    """The revision was computed before the adjustment, and booked after the run had ended: nobody took the adjustment
    back. The worker's watch finds it."""
    pipeline = Pipeline(store)
    pipeline.book(*some(4))
    revision = pipeline.compute(("e0", {**some(1)[0][1], "tokens": 5, "revision": 1}))
    mine = corrector(store)
    mine.work(mine.open(selection()))
    pipeline.insert(*revision)
    leftover = store.rows("SELECT sum(effective_cost) FROM ledger WHERE event_id = 'e0' AND revision = 0")
    assert leftover != [(Decimal(0),)]
    record_versions(store, DISCOUNT, NO_RULES, None)
    Watch(lambda: store, Versions(DISCOUNT, NO_RULES)).tick(store)
    assert store.rows("SELECT sum(effective_cost) FROM ledger WHERE event_id = 'e0' AND revision = 0") == [
        (Decimal(0),)
    ]
    assert store.rows("SELECT note FROM adjustment_history ORDER BY started_at DESC LIMIT 1") == [
        ("a revision crossed a correction",)
    ]
    assert totals(store, "ledger") == totals(store, "cost_1d")
    runs = store.rows("SELECT count() FROM adjustment_history")
    Watch(lambda: store, Versions(DISCOUNT, NO_RULES)).tick(store)
    assert store.rows("SELECT count() FROM adjustment_history") == runs


def test_moved_events_move_in_every_rollup(store: StoreClient) -> None:
    """Rules that are applied to history give what they would have given: totals and counts by team, and overall the
    same as before."""
    owners = rules(
        {"name": "a", "when": {"model": "gpt-4o"}, "fill": {"team": "search", "cost_center": "CC-1"}},
        {"name": "b", "when": {"model": {"glob": "nobody-*"}}, "set": {"team": "ads"}},
    )
    events = some(20, attribution={"customer": "acme"})
    Pipeline(store).book(*events)
    before = store.rows("SELECT sum(events), sum(effective_cost), sum(unpriced) FROM ledger")
    mine = corrector(store, LIST, owners)
    dry = mine.look(selection("reattribute"))
    done = mine.work(mine.open(selection("reattribute")))
    assert dry == done
    assert (done.adjusted, done.difference()) == (20, (0, 0, 0))
    assert store.rows("SELECT sum(events), sum(effective_cost), sum(unpriced) FROM ledger") == before
    assert [(row[0], row[1]) for row in totals(store, "cost_1d")] == [("ads", 4), ("search", 16)]
    assert [
        row[0] for row in store.rows("SELECT cost_center FROM cost_1h GROUP BY 1 HAVING sum(events) != 0 ORDER BY 1")
    ] == ["", "CC-1"]
    assert_as_fresh(store, events, LIST, owners=owners)


def test_as_booked_and_as_repriced_are_both_there(store: StoreClient) -> None:
    """One row per event in each view: what it was booked with, and what it costs and whose it is now."""
    pipeline = Pipeline(store)
    pipeline.book(*some(5))
    for kind in ("reprice", "reattribute"):
        mine = corrector(store, DISCOUNT, rules({"name": "a", "fill": {"team": "search"}}))
        mine.work(mine.open(selection(kind)))
    pipeline.book(("e1", {**some(2)[1][1], "tokens": 5, "revision": 1}))
    booked = store.rows(
        "SELECT event_id, revision, team, effective_cost, price_book_version FROM costs_as_booked ORDER BY 1"
    )
    now = store.rows(
        "SELECT event_id, revision, team, effective_cost, price_book_version FROM costs_as_repriced ORDER BY 1"
    )
    assert booked[0] == ("e0", 0, "", Decimal("0.0025"), "list")
    assert now[0] == ("e0", 0, "search", Decimal("0.0025") * Decimal("0.927"), "discount")
    assert booked[1] == now[1] == ("e1", 1, "", Decimal("0.0000125"), "list")
    assert (booked[4][3], now[4][2:4]) == (None, ("search", None))
    assert store.rows("SELECT sum(effective_cost) FROM costs_as_repriced") == store.rows(
        "SELECT sum(effective_cost) FROM cost_1h"
    )


def test_after_repricing_the_views_savings_are_those_of_the_engine_today(store: StoreClient) -> None:
    """Input is dearer, reads from the cache cost what they cost: nothing costs more, and what they saved is more."""
    usages = [{"kind": "tokens", "input_tokens": n, "cache_read_tokens": n - n % 2 * 7} for n in range(1000, 1020)]
    events: list[tuple[str, dict[str, Any]]] = [
        (f"e{n}", {"usage": usage, "model": "gpt-4o"}) for n, usage in enumerate(usages)
    ]
    Pipeline(store).book(*events)
    dearer = book("dearer", {"scope": {"models": ["gpt-4o"]}, "contract": {"input_mtok": "3.1"}})
    mine = corrector(store, dearer)
    assert mine.look(selection()).compared == 10, "the other half had some input that is dearer"
    mine.work(mine.open(selection()))
    engine = [dearer.price(facts_of(UsageEvent.model_validate(document(name, **more)))) for name, more in events]
    saving = Decimal(sum(one.cache_saving or 0 for one in engine)).scaleb(-12)
    cost = Decimal(sum(one.effective_cost or 0 for one in engine)).scaleb(-12)
    for table in ("operations", "operations_1d", "ledger"):
        assert store.rows(f"SELECT sum(cache_saving), sum(effective_cost) FROM {table}") == [(saving, cost)]
    assert mine.look(selection()).adjusted == 0


UNPRICED = some(10, model="nobody-knows")


def with_price(version: str = "with price") -> PriceBook:
    """A book in which the unknown model has a price."""
    from stream_jobs.pricing.corrections import CorrectionFile

    document = {
        "provider": "openai",
        "entries": [{"models": ["nobody-knows"], "source": "https://example.com", "checked": "2026-11-01",
                    "prices": {"input_mtok": 3, "output_mtok": 9}}],
    }  # fmt: skip
    return PriceBook.of(correction_files=[CorrectionFile.model_validate(document)], version=version)


def test_usage_without_a_price_prices_itself_when_the_price_arrives(store: StoreClient) -> None:
    """A worker with a book that has the price posts it at its first look, once, however many workers look."""
    Pipeline(store).book(*UNPRICED)
    prices = with_price()
    record_versions(store, LIST, NO_RULES, None)
    old = Watch(lambda: store, Versions(LIST, NO_RULES))
    old.tick(store)
    assert store.rows("SELECT count() FROM adjustment_runs") == [(0,)], "nothing to do yet"
    record_versions(store, prices, NO_RULES, None)
    for _ in range(3):
        for watch in (old, Watch(lambda: store, Versions(prices, NO_RULES))):
            watch.tick(store)
    assert store.rows("SELECT kind, state, adjusted, entries FROM adjustment_history") == [("unpriced", "done", 10, 20)]
    assert store.rows("SELECT sum(unpriced) FROM ledger") == [(0,)]
    assert store.rows("SELECT count() FROM unpriced_usage") == [(0,)]
    assert_as_fresh(store, UNPRICED, prices)


def test_the_watch_goes_on_with_a_run_whose_worker_died(store: StoreClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a hand: another worker, or the same one after its restart, finishes what was begun."""
    Pipeline(store).book(*UNPRICED)
    prices = with_price()
    record_versions(store, prices, NO_RULES, None)
    with monkeypatch.context() as patch:
        patch.setattr(posting, "insert", lambda *_: (_ for _ in ()).throw(DiesError()))
        with pytest.raises(DiesError):
            Watch(lambda: store, Versions(prices, NO_RULES)).tick(store)
    watch = Watch(lambda: store, Versions(prices, NO_RULES))
    watch.tick(store)
    assert store.rows("SELECT state FROM adjustment_history") == [("open",)], "its worker may still live"
    monkeypatch.setattr(watch_module, "IDLE_AFTER", timedelta(0))
    watch.tick(store)
    assert store.rows("SELECT state, adjusted FROM adjustment_history") == [("done", 10)]
    assert_as_fresh(store, UNPRICED, prices)


def test_a_recorded_price_book_can_be_used_again(store: StoreClient, tmp_path: Path) -> None:
    """History can be priced with the book of that time: the store holds everything it was made of."""
    folder = bench.config(tmp_path / "config")
    book_of_then = PriceBook.load(folder)
    record_versions(store, book_of_then, NO_RULES, folder)
    again = recorded_book(store, book_of_then.version)
    assert again.version == book_of_then.version
    Pipeline(store, book_of_then).book(*some(10))
    assert corrector(store, again).look(selection()).adjusted == 0
    with pytest.raises(ConfigError, match="no worker ever used a price book 'x'"):
        recorded_book(store, "x")


def test_a_run_is_not_resumed_with_other_prices(store: StoreClient) -> None:
    """Half of history by one book and half by another would be wrong: the error says what to do."""
    Pipeline(store).book(*some(10))
    opened = corrector(store).open(selection())
    with pytest.raises(ConfigError, match=f"--abandon {opened.run}"):
        corrector(store, LIST).work(opened)


def test_a_crowded_minute_is_cut_by_event(store: StoreClient) -> None:
    """More entries in one minute than a chunk may have: each event is in exactly one chunk, with all its entries."""
    crowd = some(40, occurred_at="2026-11-20T08:00:00.000001Z")
    Pipeline(store).book(*crowd, ("late", {"occurred_at": "2026-11-20T09:00:00Z"}))
    mine = corrector(store)
    opened = mine.open(selection(), chunk_rows=7)
    assert [chunk.parts for chunk in opened.chunks] == [6] * 6 + [1, 1]
    assert mine.work(opened).adjusted == 33
    assert mine.look(selection(), chunk_rows=3).adjusted == 0
    assert_as_fresh(store, [*crowd, ("late", {"occurred_at": "2026-11-20T09:00:00Z"})], DISCOUNT)


def test_what_retention_may_have_dropped_is_left_alone(store: StoreClient) -> None:
    """How far back the ledger is whole is read from the table itself, with a day to spare for merges that are late."""
    Pipeline(store).book(*some(5))
    now = datetime.now(UTC)
    apply_retention(store.client, RetentionSettings(ledger_days=400))
    assert kept_since(store, now) == now - timedelta(days=399)
    assert corrector(store).look(selection()).adjusted == 4
    store.command("ALTER TABLE ledger REMOVE TTL")
    assert kept_since(store, now) < now - timedelta(days=10_000)


def test_filters_choose_events(store: StoreClient) -> None:
    """By model (with *), provider and time; the other events stay as they are."""
    Pipeline(store).book(*some(10), ("m", {"model": "gpt-4o-mini", "occurred_at": "2026-11-01T00:00:00Z"}))
    mine = corrector(store)
    assert mine.look(selection(models=("gpt-4o",))).adjusted == 8
    assert mine.look(selection(models=("gpt-4o*",))).adjusted == 9
    assert mine.look(selection(models=("gpt_4o", "nobody%"))).events == 0
    assert mine.look(selection(providers=("openai",))).events == 11
    assert mine.look(selection(providers=("azure",))).events == 0
    late = Selection("reprice", datetime(2026, 11, 20, 8, 3, tzinfo=UTC), datetime(2026, 11, 20, 8, 9, tzinfo=UTC))
    assert mine.look(late).events == 6


def test_the_watch_runs_and_stops_with_its_worker(process: StoreProcess, store: StoreClient) -> None:
    """As a thread, with a connection of its own: it posts what there is, and stops at once when it is told to."""
    Pipeline(store).book(*UNPRICED)
    prices = with_price()
    record_versions(store, prices, NO_RULES, None)
    done = threading.Event()

    class Told(StoreClient):
        def close(self) -> None:
            super().close()
            done.set()

    watch = Watch(lambda: Told(process.settings), Versions(prices, NO_RULES), interval_s=0.01)
    watch.timer.start()
    try:
        while store.rows("SELECT sum(unpriced) FROM ledger") != [(0,)]:
            assert not done.wait(0.02), "the thread ended"
    finally:
        watch.timer.stop(30)
    assert done.wait(30)
    assert_as_fresh(store, UNPRICED, prices)
