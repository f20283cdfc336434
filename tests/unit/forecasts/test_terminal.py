"""Forecasts as people read them."""

import io
from dataclasses import replace
from decimal import Decimal

from stream_jobs.budget_terms.units import Unit
from stream_jobs.forecasting.drivers import PARTS
from stream_jobs.forecasts.drivers_ahead import DriversAhead, Pair
from stream_jobs.forecasts.overrides import OfSeries
from stream_jobs.forecasts.read import Band, BudgetAhead, Runs
from stream_jobs.forecasts.terminal import (
    BAR,
    Outlined,
    Overview,
    Shown,
    as_of,
    chance,
    drawn,
    gone,
    print_overview,
    print_series,
    soonest,
)
from stream_jobs.forecasts.windows import total_of, window_of
from stream_jobs.output.console import Console
from tests.unit.forecasts.seen import HOUR, MADE, NOW, hours, one

BUDGET = BudgetAhead(
    MADE, "all", (), NOW, NOW + 10 * HOUR, Unit("EUR", Decimal("1.1")), Decimal(110), Decimal(55),
    Band(Decimal(88), Decimal(121), Decimal(165)), 0.6, (NOW + HOUR, NOW + 5 * HOUR, None), "provisional", "young",
)  # fmt: skip
LASTS = replace(BUDGET, budget_id="lasts", probability=0.2, gone=(NOW + 9 * HOUR, None, None))


def test_budgets_that_will_be_gone_come_first() -> None:
    """With when, in words; what is spent already is gone."""
    assert [found.budget_id for found in soonest([LASTS, BUDGET])] == ["all", "lasts"]
    assert gone(BUDGET) == "2026-11-30 17:00"
    assert gone(LASTS) == "lasts (1 in 10: 2026-11-30 21:00)"
    assert gone(replace(BUDGET, spent=Decimal(200))) == "gone"


def test_of_an_amount_that_is_another_one_by_now_nothing_is_foretold() -> None:
    """A credit came since the run: the band holds, when it is gone does not."""
    for now, another in ((BUDGET.amount, False), (BUDGET.amount + 55, True), (None, False)):
        one = replace(BUDGET, amount_now=now)
        out = io.StringIO()
        print_overview(Console(file=out), Overview(Runs(MADE, None, ""), [], [one], []))
        assert bool(one.why_another) == another == ("the amount is 150.00 EUR now" in out.getvalue())
        assert (chance(one), gone(one)) == (("", "") if another else ("60.0 %", "2026-11-30 17:00"))
        assert "110.00 EUR\t150.00 EUR" in out.getvalue()


def test_an_overview_has_the_total_and_every_budget_in_its_own_currency() -> None:
    """Those whose period is a window too, and what is refused with why."""
    window = window_of(24, Unit(), Decimal(45), [Decimal(10)], hours(24))
    rolling = Outlined(one(OfSeries("rolls")), 24, hours(24)[-1], window)
    ever = Outlined(
        one(OfSeries("ever")), 10, hours(10)[-1], total_of(Unit(), Decimal(340), Decimal(300), Decimal(0), hours(10))
    )
    refused = Outlined(one(OfSeries("young"), "refused", "nothing is known of it"), 0, None)
    total = Outlined(one(), 72, hours(72)[-1])
    out = io.StringIO()
    endless = [rolling, ever, refused]
    print_overview(Console(file=out), Overview(Runs(MADE, None, "no days yet"), [total], [BUDGET], endless))
    text = out.getvalue()
    assert "no days yet" in text
    assert "total\t72 hours\t$576.00\t$720.00\t$864.00\tsteady" in text
    assert "all\t2026-11-30 22:00\t50.00 EUR\t100.00 EUR\t80.00 EUR\t110.00 EUR\t150.00 EUR\t60.0 %" in text
    assert "rolls\t24 hours\t$10.00\t$45.00\t24 hours\t$192.00\t$240.00\t$288.00\t2026-11-30 15:00\tsteady" in text
    assert "ever\tall of it\t$300.00\t$340.00\t10 hours\t$380.00\t$400.00\t$420.00\t2026-11-30 16:00\tsteady" in text
    assert "nothing is known of it" in text
    assert "spent is without what is held for usage that has no price" in text


