"""Rows become cells that end where a forecast begins; what is not there is not known."""

from pathlib import Path

import numpy as np
import pytest

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
    made = cells(tmp_path, [f"2026-01-01T{hour:02}:00,a,{hour}" for hour in range(10)])
    (only,) = made.panels([at("2026-01-01T04:30"), at("2026-01-01T06:00")])
    assert only.starts == {
        at("2026-01-01T04:30"): at("2026-01-01T05:00"),
        at("2026-01-01T06:00"): at("2026-01-01T06:00"),
    }
    assert only.columns == {at("2026-01-01T04:30"): 5, at("2026-01-01T06:00"): 6}
    assert only.panel.values.tolist() == [[0, 1, 2, 3, 4, 5]]  # the sixth hour was not over at any origin


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
