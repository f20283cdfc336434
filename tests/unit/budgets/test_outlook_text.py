"""What people read of a forecast: the chance, the quantiles, the day, how far one can rely on it."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from stream_jobs.budgets.outlook import Chance, Outlook
from stream_jobs.budgets.outlook_text import chance_text, foretold_text, is_held, outlook_facts
from stream_jobs.budgets.standing import Standing, ThresholdKey
from stream_jobs.series.calendar import Period
from tests.unit.series.memory_ledger import usd

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GONE = datetime(2026, 11, 24, tzinfo=UTC)
MONTH = Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
HUNDRED, OTHER = (ThresholdKey("forecast", Decimal(percent)) for percent in (100, 150))
OUTLOOK = Outlook(
    *(NOW, Decimal(100), Decimal(120), Decimal(140), Decimal(170)),
    *({Decimal("100.000"): Chance(0.999, NOW)}, (None, GONE, GONE), "provisional", "20 days are known", False),
)
STANDING = Standing(MONTH, False, usd(100), usd(60), 0, 0, outlook=OUTLOOK)
UTC_ZONE = ZoneInfo("UTC")


def test_chances_are_never_said_to_be_certain_that_are_not() -> None:
    """Neither of happening nor of not happening."""
    assert [chance_text(chance) for chance in (0.0, 0.001, 0.854, 0.999, 1.0)] == [
        "0 %",
        "< 1 %",
        "85 %",
        "> 99 %",
        "100 %",
    ]


def test_a_summary_has_the_chance_the_band_the_day_and_the_label() -> None:
    """Of a threshold that nothing is forecast of, it has none."""
    assert foretold_text(STANDING, HUNDRED, UTC_ZONE) == (
        "will pass $100.00 with a chance of > 99 %: forecast $140.00 (P10 $120.00, P90 $170.00), "
        "used up on 2026-11-24 (P50), provisional"
    )
    assert foretold_text(STANDING, OTHER, UTC_ZONE) is None


def test_facts_say_as_of_when_and_what_the_forecast_rests_on() -> None:
    """One that is stale only says that it is."""
    found = {fact.name: fact.text for fact in outlook_facts(STANDING, UTC_ZONE)}
    assert found == {
        "Forecast": "$140.00 at the end of the period (P10 $120.00, P90 $170.00), as of 2026-11-20 12:00 (UTC)",
        "Chance to pass": "100 % of the amount: > 99 %",
        "Forecast to be used up": "2026-11-24 00:00 (UTC) (P50; P90 2026-11-24 00:00 (UTC))",
        "History": "provisional: 20 days are known",
    }
    stale = replace(STANDING, outlook=replace(OUTLOOK, is_stale=True))
    (fact,) = outlook_facts(stale, UTC_ZONE)
    assert fact.text == "stale: the last one is of 2026-11-20 12:00 (UTC)"
    assert [is_held(one, HUNDRED) for one in (stale, STANDING)] == [True, False]
