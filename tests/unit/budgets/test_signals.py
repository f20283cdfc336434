"""What is said of a budget: who it is about, how grave it is, and until when."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.budgets.book import Place
from stream_jobs.budgets.signals import (
    LATE_ALERT_LASTS,
    MAX_ID,
    Kind,
    alert_id,
    budget_signal,
    ended_signal,
    group_id,
    removed_signal,
)
from stream_jobs.budgets.standing import WINDOW_KEY, Standing, ThresholdKey
from stream_jobs.series.calendar import Period
from tests.unit.budget_terms.build import budget, budgets
from tests.unit.series.memory_ledger import usd

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
MONTH = Period(START, END)
PLACE = Place("one", "2026-11", ())
ZONE = ZoneInfo("Europe/Berlin")


def crossed(*percents: str, at: datetime = NOW, kind: Any = "actual") -> dict[ThresholdKey, datetime]:
    return {ThresholdKey(kind, Decimal(percent)): at for percent in percents}


def signal(
    spent: int,
    keys: dict[ThresholdKey, datetime],
    *,
    kind: Kind = "budget",
    place: Place = PLACE,
    now: datetime = NOW,
    amount: int = 100,
    held: int = 0,
    unpriced: int = 0,
    rolling: bool = False,
    forecast: int | None = None,
    **more: Any,
) -> AlertSignal:
    forecast_notified = None if forecast is None else usd(forecast)
    standing = Standing(MONTH, rolling, usd(amount), usd(spent), unpriced, usd(held), None, forecast_notified)
    given = {"amount": max(1, amount), "thresholds": {"actual": [50, 80, 100, 150], "forecast": [100, 120]}, **more}
    return budget_signal(kind, budget(**given), place, standing, keys, now, zone=ZONE)


# -- identity

VALUES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=128), max_size=4).map(tuple)


@given(VALUES, VALUES)
def test_ids_are_the_same_for_the_same_values_only(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    """Whatever characters they hold; and never longer than the contract allows."""
    places = Place("b", "2026-11", one), Place("b", "2026-11", two)
    ids = [alert_id("budget", place) for place in places]
    assert (ids[0] == ids[1]) == (one == two)
    assert all(len(text) <= MAX_ID for text in ids)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("a/1:b",), ("a", "b")),
        (("x" * 127 + "\0", "y" * 128), ("x" * 127, "\0" + "y" * 128)),
        (("x" * 128, "y" * 128, "1"), ("x" * 128, "y" * 128, "2")),
        ((), ("",)),
    ],
)
def test_values_that_look_alike_are_apart(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    """Also long ones, of which only a hash is left, and those that hold what separates them."""
    assert alert_id("budget", Place("b", "k", one)) != alert_id("budget", Place("b", "k", two))


def test_the_longest_names_fit() -> None:
    """Budget, values, calendar: each as long as it may be."""
    place = Place("b" * 64, "c" * 64 + "/2026-11-02", ("v" * 128,) * 4)
    found = signal(
        90, crossed("80"), place=place, id="b" * 64, name="n" * 128, per=["team", "model", "user_id", "feature"]
    )
    assert len(found.alert_id) <= MAX_ID
    assert len(found.group) <= MAX_ID
    assert len(found.summary) == 300


def test_a_forecast_and_another_period_are_alerts_of_their_own() -> None:
    """All values of one budget and period are told together."""
    places = [Place("b", "2026-11", ("a",)), Place("b", "2026-11", ("b",)), Place("b", "2026-12", ("a",))]
    assert len({alert_id(kind, place) for kind in ("budget", "forecast") for place in places}) == 6
    assert len({group_id(kind, place) for kind in ("budget", "forecast") for place in places}) == 4


# -- how grave


@pytest.mark.parametrize(
    ("percents", "severity", "level"),
    [
        (["50"], "warning", 50_000),
        (["50", "80", "100"], "error", 100_000),
        (["50", "80", "100", "150"], "critical", 150_000),
    ],
)
def test_it_gets_graver_with_every_threshold(percents: list[str], severity: str, level: int) -> None:
    """By the highest that is crossed."""
    found = signal(160, crossed(*percents))
    assert (found.status, found.severity, found.level) == ("firing", severity, level)


def test_thresholds_less_than_a_percent_apart_are_of_different_levels() -> None:
    """Or people would not be told of the second."""
    levels = [signal(100, crossed(*percents)).level for percents in (["99"], ["99", "99.5"], ["99", "99.501"])]
    assert levels == sorted(set(levels))


def test_the_severity_of_the_file_counts() -> None:
    """Thresholds as they come from the store, with all their decimal places, are the same ones."""
    thresholds = [{"at_percent": 80, "severity": "info"}, {"at_percent": 100, "severity": "critical"}]
    assert signal(90, crossed("80.000"), thresholds=thresholds).severity == "info"
    assert signal(100, crossed("80.000", "100.000"), thresholds=thresholds).severity == "critical"


# -- what it says


def test_the_texts_say_who_how_much_and_until_when() -> None:
    """Money as people read it, times in the budget's zone."""
    found = signal(
        70,
        crossed("80", at=NOW - timedelta(hours=1)),
        held=20,
        unpriced=40,
        place=Place("one", "2026-11", ("search", "gpt-4o")),
        per=["team", "model"],
        scope={"environment": "production", "provider": ["a", "b"]},
        name="Search",
        link="https://wiki/budget",
        channels=["ops"],
    )
    assert found.summary == "Search (team search, model gpt-4o) has used $90.00 of $100.00 (90.0 %)"
    assert [(fact.name, fact.text) for fact in found.facts] == [
        ("Budget", "Search (one)"),
        ("team", "search"),
        ("model", "gpt-4o"),
        ("Spent", "$70.00"),
        ("Held", "$20.00 for 40 events without a price"),
        ("Amount", "$100.00"),
        ("Period", "2026-11-01 01:00 to 2026-12-01 01:00 (Europe/Berlin)"),
    ]
    assert found.labels == {
        "environment": "production",
        "team": "search",
        "model": "gpt-4o",
        "budget": "one",
        "period": "month",
    }
    assert found.starts_at == NOW - timedelta(hours=1)
    assert (found.owner, found.channels, found.link) == ("somebody", ("ops",), "https://wiki/budget")
    assert "spendstream budgets show one" in (found.action or "")
    assert signal(90, crossed("80"), what_to_do="Call Ada").action == "Call Ada"
    assert found.money_usd == 0
    assert found.value == 90


