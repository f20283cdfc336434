"""What a fetch hands over: bounded in bytes, nothing of it is lost or doubled, and what a record brings along."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas.signature import MAX_SIGNATURE_BYTES, SIGNATURE_HEADER
from stream_jobs.streams import fetches
from stream_jobs.streams.batches import ReadableRecords
from stream_jobs.streams.fetches import BoundedFetch, begin_poll, hand_over_bounded, source_record
from stream_jobs.streams.model import SourceRecord

BOUND = 100
PARTITION = TP("t", 0)


class Records:
    """What aiokafka unpacks of one partition, record by record."""

    def __init__(self, sizes: list[int]) -> None:
        self.next_fetch_offset = 0
        self._records = enumerate(sizes)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        offset, size = next(self._records)
        self.next_fetch_offset = offset + 1
        value = None if size < 0 else b"x" * size
        record = SimpleNamespace(offset=offset, timestamp=-1, key=None, value=value, headers=())
        return self._consumer_record(PARTITION, record)

    def _consumer_record(self, _: object, record: Any) -> Any:
        return record


class State:
    """An assignment whose position is where the last hand-over ended."""

    active, paused, position = True, False, 0

    def state_value(self, _: object) -> "State":
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def fetch(sizes: list[int]) -> BoundedFetch:
    return BoundedFetch(PARTITION, assignment=State(), partition_records=Records(sizes), backoff=0)


@given(
    st.lists(st.lists(st.integers(-1, 250), max_size=30), max_size=4),
    st.integers(1, 20),
    st.sampled_from([set(), {"t"}]),
)
def test_all_comes_in_order_and_no_poll_brings_more_than_its_bound(
    sizes: list[list[int]], most: int, event_topics: set[str]
) -> None:
    """Whatever sizes the records of several partitions have: a poll brings at least one record while there are any, at
    most so many, and of bytes at most one record more than the bound."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetches, "MAX_POLL_BYTES", BOUND)
        parts = [fetch(part) for part in sizes]
        handed: list[list[int]] = [[] for _ in sizes]
        while any(part.has_more() for part in parts):
            begin_poll(event_topics)
            polled: list[int] = []
            for part, found in zip(parts, handed, strict=True):
                if not part.has_more():  # aiokafka forgets it
                    continue
                records = part.getall(most)
                assert len(records) <= most
                assert [record.offset for record in records] == list(range(len(found), len(found) + len(records)))
                values = [record.value for record in records]
                found += [-1 if value is None else len(value) for value in values]
                polled += [len(value or b"") for value in values]
            assert sum(polled[:-1]) < BOUND
            assert polled or not any(part.has_more() for part in parts), "a poll with nothing looks like the end"
    assert handed == sizes


def test_a_thread_that_begins_no_poll_is_not_bounded() -> None:
    """Whoever else uses aiokafka in this process gets what it asks for."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(len(fetch([fetches.MAX_POLL_BYTES] * 5).getall())))
    thread.start()
    thread.join()
    assert found == [5]


def test_records_of_event_topics_are_what_is_booked_of_them() -> None:
    """As aiokafka makes them they hold the same and more: those of other topics are Faust's."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for offset, (timestamp, key, value) in enumerate([(5, b"k", b"v"), (6, None, None), (7, b"", b"")]):
        builder.append(offset, timestamp, key, value, [])
    raw = bytes(builder.build())

    def handed(event_topics: set[str]) -> list[Any]:
        records = ReadableRecords(PARTITION, MemoryRecords(raw), None, 0, None, None, True, READ_COMMITTED)
        begin_poll(event_topics)
        return BoundedFetch(PARTITION, assignment=State(), partition_records=records, backoff=0).getall(10)

    assert handed({"t"}) == [
        SourceRecord(0, 5, b"k", b"v"),
        SourceRecord(1, 6, None, None),
        SourceRecord(2, 7, b"", b""),
    ]
    assert [type(record) for record in handed({"t"})] == [SourceRecord] * 3
    assert [(record.topic, record.offset, record.value) for record in handed({"other"})] == [
        ("t", 0, b"v"),
        ("t", 1, None),
        ("t", 2, b""),
    ]


@pytest.mark.parametrize("timestamp", [None, -1])
def test_a_record_may_lack_a_timestamp(timestamp: int | None) -> None:
    """Old brokers have none, and a notice says so too."""
    record = SimpleNamespace(offset=7, timestamp=timestamp, key=None, value=b"v", headers=())
    assert source_record(PARTITION, record) == SourceRecord(7, None, None, b"v")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((), None),
        ((("traceparent", b"x"),), None),
        (((SIGNATURE_HEADER, b"v1:k:0"),), b"v1:k:0"),
        (((SIGNATURE_HEADER, b"first"), ("other", b"x"), (SIGNATURE_HEADER, b"last")), b"last"),
        (((SIGNATURE_HEADER, None),), b""),
        (((SIGNATURE_HEADER, b"x" * 1_000_000),), b"x" * (MAX_SIGNATURE_BYTES + 1)),
    ],
)
def test_a_record_brings_its_signature(headers: Any, expected: bytes | None) -> None:
    """The last header of that name, and never more of it than could be one: headers may be as large as messages."""
    found = source_record(PARTITION, SimpleNamespace(offset=7, timestamp=1, key=b"k", value=b"v", headers=headers))
    assert (found.offset, found.value, found.signature) == (7, b"v", expected)


def test_aiokafka_makes_these(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks the class up by its name in the module, to make one and to tell one from an error."""
    monkeypatch.setattr(fetcher, "FetchResult", fetcher.FetchResult)
    hand_over_bounded()
    assert fetcher.FetchResult is BoundedFetch
