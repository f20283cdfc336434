"""Of the deltas that come, in whatever order and however often, each block counts once; what was lost is noticed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.base.instants import unix_micros
from stream_jobs.series.delta import Delta, Origin, encode, split
from stream_jobs.series.facts import Facts
from stream_jobs.series.follower import MAX_STRANGERS, MAX_WAITING_ROWS, Follower, deltas_of
from stream_jobs.streams.model import SourceRecord
from tests.unit.series.memory_ledger import ORIGINS, Entry, MemoryLedger, rows_of, usd

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def follower(ledger: MemoryLedger, now: datetime = NOON) -> Follower:
    return Follower(ledger, ledger.vector(), now)


def amounts(facts: Facts | None) -> int:
    """What all rows add up to."""
    if facts is None or not facts.rows:
        return 0
    rows = facts.matching({}, ())
    return facts.sums(rows, rows * 0, (), "effective_cost")[0][()].amount


def test_parts_of_a_delta_count_once_all_are_there() -> None:
    """In any order, and however often one of them comes."""
    ledger = MemoryLedger(NOON)
    one = follower(ledger)
    delta = ledger.book(NOON, *[Entry(NOON, usd(n), facts={"team": f"t{n}"}) for n in (1, 2, 3)])
    first, second, third = split(delta, 1)
    assert [one.take([part]) for part in (second, second, first)] == [(0, None)] * 3
    blocks, facts = one.take([third])
    assert (blocks, amounts(facts)) == (1, usd(6))
    assert one.take([first, second, third]) == (0, None)


@given(st.data(), st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=8))
@settings(max_examples=100)
def test_every_block_counts_once_whatever_is_repeated(data: st.DataObject, blocks: list[tuple[int, int]]) -> None:
    """Partitions mixed in any way, each in its order, in parts; anything already sent may come again in between."""
    ledger = MemoryLedger(NOON)
    one = follower(ledger)
    counted, total, sent = 0, 0, list[Delta]()
    for number, (partition, rows) in enumerate(blocks):
        entries = [Entry(NOON, 10**number, facts={"team": f"t{row}"}) for row in range(rows)]
        sent += split(ledger.book(NOON + number * MINUTE, *entries, partition=partition), 2)
        again = data.draw(st.lists(st.sampled_from(sent), max_size=3))
        for delta in (*again, *sent[-max(1, -(-rows // 2)) :], *again):
            took, facts = one.take([delta])
            counted, total = counted + took, total + amounts(facts)
    assert counted == len(blocks)
    assert total == sum(entry.pico for entry in ledger.entries)
    assert not one.gap
    assert not one.is_behind(ledger.vector())


def test_a_gap_in_the_offsets_stays_until_everything_is_read_anew() -> None:
    """Also when the ledger does not answer, or whoever counts fails in between."""
    ledger = MemoryLedger(NOON)
    one = follower(ledger)
    one.take([ledger.book(NOON, Entry(NOON, usd(1)))])
    ledger.book(NOON, Entry(NOON, usd(2)))
    assert one.take([ledger.book(NOON, Entry(NOON, usd(4)))])[0] == 1
    assert one.gap
    ledger.down = 1
    with pytest.raises(StoreUnavailableError), one.resync(NOON):
        pytest.fail("there is nothing to read")
    with pytest.raises(ZeroDivisionError), one.resync(NOON):
        raise ZeroDivisionError
    assert one.gap
    later = ledger.book(NOON, Entry(NOON + HOUR, usd(8)), partition=1)
    with one.resync(NOON):
        assert one.vector == ledger.vector()
    assert not one.gap
    assert one.take([later]) == (0, None), "the ledger's sums hold it"


def test_the_last_delta_of_all_leaves_no_gap_and_is_missed_all_the_same() -> None:
    """What the ledger had seconds ago and nobody has heard of since."""
    ledger = MemoryLedger(NOON)
    one = follower(ledger)
    ledger.book(NOON, Entry(NOON, usd(2)))
    assert one.is_behind(ledger.vector(NOON - HOUR))
    with one.resync(NOON):
        pass
    assert not one.is_behind(ledger.vector(NOON - HOUR))


def test_no_entry_that_is_counted_is_later_than_the_horizon() -> None:
    """It begins with what the ledger has, and grows with deltas and with what is read anew."""
    ledger = MemoryLedger(NOON)
    ledger.book(NOON, Entry(NOON + HOUR, 1))
    one = follower(ledger)
    assert one.horizon == unix_micros(NOON + HOUR)
    one.take([ledger.book(NOON, Entry(NOON + 2 * HOUR, 1), Entry(NOON, 1))])
    assert one.horizon == unix_micros(NOON + 2 * HOUR)
    ledger.book(NOON, Entry(NOON + 3 * HOUR, 1))
    with one.resync(NOON):
        assert one.horizon == unix_micros(NOON + 3 * HOUR)


def test_partitions_that_the_ledger_does_not_know_are_bounded() -> None:
    """Every question to the ledger names all origins; those that turn out to be real make room again."""
    ledger = MemoryLedger(NOON)
    one = follower(ledger)
    strange = [Delta(Origin("made up", n), NOON, 0, 0, rows_of([Entry(NOON, 1)])) for n in range(MAX_STRANGERS + 1)]
    assert one.take(strange)[0] == MAX_STRANGERS
    real = ledger.book(NOON, Entry(NOON, 1))
    assert one.take([real])[0] == 0
    one.confirm({strange[0].origin: NOON})
    assert one.take([real])[0] == 1
    assert ORIGINS[0] in one.vector


def test_parts_that_never_become_whole_are_given_up() -> None:
    """Only so many rows wait; a delta that is whole counts all the same."""
    ledger = MemoryLedger(NOON)
    one = follower(ledger)
    rows = rows_of([Entry(NOON, 1)] * 1_000)
    for n in range(MAX_WAITING_ROWS // 1_000 + 10):
        assert one.take([Delta(ORIGINS[0], NOON + n * MINUTE, 0, 0, rows, 0, 2)]) == (0, None)
    assert sum(part.rows.num_rows for parts in one._parts.values() for part in parts.values()) <= MAX_WAITING_ROWS
    assert one.take([ledger.book(NOON, Entry(NOON, 1), partition=1)])[0] == 1


def test_messages_that_are_no_deltas_are_counted_and_passed_over() -> None:
    """And so is one that is ahead of the store's clock."""
    ledger = MemoryLedger(NOON)
    good, early = ledger.book(NOON, Entry(NOON, 5)), ledger.book(NOON + HOUR, Entry(NOON, 7))
    values = [b"", encode(good), None, encode(early)]
    found, refused = deltas_of([SourceRecord(n, None, None, value) for n, value in enumerate(values)], NOON)
    assert ([delta.booked_at for delta in found], refused) == ([NOON + timedelta(microseconds=1)], 3)