def test_over_budget_is_said_and_is_what_is_at_stake() -> None:
    """The money that is spent too much; of an amount of nothing there is no share."""
    found = signal(130, crossed("100"))
    assert found.summary == "Budget one is over budget: $130.00 of $100.00 (130.0 %)"
    assert found.money_usd == 30
    nothing = signal(5, crossed("100"), amount=-20)
    assert nothing.summary == "Budget one is over budget: $5.00 of -$20.00"
    assert nothing.money_usd == 25


def test_a_forecast_says_what_will_be_used() -> None:
    """The value is the forecast, the money what it goes over."""
    found = signal(60, crossed("100", kind="forecast"), kind="forecast", forecast=140)
    assert found.summary == "Budget one will use $140.00 of $100.00 at the present rate; $60.00 so far"
    assert (found.name, found.severity) == ("BudgetForecast", "warning")
    assert found.value == 140
    assert found.money_usd == 40


@pytest.mark.parametrize(("period", "said"), [({"rolling": "24h"}, "window"), ({"calendar": "c"}, "calendar")])
def test_the_period_can_be_routed_by(period: dict[str, str], said: str) -> None:
    """Its kind is a label."""
    assert signal(90, crossed("80"), period=period).labels["period"] == said


# -- until when


def test_below_all_thresholds_again_it_is_resolved() -> None:
    """A correction, or a higher amount."""
    found = signal(40, {})
    assert (found.status, found.severity, found.level) == ("resolved", "info", 0)
    assert found.resolution == "it is below its thresholds again: $40.00 of $100.00"


@pytest.mark.parametrize(
    ("spent", "forecast", "resolution"),
    [
        (100, 200, "the amount itself is used up: $100.00 of $100.00"),
        (40, 90, "it will probably keep to its budget: $40.00 of $100.00 so far"),
    ],
)
def test_a_forecast_ends_when_it_is_no_longer_one(spent: int, forecast: int, resolution: str) -> None:
    """The budget's own alert goes on beside it."""
    found = signal(spent, crossed("50"), kind="forecast", forecast=forecast)
    assert (found.status, found.resolution) == ("resolved", resolution)


def test_it_is_over_when_the_period_is() -> None:
    """To the very instant."""
    last = END - timedelta(microseconds=1)
    assert signal(90, crossed("80"), now=last).status == "firing"
    found = signal(90, crossed("80"), now=END)
    assert (found.status, found.resolution) == ("resolved", "the period is over: $90.00 of $100.00 were used")
    assert found.severity == "warning"


