"""The fast path of metering books exactly what the one-event path books, whatever the records hold."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from spendstream_schemas import MAX_MESSAGE_BYTES, UsageEvent, parse_usage_event
from stream_jobs.attribution.document import AttributionDocument
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.facts import Facts, facts_of
from stream_jobs.ledger.known import Booked
from stream_jobs.metering.columnar import reading, structs
from stream_jobs.metering.columnar.charge import charge, decode_bundle
from stream_jobs.metering.process import Metering, Pricer
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.pricing.rate_cards import RateCardFile
from stream_jobs.pricing.result import Pricing
from stream_jobs.streams.model import BlockOutput, SourceRecord
from tests.fuzz import examples
from tests.unit.metering.build import NOW, TOLERANCE, FakeLedger, block, document
from tests.unit.pricing import strategies
from tests.unit.pricing.shipped import shipped_book

RULES = AttributionRules.from_document(
    AttributionDocument.model_validate(
        {
            "tables": {"centers": {"search": "cc-1"}},
            "rules": [
                {"name": "rename", "rename": {"team": {"old": "new"}}},
                {"name": "set", "when": {"label.app": {"glob": "chat*"}}, "set": {"project": "chat"}},
                {"name": "fill", "fill": {"environment": "production", "feature": "${label.app}"}},
                {"name": "center", "lookup": {"cost_center": {"table": "centers", "by": "project"}}},
                {"name": "late", "valid_from": "2025-06-01T00:00:00Z", "fill": {"owner": "someone"}},
                {"name": "user", "when": {"user_id": "u1"}, "set": {"customer": "ours"}},
            ],
        }
    )
)
OVERLAYS = OverlayFile.model_validate(
    {
        "overlays": [
            {"name": "all", "scope": {"provider": "openai"}, "discount_percent": "10", "valid_from": "2024-01-01"},
            {
                "name": "team",
                "scope": {"attribution": {"team": "new"}},
                "multiplier": "0.5",
                "valid_from": "2024-01-01",
            },
        ]
    }
)
OWN = RateCardFile.model_validate(
    {
        "provider": "openai",
        "source": "our own machines",
        "checked": "2026-11-28",
        "self_hosted": [
            {"models": ["gpt-4*"], "pool": "a", "valid_from": "2025-03-01", "valid_to": "2026-11-01"},
            {"models": ["unheard-of"], "pool": "b"},
        ],
    }
)
BOOKS = {
    "plain": shipped_book(),
    "scoped": PriceBook.of(overlay_files=[OVERLAYS], version="scoped"),
    "self-hosted": PriceBook.of(card_files=[OWN], version="self-hosted"),
}


@dataclass(frozen=True)
class OneByOne:
    """A price book that cannot be asked for many events at once."""

    book: PriceBook

    @property
    def version(self) -> str:
        return self.book.version

    @property
    def scoped(self) -> bool:
        return self.book.scoped

    def price(self, facts: Facts, unknown_fields: tuple[str, ...] = ()) -> Pricing:
        return self.book.price(facts, unknown_fields)


def both(records: list[SourceRecord], book: PriceBook, known: dict[str, int]) -> tuple[BlockOutput, BlockOutput]:
    ledger = FakeLedger({key: Booked(value, NOW - timedelta(days=1)) for key, value in known.items()})
    now = block(0, max(len(records) - 1, 0))
    # Metering would fall back to the other path, and nobody would know.
    for events in decode_bundle(records, NOW, TOLERANCE)[0]:
        charge(events, now, book, RULES)
    fast = Metering(book, RULES, ledger, TOLERANCE).process(now, records)
    single: Pricer = OneByOne(book)
    return fast, Metering(single, RULES, ledger, TOLERANCE).process(now, records)


def has_unique_texts(table: pa.Table) -> bool:
    """ClickHouse refuses an Arrow dictionary that holds a text twice."""
    chunks = [chunk for column in table.columns if pa.types.is_dictionary(column.type) for chunk in column.chunks]
    return all(len(set(chunk.dictionary.to_pylist())) == len(chunk.dictionary) for chunk in chunks)


def rows(output: BlockOutput) -> dict[str, list[dict[str, Any]]]:
    return {
        name: sorted(table.to_pylist(), key=lambda row: (row["offset"], row.get("entry_kind", "")))
        for name, table in output.tables.items()
    }


TEXTS = st.sampled_from(
    ["a", "old", "new", "search", "Zürich", "\u0000", "x" * 129, "", "tab\t", "\x7f", 'quo"te', "1"]
)
TAGS = st.dictionaries(st.sampled_from(["team", "project", "environment", "user_id", "customer"]), TEXTS, max_size=4)
LABELS = st.dictionaries(st.sampled_from(["app", "other"]), st.sampled_from(["chat-1", "web", ""]), max_size=2)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(0, 10),
    st.floats(),
    TEXTS,
    st.sampled_from([[], {}, "NaN", "2026-11-20T09:30:00Z", 10**12, 10**12 + 1, 1.0]),
)
FIELDS = st.sampled_from([*UsageEvent.model_fields, "usage.input_tokens", "usage.cache_read_tokens", "usage.x", "x"])
TIMES = st.sampled_from(
    [
        "2026-11-20T09:30:00Z",
        "2026-11-20T09:30:00.1Z",
        "2026-11-20T09:30:00.123456Z",
        "2026-11-20T09:30:00.1234567Z",
        "2026-02-29T00:00:00.000000Z",
        "2024-02-29T00:00:00.000000Z",
        "2019-12-31T23:59:59.999999Z",
        "2026-11-20T12:05:00.000000Z",
        "2026-11-20T12:05:00.000001Z",
        "2026-11-20T24:00:00.000000Z",
        "2026-13-01T00:00:00.000000Z",
        "2026-11-00T00:00:00.000000Z",
        "2026-11-20T09:30:60.000000Z",
        "0000-01-01T00:00:00.000000Z",
        "2026-11-20T11:30:00+02:00",
        "2026-11-20T09:30:00.Z",
        "2026-11-20t09:30:00z",
        "2026-11-20_09:30:00Z",
        "2026-11-20 09:30:00Z",
        "2026-11-20T09:30:00.12345६Z",
        "20261120T093000Z",
        "2026-11-20",
    ]
)
EXTRAS = st.sampled_from(
    [
        *[{}] * 4,
        {"cached_response": True},
        {"status": "error"},
        {"status": "cancelled"},
        {"latency_ms": 5},
        {"trace_id": "t", "session_id": "conv_1"},
        {"session_id": "s" * 129},
        {"conditions": {"speed": "fast"}},
        {"conditions": {"fine_tuned": True}},
        {"operation": "embeddings"},
        {"tool_calls": {}},
        {"tool_calls": {"web_search": 2}},
        {"model": "unheard-of"},
        {"batchable": True},
        {"stated_cost_usd": "0.25"},
        {"stated_cost_usd": 0.1 + 0.2},
        {"stated_cost_usd": None},
        {"stated_cost_usd": 4096.0000000000005},
        {"stated_cost_usd": "-0.01"},
        {"stated_cost_usd": 0, "model": "unheard-of"},
        {"stated_cost_usd": "0.25", "model": "unheard-of"},
        {"stated_cost_usd": "0.25", "model": "unheard-of", "cached_response": True},
    ]
)
SPLINTERS = st.sampled_from(["", " ", "\n", "\\u0041", "\x00", "}", '"event_id":"z",'])


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Valid events of every kind, and broken ones."""
    event = json.loads(draw(strategies.events()).model_dump_json(exclude_none=True, exclude_unset=True))
    event |= {"event_id": draw(st.sampled_from("abcdefghij")), "revision": draw(st.sampled_from([0, 0, 0, 1, 2]))}
    if draw(st.booleans()):
        event["attribution"] = draw(TAGS) | {"labels": draw(LABELS)}
    event |= draw(EXTRAS)
    if draw(st.integers(0, 5)) == 0:
        event["occurred_at"] = draw(TIMES)
    if draw(st.integers(0, 9)) == 0:
        name, value = draw(FIELDS), draw(VALUES)
        if name.startswith("usage."):
            event["usage"][name.removeprefix("usage.")] = value
        else:
            event[name] = value
    if draw(st.integers(0, 9)) == 0:
        event.pop(draw(st.sampled_from(sorted(event))))
    text = json.dumps(event, ensure_ascii=draw(st.booleans()))
    if draw(st.integers(0, 19)) == 0:
        cut = draw(st.integers(0, len(text)))
        text = (
            text[:cut] + draw(st.sampled_from(["", " ", "\n", "\\u0041", "\x00", "}", '"event_id":"z",'])) + text[cut:]
        )
    return text.encode("utf-8", "surrogatepass")


