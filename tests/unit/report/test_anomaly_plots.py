"""A finding drawn by matplotlib."""

import io
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from matplotlib.image import imread

from stream_jobs.anomalies.around import Around, Point
from stream_jobs.anomalies.cause import Cause
from stream_jobs.report.anomaly_plots import FOUND_COLOUR, picture, place, plot
from tests.unit.anomalies.build import MINUTE, START, found, shown
from tests.unit.output.hostile import HOSTILE

RED = tuple(int(FOUND_COLOUR[at : at + 2], 16) / 255 for at in (1, 3, 5))


def test_the_picture_shows_points_beyond_the_band_in_red() -> None:
    """It is a PNG of a decent size, white in its corners, with red in it."""
    data = picture(shown())
    assert data.startswith(b"\x89PNG")
    image = imread(io.BytesIO(data))
    assert image.shape[0] > 400
    assert image.shape[1] > 1000
    assert image[0, 0].tolist()[:3] == [1, 1, 1]
    assert (abs(image[:, :, :3] - RED).sum(axis=2) < 0.05).sum() > 100


def test_minutes_beyond_their_band_are_red_only_in_the_finding() -> None:
    """A minute of few requests is often beyond it; and there is a legend of what is drawn, of no more."""
    whole = shown()
    wild = replace(whole.around, points=tuple(replace(point, high=Decimal("0.05")) for point in whole.around.points))
    early = tuple(point for point in wild.points if point.at < START)
    before = replace(whole, around=replace(wild, points=early))
    assert "beyond the band" in plot(replace(whole, around=wild), "p")
    drawn = plot(before, "p")
    assert "beyond the band" not in drawn
    assert all(word in drawn for word in ("expected", "the band", "what came", "the finding"))


def test_every_text_of_the_inline_plot_has_the_colour_of_the_page() -> None:
    """So that it can be read on dark and on light."""
    texts = re.findall(r"<text[^>]*style=\"([^\"]*)\"", plot(shown(), "p"))
    assert len(texts) > 5
    assert [style for style in texts if "fill: currentColor" not in style] == []


def test_a_narrow_window_looks_at_the_beginning_of_the_finding() -> None:
    """As a share of the plot's width; at an edge where it began outside."""
    assert place(shown()) == pytest.approx(0.5, abs=0.35)
    long_ago = replace(shown(), found=found(starts_at=START - 9000 * MINUTE))
    assert place(long_ago) == place(replace(shown(), around=Around(MINUTE, ()))) == 0


@pytest.mark.parametrize("name", [HOSTILE, "$\\frac{a}{b}$ <b>", "検索 " * 80, "x" * 4000, "واحد " * 200])
def test_any_name_is_drawn_without_a_warning(name: str) -> None:
    """Also one of letters that the font lacks, and one that looks like a formula; and it does not grow the picture."""
    image = imread(io.BytesIO(picture(shown(name))))
    assert image.shape[0] < 1200


def test_the_inline_plot_has_no_text_from_outside() -> None:
    """Numbers and times only."""
    assert plot(shown("search"), "p") == plot(shown(HOSTILE), "p")


def test_what_is_not_known_is_not_drawn() -> None:
    """No figures of the time, no cause, no band, a driver, negative corrections."""
    nothing = replace(shown(), around=Around(MINUTE, ()), cause=Cause())
    assert plot(nothing, "p") == ""
    assert picture(nothing).startswith(b"\x89PNG")
    negative = Around(MINUTE, tuple(Point(START + MINUTE * n, Decimal(n - 3)) for n in range(9)))
    for around in (negative, Around(MINUTE, (Point(START, None), *negative.points[1:]))):
        whole = replace(shown(), around=around, found=found(measure="cache_rate", ends_at=None))
        assert "<svg" in plot(whole, "p")
