"""What is forecast, in the cells of `spendstream budgets`."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.budgets.forecast_status import BudgetForecast, Forecasts
from stream_jobs.budgets.status import BudgetStanding
from stream_jobs.cli.budgets_forecast import forecast_cells, plot_course, print_forecasts
from stream_jobs.output.console import Console

RUN = datetime(2026, 12, 1, 4, 15, tzinfo=UTC)
LATER = RUN + timedelta(days=2)


def standing(spent: int, amount: int = 100, held: int = 0) -> BudgetStanding:
    return BudgetStanding(
        budget_id="all",
        vals=(),
        period_key="2026-12",
        period_start=datetime(2026, 12, 1, tzinfo=UTC),
        period_end=datetime(2027, 1, 1, tzinfo=UTC),
        amount=Decimal(amount),
        spent=Decimal(spent),
        held=Decimal(held),
        unpriced_events=0,
        burn_per_hour=None,
        forecast=None,
        exhausted_at=None,
        thresholds=(),
        updated_at=RUN,
        unit="USD",
        credited=Decimal(0),
        threshold_amounts=(),
        currency="USD",
        rate=Decimal(1),
    )


def foretold(gone: datetime) -> Forecasts:
    figures = (Decimal(100), Decimal(120), Decimal(140), Decimal(170))
    one = BudgetForecast(RUN, *figures, (), (), (), 1.0, gone, gone, gone, "steady", "", None, "")
    return {("all", "2026-12", ()): one}


def test_what_is_spent_is_not_foretold_for_the_instant_of_the_run() -> None:
    """That would be another one with every run. What is to come has its instant, whatever is held."""
    assert forecast_cells(standing(101), foretold(RUN))[2] == "already"
    assert forecast_cells(standing(100), foretold(RUN))[2] == "2026-12-01 04:15"
    assert forecast_cells(standing(60, held=50), foretold(LATER))[2] == "2026-12-03 04:15"
    assert forecast_cells(standing(101, amount=90), foretold(RUN))[2] == "", "it is about another amount"


def test_the_other_dates_of_what_is_spent_are_not_there() -> None:
    for spent, gone, dates in (
        (101, RUN, "already\t\t"),
        (60, LATER, "2026-12-03 04:15\t2026-12-03 04:15, 2026-12-03 04:15\t"),
    ):
        out = io.StringIO()
        print_forecasts(Console(file=out), [standing(spent)], foretold(gone))
        assert f"100 %\t{dates}" in out.getvalue()


def test_where_there_is_nothing_to_plot_it_says_who_knows_why(tmp_path: Path) -> None:
    """Of a window, or of a total without an end, `budgets show` has no forecast and no reason."""
    with pytest.raises(ConfigError, match="'spendstream forecast' has what there is, or why not"):
        plot_course(None, tmp_path / "nothing.png")
