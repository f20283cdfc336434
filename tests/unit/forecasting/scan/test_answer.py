"""What `spendstream forecast --file` answers, for every series and origin."""

import json
from pathlib import Path

import numpy as np
import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import parse_utc, unix_micros
from stream_jobs.forecasting.scan.answer import forecast_file, steps_of
from tests.unit.forecasting.hours import traffic


def at(text: str) -> int:
    return unix_micros(parse_utc(text))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "usage.csv"
    first = at("2026-01-01") // 1_000_000
    lines = [
        f"{first + hour * 3600},s{number},{value:g}"
        for number, row in enumerate(traffic(4, series=3, days=10))
        for hour, value in enumerate(row)
    ]
    lines.append(f"{first},empty,")
    path.write_text("time,series,value\n" + "\n".join(np.random.default_rng(1).permutation(lines)) + "\n")
    return path


def test_every_series_and_origin_is_answered(file: Path) -> None:
    origins = [at("2026-01-08T05:00"), at("2026-01-09T00:00")]
    found = forecast_file(file, "2d", "1h", origins).forecasts
    assert [(one["series"], one["origin"]) for one in found] == [
        (series, origin)
        for origin in ("2026-01-08T05:00:00Z", "2026-01-09T00:00:00Z")
        for series in ("empty", "s0", "s1", "s2")
    ]
    assert {one["series"] for one in found if "refused" in one} == {"empty"}
    first = next(one for one in found if one["series"] == "s0")
    assert [one["time"] for one in first["steps"][:2]] == ["2026-01-08T05:00:00Z", "2026-01-08T06:00:00Z"]
    assert len(first["steps"]) == 48
    assert first["label"] == "provisional"
    assert first["sum"]["p10"] < first["sum"]["p50"] < first["sum"]["p90"]
    json.dumps(found, allow_nan=False)


def test_rows_from_the_origin_on_change_nothing(file: Path, tmp_path: Path) -> None:
    origin = at("2026-01-08T05:00")
    kept = [
        line
        for line in file.read_text().splitlines()
        if not line[:1].isdigit() or int(line.split(",")[0]) * 1_000_000 < origin
    ]
    cut = tmp_path / "cut.csv"
    cut.write_text("\n".join(kept) + "\n")
    assert forecast_file(cut, "72h", "1h", [origin]) == forecast_file(file, "72h", "1h", [origin])


def test_without_an_origin_it_is_the_end_of_the_file(file: Path) -> None:
    assert {one["origin"] for one in forecast_file(file, "1h", "1h").forecasts} == {"2026-01-11T00:00:00Z"}


def test_no_steps_ahead_is_an_answer(file: Path) -> None:
    found = forecast_file(file, "0h", "1h").forecasts[-1]
    assert found["steps"] == []
    assert found["sum"] == {"p10": 0.0, "p50": 0.0, "p90": 0.0}


@pytest.mark.parametrize(
    ("horizon", "step", "why"),
    [
        ("72", "hour", "no length"),
        ("-3h", "hour", "no length"),
        ("36h", "day", "whole number"),
        ("999d", "hour", "beyond"),
    ],
)
def test_a_horizon_that_makes_no_sense_is_refused(horizon: str, step: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        steps_of(horizon, step)  # type: ignore[arg-type]


def test_a_horizon_is_a_number_of_steps() -> None:
    assert (steps_of("72h", "hour"), steps_of("3d", "hour"), steps_of("90d", "day"), steps_of("48h", "day")) == (
        72,
        72,
        90,
        2,
    )


def test_the_sum_of_one_step_is_the_step(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text("time,value\n2026-01-01,5\n", encoding="utf-8")
    (only,) = forecast_file(path, "1d", "1d").forecasts
    assert only["sum"] == {name: only["steps"][0][name] for name in ("p10", "p50", "p90")}


def test_a_sum_is_no_wider_than_all_its_steps_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = [f"{day * 86400},{value:.3f}" for day, value in enumerate(rng.lognormal(3, 1, 60))]
    path = tmp_path / "days.csv"
    path.write_text("\n".join(["time,value", *rows]) + "\n", encoding="utf-8")
    (only,) = forecast_file(path, "30d", "1d").forecasts
    low, high = (sum(step[name] for step in only["steps"]) for name in ("p10", "p90"))
    assert low * 0.999999 <= only["sum"]["p10"] <= only["sum"]["p50"] <= only["sum"]["p90"] <= high * 1.000001


def test_rows_that_are_there_twice_are_told_of(tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("time,value\n2026-01-01,5\n2026-01-01,5\n", encoding="utf-8")
    assert forecast_file(path, "1d", "1d").notes == [
        "1 rows are of an instant that their series has already: they add up"
    ]
