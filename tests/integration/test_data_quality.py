"""The quality of the data on the real store: each question sees what was booked, and the job tells what changed."""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from spendstream_schemas import InvalidReason
from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.blocks.side_tables import quarantine_table
from stream_jobs.data_quality import price_source, quarantine, unallocated, unpriced
from stream_jobs.data_quality.job import DataQuality
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.corrections import CorrectionFile
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import TABLES as SCHEMAS
from stream_jobs.store.tables import arrow_table, insert
from stream_jobs.streams.model import Block, RejectedRecord, SourcePartition, SourceRecord, Versions
from tests.store_server import StoreProcess, ledger_rows

pytestmark = pytest.mark.slow

TABLES = (
    *("ledger", "outcomes", "duplicates", "quarantine", "quarantine_replays", "blocks", "block_receipts"),
    *("cost_1m", "cost_1h", "cost_1d", "operations_1d"),
)
SETTINGS = DataQualitySettings()
BOOK = PriceBook.of()
LEDGER = SCHEMAS["ledger"]
_numbers = itertools.count()


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    """A client on empty tables."""
    with StoreClient(process.settings) as store:
        for table in TABLES:
            store.command(f"TRUNCATE TABLE {table}")
        yield store


def just_now() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=20)


def book(store: StoreClient, count: int = 1, *, at: datetime | None = None, **columns: Any) -> None:
    """A block of charges, whole: its row, its entries, its receipt."""
    at = at or just_now()
    first = next(_numbers) * 1000
    place = {"occurred_at": at, "booked_at": at, "topic_id": f"topic-{first}"}
    rows = ledger_rows(count, first=first, **place | columns)
    receipt(store, at, first, count, booked=count)
    insert(store.client, "ledger", rows, f"l{first}")


def receipt(store: StoreClient, at: datetime, first: int, received: int, *, booked: int = 0, refused: int = 0) -> None:
    place = {"topic": "t", "topic_id": f"topic-{first}", "partition": 0, "first_offset": first}
    place |= {"last_offset": first + received - 1, "worker": "w"}
    done: dict[str, Any] = {"received": received, "booked": booked, "duplicates": 0, "quarantined": refused}
    done |= {"unpriced": 0, "unknown_fields": 0, "completed_at": at}
    insert(store.client, "block_receipts", arrow_table("block_receipts", [place | done]), f"r{first}")


def refuse(store: StoreClient, count: int, source: str, *, at: datetime | None = None) -> None:
    """Records in quarantine."""
    at = at or just_now()
    first = next(_numbers) * 1000
    block = Block(SourcePartition("t", f"topic-{first}", 0), first, first + count - 1, at, Versions("p", "a"), 1)
    value = f'{{"source": "{source}"}}'.encode() if source else b"no json"
    rejected = [
        RejectedRecord(SourceRecord(first + n, 0, b"", value), InvalidReason.MISSING_FIELD, "usage", "no usage")
        for n in range(count)
    ]
    receipt(store, at, first, count, refused=count)
    insert(store.client, "quarantine", quarantine_table(rejected, block), f"q{first}")


def no_price(store: StoreClient, count: int, model: str, **columns: Any) -> None:
    missing = dict.fromkeys(("list_cost", "contracted_cost", "effective_cost"))
    missing |= {"unpriced_reason": "unknown_model", "unpriced_detail": f"openai has no model {model!r}"}
    book(store, count, model=model, **missing | columns)


def test_quarantine_by_source(store: StoreClient) -> None:
    """Ten of a hundred of one source; another is below the share, a third below the number, old ones do not count."""
    book(store, 90, source="checkout")
    refuse(store, 10, "checkout")
    book(store, 995, source="search")
    refuse(store, 10, "search")
    refuse(store, 9, "jobs")
    refuse(store, 50, "old", at=just_now() - timedelta(seconds=SETTINGS.window_s + 60))
    found = quarantine.look(store, SETTINGS, store.now())
    assert found.complete
    assert {item.subject: (item.severity, item.value) for item in found.findings} == {
        ("checkout",): ("warning", Decimal("10.0"))
    }
    assert found.findings[0].causes == ("missing_field: 10 records, such as: no usage",)


def test_quarantine_of_nobody_is_set_against_everything(store: StoreClient) -> None:
    book(store, 180)
    refuse(store, 20, "")
    (found,) = quarantine.look(store, SETTINGS, store.now()).findings
    assert (found.subject, found.value) == ((), Decimal("10.0"))
    assert found.facts["refused"] == "20 of 200 records in the last 10 minutes"


def test_quarantined_records_that_were_sent_again_are_no_alert(store: StoreClient) -> None:
    refuse(store, 20, "checkout")
    assert len(quarantine.look(store, SETTINGS, store.now()).findings) == 1
    rows = store.rows("SELECT topic_id, partition, offset FROM quarantine")
    again = [
        {"replayed_at": just_now(), "topic_id": t, "partition": p, "offset": o, "new_topic": "t"}
        | {"new_partition": 0, "new_offset": 0, "operator": "me", "note": ""}
        for t, p, o in rows
    ]
    insert(store.client, "quarantine_replays", arrow_table("quarantine_replays", again), "again")
    assert quarantine.look(store, SETTINGS, store.now()).findings == ()