def test_a_chance_is_never_said_to_be_certain_that_is_not() -> None:
    """Neither of happening nor of not happening."""
    said = []
    for likely in (0.0, 0.0004, 0.998, 0.9996, 1.0):
        out = io.StringIO()
        found = Overview(Runs(MADE, None, ""), [], [replace(BUDGET, probability=likely)], [])
        print_overview(Console(file=out), found)
        said.append(next(line for line in out.getvalue().splitlines() if line.startswith("all\t")).split("\t")[7])
    assert said == ["0.0 %", "< 0.1 %", "99.8 %", "99.9 %", "100.0 %"]


def test_a_series_in_full_says_how_and_how_well_it_is_forecast() -> None:
    out = io.StringIO()
    print_series(Console(file=out), Shown(one(), hours(3), BUDGET, []))
    text = out.getvalue()
    assert "naive, drift" in text
    assert "78.0 % between P10 and P90" in text
    assert "2026-11-30 14:00\t$5.00\t$10.00\t$20.00" in text


def test_a_stale_forecast_says_since_when_and_why() -> None:
    stale = as_of(replace(MADE, stale_since=NOW + HOUR, stale_why="records wait"))
    assert stale.endswith("STALE since 2026-11-30 13:00: records wait")


def test_a_band_is_drawn_within_its_line() -> None:
    """Its median is solid."""
    line = drawn(Band(Decimal(0), Decimal(5), Decimal(10)), Decimal(10))
    assert len(line) == BAR
    assert line[BAR // 2] == "█"
    assert drawn(Band(Decimal(0), Decimal(0), Decimal(0)), Decimal(0)) == ""


NONE = Pair(None, None)
DRIVERS = DriversAhead(
    28,
    "token",
    1.5,
    "",
    Pair(Decimal(10), Decimal(15)),
    Pair(2_000.0, 4_000.0),
    Pair(1500.0, 750.0),
    Pair(Decimal("3.5"), Decimal("5.25")),
    {"requests": 2.0, "tokens_per_request": 0.5, "known_prices": 1.004, "price": 1.49402},
    dict.fromkeys(PARTS, Decimal(1)),
)


def test_what_moves_a_cost_is_said_in_words_and_beside_what_was() -> None:
    """What moves it by less than half a percent is not in the words; what cannot be told says why."""
    assert DRIVERS.words == (
        "cost a day +50 % in the next 28 days beside the last 28: requests +100 %, tokens per request -50 %, "
        "the rest of the price +49 %"
    )
    assert replace(DRIVERS, ratio=0.999).words.startswith("cost a day +0 % in")  # not -0 %
    refused = replace(DRIVERS, days=84, ratio=None, why="no forecast", requests=NONE, factors={}, usd={})
    refused = replace(refused, tokens_per_request=NONE, unit_price=NONE)
    assert refused.words == "no forecast"
    out = io.StringIO()
    print_series(Console(file=out), Shown(one(), hours(3), None, [], [DRIVERS, refused]))
    text = out.getvalue()
    assert "a day of the next\tcost\trequests\ttokens each\tprice per 1M tokens\tprices known" in text
    assert (
        "28 days\t$10.00 to $15.00 (+50 %)\t2,000 to 4,000 (+100 %)\t1,500 to 750 (-50 %)\t$3.50 to $5.25 (+50 %)\t+0 %"
        in text
    )
    assert "84 days\t$10.00 to $15.00\t\t\t\tno forecast" in text
    out = io.StringIO()
    many = [replace(DRIVERS, days=days, ratio=50.0) for days in (7, 28, 84)]
    print_overview(Console(file=out), Overview(Runs(MADE, None), [], [], [], drivers=many))
    assert "cost a day x50 in the next 28 days" in out.getvalue()
