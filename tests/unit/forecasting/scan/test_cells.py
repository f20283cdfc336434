"""Rows become cells that end where a forecast begins; what is not there is not known."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_jobs.base.instants import parse_utc, unix_micros
from stream_jobs.forecasting.scan.cells import Cells
from tests.unit.timed_csv.files import rows_of

HOUR = 3_600_000_000


def at(text: str) -> int:
    return unix_micros(parse_utc(text))


def cells(tmp_path: Path, lines: list[str], step: str = "hour") -> Cells:
    return Cells(rows_of(tmp_path, "\n".join(["time,series,value", *lines]) + "\n", "gauge"), step)  # type: ignore[arg-type]


def test_hours_lie_side_by_side_with_gaps_that_are_not_known(tmp_path: Path) -> None:
    made = cells(tmp_path, ["2026-01-01T00:00,a,1", "2026-01-01T02:00,a,3", "2026-01-01T01:00,b,5"])
    (only,) = made.panels([made.end()])
    assert only.panel.names == ["a", "b"]
    np.testing.assert_array_equal(only.panel.values, [[1, np.nan, 3], [np.nan, 5, np.nan]])
    assert only.starts == {at("2026-01-01T03:00"): at("2026-01-01T03:00")}


def test_rows_of_the_same_hour_are_added_up(tmp_path: Path) -> None:
    made = cells(tmp_path, ["2026-01-01T00:00,a,1", "2026-01-01T00:00,a,2", "2026-01-01T01:00,a,4"])
    assert made.panels([made.end()])[0].panel.values.tolist() == [[3, 4]]


def test_an_origin_within_an_hour_sees_the_hours_that_are_over(tmp_path: Path) -> None:
    """The first step is the one whose row comes next."""
    made = cells(tmp_path, [f"2026-01-01T{hour:02}:00,a,{hour}" for hour in range(10)])
    within, full = made.panels([at("2026-01-01T04:30"), at("2026-01-01T06:00")])
    assert within.starts == {at("2026-01-01T04:30"): at("2026-01-01T05:00")}
    np.testing.assert_array_equal(within.panel.values, [[0, 1, 2, 3, np.nan]])
    assert within.columns == {at("2026-01-01T04:30"): 5}
    assert full.starts == {at("2026-01-01T06:00"): at("2026-01-01T06:00")}
    assert full.panel.values.tolist() == [[0, 1, 2, 3, 4, 5]]


def test_steps_begin_where_rows_do(tmp_path: Path) -> None:
    """At half past, or at a zone's midnight, which moves in spring: the row at the origin is the first step."""
    made = cells(tmp_path, [f"2026-01-01T{hour:02}:30,a,{hour}" for hour in range(10)])
    (only,) = made.panels([at("2026-01-01T04:30")])
    assert only.panel.values.tolist() == [[0, 1, 2, 3]]
    assert only.starts == {at("2026-01-01T04:30"): at("2026-01-01T04:30")}
    (berlin,) = cells(
        tmp_path, [f"2026-03-{day:02}T00:00+0{1 + (day > 29)}:00,a,{day}" for day in range(20, 32)], "day"
    ).panels([at("2026-03-31T00:00+02:00")])
    assert berlin.panel.values.tolist() == [list(range(20, 31))]
    assert berlin.panel.first == parse_utc("2026-03-20").date().toordinal()
    assert berlin.starts == {at("2026-03-30T22:00Z"): at("2026-03-30T22:00Z")}


def test_clocks_that_are_not_exact_are_no_matter(tmp_path: Path) -> None:
    rows = [f"2026-01-01T{hour:02}:59:{59 - hour % 3},a,{hour}" for hour in range(12)]
    (only,) = cells(tmp_path, rows).panels([at("2026-01-01T12:59:58")])
    assert only.panel.values.tolist() == [list(range(12))]


@pytest.mark.parametrize(
    ("rows", "step", "why"),
    [
        (
            [f"2026-01-{day:02},a,96" for day in range(1, 20)],
            "hour",
            "lie 24 hours apart, and are of as long: use --step 1d",
        ),
        (
            [f"2026-0{month}-01,a,96" for month in range(1, 9)],
            "day",
            "lie 31 days apart, and are of as long: write one",
        ),
        (
            [f"2026-01-{day:02}T{hour:02}:00,a,1" for day in range(1, 9) for hour in range(9, 18)],
            "day",
            "less than 80% of a day's rows are there, at 1 h from one to the next: write 0 where nothing was used",
        ),
    ],
)
def test_what_cannot_be_read_as_steps_says_why(tmp_path: Path, rows: list[str], step: str, why: str) -> None:
    (only,) = cells(tmp_path, rows, step).panels([at("2026-09-20")])
    assert why in only.unread["a"]


