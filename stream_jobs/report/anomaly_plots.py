"""A finding drawn: its band, its points, where it is. As an inline SVG without any text from outside, and as a picture
that carries what happened and why, to be shown where people talk."""

import io
import textwrap
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import matplotlib as mpl
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import FuncFormatter

from stream_jobs.anomalies import words
from stream_jobs.anomalies.terminal import Shown
from stream_jobs.output.escape import escaped
from stream_jobs.report.page import RIGHT_TO_LEFT
from stream_jobs.report.plots import COLOURS, INK, dollars, figure_of, style, svg_of

BAND_COLOUR: Final = COLOURS[0]
FOUND_COLOUR: Final = "#e15759"
PICTURE_INK: Final = "#1c2430"
DPI: Final = 144
_COLUMNS: Final = 120
_MOST_LINES: Final = 8
_LINE_INCHES: Final = 0.17
_NOTHING: Final = float("nan")


def plot(shown: Shown, label: str) -> str:
    """Inline SVG; `label` must be unique on the page. Empty where nothing is known."""
    if not shown.around.known:
        return ""
    figure, axes = figure_of(3.1)
    with mpl.rc_context(style()):  # a legend takes its colour when it is made
        _draw(axes, shown, INK)
    return svg_of(figure, label)


def place(shown: Shown) -> float:
    """Where in the plot the finding begins, from 0 (left) to 1: what a narrow window shows of it."""
    points = shown.around.points
    if not points:
        return 0.0
    begin, end = points[0].at, points[-1].at + shown.around.step
    return min(max((shown.found.starts_at - begin) / (end - begin), 0.0), 1.0)


def picture(shown: Shown) -> bytes:
    """PNG: what, when and how much above the plot, the cause below it."""
    found = shown.found
    above = [*wrapped(f"{found.severity.upper()}: {words.line(found)}"), *wrapped(_when(shown))]
    causes = shown.cause.lines() or ["nobody knows yet why"]
    below = [line for cause in causes for line in wrapped(cause)]
    if len(below) > _MOST_LINES:
        below = [*below[: _MOST_LINES - 1], "..."]
    figure, axes = figure_of(3.4 + _LINE_INCHES * (len(above) + len(below)), ink=PICTURE_INK)
    with mpl.rc_context(style(PICTURE_INK)):
        if shown.around.known:
            _draw(axes, shown, PICTURE_INK)
        else:
            axes.text(0.5, 0.5, "no figures are kept of this time", ha="center", transform=axes.transAxes)
            axes.set_axis_off()
        figure.suptitle("\n".join(above), x=0.012, ha="left", fontsize=10)
        figure.supxlabel("\n".join(below), x=0.012, ha="left", fontsize=9)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", metadata={"Software": "spendstream"})
    return buffer.getvalue()


def _when(shown: Shown) -> str:
    found = shown.found
    drawn = words.drawn_in(found.measure, shown.around.step)
    said = (words.when(found), words.state(found), words.per_day(found), drawn)
    return ", ".join(part for part in said if part)


def wrapped(text: str) -> list[str]:
    """Lines that fit, of what the font can draw: all else is written out, as what a reader could not see is."""
    known = get_font(findfont(FontProperties(family=["sans-serif"]))).get_charmap()
    drawable = "".join(
        letter if ord(letter) in known else letter.encode("ascii", "backslashreplace").decode()
        for letter in escaped(text)
    )
    lines = textwrap.wrap(drawable, _COLUMNS, max_lines=3, placeholder=" ...")
    return [RIGHT_TO_LEFT.sub("\\g<0>\N{LEFT-TO-RIGHT MARK}", line) for line in lines]


def _draw(axes: Any, shown: Shown, ink: str) -> None:
    # Floats from here on: they become positions of pixels, never amounts.
    around, found = shown.around, shown.found
    points = around.points
    times = [*(point.at for point in points), points[-1].at + around.step]
    begin, end = max(found.starts_at, times[0]), min(found.ends_at or times[-1], times[-1])
    axes.axvspan(begin, end, facecolor=FOUND_COLOUR, alpha=0.12, linewidth=0, zorder=0.5, label="the finding")
    low, high, expected, actual = (
        _stepped([getattr(point, name) for point in points]) for name in ("low", "high", "expected", "actual")
    )
    if any(point.high is not None for point in points):
        # Its edge has a line of its own: beside a peak of a hundred times as much the band is thinner than a pixel.
        axes.fill_between(
            times, low, high, step="post", facecolor=(BAND_COLOUR, 0.25), edgecolor=(BAND_COLOUR, 0.6), linewidth=0.8,
            label="the band",
        )  # fmt: skip
        axes.step(times, expected, where="post", color=BAND_COLOUR, linewidth=1.2, linestyle="--", label="expected")
    axes.step(times, actual, where="post", color=ink, linewidth=1.2, label="what came")
    outside = [point for point in points if around.shows(found, point)]
    if outside:
        at, came = zip(*((point.at + around.step / 2, _float(point.actual)) for point in outside), strict=True)
        axes.scatter(at, came, color=FOUND_COLOUR, s=9, zorder=3, label="beyond the band")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=5, frameon=False, fontsize=8, borderaxespad=0.1)
    axes.set_xlim(times[0], times[-1])
    if all(point.actual is None or point.actual >= 0 for point in points):
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(dollars() if words.is_money(found.measure) else _amounts(found.measure))


def _amounts(measure: str) -> FuncFormatter:
    return FuncFormatter(lambda value, _: words.amount(measure, Decimal(repr(float(value)))))


def _stepped(values: Sequence[Decimal | None]) -> list[float]:
    """One more: where the last step ends."""
    floats = [_float(value) for value in values]
    return [*floats, floats[-1]]


def _float(value: Decimal | None) -> float:
    return _NOTHING if value is None else float(value)
