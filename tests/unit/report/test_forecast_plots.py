"""Forecasts drawn."""

from dataclasses import replace
from decimal import Decimal

from stream_jobs.forecasts.overrides import OfSeries
from stream_jobs.report.forecast_plots import course_picture, in_all, picture, plot
from tests.unit.forecasts.seen import HOUR, NOW, hours, one
from tests.unit.forecasts.test_course import DAY, course

CAME = [(NOW - number * HOUR, None if number == 3 else 10.0) for number in range(24, 0, -1)]


def test_a_picture_is_made_of_whatever_is_known() -> None:
    """With a gap, without a past, and without a forecast."""
    full = picture(one(OfSeries("", ("team",), ("\x1b[31m\u202e\u05e9",))), CAME, hours(72))
    assert full.startswith(b"\x89PNG")
    assert len(full) > 10_000
    for came, ahead in (([], hours(2)), (CAME, []), ([], [])):
        assert picture(one(), came, ahead).startswith(b"\x89PNG")


def test_a_picture_says_of_how_many_hours_it_is() -> None:
    assert in_all(one(), hours(3)).endswith("in the next 3 hours, steady")
    assert in_all(one(), hours(1)).endswith("in the next 1 hour, steady")


def test_a_plot_in_a_page_has_no_text_from_outside() -> None:
    svg = plot(one(OfSeries("", ("team",), ("<script>",))), CAME, hours(72), "ahead")
    assert svg.startswith("<svg")
    assert "script" not in svg
    assert plot(one(), CAME, [], "ahead") == ""


def test_the_course_of_a_budget_is_drawn_beside_its_amount() -> None:
    """Gone or not, with a name that would draw something else, and where nothing was spent yet."""
    hostile = replace(DAY, budget_id="\x1b[31m\u202e", why="$\\frac{1}{2}$")
    for found in (course(), course(limit=60), course(hostile), course(replace(DAY, spent=Decimal(0)), came=0)):
        assert course_picture(found).startswith(b"\x89PNG")
