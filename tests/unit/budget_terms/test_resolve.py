"""Budgets that can be used."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas.budget_feed import PolicyStep
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.money import usd_text
from stream_jobs.budget_terms.document import Budget
from stream_jobs.budget_terms.resolve import (
    Budgets,
    budget_from_json,
    budget_to_json,
    load_budgets,
    merge,
    merge_fitting,
)
from stream_jobs.series.calendar import Window
from tests.unit.budget_terms.build import NOW, budget, budgets
from tests.unit.budget_terms.test_document import EXAMPLE

EUR = {
    "EUR": [{"usd": "1.08", "valid_from": "2026-01-01"}, {"usd": "1.123456789012", "valid_from": "2026-11-01"}],
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def period_key(found: Budgets, one: Budget, instant: datetime = NOW) -> str:
    period = found.calendar_of(one).period_at(instant)
    assert period is not None
    return found.calendar_of(one).period_key(period)


def test_without_a_file_there_are_no_budgets(tmp_path: Path) -> None:
    """Nor without a folder, nor in an empty file."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "budgets.yaml").write_text("# nothing yet\n")
    for folder in (None, tmp_path, tmp_path / "empty"):
        assert list(load_budgets(folder)) == []


def test_problems_name_the_file(tmp_path: Path) -> None:
    """Those between budgets too."""
    (tmp_path / "budgets.yaml").write_text("budgets: [{id: a, name: a, amount: 1, period: day, parent: b}]")
    with pytest.raises(ConfigError, match=r"budgets\.yaml:1: budget 'a': parent: there is no budget 'b'"):
        load_budgets(tmp_path)


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"period": "hour"}, "2026-11-26T15+01:00"),
        ({"period": "day"}, "2026-11-26"),
        ({"period": "week"}, "2026-11-22+7d"),
        ({"period": "month"}, "2026-11"),
        ({"period": "quarter"}, "2026-Q4"),
        ({"period": "quarter", "year_starts": 4}, "FY2026-04-Q3"),
        ({"period": "year", "year_starts": "04-06"}, "FY2026-04-06"),
        ({"period": {"rolling": "7d"}}, "168h@2026-11-26T15:00Z"),
        ({"period": {"calendar": "retail"}}, "retail/2026-11-02"),
        ({"period": "hour", "timezone": "Asia/Kathmandu"}, "2026-11-26T19+05:45"),
    ],
)
def test_each_period_has_its_calendar(more: dict[str, Any], key: str) -> None:
    """In the file's time zone, or the budget's own; weeks begin where the file says."""
    one = budget(**more)
    found = budgets(
        one,
        timezone="Europe/Berlin",
        week_starts_on="sunday",
        calendars={"retail": ["2026-11-02", "2026-11-30"]},
    )
    assert period_key(found, one) == key
    assert found.calendar_of(one) is found.calendar_of(one)


def test_a_window_is_one_whatever_the_zone() -> None:
    """It is what the job keeps steps for."""
    one = budget(period={"rolling": "24h"}, timezone="Asia/Kathmandu")
    window = budgets(one).calendar_of(one)
    assert isinstance(window, Window)
    assert window.length == timedelta(days=1)


def test_the_rate_at_the_start_of_a_period_counts() -> None:
    """Exact to the last of its places; the first rate also for everything before it."""
    one = budget(amount="100.5", currency="EUR", timezone="Europe/Berlin")
    found = budgets(one, currencies=EUR)
    assert usd_text(found.amount_pico(one, at("2020-01-01T00:00"))) == "108.54"
    assert usd_text(found.amount_pico(one, at("2026-10-31T22:59"))) == "108.54"
    assert usd_text(found.amount_pico(one, at("2026-10-31T23:00"))) == "112.907407295706"
    assert usd_text(found.amount_pico(budget(amount="100.5"), NOW)) == "100.5"


def test_the_rate_of_the_running_period_has_to_be_known() -> None:
    """The period may have begun before today; a budget that begins later needs its first period's rate only."""
    rates = {"EUR": [{"usd": "1.1", "valid_from": "2026-10-02"}]}
    with pytest.raises(ConfigError, match="its period starts on 2026-10-01, but the first rate of EUR is valid from"):
        budgets(budget(currency="EUR", period="quarter"), currencies=rates)
    budgets(budget(currency="EUR", period="month"), currencies=rates)
    budgets(budget(currency="EUR", period="quarter", valid_from="2027-01-01"), currencies=rates)
    later = {"EUR": [{"usd": "1.1", "valid_from": "2027-01-02"}]}
    with pytest.raises(ConfigError, match="starts on 2027-01-01"):
        budgets(budget(currency="EUR", period="quarter", valid_from="2027-02-01"), currencies=later)


