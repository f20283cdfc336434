"""The feeds between our own jobs and the services: no message, of any bytes, keeps another from being heard."""

import json
import struct
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendstream.guard.records import decode as guard_decode
from spendstream_schemas.alert_feed import AlertSignal
from spendstream_schemas.budget_feed import record_key
from stream_jobs.alerts.book import AlertBook
from stream_jobs.alerts.handler import parse
from stream_jobs.alerts.model import packed, unpacked
from stream_jobs.alerts.notifiers import alertmanager, grafana, mail, pagerduty, slack, webhook
from stream_jobs.alerts.outbox import Outbox
from stream_jobs.alerts.routing import Routing
from stream_jobs.alerts.rows import delivery_row, event_rows, silence_rows
from stream_jobs.base.errors import ConfigError
from stream_jobs.budget_terms import control
from stream_jobs.budget_terms.control import Definitions, change_from_json
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.budgets.book import BudgetBook
from stream_jobs.budgets.feed import BudgetFeed
from stream_jobs.budgets.history import _crossing
from stream_jobs.budgets.period_rows import period_rows
from stream_jobs.budgets.speaker import Speaker
from stream_jobs.series.delta import SCHEMA, InvalidDeltaError, decode, encode
from stream_jobs.series.follower import deltas_of
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table
from stream_jobs.streams.model import SourceRecord
from tests.hostile import examples, messages, sweep
from tests.unit.alerts.build import NOW as ALERT_NOW
from tests.unit.alerts.build import document, signal
from tests.unit.budget_terms.build import budget, budgets
from tests.unit.budgets.memory_producer import Causes, MemoryProducer
from tests.unit.producers.guard.support import Clocks, new_guard, policy, state, who
from tests.unit.series.memory_ledger import Entry, MemoryLedger

NOW = ALERT_NOW
UTC_ZONE = ZoneInfo("UTC")
relaxed = settings(max_examples=40, suppress_health_check=list(HealthCheck))

# ── alerts.v1 ─────────────────────────────────────────────────────────────────────────────────────────────────────────

ALERTS = messages(examples("alerts.v1"), tuple(AlertSignal.model_fields))


def notified(outbox: Outbox, receiver: str) -> int:
    """Have everything that is due told, by every protocol; how often that was."""
    later = NOW + timedelta(hours=1)
    for number in range(2_000):
        planned, _ = outbox.next(receiver, later)
        if planned is None:
            return number
        note = planned.notification
        mail.message(note, "a@b.example", ("c@d.example",), UTC_ZONE).as_bytes()
        pagerduty.event_body(note, "0" * 32, "tests", UTC_ZONE)
        webhook.event_body(note, "tests", UTC_ZONE)
        json.dumps([slack.message(note, UTC_ZONE), alertmanager.firing(note, {}, later, UTC_ZONE)])
        grafana.annotation_text(note, UTC_ZONE)
        for what in ("sending", "sent"):
            delivery_row(planned, what, later, 1)
        outbox.delivered(planned, later)
    raise AssertionError("it has something to say for ever")


@pytest.mark.slow
def test_no_extreme_value_in_a_record_of_alerts_is_too_much_for_the_job() -> None:
    """At every place of every kind of record, one after the other: taken and recorded and told, or refused."""
    book = AlertBook(Routing(document("hook")))
    outbox = Outbox(book.routing.document)
    taken = 0
    for offset, raw in enumerate(sweep(examples("alerts.v1"), tuple(AlertSignal.model_fields))):
        item = parse(SourceRecord(offset, None, None, raw), NOW)
        if item is None:
            continue
        taken += 1
        folded = book.fold([item], NOW)
        event_rows(folded.transitions)
        silence_rows(folded.silences, NOW)
        outbox.apply(folded.transitions)
        for change in folded.transitions:
            assert change.alert is None or unpacked(packed(change.alert)) == change.alert
    event_rows(book.tick(NOW + timedelta(hours=2)).transitions)
    assert taken > 100
    notified(outbox, "hook")


