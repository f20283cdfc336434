"""Cells of hours and days."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasts.grid import Grid

ZONES = ("UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "America/Havana")
INSTANTS = st.integers(365 * 86_400, 129 * 365 * 86_400).map(lambda second: datetime.fromtimestamp(second, UTC))


@given(INSTANTS, st.sampled_from([Grid("hour"), *(Grid("day", ZoneInfo(zone)) for zone in ZONES)]))
def test_a_cell_holds_the_instants_from_its_start_to_that_of_the_next(at: datetime, grid: Grid) -> None:
    """On every grid, over every change of the clock."""
    cell = grid.cell_at(at)
    assert grid.start(cell) <= at < grid.start(cell + 1)
    assert grid.cell_at(grid.start(cell)) == cell


def test_hours_since_1970_and_ordinals_of_local_dates() -> None:
    """As a panel numbers them."""
    assert Grid("hour").cell_at(datetime(1970, 1, 2, 1, 59, tzinfo=UTC)) == 25
    berlin = Grid("day", ZoneInfo("Europe/Berlin"))
    assert berlin.cell_at(datetime(2026, 11, 30, 23, 30, tzinfo=UTC)) == date(2026, 12, 1).toordinal()


def test_how_many_cells_begin_before_an_end() -> None:
    """The day on which the clock goes back is one, and an end at its start leaves none."""
    berlin = Grid("day", ZoneInfo("Europe/Berlin"))
    first = date(2026, 10, 25).toordinal()
    assert berlin.cells_until(first, berlin.start(first)) == 0
    assert berlin.cells_until(first, berlin.start(first) + timedelta(hours=25)) == 1
    assert berlin.cells_until(first, berlin.start(first + 7)) == 7
    assert berlin.cells_until(first, berlin.start(first - 3)) == 0


def test_hours_of_a_local_clock_are_refused() -> None:
    """Some come twice, some never."""
    with pytest.raises(ValueError, match="UTC"):
        Grid("hour", ZoneInfo("Europe/Berlin"))
