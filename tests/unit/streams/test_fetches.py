"""What a fetch hands over: bounded in bytes, and nothing of it is lost or doubled."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.streams import fetches
from stream_jobs.streams.fetches import BoundedFetch, begin_poll, hand_over_bounded

BOUND = 100


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
        return SimpleNamespace(offset=offset, serialized_value_size=size, serialized_key_size=0)


class State:
    """An assignment whose position is where the last hand-over ended."""

    active, paused, position = True, False, 0

    def state_value(self, _: object) -> "State":
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def fetch(sizes: list[int]) -> BoundedFetch:
    return BoundedFetch("tp", assignment=State(), partition_records=Records(sizes), backoff=0)


@given(st.lists(st.lists(st.integers(-1, 250), max_size=30), max_size=4), st.integers(1, 20))
def test_all_comes_in_order_and_no_poll_brings_more_than_its_bound(sizes: list[list[int]], most: int) -> None:
    """Whatever sizes the records of several partitions have: a poll brings at least one record while there are any, at
    most so many, and of bytes at most one record more than the bound."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetches, "MAX_POLL_BYTES", BOUND)
        parts = [fetch(part) for part in sizes]
        handed: list[list[int]] = [[] for _ in sizes]
        while any(part.has_more() for part in parts):
            begin_poll()
            polled: list[int] = []
            for part, found in zip(parts, handed, strict=True):
                if not part.has_more():  # aiokafka forgets it
                    continue
                records = part.getall(most)
                assert len(records) <= most
                assert [record.offset for record in records] == list(range(len(found), len(found) + len(records)))
                found += [record.serialized_value_size for record in records]
                polled += [record.serialized_value_size for record in records]
            assert sum(polled[:-1]) < BOUND
            assert polled or not any(part.has_more() for part in parts), "a poll with nothing looks like the end"
    assert handed == sizes


def test_a_thread_that_begins_no_poll_is_not_bounded() -> None:
    """Whoever else uses aiokafka in this process gets what it asks for."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(len(fetch([10**9] * 5).getall())))
    thread.start()
    thread.join()
    assert found == [5]


def test_aiokafka_makes_these(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks the class up by its name in the module, to make one and to tell one from an error."""
    monkeypatch.setattr(fetcher, "FetchResult", fetcher.FetchResult)
    hand_over_bounded()
    assert fetcher.FetchResult is BoundedFetch