def test_some_values_have_another_amount() -> None:
    """In the same currency."""
    one = budget(per=["team"], amount=10, amounts={"search": 500}, currency="EUR")
    found = budgets(one, currencies=EUR)
    amounts = [usd_text(found.amount_pico(one, at("2026-02-01"), values)) for values in (("search",), ("x",), ())]
    assert amounts == ["540", "10.8", "10.8"]


def test_validity_is_in_local_dates() -> None:
    """From the first instant of valid_from to the first of valid_to."""
    one = budget(valid_from="2026-11-26", valid_to="2026-11-27", timezone="Asia/Tokyo")
    found = budgets(one)
    held = [found.in_force(one, at(f"2026-11-{text}")) for text in ("25T14:59", "25T15:00", "26T14:59", "26T15:00")]
    assert held == [False, True, True, False]
    assert found.in_force(budget(), NOW)


def test_the_upper_bound_of_what_has_no_price() -> None:
    """The budget's, or else the file's, which is a dollar unless it says otherwise."""
    own = budget("own", unpriced_upper_bound_usd="0.25")
    assert usd_text(budgets(own).unpriced_upper_bound_pico(own)) == "0.25"
    assert usd_text(budgets().unpriced_upper_bound_pico(budget())) == "1"
    assert usd_text(budgets(unpriced_upper_bound_usd=3).unpriced_upper_bound_pico(budget())) == "3"


def test_the_policy_record_holds_what_services_need() -> None:
    """The scope, the steps, and the amount in USD at the running period's rate."""
    step = {"at_percent": 80, "action": "reduced", "max_output_tokens": 500}
    policy = {"steps": [step], "fail": "closed"}
    one = budget("one", scope={"team": "a"}, per=["user_id"], currency="EUR", policy=policy, parent="top")
    record = budgets(budget("top"), one, currencies=EUR).policy_record(one, at("2026-11-30T23:00"))
    assert record.amount_usd == Decimal("11.23456789012")
    assert record.steps == (PolicyStep.model_validate(step),)
    assert (record.budget_id, record.fail, record.owner, record.parent) == ("one", "closed", "somebody", "top")
    assert record.scope["team"].any_of == ("a",)
    assert record.per == ("user_id",)


def test_a_guard_that_knows_no_forecasts_waits_until_so_much_is_used() -> None:
    """Its part of a step is the percent that is certain to be passed then; what is stated beside it stays."""
    steps = [
        {"at_forecast_percent": "99.5", "action": "reduced"},
        {"at_percent": 90, "at_forecast_percent": 110, "action": "cached_only"},
        {"at_amount": 5, "at_forecast_percent": 120, "action": "refuse"},
    ]
    one = budget(amount=10, policy={"steps": steps})
    record = budgets(one).policy_record(one, NOW)
    found = [(step.at_percent, step.at, step.at_forecast_percent) for step in record.steps]
    assert found == [(Decimal("99.5"), None, Decimal("99.5")), (90, None, 110), (50, 5, 120)]


def test_a_policy_record_is_there_outside_of_a_calendar_too() -> None:
    """When the list of dates is over, services still know what is covered."""
    one = budget(period={"calendar": "x"})
    found = budgets(one, calendars={"x": ["2025-01-01", "2025-02-01"]})
    assert found.policy_record(one, NOW).amount_usd == 10


def test_the_version_is_of_the_content(tmp_path: Path) -> None:
    """Comments, layout and short forms don't change it; what is meant does."""
    texts = (
        "budgets: [{id: a, name: a, amount: 1, period: day, scope: {team: x}}]",
        '# comment\nbudgets:\n- {period: day, amount: "1", name: a, id: a, scope: {team: {any_of: [x]}}}',
        "budgets: [{id: a, name: a, amount: 1.5, period: day, scope: {team: x}}]",
    )
    versions = []
    for text in texts:
        (tmp_path / "budgets.yaml").write_text(text)
        versions.append(load_budgets(tmp_path).version)
    assert versions[0] == versions[1] != versions[2]


