"""The token that names a block."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.streams.model import Block, SourcePartition, Versions

NOW = datetime(2026, 11, 1, tzinfo=UTC)
NAMES = st.text(alphabet="a1:-", max_size=4)
BLOCKS = st.builds(
    Block,
    st.builds(SourcePartition, NAMES, NAMES, st.integers(0, 12)),
    st.integers(0, 120),
    st.integers(0, 120),
    st.datetimes(timezones=st.just(UTC)),
    st.builds(Versions, NAMES, NAMES),
)


@given(BLOCKS, BLOCKS)
def test_tokens_are_equal_exactly_when_the_ranges_are(one: Block, other: Block) -> None:
    """Topic, its id, partition and range make the token, whatever their names hold; time and versions do not."""
    ranges = [(block.source, block.first_offset, block.last_offset) for block in (one, other)]
    assert (one.token == other.token) == (ranges[0] == ranges[1])