BEFORE_ITS_PRICES: Final = json.dumps(
    document("a", occurred_at="2025-05-22T00:00:00Z", provider="anthropic", model="claude-3-5-haiku-latest")
    | {"usage": {"kind": "tokens", "input_tokens": 0, "output_tokens": 0}}
).encode()
"""Nothing that could cost, of a model that has a price today."""


@pytest.mark.slow
@pytest.mark.parametrize("name", BOOKS)
@settings(max_examples=examples(60), suppress_health_check=list(HealthCheck))
@example([BEFORE_ITS_PRICES], {}, 500)
@given(
    st.lists(messages(), max_size=12),
    st.dictionaries(st.sampled_from("abcdefghij"), st.integers(0, 1), max_size=3),
    st.sampled_from([1, 3, 500]),
)
def test_a_bundle_is_booked_as_its_events_one_by_one(
    name: str, raw: list[bytes], known: dict[str, int], part_rows: int
) -> None:
    """Every column of every table and every count is the same for any bundle, and in parts of any size: models, times,
    tags, rubbish, copies."""
    records = [SourceRecord(offset, None, None, value) for offset, value in enumerate(raw)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "PART_ROWS", part_rows)
        fast, single = both(records, BOOKS[name], known)
    assert fast.counts == single.counts
    assert rows(fast) == rows(single)
    assert "ledger" not in fast.tables or has_unique_texts(fast.tables["ledger"].combine_chunks())


