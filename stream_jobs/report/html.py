"""Writes the report as one HTML file that needs nothing else: no network, no other file."""

import base64
import hashlib
import os
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from spendstream_schemas.alert_feed import SEVERITIES
from stream_jobs.base import readable as text
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.private import open_private
from stream_jobs.output.escape import escaped
from stream_jobs.report import plots
from stream_jobs.report.data import Breakdown, BudgetStanding, ReportData, Share
from stream_jobs.report.terminal import budget_period

_HERE: Final = Path(__file__).parent
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
_SEVERITY_CLASSES: Final = {"critical": "bad", "error": "bad", "warning": "warn"}


def html_text(data: ReportData) -> str:
    """The page. Every text from events is escaped; the only script is ours, pinned by its hash."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_filters())
    script = (_HERE / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        data=data,
        titles=TITLES,
        script=Markup(script),  # noqa: S704 - our own file
        style=Markup((_HERE / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        script_hash=digest,
        percent=text.percent,
        apart=_apart,
        reached=text.reached,
        budget_period=budget_period,
        plots=_plots(data),
        legend=_legend,
    )


def _apart(standing: BudgetStanding) -> tuple[Markup, Markup]:
    """Used and amount, in the budget's own unit; beside them what they are, exactly."""
    used, amount = standing.unit.bare(standing.used, standing.amount)
    kept_in = standing.unit.kept_in
    return _exactly(standing.used, kept_in, used), _exactly(standing.amount, kept_in, amount)


def _money(amount: Decimal, shown: str) -> Markup:
    return _exactly(amount, "USD", shown)


def _exactly(amount: Decimal, unit: str, shown: str) -> Markup:
    return Markup('<span class="money" title="{} {}">{}</span>').format(text.exact(amount), unit, shown)


def write_html(data: ReportData, path: Path) -> None:
    """Write the page, for its owner alone; readers see the whole file or the old one. Raises ConfigError when it can't
    be written."""
    page = html_text(data)
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            # Written to as it is: a file in the place of /dev/null or /dev/stdout would break the machine.
            with open_private(path) as stream:
                stream.write(page.encode())
            return
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".report-", suffix=".html")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(page)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; choose another with --out") from None


def _visible(value: Any) -> Any:
    """A name cannot turn the reading direction of the page, or look like another."""
    return escaped(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _filters() -> dict[str, Callable[..., Any]]:
    def money(amount: Decimal) -> Markup:
        return _money(amount, text.money(amount))

    return {
        "money": money,
        "exact": text.exact,
        "count": text.count,
        "others": text.others,
        "instant": text.instant,
        "clock": text.clock,
        "rank": SEVERITIES.index,
        "rank_name": lambda severity: _SEVERITY_CLASSES.get(severity, ""),
        "duration": text.duration,
        "took": text.took,
        "who": lambda name, dimension: text.name_of(dimension, name),
    }


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
