"""What is read next: large blocks wherever much waits, and nobody is forgotten."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.blocks.reading import Standing, wanted

COUNTS = st.integers(0, 50)
STANDINGS = st.dictionaries(
    st.integers(0, 9), st.builds(Standing, st.integers(0, 5), COUNTS, COUNTS, st.sampled_from([0, 0, 0, 7])), max_size=8
)


@given(STANDINGS, st.integers(-10, 100), st.integers(1, 40))
def test_what_is_read_first_fits_and_nobody_who_needs_records_is_left_out(
    standings: Mapping[int, Standing], room: int, block: int
) -> None:
    """Only the last of those that are read first may go beyond the room. Who waits for nothing is always read, who has
    a whole block waiting never, and everybody else is read when nothing comes of the first."""
    first, otherwise = wanted(standings, room, block)
    assert not set(first) & set(otherwise)
    for key, (_, waiting, behind, redo) in standings.items():
        if redo or not behind:
            assert key in [*first, *otherwise]
        else:
            assert (key in [*first, *otherwise]) == (waiting < block)
    useful = [standings[key].redo or min(standings[key].behind, block - standings[key].waiting) for key in first]
    useful = [number for number in useful if number > 0]
    assert sum(useful[:-1]) < max(room, 1)
    idle = {key for key, standing in standings.items() if not standing.behind and not standing.redo}
    assert idle <= set(first)
    if room > 0 and otherwise:
        assert useful, "what could be read now is put off only for what is read now"


def test_a_block_to_redo_comes_before_everything_else() -> None:
    """Nothing of its partition can be booked before."""
    assert wanted({1: Standing(0, 0, 100), 2: Standing(9, 0, 100, redo=50)}, 40, 60) == ([2], [1])


@pytest.mark.parametrize("partitions", [1, 2, 4, 16, 50])
@pytest.mark.parametrize("fetch", [1, 7])
def test_with_a_backlog_everywhere_blocks_are_large_and_taken_in_turn(partitions: int, fetch: int) -> None:
    """However many partitions share the room: each block is as large as fetches allow, and no partition has its second
    before every other has had its first."""
    room = 60
    whole = room - fetch
    waiting, turns = dict.fromkeys(range(partitions), 0), dict.fromkeys(range(partitions), 0)
    served: list[int] = []
    for turn in range(1, 3 * partitions + 1):
        while max(waiting.values()) < whole and (left := room - sum(waiting.values())) > 0:
            first, _ = wanted({key: Standing(turns[key], waiting[key], 10**6) for key in waiting}, left, whole)
            for key in first:
                waiting[key] += fetch
        taken = max(waiting, key=lambda key: (waiting[key], -turns[key]))
        assert waiting[taken] >= whole - 2 * fetch
        waiting[taken], turns[taken] = 0, turn
        served.append(taken)
    for round_ in range(3):
        assert sorted(served[round_ * partitions : (round_ + 1) * partitions]) == list(range(partitions))


def test_a_trickle_is_read_beside_a_backlog() -> None:
    """One partition is far behind, the others have a few new records: all of these are read, and the backlog, too."""
    trickle = {key: Standing(5, 3, 2) for key in range(1, 5)}
    first, otherwise = wanted({0: Standing(1, 0, 10**6), **trickle}, 60, 50)
    assert set(first) | set(otherwise) == {0, 1, 2, 3, 4}
    assert 0 in first
    first, _ = wanted({0: Standing(6, 50, 10**6), **trickle}, 10, 50)
    assert set(first) == {1, 2, 3, 4}, "a whole block of the backlog waits: the room is for the others"