def test_what_crossed_after_the_end_is_open_for_an_hour() -> None:
    """Somebody should see it."""
    late = END + timedelta(days=1)
    keys = crossed("80") | crossed("100", at=late)
    assert signal(120, keys, now=late).status == "firing"
    assert signal(120, keys, now=late + LATE_ALERT_LASTS - timedelta(microseconds=1)).status == "firing"
    assert signal(120, keys, now=late + LATE_ALERT_LASTS).status == "resolved"


def test_a_window_is_never_over() -> None:
    """Its period moves; only what leaves it resolves it."""
    place = Place("one", WINDOW_KEY, ())
    found = signal(90, crossed("80"), now=END + timedelta(days=9), rolling=True, place=place, period={"rolling": "24h"})
    assert found.status == "firing"
    assert ("Window", "the last 30 days") in [(fact.name, fact.text) for fact in found.facts]


def test_what_ends_without_figures_still_ends() -> None:
    """Nobody knows the budget any more, or the period is long over: the same alert, resolved, and why."""
    for kind in ("budget", "forecast"):
        place = Place("one", "2026-11", ("x" * 128, "y" * 128))
        for found in (removed_signal(kind, place, NOW), ended_signal(kind, place, NOW)):
            assert (found.alert_id, found.group, found.status) == (
                alert_id(kind, place),
                group_id(kind, place),
                "resolved",
            )
            assert found.resolution


# -- found by people who read them


def facts_of(found: AlertSignal) -> dict[str, str]:
    return {fact.name: fact.text for fact in found.facts}


def near(spent: int, amount: int, *keys: str, thresholds: Any = (80, 100)) -> str:
    """The summary; amounts in pico-USD."""
    standing = Standing(MONTH, False, amount, spent, 0, 0)
    given = budget(amount=2, thresholds=list(thresholds))
    return budget_signal("budget", given, PLACE, standing, crossed(*keys), NOW, zone=ZONE).summary


def test_what_is_not_crossed_does_not_look_crossed() -> None:
    """Neither the money nor the share is rounded up to the threshold; one between two tenths is said as it is."""
    assert near(1_999_600_000_000, 2 * 10**12, "80").endswith("has used $1.9996 of $2.00 (99.9 %)")
    assert near(1_599_999_999_999, 2 * 10**12, "50", thresholds=[50, 80]).endswith("(79.9 %)")
    assert near(1_999_999_999_999, 2 * 10**12, "80").endswith("has used $1.999999999999 of $2.00 (99.9 %)")
    assert near(2_000_000_000_001, 2 * 10**12, "100").endswith("is over budget: $2.000000000001 of $2.00 (100.0 %)")
    assert near(1_999_000_000_000, 2 * 10**12, "99.95", thresholds=["99.95"]).endswith("$1.999 of $2.00 (99.950 %)")


@given(st.integers(1, 10**15), st.integers(1, 10**15), st.integers(1, 200_000))
def test_the_share_is_on_the_side_of_the_threshold_that_it_is_on(spent: int, amount: int, thousandths: int) -> None:
    """Whatever the amounts: below it only if it is not crossed."""
    percent = Decimal(thousandths).scaleb(-3)
    crosses = spent * 100_000 >= amount * thousandths
    text = near(spent, amount, *([str(percent)] if crosses else []), thresholds=[str(percent)])
    shown = text.rpartition("(")[2].removesuffix(" %)")
    if shown == "< 0.1":
        assert percent < Decimal("0.1") or not crosses
    else:
        assert (Decimal(shown) >= percent) == crosses


def test_a_late_alert_says_of_which_period_it_is() -> None:
    """It comes first: headlines are cut. A window has none, and what goes on is of now."""
    late = END + timedelta(days=3)
    keys = crossed("80", at=late)
    assert signal(90, keys, now=late).summary == "In 2026-11, which is over, Budget one used $90.00 of $100.00 (90.0 %)"
    assert signal(90, keys, now=late).action == (
        "See who caused the spend: `spendstream budgets show one`. Tell others that you are on it: "
        "`spendstream alerts ack budget/one//2026-11`"
    ), "nothing can be slowed down, and the amount of now is another"
    over = signal(130, crossed("100", at=late), now=late).summary
    assert over == "In 2026-11, which is over, Budget one was over budget: $130.00 of $100.00 (130.0 %)"
    assert "2026-11" not in signal(90, crossed("80")).summary
    place = Place("one", WINDOW_KEY, ())
    assert (
        "which is over" not in signal(90, keys, now=late, rolling=True, place=place, period={"rolling": "24h"}).summary
    )


