"""Which stretch is drawn about a finding, and in which steps."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.anomalies.around import Around, Point, _bands, step_for, window_of
from stream_jobs.anomalies.bands import Band
from tests.unit.anomalies.build import MINUTE, NOW, START, around, found

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def test_before_the_finding_there_is_more_than_after_it() -> None:
    """And nothing of the future; of an open one up to what is known of it."""
    assert window_of(found(), NOW) == (START - 60 * MINUTE, START + 60 * MINUTE)
    assert window_of(found(), START + 45 * MINUTE)[1] == START + 45 * MINUTE
    is_open = found(ends_at=None, state="open")
    assert window_of(is_open, NOW) == (START - 90 * MINUTE, NOW)
    assert window_of(found(ends_at=START), NOW) == (START - 22.5 * MINUTE, START + 7.5 * MINUTE)


@pytest.mark.parametrize(
    ("length", "step"),
    [(HOUR, MINUTE), (3 * HOUR, MINUTE), (4 * HOUR, 5 * MINUTE), (2 * DAY, HOUR), (20 * DAY, DAY), (900 * DAY, DAY)],
)
def test_the_step_is_the_finest_that_fits(length: timedelta, step: timedelta) -> None:
    """A minute, five, an hour, a day."""
    assert step_for(length, 180)[0] == step


def test_fewer_points_hold_the_same() -> None:
    """Sums stay; of shares it is the mean; what is not known in part is not known."""
    whole = around()
    few = whole.coarser(20)
    assert len(few.points) <= 20
    assert sum(point.actual or 0 for point in few.points) == sum(point.actual or 0 for point in whole.points)
    assert whole.coarser(105) is whole
    shares = Around(MINUTE, tuple(Point(START + MINUTE * n, Decimal(n)) for n in range(4)), adds_up=False)
    assert [point.actual for point in shares.coarser(3).points] == [Decimal("0.5"), Decimal("2.5")]
    gap = Around(MINUTE, (Point(START, None), *shares.points[1:]))
    assert [point.actual for point in gap.coarser(3).points] == [None, Decimal(5)]
    assert gap.known
    assert not Around(MINUTE, (Point(START, None),)).known


def test_a_point_is_beyond_only_a_band_that_is_known() -> None:
    """Both edges belong to it; on the side that is asked about."""
    band = Decimal(1), Decimal(0), Decimal(2)
    assert [Point(START, Decimal(n), *band).is_beyond("up") for n in (-1, 0, 2, 3)] == [False, False, False, True]
    assert [Point(START, Decimal(n), *band).is_beyond("down") for n in (-1, 0, 2, 3)] == [True, False, False, False]
    assert not Point(START, None, *band).is_beyond("up")
    assert not Point(START, Decimal(3)).is_beyond("up")


def test_ordinary_minutes_are_not_shown_as_the_finding() -> None:
    """However far beyond their band, before it and after it."""
    whole = around()
    wild = replace(whole, points=tuple(replace(point, actual=Decimal(9)) for point in whole.points))
    shows = [wild.shows(found(), point) for point in wild.points]
    assert (shows.index(True), sum(shows)) == (45, 40)
    assert not any(wild.shows(found(direction="down"), point) for point in wild.points)


def test_minutes_within_the_finding_have_its_own_band_and_the_others_what_was_kept() -> None:
    """Up to the newest of what is open; what has none has that of the nearest, one of a single minute everywhere."""
    starts = [START + MINUTE * number for number in range(-5, 40)]
    kept = {START + 10 * MINUTE: Band(60.0, 50.0, 80.0)}
    is_open = found(ends_at=None, state="open", detected_at=START + MINUTE, changed_at=START + 20 * MINUTE)
    drawn = _bands(is_open, MINUTE, starts, kept)
    assert list(drawn) == starts
    assert len({drawn[at] for at in starts[:5]}) == 1
    assert drawn[starts[4]] != drawn[START] == drawn[START + 39 * MINUTE]
    is_over = _bands(found(ends_at=START + 5 * MINUTE), MINUTE, starts, kept)
    assert is_over[START + 5 * MINUTE] == is_over[starts[0]] != is_over[START]
    sparse = _bands(found(kind="dear_request"), MINUTE, starts, kept)
    assert len({*sparse.values()}) == 1
    assert _bands(found(kind="dear_request"), MINUTE, starts, {}) == {}


@given(st.lists(st.integers(0, 100), min_size=30, max_size=30), st.integers(0, 100), st.sampled_from([1, 5, 7]))
def test_what_lies_beyond_its_band_as_a_whole_does_so_in_a_step(minutes: list[int], high: int, together: int) -> None:
    """However the money lies within the finding, and however coarse it is drawn; on either side."""
    total, middle = Decimal(sum(minutes)), Decimal(high) * 15
    over = found(ends_at=START + 30 * MINUTE, expected=middle, low=middle / 2, high=middle * 2)
    for one in (over, replace(over, direction="down")):
        if total <= one.high if one.direction == "up" else total >= one.low:
            continue
        starts = [START + MINUTE * number for number in range(30)]
        bands = _bands(one, MINUTE, starts, {})
        points = tuple(Point(at, Decimal(usd), *bands[at]) for at, usd in zip(starts, minutes, strict=True))
        drawn = Around(MINUTE, points).coarser(30 // together + 1)
        assert any(drawn.shows(one, point) for point in drawn.points)


def test_a_driver_is_drawn_about_half_a_day() -> None:
    """It is judged by the hour."""
    since, until = window_of(found("x", measure="cache_rate", kind="driver"), NOW)
    assert until - since >= timedelta(hours=18)