@relaxed
@given(st.lists(ALERTS, max_size=12))
def test_an_alert_opens_whatever_came_before_it(raw: list[bytes]) -> None:
    """Of the records that are taken every row fits into its table, every state is read back as it was, and everybody
    can be told; of the others nothing is left."""
    book = AlertBook(Routing(document("hook")))
    outbox = Outbox(book.routing.document)
    good = signal("good", group="of its own").model_dump_json().encode()
    records = [SourceRecord(offset, None, None, value) for offset, value in enumerate([*raw, good])]
    parsed = [item for record in records if (item := parse(record, NOW)) is not None]
    for folded in (book.fold(parsed, NOW), book.tick(NOW + timedelta(hours=2))):
        event_rows(folded.transitions)
        silence_rows(folded.silences, NOW)
        outbox.apply(folded.transitions)
    for alert in book.alerts.values():
        assert unpacked(packed(alert)) == alert
    assert book.alerts["good"].episode == 1
    assert notified(outbox, "hook") >= (0 if book.alerts["good"].silenced_by else 1)


# ── budget.control.v1 ─────────────────────────────────────────────────────────────────────────────────────────────────

CHANGE = {
    "schema_version": 1,
    "change_id": "c",
    "budget_id": "hostile",
    "at": "2026-11-20T11:00:00Z",
    "by": "someone",
    "note": "why",
    "budget": json.loads(budget("hostile", scope={"team": {"glob": "a*"}}, per=["user_id"]).model_dump_json()),
    "reset": False,
}
CHANGES = messages(
    [
        CHANGE,
        CHANGE | {"budget": {"id": "hostile", "name": "n", "amount": "1", "period": {"rolling": "24h"}, "owner": "o"}},
        CHANGE | {"budget": None},
    ]
)


class EmptyStore(StoreClient):
    def __init__(self) -> None:
        self.client = cast(Any, None)

    def rows(self, sql: str, parameters: Any = None) -> list[tuple[object, ...]]:
        return []


def taken_up(monkeypatch: pytest.MonkeyPatch, raw: Iterable[bytes]) -> Budgets:
    """The budgets that count after these changes, which are written as the job writes them."""
    monkeypatch.setattr(control, "insert", lambda _, name, rows, token: None)
    definitions = Definitions(EmptyStore(), None)
    for number, value in enumerate(raw):
        try:
            change = change_from_json(value)
        except ConfigError:
            continue
        definitions.take_up([change.model_copy(update={"change_id": str(number)})], NOW)
    return definitions.budgets


