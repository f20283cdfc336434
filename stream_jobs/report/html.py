"""The report as one HTML file that needs nothing else: no network, no other file."""

from decimal import Decimal
from pathlib import Path
from typing import Final

from markupsafe import Markup

from stream_jobs.base import readable as text
from stream_jobs.report import page, plots
from stream_jobs.report.data import Breakdown, BudgetStanding, ReportData, Share
from stream_jobs.report.forecast_section import Section
from stream_jobs.report.terminal import budget_period, unusual_note

TITLES: Final = {
    "model": "Models",
    "team": "Teams",
    "feature": "Features",
    "project": "Projects",
    "environment": "Environments",
    "category": "Categories",
    "provider": "Providers",
    "customer": "Customers",
    "user_id": "Users",
}


def html_text(data: ReportData, forecast: Section | None = None) -> str:
    """The page. `forecast`: what is to come, where somebody says it."""
    return page.render(
        "report.html.j2",
        data=data,
        titles=TITLES,
        percent=text.percent,
        apart=_apart,
        reached=text.reached,
        budget_period=budget_period,
        unusual_note=unusual_note,
        plots=_plots(data),
        legend=_legend,
        forecast=forecast,
        forecast_plot=Markup(forecast.plot if forecast else ""),  # noqa: S704 - matplotlib's, without foreign text
    )


def write_html(data: ReportData, path: Path, forecast: Section | None = None) -> None:
    """See page.write."""
    page.write(html_text(data, forecast).encode(), path, "--out")


def _apart(standing: BudgetStanding) -> tuple[Markup, Markup]:
    """Used and amount, in the budget's own unit; beside them what they are, exactly."""
    used, amount = standing.unit.bare(standing.used, standing.amount)
    kept_in = standing.unit.kept_in
    return page.exactly(standing.used, kept_in, used), page.exactly(standing.amount, kept_in, amount)


def _plots(data: ReportData) -> dict[str, Markup]:
    """Plots by name; what is in them is drawn from numbers and times only."""
    if data.empty:
        return {}
    drawn = {
        name: plots.cost_over_time(series, data.buckets, data.bucket, data.unusual, f"by-{name}")
        for name, series in data.series.items()
    }
    drawn["cache"] = plots.cache_over_time(data.cache, data.buckets, data.bucket, "cache")
    return {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704 - matplotlib's, without foreign text


def _legend(data: ReportData, dimension: str) -> list[tuple[str, str, Decimal]]:
    """(colour, name, cost in the period) per area of the plot."""
    series = data.series[dimension]
    found = []
    for index, name in enumerate(series.names):
        others = series.has_others and index == len(series.names) - 1
        shown = _others(data.breakdowns[dimension], index) if others else text.name_of(dimension, name)
        found.append((plots.colour(index, series), shown, sum(series.values[index], Decimal(0))))
    return found


def _others(breakdown: Breakdown, shown: int) -> str:
    shares: tuple[Share, ...] = breakdown.shares
    named = sum(1 for share in shares if share.name or breakdown.dimension != "model")
    return text.others(named - shown + breakdown.rest_groups)