def test_every_instant_says_its_zone() -> None:
    """Of the facts, those of one message in the same one."""
    standing = Standing(MONTH, False, usd(100), usd(90), 0, 0, usd(1), usd(140), datetime(2026, 11, 26, 22, tzinfo=UTC))
    found = facts_of(budget_signal("budget", budget(), PLACE, standing, crossed("80"), NOW, zone=ZONE))
    assert found["Used up"] == "2026-11-26 23:00 (Europe/Berlin), at the present rate"
    assert found["Period"].endswith("(Europe/Berlin)")
    assert all("(Europe/Berlin)" in text for text in found.values() if "2026-" in text)


def test_what_to_do_is_said_in_commands_as_one_types_them() -> None:
    """With the budget, an amount with which all would be well, and the alert."""
    found = signal(93, crossed("80"), place=Place("one", "2026-11", ("ann's",)), per=["team"])
    assert found.action == (
        "See who causes the spend: `spendstream budgets show one`. Then slow it down, or raise the amount: "
        "`spendstream budgets set one --amount 130`. Tell others that you are on it: `spendstream alerts ack "
        "'budget/one/5:ann'\"'\"'s/2026-11'`"
    )
    foretold = signal(60, crossed("100", kind="forecast"), kind="forecast", forecast=1234)
    assert "--amount 1700`" in (foretold.action or "")
    assert "--amount" not in (signal(5, crossed("100"), amount=-20).action or "")
    long = signal(90, crossed("80"), place=Place("one", "2026-11", ("'" * 128,)), per=["team"])
    assert len(long.action or "") <= 1000


@pytest.mark.parametrize(
    ("spent", "forecast", "summary"),
    [
        (130, 400, "Budget one is over budget: $130.00 of $100.00 (130.0 %)"),
        (100, 400, "Budget one has used $100.00 of $100.00 (100.0 %)"),
        (40, 110, "Budget one will use $110.00 of $100.00 at the present rate; $40.00 so far"),
        (40, 99, "Budget one will probably keep to its budget: $40.00 of $100.00 (40.0 %)"),
    ],
)
def test_a_forecast_that_is_over_says_nothing_that_is_not_so(spent: int, forecast: int, summary: str) -> None:
    """Whoever is over the budget does not keep to it, nor does who will be."""
    found = signal(spent, {}, kind="forecast", forecast=forecast, thresholds={"forecast": [120]})
    assert (found.status, found.summary) == ("resolved", summary)
    assert "keep to" not in (found.resolution or "") or "keep to" in summary


def test_a_forecast_that_is_open_does_not_say_that_all_is_well() -> None:
    """It has fallen below its threshold, and not so far that it is over."""
    found = signal(40, crossed("100", kind="forecast"), kind="forecast", forecast=99)
    assert (found.status, found.summary) == (
        "firing",
        "Budget one will use $99.00 of $100.00 at the present rate; $40.00 so far",
    )


@given(
    st.integers(1, 10_000),
    st.integers(1, 300),
    st.integers(-99, 300),
    st.sampled_from([{}, {"measure": "tokens"}, {"measure": "gpu_hours"}]),
)
def test_with_the_amount_that_is_suggested_no_threshold_is_crossed(
    spent: int, stated: int, beside: int, given: dict[str, str]
) -> None:
    """Of whatever the amount is made up, by credits or by what was carried over; if none is, nothing is suggested. And
    it is the amount of the value that it is about."""
    amount = stated + beside
    own = budget(per=["user_id"], amount=7, amounts={"a b": stated}, thresholds=[80, 100], **given)
    for one, place in (
        (budget(amount=stated, thresholds=[80, 100], **given), PLACE),
        (own, Place("one", "x", ("a b",))),
    ):
        unit = budgets(one).unit_of(one, START)
        keys = crossed(*(str(percent) for percent in (80, 100) if spent * 100 >= percent * amount))
        pico = unit.pico(Decimal(1))
        standing = Standing(MONTH, False, amount * pico, spent * pico, 0, 0, unit=unit)
        action = budget_signal("budget", one, place, standing, keys, NOW, zone=ZONE).action or ""
        found = re.search(r"`spendstream budgets set one --amount ([0-9.]+)( --values 'user_id=a b')?`", action)
        assert (found is not None) == (amount > 0 and (bool(keys) or spent * 13 > amount * 10))
        if found is not None:
            raised = Decimal(found[1]) + beside
            assert spent * 100 < raised * 80
            assert bool(found[2]) == (one is own)


def test_an_amount_that_nobody_is_told_of_is_not_to_be_raised() -> None:
    """Only an amount at which people are told is crossed: a higher budget changes nothing about that."""
    key = {ThresholdKey("actual", Decimal(0), Decimal(10)): NOW}
    found = signal(20, key, thresholds={"actual": [{"at_amount": 10}, 80]})
    assert "--amount" not in (found.action or "")