def test_unpriced_usage_by_model_until_it_has_a_price(store: StoreClient) -> None:
    """What was priced by an adjustment since does not count; each model says why."""
    no_price(store, 3, "gpt-99")
    no_price(store, 2, "gpt-100", at=just_now() - timedelta(days=3))
    no_price(store, 5, "gpt-98", at=just_now() - timedelta(days=SETTINGS.unpriced_days + 1))
    no_price(store, 1, "gpt-97")
    why: dict[str, Any] = {"unpriced_reason": "unknown_model", "unpriced_detail": "openai has no model 'gpt-97'"}
    at: dict[str, Any] = {"occurred_at": just_now(), "booked_at": just_now()}
    price = ledger_rows(1, model="gpt-97", entry_kind="adjustment", **at, **why)
    for sign, number in (("events", 0), ("unpriced", -1)):
        price = price.append_column(sign, pa.array([number], pa.int8()))
    insert(store.client, "ledger", price, "adjustment")
    book(store, 5)
    found = unpriced.look(store, SETTINGS, store.now()).findings
    assert {item.subject: item.money_usd for item in found} == {
        ("openai", "gpt-99"): Decimal("3.00"),
        ("openai", "gpt-100"): Decimal("2.00"),
    }
    assert found[0].causes == ("unknown_model: openai has no model 'gpt-99'",)


def test_unpriced_usage_is_one_alert_for_each_cause_at_what_is_held(store: StoreClient) -> None:
    """One tier that nobody knows met four models; one service does not say what its calls used, whatever the models."""
    tier = {"unpriced_reason": "unknown_service_tier", "unpriced_detail": "unknown service tier 'turbo'"}
    for number in range(4):
        held(store, 5, "0.01", model=f"gpt-{number}", **tier)
    for status in ("ok", "cancelled"):
        held(store, 3, "0.5", source="chat", model=f"gpt-{status}", unpriced_reason="usage_unknown",
             unpriced_detail=f"status {status}, but no usage reported")  # fmt: skip
    no_price(store, 2, "a", provider="nobody", unpriced_reason="unknown_provider")
    no_price(store, 2, "b", provider="nobody", unpriced_reason="unknown_provider")
    found = unpriced.look(store, SETTINGS, store.now()).findings
    assert {item.subject: (item.value, item.money_usd) for item in found} == {
        ("openai", "unknown_service_tier", "unknown service tier 'turbo'"): (Decimal(20), Decimal("0.20")),
        ("openai", "usage_unknown", "chat"): (Decimal(6), Decimal("3.00")),
        ("nobody",): (Decimal(4), Decimal("4.00")),
    }
    tiers = next(item for item in found if "turbo" in item.subject[-1])
    assert tiers.facts["models"] == "gpt-0, gpt-1, gpt-2, gpt-3"


def held(store: StoreClient, count: int, usd: str, **columns: Any) -> None:
    """Events without a price, each held at so much."""
    at = just_now()
    missing = dict.fromkeys(("list_cost", "contracted_cost", "effective_cost"))
    rows = ledger_rows(count, first=next(_numbers) * 1000, occurred_at=at, booked_at=at, **missing | columns)
    for name, value in {"events": 1, "unpriced": 1, "reported_tags": [], "stated_cost": None,
                        "held_cost": Decimal(usd), "held_flat": 0}.items():  # fmt: skip
        kind = LEDGER.field(name)
        rows = rows.append_column(kind, pa.array([value] * count, kind.type))
    insert(store.client, "ledger", rows, f"held-{next(_numbers)}")


def test_cost_without_tags(store: StoreClient) -> None:
    """A share of the window's cost, by who sends it; older cost does not count."""
    book(store, 8, effective_cost=Decimal(1))
    book(store, 2, effective_cost=Decimal(1), source="jobs", team="", unallocated=[["team", "owner"]] * 2)
    book(store, 9, effective_cost=Decimal(1), unallocated=[["team"]] * 9, at=just_now() - timedelta(hours=2))
    (found,) = unallocated.look(store, SETTINGS, store.now()).findings
    assert found.value == Decimal(2)
    assert found.facts["without tags"] == "$2.00 of $10.00"
    assert found.causes == ("jobs lacks owner, team: $2.00, 2 events",)
    assert unallocated.look(store, DataQualitySettings(unallocated_percent=Decimal(20)), store.now()).findings == ()


def test_prices_of_the_models_in_use(store: StoreClient) -> None:
    """Only models of the window are compared."""
    entry = {"models": ["gpt-4o"], "prices": {"input_mtok": 2}, "source": "a page", "checked": "2025-01-01"}
    stale = PriceBook.of([CorrectionFile.model_validate({"provider": "openai", "entries": [entry]})])
    book(store, 4, at=just_now() - timedelta(hours=1))
    book(store, 4, model="gpt-4o-mini")
    assert price_source.look(store, stale, SETTINGS, store.now()).findings == ()
    book(store, 4, model="gpt-4o", response_model="gpt-4o-2024-08-06")
    (found,) = price_source.look(store, stale, SETTINGS, store.now()).findings
    assert found.subject == ("openai", "gpt-4o")
    assert found.facts["in use"] == "4 events in the last window"