def test_each_series_has_rows_of_its_own_distance(tmp_path: Path) -> None:
    """Those of others, or of later, change nothing."""
    hours = [f"2026-01-0{day}T{hour:02}:00,hours,1" for day in (1, 2) for hour in range(24)]
    quarters = [f"2026-01-0{day}T{hour:02}:{part}0,parts,1" for day in (1, 2) for hour in range(24) for part in (0, 3)]
    later = [f"2026-01-03T00:{minute:02},hours,9" for minute in range(60)]
    (only,) = cells(tmp_path, hours + quarters + later).panels([at("2026-01-03")])
    assert only.panel.values.tolist() == [[1] * 48, [2] * 48]


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(0, 60 * 24 * 30),
        st.sampled_from([5, 15, 60, 720, 1440]),
        st.integers(1, 40),
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.sampled_from(["hour", "day"]), st.lists(st.integers(0, 60 * 24 * 31), min_size=1, max_size=3))
def test_nothing_from_the_origin_on_changes_what_was_before(
    tmp_path: Path, stretches: list[tuple[str, int, int, int]], step: str, origins: list[int]
) -> None:
    """However rows lie, before and after it, and whichever origins are asked for beside it."""
    start = unix_micros(parse_utc("2026-01-01"))
    rows = [
        (start + (begin + number * gap) * 60_000_000, name, number)
        for name, begin, gap, count in stretches
        for number in range(count)
    ]

    def read(some: list[tuple[int, str, int]], instants: list[int]) -> dict[int, tuple[object, ...]]:
        lines = [f"{micros},{name},{value}" for micros, name, value in [*some, (start - 10**12, "a", 7)]]
        found: dict[int, tuple[object, ...]] = {}
        for one in cells(tmp_path, lines, step).panels(instants):
            for instant, column in one.columns.items():
                values = {
                    name: [value if np.isfinite(value) else None for value in row[:column].tolist()]
                    for name, row in zip(one.panel.names, one.panel.values, strict=True)
                }
                known = {name: row for name, row in values.items() if any(value is not None for value in row)}
                found[instant] = (one.starts[instant], one.panel.first + column, known)
        return found

    asked = [start + minute * 60_000_000 for minute in origins]
    full = read(rows, asked)
    for origin in asked:
        (alone,) = read([row for row in rows if row[0] < origin], [origin]).values()
        begin, place, known = full[origin]
        assert (begin, place) == alone[:2]
        assert {name: _trimmed(row) for name, row in known.items()} == {  # type: ignore[attr-defined]
            name: _trimmed(row)
            for name, row in alone[2].items()  # type: ignore[attr-defined]
        }


def _trimmed(row: list[object]) -> list[object]:
    """Without what is not known at its beginning: how far back a panel goes is no matter."""
    known = next(place for place, value in enumerate(row) if value is not None)
    return row[known:]


def test_finer_rows_are_counted_back_from_the_origin(tmp_path: Path) -> None:
    rows = [f"2026-01-0{day}T{hour:02}:00,a,{day}" for day in (1, 2, 3) for hour in range(24)]
    made = cells(tmp_path, rows, "day")
    midnight, noon = made.panels([at("2026-01-04T00:00"), at("2026-01-03T12:00")])[::-1]
    assert midnight.panel.values.tolist() == [[24, 48, 72]]
    assert noon.panel.values[0, -2:].tolist() == [36, 60]
    assert noon.starts == {at("2026-01-03T12:00"): at("2026-01-03T12:00")}


def test_a_day_of_which_hours_are_missing_counts_as_much_more_or_is_not_known(tmp_path: Path) -> None:
    rows = [f"2026-01-01T{hour:02}:00,a,10" for hour in range(24)]
    rows += [f"2026-01-02T{hour:02}:00,a,10" for hour in range(20)]
    rows += [f"2026-01-03T{hour:02}:00,a,10" for hour in range(12)]
    rows += [f"2026-01-04T{hour:02}:00,a,10" for hour in range(24)]
    made = cells(tmp_path, rows, "day")
    (only,) = made.panels([at("2026-01-05T00:00")])
    assert only.panel.values[0, [0, 1, 3]] == pytest.approx([240, 240, 240])
    assert np.isnan(only.panel.values[0, 2])


def test_an_origin_behind_the_end_leaves_a_gap_that_is_not_known(tmp_path: Path) -> None:
    made = cells(tmp_path, ["2026-01-01T00:00,a,1", "2026-01-01T01:00,a,2"])
    (only,) = made.panels([at("2026-01-01T04:00")])
    np.testing.assert_array_equal(only.panel.values, [[1, 2, np.nan, np.nan]])


def test_an_origin_before_the_beginning_sees_nothing(tmp_path: Path) -> None:
    made = cells(tmp_path, ["2026-01-01T00:00,a,1", "2026-01-01T01:00,a,2"])
    (only,) = made.panels([at("2025-12-31T00:00")])
    assert only.panel.values.shape == (1, 0)


def test_empty_values_are_not_known(tmp_path: Path) -> None:
    made = cells(tmp_path, ["2026-01-01T00:00,a,", "2026-01-01T01:00,a,2"])
    assert made.panels([made.end()])[0].panel.values.tolist() == [[2]]


def test_days_know_their_date(tmp_path: Path) -> None:
    made = cells(tmp_path, ["2028-02-28,a,1", "2028-02-29,a,2"], "day")
    panel = made.panels([made.end()])[0].panel
    assert panel.first == parse_utc("2028-02-28").date().toordinal()
    assert panel.origin == parse_utc("2028-03-01").date().toordinal()