def test_every_budget_of_the_example_goes_through_json_and_back(tmp_path: Path) -> None:
    """The form in which budgets are set while running."""
    (tmp_path / "budgets.yaml").write_text(EXAMPLE.read_text())
    for one in load_budgets(tmp_path, now=NOW):
        assert budget_from_json(budget_to_json(one)) == one


@given(st.decimals(min_value="0.000000000001", max_value=10**14, places=12), st.booleans())
def test_json_keeps_amounts_digit_for_digit(amount: Decimal, quoted: bool) -> None:
    """Also as a JSON number, which never becomes a float."""
    number = f'"{amount:f}"' if quoted else f"{amount:f}"
    one = budget_from_json(f'{{"id": "a", "name": "a", "period": "day", "amount": {number}}}')
    assert one.amount == amount
    assert budget_from_json(budget_to_json(one)) == one


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "budget: is not valid JSON"),
        ("[" * 100_000, "budget: is not valid JSON"),
        ("7", "budget: Input should be a valid dictionary"),
        ('{"id": "a", "id": "b"}', "budget: is not valid JSON: a key is given twice"),
        ('{"id": "a", "amount": NaN}', "budget: is not valid JSON: NaN is no number"),
        ('{"id": "a", "name": "a", "amount": 1, "period": "x"}', "budget 'a': period: Input should be"),
        ('{"id": "a", "name": "a", "amount": 1e999, "period": "day"}', "budget 'a': amount: "),
        (b"\xff", "budget: is not valid JSON"),
    ],
)
def test_json_that_is_no_budget_is_refused(text: str | bytes, message: str) -> None:
    """Whatever was set: a ConfigError that says what is wrong."""
    with pytest.raises(ConfigError) as caught:
        budget_from_json(text)
    assert any(problem.startswith(message) for problem in caught.value.problems), caught.value.problems


def test_what_was_set_replaces_adds_and_removes() -> None:
    """A budget keeps its place, new ones follow by id, what the file shares stays."""
    base = budgets(budget("a"), budget("b"), budget("c"), timezone="Asia/Tokyo")
    overrides = {"b": budget("b", amount=99), "a": None, "z": budget("z"), "d": budget("d"), "gone": None}
    merged = merge(base, overrides, now=NOW)
    assert [one.id for one in merged] == ["b", "c", "d", "z"]
    found = merged.get("b")
    assert found is not None
    assert found.amount == 99
    assert merged.zone_of(found).key == "Asia/Tokyo"
    assert [one.id for one in base] == ["a", "b", "c"]
    assert merged.version != base.version
    assert merge(base, {}, now=NOW).version == base.version


def test_what_was_set_is_checked_against_the_others() -> None:
    """A parent cannot go while it has children."""
    base = budgets(budget("top"), budget("child", parent="top"))
    with pytest.raises(ConfigError, match="there is no budget 'top'"):
        merge(base, {"top": None}, now=NOW)


def test_a_job_goes_on_without_what_does_not_fit() -> None:
    """The rest is taken, in whatever order it makes sense, and every problem is told."""
    base = budgets(budget("top"), budget("child", parent="top"))
    overrides = {
        "a": budget("a", parent="z"),  # comes before its parent
        "z": budget("z"),
        "bad": budget("bad", parent="nowhere"),
        "euro": budget("euro", currency="EUR"),
        "child": None,
        "top": None,  # possible once its child is gone
    }
    merged, problems = merge_fitting(base, overrides, now=NOW)
    assert [one.id for one in merged] == ["a", "z"]
    assert problems == [
        "budget 'bad': parent: there is no budget 'nowhere'",
        "budget 'euro': currency: there is no rate of EUR in currencies",
    ]
    assert merge_fitting(base, {"x": budget("x")}, now=NOW)[1] == []


def test_a_parent_and_its_child_can_only_come_and_go_together() -> None:
    """All at once is tried first."""
    base = budgets(budget("top", scope={"team": "a"}), budget("child", parent="top", scope={"team": "a"}))
    moved = {one: budget(one, scope={"team": "b"}, **more) for one, more in (("top", {}), ("child", {"parent": "top"}))}
    merged, problems = merge_fitting(base, moved, now=NOW)
    assert problems == []
    assert [one.scope["team"].any_of for one in merged] == [("b",), ("b",)]
