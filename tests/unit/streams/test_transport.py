"""What the broker says of a group's offsets."""

import pytest
from aiokafka import errors as kafka_errors
from aiokafka.protocol.commit import OffsetFetchResponse_v1, OffsetFetchResponse_v3
from faust.types import TP

from stream_jobs.streams.transport import committed_offsets

TOPIC = "usage.events.v1"
LOADING = 14  # COORDINATOR_LOAD_IN_PROGRESS
UNKNOWN_TOPIC = 3


def test_committed_offsets_are_read_and_none_is_told_from_zero() -> None:
    """-1 is how the protocol says that nothing is committed."""
    answer = OffsetFetchResponse_v3(0, [(TOPIC, [(0, 6, "", 0), (1, -1, "", 0), (2, 0, "", 0)])], 0)
    assert committed_offsets(answer) == {TP(TOPIC, 0): 6, TP(TOPIC, 1): None, TP(TOPIC, 2): 0}
    assert committed_offsets(OffsetFetchResponse_v1([(TOPIC, [(0, 6, "", 0)])])) == {TP(TOPIC, 0): 6}


@pytest.mark.parametrize("partitions", [[], [(TOPIC, [(0, -1, "", 0)])]])
def test_an_error_of_the_whole_answer_is_no_missing_commit(partitions: list[object]) -> None:
    """A coordinator that has just come back says so for the whole answer; its partitions say -1 and no error. Taking
    that for a group that never committed booked a partition from its beginning again."""
    with pytest.raises(kafka_errors.GroupLoadInProgressError) as raised:
        committed_offsets(OffsetFetchResponse_v3(0, partitions, LOADING))
    assert raised.value.retriable


def test_an_error_of_a_partition_is_no_missing_commit() -> None:
    """Nor is a topic that a broker does not know yet."""
    with pytest.raises(kafka_errors.UnknownTopicOrPartitionError) as raised:
        committed_offsets(OffsetFetchResponse_v1([(TOPIC, [(0, 6, "", 0), (1, -1, "", UNKNOWN_TOPIC)])]))
    assert raised.value.retriable