@pytest.mark.slow
@settings(max_examples=examples(70), suppress_health_check=list(HealthCheck))
@given(st.lists(messages(), min_size=1, max_size=12))
def test_columns_say_the_same_facts_as_the_contract(raw: list[bytes]) -> None:
    """Prices and rules are asked about either; a list or a text that differs could cost something else."""
    together, _ = decode_bundle(
        [SourceRecord(offset, None, None, value) for offset, value in enumerate(raw)], NOW, TOLERANCE
    )
    for events in together:
        assert events.facts() == [facts_of(parse_usage_event(record.value).message) for record in events.records]


@settings(suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(st.none(), messages()), max_size=5))
@example([None, b"", b'{"event_id":"' + b"x" * MAX_MESSAGE_BYTES + b'"}'])
def test_messages_decoded_together_are_what_each_is_alone(raw: list[bytes | None]) -> None:
    """What one of them holds, or that it is missing, makes no difference to another."""
    assert structs.decode_some(raw) == [structs.decode(value) for value in raw]


def plain(event_id: str, **changes: Any) -> bytes:
    usage = {"kind": "tokens", "input_tokens": 1000, "cache_read_tokens": 200, "output_tokens": 30}
    return json.dumps(document(event_id, **{"usage": usage, **changes}), separators=(",", ":")).encode()


def test_the_common_event_takes_the_fast_path() -> None:
    """Otherwise the property above would compare the one-event path with itself."""
    kinds: list[dict[str, Any]] = [
        {},
        {"cached_response": True},
        {"model": "unheard-of"},
        {"attribution": {"team": "old", "labels": {"app": "chat-1"}}},
        {"model": "claude-sonnet-4-5", "provider": "anthropic"},
        {"model": "gemini-2.5-pro", "provider": "google"},
        {"model": "text-embedding-3-small", "operation": "embeddings"},
        {"conditions": {"fine_tuned": False}, "attribution": {"team": "Zürich"}},
        {"stated_cost_usd": "0.25"},
        {"stated_cost_usd": 0.25, "model": "unheard-of", "cached_response": True},
    ]
    raw = [
        json.dumps(json.loads(plain(str(index), **kind)), ensure_ascii=False, separators=(",", ":")).encode()
        for index, kind in enumerate(kinds)
    ]
    raw[6] = raw[6].replace(b'"cache_read_tokens":200,', b"").replace(b'"output_tokens":30', b'"output_tokens":0')
    records = [SourceRecord(offset, None, None, value) for offset, value in enumerate(raw)]
    (events,), rest = decode_bundle(records, NOW, TOLERANCE)
    assert rest == []
    charged, left = charge(events, block(), BOOKS["plain"], RULES)
    assert charged is not None
    assert left == []
    assert charged.table["offset"].to_pylist() == list(range(len(kinds)))