class Told:
    """What was published."""

    def __init__(self) -> None:
        self.signals: list[AlertSignal] = []
        self.failures: list[Exception] = []
        self.arrived = threading.Event()

    def __call__(self, signals: Iterable[AlertSignal]) -> None:
        if self.failures:
            raise self.failures.pop()
        self.signals += signals
        self.arrived.set()

    def new(self) -> dict[str, str]:
        """By alert_id, what was told since one asked last."""
        told: dict[str, str] = {signal.alert_id: signal.status for signal in self.signals}
        self.signals.clear()
        return told


def job(store: StoreClient, told: Told, open_ids: Sequence[str] = (), **settings: Any) -> Callable[[], None]:
    """One look of a job without Kafka."""
    quality = DataQuality(
        lambda: StoreClient(store.settings),
        DataQualitySettings(conservation_interval_s=0.001, **settings),
        None,
        told,
        lambda: BOOK,
        lambda: set(open_ids),
    )
    return lambda: quality.tick(store)


def test_the_job_tells_what_holds_and_once_what_no_longer_does(store: StoreClient) -> None:
    told = Told()
    look = job(store, told)
    book(store, 10)
    look()
    assert told.new() == {}
    no_price(store, 1, "gpt-99")
    for _ in range(2):
        look()
        assert told.new() == {"data_quality/unpriced/openai/gpt-99": "firing"}
    store.command("TRUNCATE TABLE cost_1h")
    look()
    assert told.new() == {"data_quality/unpriced/openai/gpt-99": "resolved"}
    look()
    assert told.new() == {}


def test_what_could_not_be_told_is_told_next_time(store: StoreClient) -> None:
    """Also that something no longer holds."""
    told = Told()
    look = job(store, told, ["data_quality/unpriced/openai/old", "budget/somebody/else"])
    told.failures.append(BrokerUnavailableError("no answer"))
    with pytest.raises(BrokerUnavailableError):
        look()
    look()
    assert told.new() == {"data_quality/unpriced/openai/old": "resolved"}


def test_a_check_that_fails_leaves_the_others_and_what_it_said(store: StoreClient) -> None:
    """A table that is not there: the alert that rests on it stays as it is."""
    told = Told()
    look = job(store, told)
    no_price(store, 1, "gpt-99")
    refuse(store, 20, "checkout")
    look()
    told.new()
    store.command("RENAME TABLE cost_1h TO cost_1h_away")
    try:
        look()
        assert told.new() == {"data_quality/quarantine/checkout": "firing"}
    finally:
        store.command("RENAME TABLE cost_1h_away TO cost_1h")
    look()
    assert told.new() == {
        "data_quality/quarantine/checkout": "firing",
        "data_quality/unpriced/openai/gpt-99": "firing",
    }


def test_a_lost_row_is_critical_until_it_is_back(store: StoreClient) -> None:
    """The hour stays in view when it is not the current one any more, also after a restart."""
    told = Told()
    at = just_now() - timedelta(hours=5)
    first = next(_numbers) * 1000
    receipt(store, at, first, 3, booked=3)
    identity = f"data_quality/conservation/t/0/{at:%Y-%m-%dT%H}"
    look = job(store, told)
    look()
    assert told.new() == {}  # nobody had seen it while it was new
    look = job(store, told, [identity])
    look()
    assert [(signal.alert_id, signal.severity) for signal in told.signals] == [(identity, "critical")]
    assert told.signals[0].value == Decimal(3)
    told.new()
    rows = ledger_rows(3, first=first, topic_id=f"topic-{first}", booked_at=at, occurred_at=at)
    insert(store.client, "ledger", rows, "back")
    look()
    assert told.new() == {identity: "resolved"}


def test_an_hour_is_given_up_after_a_while(store: StoreClient) -> None:
    told = Told()
    at = just_now() - timedelta(hours=5)
    receipt(store, at, next(_numbers) * 1000, 3, booked=3)
    identity = f"data_quality/conservation/t/0/{at:%Y-%m-%dT%H}"
    look = job(store, told, [identity], conservation_hours=4)
    look()
    assert [signal.resolution for signal in told.signals] == ["its hour closes now, or is more than 4 h ago"]


def test_the_job_runs_as_a_thread(process: StoreProcess, store: StoreClient) -> None:
    """With a connection of its own for each look."""
    no_price(store, 1, "gpt-99")
    told = Told()
    quality = DataQuality(
        lambda: StoreClient(process.settings), DataQualitySettings(interval_s=0.01), None, told, lambda: BOOK
    )
    quality.timer.start()
    try:
        assert told.arrived.wait(30)
    finally:
        quality.timer.stop()
    assert told.new() == {"data_quality/unpriced/openai/gpt-99": "firing"}
