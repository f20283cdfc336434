"""How `spendstream budgets list|show` print what is forecast, beside what the present rate comes to."""

from typing import TYPE_CHECKING, Final

from stream_jobs.base.readable import exact, instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path

    from stream_jobs.budgets.forecast_status import BudgetForecast, Forecasts
    from stream_jobs.budgets.status import BudgetStanding, DefinedBudget
    from stream_jobs.forecasts.course import Course
    from stream_jobs.output.console import Console
    from stream_jobs.store.client import StoreClient

ALREADY: Final = "already"
FORECAST_COLUMNS: Final = ("forecast (P10 to P90)", "chance", "gone (P50, UTC)")


def forecast_cells(standing: "BudgetStanding", found: "Forecasts") -> tuple[str, str, str]:
    """Of FORECAST_COLUMNS; empty where nothing is forecast. One that is stale says so. What is spent is not foretold:
    the instant that is kept for it is the run's."""
    from stream_jobs.budgets.forecast_status import chance_of, forecast_of
    from stream_jobs.budgets.outlook_text import chance_text

    forecast = forecast_of(found, standing)
    if forecast is None or forecast.p10 is None or forecast.p50 is None or forecast.p90 is None:
        return "", "", ""
    unit = standing.stated
    band = f"{unit.text(forecast.p50)} ({unit.text(forecast.p10)} to {unit.text(forecast.p90)})"
    if forecast.stale_since is not None:
        band += ", stale"
    chance = chance_of(forecast, standing)
    return band, "" if chance is None else chance_text(chance), _gone(standing, forecast.amount, forecast.breach_p50)


def print_forecasts(console: "Console", standings: "Sequence[BudgetStanding]", found: "Forecasts") -> None:
    """A table, with how far one can rely on each; nothing where nothing is forecast."""
    from stream_jobs.budgets.forecast_status import forecast_of
    from stream_jobs.output.tables import Table

    table = Table("of", *FORECAST_COLUMNS, "P10, P90", "raised since (UTC)", "label", "as of (UTC)", title="Forecast")
    rows = 0
    for standing in standings:
        forecast = forecast_of(found, standing)
        if forecast is None:
            continue
        rows += 1
        gone = [_gone(standing, forecast.amount, at) for at in (forecast.breach_p10, forecast.breach_p90)]
        table.add_row(
            ", ".join(standing.vals) or "all",
            *forecast_cells(standing, found),
            "" if ALREADY in gone else ", ".join(filter(None, gone)),
            _raised(forecast),
            f"{forecast.label}: {forecast.why}" if forecast.why else forecast.label,
            _as_of(forecast, standing),
        )
    if rows:
        console.print(table)


def course_of_standing(
    store: "StoreClient", defined: "DefinedBudget", standing: "BudgetStanding", found: "Forecasts"
) -> "Course | None":
    """What is spent of the period and will be, cell by cell; None where nothing is forecast of it. Raises
    StoreUnavailableError, ConfigError."""
    from stream_jobs.base.json_values import json_text
    from stream_jobs.budget_terms.resolve import budget_from_json
    from stream_jobs.budgets.forecast_status import forecast_of
    from stream_jobs.forecasts.read import read_budgets
    from stream_jobs.forecasts.recent import read_course

    forecast = forecast_of(found, standing)
    if forecast is None or forecast.p50 is None:
        return None
    own = standing.budget_id, standing.vals
    budget = next((one for one in read_budgets(store) if (one.budget_id, one.values) == own), None)
    scope = budget_from_json(json_text(defined.document)).scope
    return None if budget is None else read_course(store, budget, scope, standing.amount)


def plot_course(course: "Course | None", path: "Path") -> None:
    """Writes a PNG. Raises ConfigError where nothing is forecast, or it cannot be written."""
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.report import page
    from stream_jobs.report.forecast_plots import course_picture

    if course is None:
        raise ConfigError(
            "nothing to plot: there is no forecast of this budget's period; "
            "'spendstream forecast' has what there is, or why not"
        )
    page.write(course_picture(course), path, "--plot")


def _gone(standing: "BudgetStanding", amount: "Decimal", at: "datetime | None") -> str:
    """`amount`: that `at` is about."""
    if at is None or amount != standing.amount:
        return ""
    return ALREADY if standing.spent > amount else instant(at)


def _raised(forecast: "BudgetForecast") -> str:
    """'100 %: 2026-11-20 10:00'."""
    both = zip(forecast.thresholds, forecast.raised_since, strict=True)
    return ", ".join(f"{exact(percent)} %: {instant(since)}" for percent, since in both if since is not None)


def _as_of(forecast: "BudgetForecast", standing: "BudgetStanding") -> str:
    text = instant(forecast.as_of)
    if forecast.stale_since is not None:
        text += f"; stale since {instant(forecast.stale_since)}: {forecast.stale_why}"
    if forecast.amount != standing.amount:
        text += f"; of an amount of {standing.stated.text(forecast.amount)}"
    return text
