"""What the demo shows of the future."""

import io
from decimal import Decimal

from stream_jobs.budget_terms.units import Unit
from stream_jobs.cli.demo_forecast import MOST_VALUES, few, show
from stream_jobs.forecasts.overrides import OfSeries
from stream_jobs.forecasts.read import Runs
from stream_jobs.forecasts.terminal import Outlined, Overview
from stream_jobs.forecasts.windows import window_of
from stream_jobs.output.console import Console
from tests.unit.forecasts.seen import MADE, hours, one


def user(name: str) -> Outlined:
    window = window_of(24, Unit(), Decimal(45), [], hours(24))
    return Outlined(one(OfSeries("user-day", ("user_id",), (name,)), "cold start"), 24, hours(24)[-1], window)


def test_of_a_budget_with_many_values_a_few_are_shown() -> None:
    """The first, in their order."""
    shown = list(few([user(str(number)) for number in range(9)]))
    assert [found.series.series.vals for found in shown] == [(str(number),) for number in range(MOST_VALUES)]


def test_a_person_sees_which_budget_will_be_gone_when() -> None:
    """With its band and its label; or that there is no forecast."""
    out = io.StringIO()
    show(Console(file=out), Overview(Runs(MADE, None), [], [], [user("ada")]))
    assert "user-day/ada\t24 hours\t$0\t$45.00\t24 hours\t$192.00\t$240.00\t$288.00\t2026-11-30 16:00\tcold start" in (
        out.getvalue()
    )
    show(Console(file=out), None)
    assert "No forecast is there yet" in out.getvalue()
