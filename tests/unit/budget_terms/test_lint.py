"""What is allowed and probably not meant."""

from typing import Any

import pytest

from stream_jobs.budget_terms.document import Budget
from stream_jobs.budget_terms.lint import warnings
from tests.unit.budget_terms.build import NOW, budget, budgets

EUR = {"EUR": [{"usd": "1.1", "valid_from": "2026-01-01"}]}
QUIET: dict[str, list[int]] = {"actual": [], "forecast": []}


@pytest.mark.parametrize(
    ("given", "shared", "text"),
    [
        ([budget("a", thresholds=QUIET)], {}, "budget 'a': has neither thresholds nor policy steps"),
        (
            [budget("a", thresholds={"actual": [101], "forecast": []})],
            {},
            "budget 'a': its first threshold is above 100 %",
        ),
        ([budget("a", owner=None)], {}, "budget 'a': has neither an owner nor channels"),
        ([budget("a", policy={"fail": "closed"})], {}, "budget 'a': policy: fail is closed, but there are no steps"),
        (
            [budget("a", policy={"steps": [{"at_forecast_percent": 100, "action": "refuse"}]})],
            {},
            "budget 'a': policy: refuse at_forecast_percent 100: services refuse by a forecast, while money is left",
        ),
        ([budget("a", per=["team"], scope={"team": "x"})], {}, "budget 'a': per: team has only one value in scope"),
        (
            [budget("a", scope={"team": {"none_of": ["b", "al*"]}})],
            {},
            "budget 'a': scope: team: none_of compares 'al*' as it is written, the * too; a pattern is {glob: ...}",
        ),
        (
            [budget("a", per=["team"], scope={"team": ["x", "y"]}, amounts={"z": 1})],
            {},
            "budget 'a': amounts: 'z' is out of scope",
        ),
        (
            [budget("a", per=["team"], amounts={"*": 1})],
            {},
            "budget 'a': amounts: '*' is compared as it is written, the * too; the amount of all others is `amount`",
        ),
        ([budget("a", valid_to="2026-11-26")], {}, "budget 'a': ended on 2026-11-26"),
        (
            [budget("p"), budget("a", parent="p", period="day")],
            {},
            "budget 'a': its periods are not those of its parent 'p'",
        ),
        (
            [budget("p"), budget("a", parent="p", timezone="Asia/Tokyo")],
            {},
            "budget 'a': its periods are not those of its parent 'p'",
        ),
        (
            [budget("p"), budget("a", parent="p", cost="list", scope={"team": "x"})],
            {},
            "budget 'a': counts list cost, but its parent 'p' effective cost",
        ),
        (
            [budget("p", per=["team"]), budget("a", parent="p")],
            {},
            "budget 'a': lies in several budgets of its parent 'p', which has one per team",
        ),
        (
            [budget("p"), *(budget(x, parent="p", amount="5.01", scope={"team": x}) for x in "ab")],
            {},
            "budget 'p': has $10.00, less than the $10.02 of its children together (a, b)",
        ),
        (
            [budget("p"), budget("a", parent="p", amount=11, per=["user_id"])],
            {},
            "budget 'p': has less than 'a' has for each user_id",
        ),
        (
            [budget("a", scope={"team": ["x"]}), budget("b", scope={"team": "x"})],
            {},
            "budget 'b': watches the same as budget 'a'",
        ),
        ([], {"calendars": {"c": ["2026-01-01", "2030-01-01"]}}, "calendars: 'c' is not used"),
        (
            [budget("a", period={"calendar": "c"})],
            {"calendars": {"c": ["2026-01-01", "2027-02-24"]}},
            "calendars: 'c' ends on 2027-02-24",
        ),
        (
            [budget("a", currency="EUR")],
            {"currencies": {"EUR": [{"usd": "1.1", "valid_from": "2025-10-01"}]}},
            "currencies: the last rate of EUR is of 2025-10-01",
        ),
    ],
)
def test_each_finding_is_one_sentence(given: list[Budget], shared: dict[str, Any], text: str) -> None:
    """That says where and what, and nothing else is found."""
    found = warnings(budgets(*given, **shared), NOW)
    assert len(found) == 1, found
    assert found[0].startswith(text)


@pytest.mark.parametrize(
    ("given", "shared"),
    [
        ([budget("a", thresholds={"actual": [150], "forecast": [100]})], {}),
        ([budget("a", owner=None, channels=["x"])], {}),
        ([budget("a", policy={"steps": [{"at_forecast_percent": 100, "action": "essential_only"}]})], {}),
        ([budget("a", thresholds=QUIET, policy={"steps": [{"at_percent": 100, "action": "refuse"}]})], {}),
        ([budget("a", per=["team"], scope={"team": ["x", "y"]}, amounts={"x": 1})], {}),
        ([budget("a", valid_to="2026-11-27")], {}),
        ([budget("p"), *(budget(x, parent="p", amount=5, scope={"team": x}) for x in "ab")], {}),
        ([budget("p", per=["team"]), budget("a", parent="p", scope={"team": "x"})], {}),
        ([budget("p", per=["team"]), budget("a", parent="p", per=["team", "user_id"])], {}),
        ([budget("a", valid_to="2027-01-01"), budget("b", valid_from="2027-01-01")], {}),
        ([budget("a"), budget("b", cost="list")], {}),
        ([budget("a"), budget("b", period="day")], {}),
        ([budget("a", period={"calendar": "c"})], {"calendars": {"c": ["2026-01-01", "2027-02-25"]}}),
        ([budget("a", currency="EUR")], {"currencies": EUR}),
    ],
)
def test_nothing_is_said_where_nothing_is_odd(given: list[Budget], shared: dict[str, Any]) -> None:
    """The other side of each border."""
    assert warnings(budgets(*given, **shared), NOW) == []


def test_children_in_other_currencies_are_compared_in_usd() -> None:
    """At the rate of the running period."""
    given = [budget("p"), budget("a", parent="p", amount="9.10", currency="EUR", scope={"team": "x"})]
    assert "less than the $10.01" in warnings(budgets(*given, currencies=EUR), NOW)[0]
