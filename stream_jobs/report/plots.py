"""Inline SVG plots. All texts that come from events stay out of them: names are in HTML legends beside the plot.

Plots have no background and draw their text in the colour of the page, so that they read on light and dark alike.
"""

import io
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import matplotlib as mpl
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from stream_jobs.base.readable import money
from stream_jobs.report.data import CachePoint, Series, Unusual

COLOURS: Final = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#9c755f")
OTHERS_COLOUR: Final = "#a5a5ad"
INK: Final = "#010203"  # stands for currentColor until the SVG is written


def style(ink: str = INK) -> dict[Any, Any]:
    """Matplotlib's settings for what is drawn."""
    inks = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    return {
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9,
        "timezone": "UTC",
        "text.parse_math": False,
        **dict.fromkeys(inks, ink),
    }


def dollars() -> FuncFormatter:
    """Of an axis of money. Each axis needs its own."""
    return FuncFormatter(lambda value, _: money(Decimal(repr(float(value)))).removesuffix(".00"))


def colour(index: int, series: Series) -> str:
    """The colour of the series' name at `index`."""
    others = series.has_others and index == len(series.names) - 1
    return OTHERS_COLOUR if others else COLOURS[index % len(COLOURS)]


def cost_over_time(series: Series, buckets: Sequence[datetime], bucket: timedelta, unusual: Unusual, label: str) -> str:
    """A stacked area of effective cost per bucket; unusual times are shaded. `label` must be unique on the page."""
    figure, axes = figure_of(3.1)
    # Floats from here on: they become positions of pixels, never amounts.
    rows = [[max(float(value), 0.0) for value in row] for row in series.values]
    times = [*buckets, buckets[-1] + bucket]
    if rows:
        axes.stackplot(
            times,
            [[*row, row[-1]] for row in rows],
            colors=[colour(index, series) for index in range(len(rows))],
            step="post",
            linewidth=0,
        )
    for time in unusual.times:
        begin, end = max(time.found.starts_at, times[0]), min(time.found.ends_at or times[-1], times[-1])
        axes.axvspan(begin, end, facecolor="#e15759", alpha=0.16, linewidth=0, zorder=0.5)
    axes.set_xlim(times[0], times[-1])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(dollars())
    return svg_of(figure, label)


def cache_over_time(points: Sequence[CachePoint], buckets: Sequence[datetime], bucket: timedelta, label: str) -> str:
    """Two lines: the share of input tokens read from provider caches, and of events that our own caches answered."""
    figure, axes = figure_of(2.6, width=5.4)
    times = [*buckets, buckets[-1] + bucket]
    nothing = float("nan")
    tokens = [p.cache_read_tokens / p.input_tokens if p.input_tokens > 0 else nothing for p in points]
    own = [p.cached_responses / p.events if p.events > 0 else nothing for p in points]
    for values, line_colour in ((tokens, COLOURS[0]), (own, COLOURS[1])):
        axes.step(times, [*values, values[-1]], where="post", color=line_colour, linewidth=1.6)
    axes.set_xlim(times[0], times[-1])
    top = max((value for value in (*tokens, *own) if value == value), default=0.0)  # noqa: PLR0124 - NaN differs
    axes.set_ylim(0, min(1.0, max(0.05, top * 1.15)))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    return svg_of(figure, label)


def figure_of(height: float, width: float = 11.0, ink: str = INK) -> tuple[Figure, Any]:
    """An empty figure of so many inches whose horizontal axis is time."""
    with mpl.rc_context(style(ink)):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(axis="y", color=ink, alpha=0.12, linewidth=0.8)
    axes.set_axisbelow(True)
    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    return figure, axes


def svg_of(figure: Figure, label: str) -> str:
    """The figure as an <svg> element: scalable, with ids of its own, its ink the colour of the page."""
    buffer = io.StringIO()
    with mpl.rc_context({**style(), "svg.hashsalt": label}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg [^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'\bid="', f'id="{label}-', text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{label}-", text)
    return text.replace(INK, "currentColor").strip()
