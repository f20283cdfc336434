"""Deduplication: by event_id alone, revisions correct."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.ledger.dedupe import Deduplicated, deduplicate
from stream_jobs.ledger.known import Booked
from stream_jobs.metering.decode import DecodedEvent, decode_all
from stream_jobs.origin.judge import Origin
from tests.unit.metering.build import NOW, TOLERANCE, block, record

IDS = st.sampled_from("abcd")


def run(copies: list[tuple[str, int]], known: dict[str, int]) -> Deduplicated[DecodedEvent]:
    events, _ = decode_all(
        [record(offset, event_id, revision=revision) for offset, (event_id, revision) in enumerate(copies)],
        NOW,
        TOLERANCE,
    )
    since = NOW - timedelta(days=1)
    booked = {key: Booked(value, since) for key, value in known.items()}
    return deduplicate(events, booked, block(), Origin().judge(block()))


@given(st.lists(st.tuples(IDS, st.integers(0, 3)), max_size=20), st.dictionaries(IDS, st.integers(0, 3)))
def test_every_event_has_one_fate_and_each_id_is_booked_at_most_once(
    copies: list[tuple[str, int]], known: dict[str, int]
) -> None:
    """new + corrections + duplicates are all records, once each; of an id at most one is booked: the highest revision,
    the first of equal ones; and only if it is higher than what the ledger holds."""
    found = run(copies, known)
    booked = [*found.new, *found.corrections]
    offsets = [item.record.offset for item in booked] + [item.record.offset for item in found.duplicates]
    assert sorted(offsets) == list(range(len(copies)))
    assert [item.record.offset for item in found.duplicates] == sorted(item.record.offset for item in found.duplicates)
    expected = {}
    for event_id in {event_id for event_id, _ in copies}:
        highest = max(revision for key, revision in copies if key == event_id)
        if event_id not in known or highest > known[event_id]:
            expected[event_id] = copies.index((event_id, highest))
    assert {item.event_id: item.record.offset for item in booked} == expected
    assert len(booked) == len(expected)
    assert {item.event_id for item in found.corrections} == expected.keys() & known.keys()


def test_a_duplicate_says_since_when_the_other_is_booked() -> None:
    """A copy of an earlier block names that block's time, a copy within the block the block's own."""
    found = run([("a", 0), ("b", 0), ("b", 0)], {"a": 0})
    assert [(item.event_id, item.booked_since) for item in found.duplicates] == [
        ("a", NOW - timedelta(days=1)),
        ("b", NOW),
    ]
