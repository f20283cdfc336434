"""Splitting overlapping parts: exact where it follows, equal in cost where it doesn't matter, refused otherwise."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stream_jobs.pricing.compiled import Terms
from stream_jobs.pricing.split import UnclearSplit, split


@dataclass(frozen=True)
class Priced:
    """Something with a price, as a rate has one."""

    terms: Terms


def rate(pico: int) -> Priced:
    return Priced(Terms(Fraction(pico), Fraction(pico), Fraction(pico)))


ROWS, COLUMNS = ("fresh", "read"), ("text", "audio")


def _solutions(whole: int, read: int, audio: int, joint: int | None) -> list[dict[tuple[str, str], int]]:
    """Every way to fill the 2 by 2 table, by brute force."""
    found = []
    for n in range(min(read, audio) + 1) if joint is None else [joint]:
        cells = {("read", "audio"): n, ("read", "text"): read - n, ("fresh", "audio"): audio - n}
        cells[("fresh", "text")] = whole - sum(cells.values())
        if min(cells.values()) >= 0:
            found.append(cells)
    return found


@given(
    whole=st.integers(0, 12), read=st.integers(0, 12), audio=st.integers(0, 12),
    joint=st.none() | st.integers(0, 12), prices=st.tuples(*[st.integers(0, 3)] * 4),
)  # fmt: skip
def test_split_answers_exactly_if_every_possible_split_costs_the_same(
    whole: int, read: int, audio: int, joint: int | None, prices: tuple[int, int, int, int]
) -> None:
    """Against brute force: an answer if and only if the cost does not depend on a guess (or there is no answer)."""
    assume(read <= whole and audio <= whole and (joint is None or joint <= min(read, audio)))
    rates = dict(zip(product(ROWS, COLUMNS), map(rate, prices), strict=True))
    known = {} if joint is None else {("read", "audio"): joint}
    cost = {
        sum(n * rates[cell].terms.listed for cell, n in cells.items())
        for cells in _solutions(whole, read, audio, joint)
    }
    rows, columns = ({"read": read} if read else {}), ({"audio": audio} if audio else {})
    known = known if read and audio else {}
    try:
        cells = split(whole, "fresh", rows, columns, known, lambda row, column: rates[(row, column)])
    except UnclearSplit:
        assert len(cost) != 1
    else:
        assert cost == {sum(n * rates[cell].terms.listed for cell, n in cells.items())}
        assert sum(cells.values()) == whole
        assert sum(n for (row, _), n in cells.items() if row == "read") == read
        assert sum(n for (_, column), n in cells.items() if column == "audio") == audio


def test_parts_that_cannot_fit_are_refused() -> None:
    """Cached audio beyond the cached tokens has no meaning."""
    with pytest.raises(UnclearSplit):
        split(10, "fresh", {"read": 2}, {"audio": 9}, {("read", "audio"): 0}, lambda *_: rate(1))
