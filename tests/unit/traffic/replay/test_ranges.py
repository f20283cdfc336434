"""Delivered offsets, kept as ranges."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from spendstream_traffic.replay.ranges import OffsetLog, SentRanges, merge


def test_consecutive_offsets_are_one_range_per_partition() -> None:
    """A million records of our own cost one pair of numbers."""
    log = OffsetLog()
    for offset in range(1000):
        log.add(3, offset)
        log.add(1, 2 * offset)
    sent = log.sent("t")
    assert sent.partitions[3] == ((0, 999),)
    assert len(sent.partitions[1]) == 1000
    assert sent.count == 2000
    assert list(sent.partitions) == [1, 3]


def test_count_before_sees_only_our_own_offsets() -> None:
    """Others write to the same partitions; their offsets are not our progress."""
    sent = SentRanges("t", {0: ((0, 9), (20, 29)), 1: ((5, 5),)})
    assert sent.count_before({}) == 0
    assert sent.count_before({0: 5}) == 5
    assert sent.count_before({0: 20, 1: 5}) == 10
    assert sent.count_before({0: 25, 1: 6}) == 16
    assert sent.count_before({0: 10**9, 1: 10**9}) == sent.count == 21


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda pair: (pair[0], sum(pair)))))
def test_merged_ranges_hold_the_same_offsets_apart_from_each_other(ranges: list[tuple[int, int]]) -> None:
    """In any order, overlapping or doubled."""
    merged = list(merge(ranges))
    offsets = {offset for first, last in ranges for offset in range(first, last + 1)}
    assert [offset for first, last in merged for offset in range(first, last + 1)] == sorted(offsets)
    assert all(left[1] + 1 < right[0] for left, right in pairwise(merged))
