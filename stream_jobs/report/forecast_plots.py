"""A forecast drawn: what came before it, its median and its band. As an inline SVG without any text from outside, and
as a picture that says whose it is and how far it can be relied on. The course of a budget's period, too."""

import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import matplotlib as mpl
from matplotlib.ticker import FuncFormatter

from stream_jobs.base.readable import instant
from stream_jobs.forecasts.course import Course
from stream_jobs.forecasts.course_text import gone_text
from stream_jobs.forecasts.read import COST, Ahead, OneSeries
from stream_jobs.forecasts.terminal import as_of, figure, quality
from stream_jobs.report.anomaly_plots import DPI, PICTURE_INK, wrapped
from stream_jobs.report.plots import COLOURS, INK, dollars, figure_of, style, svg_of

Came = Sequence[tuple[datetime, float | None]]
BAND_COLOUR: Final = COLOURS[0]
LIMIT_COLOUR: Final = COLOURS[3]
_LINE_INCHES: Final = 0.17
_NOTHING: Final = float("nan")


def plot(one: OneSeries, came: Came, ahead: Sequence[Ahead], label: str) -> str:
    """Inline SVG; `label` must be unique on the page. Empty where nothing is forecast."""
    if not ahead:
        return ""
    drawn, axes = figure_of(3.1)
    with mpl.rc_context(style()):  # a legend takes its colour when it is made
        _draw(axes, one, came, ahead, INK)
    return svg_of(drawn, label)


def picture(one: OneSeries, came: Came, ahead: Sequence[Ahead]) -> bytes:
    """PNG: whose forecast and what it comes to above the plot, why and how good it was below it."""
    above = [*wrapped(f"{one.series.words}, by the {one.made.grain}: {in_all(one, ahead)}"), *wrapped(as_of(one.made))]
    said = (one.why, f"so far: {quality(one)}", f"method: {one.method}" if ahead else "")
    below = [line for text in said if text for line in wrapped(text)]
    drawn, axes = figure_of(3.4 + _LINE_INCHES * (len(above) + len(below)), ink=PICTURE_INK)
    with mpl.rc_context(style(PICTURE_INK)):
        if came or ahead:
            _draw(axes, one, came, ahead, PICTURE_INK)
        else:
            axes.text(0.5, 0.5, "nothing is known of it", ha="center", transform=axes.transAxes)
            axes.set_axis_off()
        return _png(drawn, above, below)


def course_picture(course: Course) -> bytes:
    """PNG: what is spent of a budget's period, its path to the end and its amount; above it when that is gone, below
    how far it can be relied on."""
    budget, unit, gone = course.budget, course.budget.unit, course.gone[1]
    low, middle, high = map(unit.text, course.ahead[-1][1])
    said = f"{budget.name}: {middle} ({low} to {high}) by {instant(budget.period_end)} UTC"
    above = [*wrapped(f"{said}; {unit.text(course.limit)}: {gone_text(course)}"), *wrapped(as_of(budget.made))]
    below = wrapped(f"{budget.label}: {budget.why}" if budget.why else budget.label)
    drawn, axes = figure_of(3.4 + _LINE_INCHES * (len(above) + len(below)), ink=PICTURE_INK)
    with mpl.rc_context(style(PICTURE_INK)):
        # Floats from here on: they become positions of pixels, never amounts.
        begin = budget.period_start, 0.0
        came = [begin, *((at, float(unit.stated(spent))) for at, spent in course.came)]
        axes.plot(*zip(*came, strict=True), color=PICTURE_INK, linewidth=1.2, label="spent")
        times = [came[-1][0], *(at for at, _ in course.ahead)]
        figures = [[float(unit.stated(figure)) for figure in band] for _, band in course.ahead]
        lower, path, upper = ([came[-1][1], *(row[place] for row in figures)] for place in range(3))
        axes.fill_between(times, lower, upper, facecolor=(BAND_COLOUR, 0.25), linewidth=0, label="P10 to P90")
        axes.plot(times, path, color=BAND_COLOUR, linewidth=1.4, label="P50")
        axes.axhline(float(unit.stated(course.limit)), color=LIMIT_COLOUR, linewidth=1.0, label="amount")
        if gone is not None and not course.is_gone:
            axes.axvline(gone, color=LIMIT_COLOUR, linewidth=0.8, linestyle=":", label="gone (P50)")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=5, frameon=False, fontsize=8, borderaxespad=0.1)
        axes.set_xlim(budget.period_start, budget.period_end)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: unit.said(Decimal(repr(float(value))))))
        return _png(drawn, above, below)


def _png(drawn: Any, above: Sequence[str], below: Sequence[str]) -> bytes:
    drawn.suptitle("\n".join(above), x=0.012, ha="left", fontsize=10)
    drawn.supxlabel("\n".join(below), x=0.012, ha="left", fontsize=9)
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=DPI, facecolor="white", metadata={"Software": "spendstream"})
    return buffer.getvalue()


def in_all(one: OneSeries, ahead: Sequence[Ahead]) -> str:
    """'$10.00 ($8.00 to $12.00) in the next 3 days, steady'."""
    if not ahead:
        return one.label
    low, middle, high = (figure(one, amount) for amount in ahead[-1].total)
    length = f"{len(ahead)} {one.made.grain}{'s' if len(ahead) != 1 else ''}"
    return f"{middle} ({low} to {high}) in the next {length}, {one.label}"


def _draw(axes: Any, one: OneSeries, came: Came, ahead: Sequence[Ahead], ink: str) -> None:
    # Floats from here on: they become positions of pixels, never amounts.
    length = timedelta(hours=1) if one.made.grain == "hour" else timedelta(days=1)
    if came:
        times = [*(at for at, _ in came), came[-1][0] + length]
        values = [_NOTHING if value is None else value for _, value in came]
        axes.step(times, [*values, values[-1]], where="post", color=ink, linewidth=1.2, label="what came")
    if ahead:
        times = [*(step.at for step in ahead), ahead[-1].at + length]
        low, middle, high = (
            [*figures, figures[-1]] for figures in zip(*(map(float, step.step) for step in ahead), strict=True)
        )
        axes.fill_between(
            times, low, high, step="post", facecolor=(BAND_COLOUR, 0.25), edgecolor=(BAND_COLOUR, 0.6), linewidth=0.8,
            label="P10 to P90",
        )  # fmt: skip
        axes.step(times, middle, where="post", color=BAND_COLOUR, linewidth=1.4, label="P50")
        axes.axvline(ahead[0].at, color=ink, alpha=0.4, linewidth=0.8, linestyle=":")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=8, borderaxespad=0.1)
    axes.set_xlim((came[0][0] if came else ahead[0].at), times[-1])
    if all(value is None or value >= 0 for _, value in came):
        axes.set_ylim(bottom=0)
    money = one.series.measure == COST
    axes.yaxis.set_major_formatter(dollars() if money else FuncFormatter(lambda value, _: _plain(one, value)))


def _plain(one: OneSeries, value: float) -> str:
    return figure(one, Decimal(repr(float(value))))
