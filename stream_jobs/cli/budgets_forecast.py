"""How `spendstream budgets list|show` print what is forecast, beside what the present rate comes to."""

from typing import TYPE_CHECKING, Final

from stream_jobs.base.readable import exact, instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_jobs.budgets.forecast_status import BudgetForecast, Forecasts
    from stream_jobs.budgets.status import BudgetStanding
    from stream_jobs.output.console import Console

FORECAST_COLUMNS: Final = ("forecast (P10 to P90)", "chance", "gone (P50, UTC)")


def forecast_cells(standing: "BudgetStanding", found: "Forecasts") -> tuple[str, str, str]:
    """Of FORECAST_COLUMNS; empty where nothing is forecast. One that is stale says so."""
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
    gone = forecast.breach_p50 if forecast.amount == standing.amount else None
    return band, "" if chance is None else chance_text(chance), "" if gone is None else instant(gone)


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
        gone = [at for at in (forecast.breach_p10, forecast.breach_p90) if at is not None]
        table.add_row(
            ", ".join(standing.vals) or "all",
            *forecast_cells(standing, found),
            ", ".join(map(instant, gone)) if forecast.amount == standing.amount else "",
            _raised(forecast),
            f"{forecast.label}: {forecast.why}" if forecast.why else forecast.label,
            _as_of(forecast, standing),
        )
    if rows:
        console.print(table)


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
