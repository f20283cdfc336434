"""The queue of a partition: nothing is lost, doubled or reordered, and blocks stay within their bounds."""

from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.blocks.queue import RecordQueue, Room
from stream_jobs.streams.model import SourceRecord


def records(first: int, sizes: list[int]) -> list[SourceRecord]:
    return [SourceRecord(first + i, None, None, b"x" * size) for i, size in enumerate(sizes)]


@given(
    bundles=st.lists(st.tuples(st.integers(-3, 3), st.lists(st.integers(0, 9), max_size=6)), max_size=8),
    bounds=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 20)), min_size=1, max_size=5),
)
def test_everything_comes_out_once_in_order_and_within_the_bounds(
    bundles: list[tuple[int, list[int]]], bounds: list[tuple[int, int]]
) -> None:
    """For any bundles (some read again, with holes between them) and any bounds: what was queued is what is taken."""
    queue, arrived, first = RecordQueue(0, Room(10**9, 10**9)), dict[int, SourceRecord](), 0
    for shift, sizes in bundles:
        first = max(0, first + shift)
        bundle = records(first, sizes)
        expected = [record for record in bundle if not arrived or record.offset > max(arrived)]
        queue.add(bundle)
        arrived.update((record.offset, record) for record in expected)
        first += len(sizes)
    assert queue.records == len(arrived)
    assert queue.bytes == sum(len(record.value or b"") for record in arrived.values())
    taken, turn = list[SourceRecord](), 0
    while queue.records:
        rows, size = bounds[turn % len(bounds)]
        block = queue.take(rows, size)
        assert 1 <= len(block) <= rows
        assert len(block) == 1 or sum(len(record.value or b"") for record in block) <= size
        taken += block
        turn += 1
    assert taken == list(arrived.values())
    assert queue.bytes == 0


@given(st.lists(st.integers(0, 5), max_size=5), st.integers(-1, 30))
def test_taking_to_an_offset_leaves_the_rest(lengths: list[int], last: int) -> None:
    """A block that is redone gets exactly its range, wherever the bundles were cut."""
    queue, first = RecordQueue(0, Room(10**9, 10**9)), 0
    for length in lengths:
        queue.add(records(first, [1] * length))
        first += length
    assert [record.offset for record in queue.take_to(last)] == list(range(min(first, last + 1)))
    assert [record.offset for record in queue.take(100, 100)] == list(range(last + 1, first))


def test_as_many_records_as_fit_are_taken() -> None:
    """A bound that cuts a bundle in two takes the part before it."""
    queue = RecordQueue(0, Room(10**9, 10**9))
    queue.add(records(0, [4, 4, 4]))
    assert [record.offset for record in queue.take(10, 8)] == [0, 1]
    assert queue.end == 3


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.sampled_from(["add", "take", "close"]), st.lists(st.integers(0, 9), max_size=5)
        ),
        max_size=30,
    )
)
def test_the_room_counts_what_waits_in_all_queues(steps: list[tuple[int, str, list[int]]]) -> None:
    """Whatever is queued, taken and dropped: the room holds what its open queues hold."""
    room = Room(10, 40)
    queues = [RecordQueue(0, room) for _ in range(3)]
    closed: set[int] = set()
    for number, step, sizes in steps:
        queue = queues[number]
        if step == "close":
            queue.close()
            closed.add(number)
        elif step == "take":
            queue.take(2, 10)
        elif number not in closed:
            queue.add(records(queue.end, sizes))
        assert room.records == sum(queue.records for queue in queues)
        assert room.bytes == sum(queue.bytes for queue in queues)
        assert room.queues == 3 - len(closed)
        assert room.full == (room.records >= 10 or room.bytes >= 40)


def test_what_is_left_is_told_in_records_of_the_size_of_those_that_wait() -> None:
    """A few large records fill the room as many small ones do."""
    room = Room(1000, 1000)
    queue = RecordQueue(0, room)
    assert (room.left, room.fitting(500)) == (1000, 1000)
    queue.add(records(0, [100] * 4))
    assert (room.left, room.fitting(500)) == (6, 5)
    queue.take(4, 1000)
    queue.add(records(4, [0] * 10))
    assert room.left == 990
