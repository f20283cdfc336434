"""Asking for many ids at once."""

import pytest

from stream_jobs.store.client import _parts

FOLDED_BYTES = 1024 * 1024  # larger constants are evaluated again and again


@pytest.mark.parametrize("name", ["019a3c5e-7c00-7000-8000-{:012d}", "ä-{:05d}", "{}"])
def test_a_part_stays_a_constant_for_the_server(name: str) -> None:
    ids = [name.format(number) for number in range(100_000)]
    parts = list(_parts(ids))
    assert [text for part in parts for text in part] == ids
    # A string column keeps a zero byte after each text, and an offset of eight.
    assert max(sum(len(text.encode()) + 9 for text in part) for part in parts) < FOLDED_BYTES


def test_a_large_id_goes_alone() -> None:
    assert list(_parts(["a", "b" * 2_000_000, "c"])) == [["a"], ["b" * 2_000_000], ["c"]]