def test_what_was_decoded_together_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An example of a profile, a call of a tool, a cost beyond 64 bits and a defect: the contract's models see none."""
    huge = {"kind": "tokens", "input_tokens": 10**12, "output_tokens": 10**12}
    raw = [
        plain("a"),
        plain("b", tool_calls={"web_search": 2}),
        plain("c", usage=huge, model="o1-pro"),
        plain("d", model="unheard-of", stated_cost_usd=0.0033789),
    ]
    records = [SourceRecord(offset, None, None, value) for offset, value in enumerate(raw)]
    expected = both(records, BOOKS["scoped"], {})[1]
    metering = Metering(BOOKS["scoped"], RULES, FakeLedger(), TOLERANCE)
    monkeypatch.setattr("stream_jobs.metering.decode.parse_usage_event", lambda _: pytest.fail("parsed again"))
    assert rows(metering.process(block(0, 3), records)) == rows(expected)
    monkeypatch.setattr("stream_jobs.metering.process.charge", lambda *_: 1 / 0)
    assert rows(metering.process(block(0, 3), records)) == rows(expected)


def test_a_cost_beyond_64_bits_is_left_to_exact_arithmetic() -> None:
    """The matrix has 64-bit numbers: what might not fit takes the other path, and comes out exact."""
    usage = {"kind": "tokens", "input_tokens": 10**12, "output_tokens": 10**12}
    raw = json.dumps(document("e", usage=usage, model="o1-pro")).encode()
    records = [SourceRecord(0, None, None, raw)]
    fast, single = both(records, BOOKS["plain"], {})
    assert rows(fast) == rows(single)
    assert rows(fast)["ledger"][0]["list_cost"] == 150_000_000 + 600_000_000


def test_a_failure_of_the_fast_path_costs_only_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it raises, every event is booked one by one."""
    records = [SourceRecord(offset, None, None, plain(str(offset))) for offset in range(3)]
    expected = both(records, BOOKS["plain"], {})[1]
    monkeypatch.setattr("stream_jobs.metering.process.charge", lambda *_: 1 / 0)
    fast, _ = both(records, BOOKS["plain"], {})
    assert fast.counts.booked == len(records)
    assert rows(fast) == rows(expected)
    assert replace(fast.counts) == expected.counts


@pytest.mark.parametrize(
    ("said", "cost"),
    [
        ("0.30000000000000004", "0.3"),
        ('"0.' + "3" * 50_000 + '"', "0.333333333333"),
        ("0." + "0" * 50_000 + "1", "0"),
        ('"1e-9999"', "0"),
        ("-0", "0"),
        ("1000000", "1000000"),
        ("null", None),
        ("1" + "0" * 5_000, "not_json"),
        ("1e999999", "out_of_range"),
        ('"' + "9" * 5_000 + '"', "out_of_range"),
        ("1000000.1", "out_of_range"),
        ("99999.1234567890123456", "99999.123456789012"),
        ("999999.9999999999994", "999999.999999999999"),
        ("1000000.000000000001", "out_of_range"),
        ("0.12345678901250000000000000001", "0.123456789013"),
        ("1e-99999999999999999999", "0"),
        ("-0.0000000000000001", "negative_quantity"),
        ('"1_0"', "wrong_type"),
        ('" 1"', "wrong_type"),
        ('"\u0661"', "wrong_type"),
        ("[1]", "wrong_type"),
    ],
)
def test_a_stated_cost_means_the_same_on_both_paths(said: str, cost: str | None) -> None:
    """However it is written: the same amount to the last digit, or the same reason."""
    raw = plain("e", stated_cost_usd="@", model="unheard-of").replace(b'"@"', said.encode())
    fast, single = both([SourceRecord(0, None, None, raw)], BOOKS["plain"], {})
    assert (fast.counts, rows(fast)) == (single.counts, rows(single))
    if fast.counts.quarantined:
        assert fast.tables["quarantine"]["reason"].to_pylist() == [cost]
    else:
        assert fast.tables["ledger"]["list_cost"].to_pylist() == [None if cost is None else Decimal(cost)]