@relaxed
@given(st.lists(CHANGES, max_size=8))
def test_a_budget_is_set_whatever_was_asked_before_it(raw: list[bytes]) -> None:
    """Of the changes that count every budget can be watched, told of and kept on record; the others are refused, by a
    row that says why."""
    good = json.dumps(
        CHANGE | {"change_id": "good", "budget_id": "good", "budget": json.loads(budget("good").model_dump_json())}
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        counted = taken_up(monkeypatch, [*raw, good.encode()])
    assert "good" in counted
    watch(counted, [])


@pytest.mark.slow
def test_no_extreme_value_in_a_change_of_a_budget_is_too_much_for_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """At every place: the budgets that come of it can be watched and told of, or the change is refused."""
    changes = list(sweep([CHANGE], ("reset", "fields", "budget")))
    for first in range(0, len(changes), 200):
        watch(taken_up(monkeypatch, changes[first : first + 200]), [])


def watch(counted: Budgets, raw: list[bytes]) -> BudgetBook:
    """A round of the budgets job without broker and store: deltas in, rows, states and signals out."""
    ledger, producer = MemoryLedger(NOW), MemoryProducer()
    book = BudgetBook(counted, ledger, {}, {}, NOW)
    feed, speaker = BudgetFeed(producer), Speaker(Causes(), producer, book)
    feed.policies(counted, NOW)
    spent = ledger.book(NOW, Entry(NOW, 10**15, facts={"team": "a", "user_id": "u" * 128, "model": "m" * 128}))
    records = [SourceRecord(offset, None, None, value) for offset, value in enumerate([*raw, encode(spent)])]
    book.apply(deltas_of(records, NOW)[0], NOW)
    for now in (NOW, NOW + timedelta(seconds=5), NOW + timedelta(days=40)):
        book.advance(now)
        changes = book.evaluate(now)
        for change in changes:
            period_rows([change])
            for key in (*change.up, *change.down):
                arrow_table("budget_crossings", [_crossing(change, key, "up")])
        feed.states(changes, now)
        feed.beat(now)
        feed.flush()
        speaker.say(changes, now)
    return book


# ── cost.deltas.v1 ────────────────────────────────────────────────────────────────────────────────────────────────────

WATCHED = budgets(budget("all", amount="1"), budget("users", per=["user_id", "model"], amount="0.000000000001"))
GOOD_DELTA = encode(MemoryLedger(NOW).book(NOW, Entry(NOW, 5, 1, {"team": "x", "user_id": "u", "model": "m"})))
_AT = b"2026-11-20T12:00:00"


@st.composite
def deltas(draw: st.DrawFn) -> bytes:
    """A delta with other values, columns, bytes or length, compressed or not."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(st.binary(max_size=80))
    rows = draw(st.integers(0, 3))
    columns: dict[str, Any] = {}
    for field in SCHEMA:
        if pa.types.is_string(field.type):
            values: Any = st.sampled_from(["", "a", "x" * 128, "x" * 129, "\x00", "é" * 100])
        elif pa.types.is_timestamp(field.type):
            values = st.sampled_from([0, -(2**63), 2**63 - 1, 1_760_000_000_000_000, 4_102_444_800_000_000])
        elif pa.types.is_decimal(field.type):
            most = 10 ** (field.type.precision - field.type.scale) - 1
            values = st.sampled_from([0, most, -most, 1])
        else:
            values = st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63), 10**12])
        if draw(st.integers(0, 9)) == 0:
            values = st.none() | values
        drawn = draw(st.lists(values, min_size=rows, max_size=rows))
        columns[field.name] = (
            pa.array(drawn, pa.int64()).cast(field.type)
            if pa.types.is_timestamp(field.type)
            else pa.array(drawn, field.type)
        )
    table = pa.table(columns, SCHEMA)
    about = json.loads((pa.ipc.open_stream(GOOD_DELTA).schema.metadata or {})[b"spendstream.delta"])
    if draw(st.booleans()):
        name = draw(st.sampled_from(sorted(about)))
        about[name] = draw(
            st.sampled_from(
                [
                    None,
                    -1,
                    0,
                    1,
                    10**30,
                    1e400,
                    "",
                    "x" * 200,
                    [],
                    "2100-01-01T00:00:00Z",
                    "0001-01-01T00:00:00+14:00",
                    2**63,
                ]
            )
        )
    if draw(st.integers(0, 5)) == 0:
        table = draw(
            st.sampled_from(
                [
                    table.drop_columns(["team"]),
                    table.append_column("more", pa.array(["x"] * rows, pa.string())),
                    table.select(table.column_names[::-1]),
                ]
            )
        )
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=draw(st.sampled_from([None, "zstd", "lz4"])))
    with pa.ipc.new_stream(
        sink, table.schema.with_metadata({b"spendstream.delta": json.dumps(about)}), options=options
    ) as writer:
        writer.write_table(table)
    raw = bytearray(sink.getvalue().to_pybytes())
    if kind == 2:
        for _ in range(draw(st.integers(1, 6))):
            raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    if kind == 3 and draw(st.booleans()):
        at = draw(st.integers(0, len(raw) - 8) if len(raw) > 8 else st.just(0))
        struct.pack_into("<q", raw, at, draw(st.sampled_from([2**40, 2**62, -1, -2, 0, 2**31])))
    return bytes(raw[: draw(st.integers(0, len(raw)))] if draw(st.integers(0, 9)) == 0 else raw)


@pytest.mark.slow
@settings(relaxed, max_examples=80)
@given(st.lists(deltas(), max_size=5))
def test_what_is_spent_is_counted_whatever_deltas_came_before(raw: list[bytes]) -> None:
    """Every message is a delta whose figures can be added up, or refused; the block behind them is counted."""
    book = watch(WATCHED, raw)
    assert any(origin.topic_id == "topic" for origin in book.follower.vector)


def test_a_delta_says_how_much_it_unpacks_to_before_it_is_unpacked() -> None:
    """A few kilobytes that are, or only say that they are, gigabytes are refused without allocating them."""
    table = pa.table(
        {
            name: pa.array(["x" * 8_000_000 if pa.types.is_string(kind) else None], kind)
            for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True)
        },
        SCHEMA,
    )
    sink = pa.BufferOutputStream()
    schema = SCHEMA.with_metadata(pa.ipc.open_stream(GOOD_DELTA).schema.metadata)
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    bomb = sink.getvalue().to_pybytes()
    assert len(bomb) < 100_000
    before = pa.total_allocated_bytes()
    with pytest.raises(InvalidDeltaError, match="unpacks to"):
        decode(bomb)
    assert pa.total_allocated_bytes() - before < 10_000_000


def test_a_delta_of_the_future_is_refused() -> None:
    """It would make every block that is booked until then an old one."""
    ledger = MemoryLedger(NOW + timedelta(days=1))
    later = encode(ledger.book(NOW + timedelta(days=1), Entry(NOW, 5)))
    assert deltas_of([SourceRecord(0, None, None, later)], NOW) == ([], 1)


# ── budget.state.v1 ───────────────────────────────────────────────────────────────────────────────────────────────────

STATES = messages(examples("budget.state.v1"), ("values", "per", "period_end", "at", "spent_usd"))


def test_no_extreme_value_in_a_record_of_budgets_is_too_much_for_a_service() -> None:
    """At every place of every kind of record."""
    guard = new_guard(Clocks())
    taken = 0
    for value in sweep(examples("budget.state.v1"), ("values", "per", "period_end", "scope", "fail")):
        for under in keys(value):
            try:
                found = guard_decode(under, value)
            except ValueError:
                continue
            taken += found is not None
            guard.apply(*([found] if found is not None else []))
            guard.decide(estimate_usd="0.01", provider="p", model="*a*b", attribution=who(team="a" * 128, user_id="u"))
    assert taken > 100


@relaxed
@given(st.lists(st.tuples(STATES, st.binary(max_size=20) | st.none()), max_size=12))
def test_a_service_hears_of_a_budget_whatever_was_said_before(raw: list[tuple[bytes, bytes | None]]) -> None:
    """Every record is taken or refused, under its own key and under any other, and the guard still decides."""
    guard = new_guard(Clocks())
    for value, key in raw:
        for under in {key} if key is not None else keys(value):
            try:
                found = guard_decode(under, value)
            except ValueError:
                continue
            if found is not None:
                guard.apply(found)
            guard.decide(estimate_usd="0.01", provider="p", model="*a*b", attribution=who(team="a" * 128, user_id="u"))
    guard.apply(policy("good", per=()), state(101, "good"))
    assert not guard.decide(estimate_usd="0.01", provider="p", model="m", attribution=who()).allowed


def keys(value: bytes) -> set[bytes]:
    """Under which a record would be taken."""
    from spendstream_schemas.budget_feed import BUDGET_RECORD

    try:
        return {record_key(BUDGET_RECORD.validate_json(value, extra="ignore")).encode()}
    except ValueError:
        return {b"heartbeat"}
