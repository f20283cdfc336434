"""What budgets.yaml may say."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stream_jobs.base.errors import ConfigError
from stream_jobs.budget_terms.document import PERIOD_TAGS, SCHEMA_FILE_NAME, Budget, RollingPeriod, Threshold
from stream_jobs.budget_terms.fields import window_length
from stream_jobs.budget_terms.jsonschema import schema_text
from stream_jobs.budget_terms.resolve import load_budgets

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "stream_jobs" / "budget_terms" / "example_budgets.yaml"
NOW = datetime(2026, 11, 26, 14, tzinfo=UTC)


def load(tmp_path: Path, text: str) -> list[Budget]:
    (tmp_path / "budgets.yaml").write_text(text)
    return list(load_budgets(tmp_path, now=NOW))


def one(tmp_path: Path, more: str) -> Budget:
    given = {line.split(":")[0] for line in more.split("\n    ")}
    needed = {"name": "The one", "amount": "10", "period": "month"}
    lines = [f"    {key}: {value}\n" for key, value in needed.items() if key not in given]
    return load(tmp_path, f"budgets:\n  - id: one\n{''.join(lines)}    {more}\n")[0]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("amount: -0.01", "amount: Input should be greater than or equal to 0"),
        ("amount: -5", "amount: Input should be greater than or equal to 0"),
        ("thresholds: [{severity: error}]", "thresholds.actual[0]: needs either at_percent or at_amount"),
        ("thresholds: [{at_percent: 80, at_amount: 8}]", "needs either at_percent or at_amount"),
        ("thresholds: [{at_amount: 0}]", "thresholds.actual[0].at_amount: Input should be greater than 0"),
        ("thresholds: [{at_amount: 9}, 80, {at_amount: 8}]", "the amounts must rise: 8 comes after 9"),
        (
            "policy: {steps: [{action: refuse}]}",
            "policy.steps[0]: needs at_percent, at_amount or at_forecast_percent",
        ),
        ("policy: {steps: [{at_forecast_percent: 0, action: refuse}]}", "at_forecast_percent: Input should be greater"),
        (
            "policy: {steps: [{at_percent: 101, at_forecast_percent: 100, action: refuse}]}",
            "policy.steps[0]: at_percent 101 never counts: once at_forecast_percent, 100, is used, the step applies",
        ),
        (
            "policy: {steps: [{at_forecast_percent: 90, action: reduced}, {at_forecast_percent: 90, action: refuse}]}",
            "the forecast percents must rise: 90 comes after 90",
        ),
        (
            "period: {rolling: 24h}\n    policy: {steps: [{at_forecast_percent: 90, action: reduced}]}",
            "policy: at_forecast_percent needs a period that ends",
        ),
        (
            "period: total\n    valid_from: 2026-01-01\n    policy: {steps: [{at_forecast_percent: 90, action: full}]}",
            "policy: at_forecast_percent needs a period that ends",
        ),
        ("policy: {steps: [{at_amount: 5, at_percent: 5, action: refuse}]}", "needs either at_percent or at_amount"),
        (
            "policy: {steps: [{at_amount: 5, action: reduced}, {at_amount: 5, action: refuse}]}",
            "the amounts must rise: 5 comes after 5",
        ),
        ("measure: gpus", "measure: Input should be"),
        ("measure: tokens\n    currency: EUR", "currency: a quota of tokens has none"),
        ("measure: requests\n    cost: list", "cost: a quota of requests has none"),
        ("measure: gpu_hours\n    unpriced_upper_bound_usd: 5", "unpriced_upper_bound_usd: a quota of gpu_hours has"),
        ("measure: tokens\n    amount: 0.5", "a quota of tokens has whole numbers, not 0.5"),
        ("measure: requests\n    thresholds: [{at_amount: 2.5}]", "a quota of requests has whole numbers, not 2.5"),
        ("period: total", "period: total needs valid_from"),
        (
            "period: total\n    valid_from: 2026-01-01\n    carry_over: {unused: true, since: 2026-01-01}",
            "carry_over: a total never ends",
        ),
        ("amount: yes", "amount: must be a number or a text that holds one"),
        ("amount: .nan", "is not a number"),
        ('amount: "1_000"', "amount: must be a number"),
        ("amount: 0.0000000000001", "amount: Decimal input should have no more than 12 decimal places"),
        ("amount: 1000000000000001", "no more than 15 digits before the decimal point"),
        ("amounts: {search: 5}", "exactly one field in per"),
        ("per: [team]\n    amounts: {12: 5}", "put quotes around it"),
        ("per: [team, team]", "per: names a field twice"),
        ("per: [sku]", "per[0]: there is no 'sku'; known: project,"),
        ("scope: {sku: x}", "scope.sku"),
        ("scope: {label.tenant: x}", "there is no 'label.tenant': write 'labels.tenant'"),
        (f"scope: {{labels.{65 * 'x'}: y}}", "with names of at most 64 characters"),
        ('scope: {"labels.a\\tb": y}', "the name of a label has no control"),
        ("scope: {team: 'team-[ab]'}", "write {glob: 'team-[ab]'} if one of the characters in brackets is meant"),
        ("scope: {team: {any_of: [x], glob: y}}", "scope.team: give exactly one of"),
        ("scope: {team: 7}", "scope.team"),
        ("currency: euro", "currency: String should match pattern"),
        ("cost: net", "cost: Input should be 'effective', 'contracted' or 'list'"),
        ("period: fortnight", "period: Input should be 'hour', 'day'"),
        ("period: 7", "period: must be one of hour, day, week, month, quarter, year, total, {rolling: 24h}"),
        ("period: {rolling: 90m}", "period.rolling: String should match pattern"),
        ("period: {rolling: 367d}", "period.rolling: must be at most 366d"),
        ("period: {rolling: 24h, calendar: x}", "period.calendar: Extra inputs are not permitted"),
        ("timezone: Berlin", "timezone: there is no time zone 'Berlin'"),
        ("year_starts: 04", "year_starts belongs to the periods quarter and year"),
        ("period: year\n    year_starts: 13", "year_starts: must be a month"),
        ("period: year\n    year_starts: 01-29", "year_starts: must be a month"),
        ("thresholds: [100, 80]", "the percents must rise: 80 comes after 100"),
        ("thresholds: [80, 80.0]", "the percents must rise: 80 comes after 80"),
        ("thresholds: [0]", "greater than 0"),
        ("thresholds: {forecast: [100, 50]}", "thresholds.forecast: the percents must rise"),
        ("thresholds: [{at_percent: 80, severity: bad}]", "severity"),
        ("parent: The Other", "parent: String should match pattern"),
        ("carry_over: {unused: true}", "carry_over.since: Field required"),
        ("carry_over: {since: 2026-01-01}", "carries nothing"),
        ("period: {rolling: 24h}\n    carry_over: {unused: true, since: 2026-01-01}", "a rolling period never ends"),
        ("valid_from: 2026-02-01\n    valid_to: 2026-02-01", "is not before"),
        ("valid_from: 2026-02-01T10:00:00", "is not a date"),
        ("valid_from: 20260201", "is not a date"),
        ('valid_from: "soon"', "'soon' is not a date"),
        ("valid_from: 1026-02-01", "is not in the years 2000 to 2199"),
        ("link: wiki/page", "link: String should match pattern"),
        ("policy: {steps: [{at_percent: 9, action: refuse}, {at_percent: 10, action: reduced}]}", "must get stricter"),
        ("policy: {steps: [{at_percent: 9, action: reduced}, {at_percent: 9, action: refuse}]}", "must rise"),
        ("policy: {steps: [{at_percent: 9, action: refuse, max_input_tokens: 9}]}", "belong to reduced"),
        ("policy: {fail: maybe}", "policy.fail"),
        ("ammount: 5", "ammount: Extra inputs are not permitted"),
        ("name: 7", "name: YAML read this as int 7"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, more: str, message: str) -> None:
    """One sentence with the file, the budget's number and id; nothing of how pydantic sees it."""
    with pytest.raises(ConfigError) as caught:
        one(tmp_path, more)
    assert any(message in problem for problem in caught.value.problems), caught.value.problems
    if "is not a number" not in message:
        assert all(re.search(r"budgets\.yaml:\d+: budgets\[0\] 'one'", problem) for problem in caught.value.problems)
    assert not any(tag in str(caught.value) for tag in PERIOD_TAGS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "Input should be a valid dictionary"),
        ("budgets: {}", "budgets: Input should be a valid"),
        ("budgets: [7]", "budgets[0]"),
        ("budgets: [{}]", "budgets[0].id: Field required"),
        ("timezone: Mars/Olympus", "timezone: there is no time zone"),
        ("week_starts_on: day 1", "week_starts_on"),
        ("unpriced_upper_bound_usd: 0", "unpriced_upper_bound_usd: Input should be greater than 0"),
        ("currencies: {USD: [{usd: 1, valid_from: 2026-01-01}]}", "USD is what the others are given in"),
        ("currencies: {EUR: []}", "at least 1 item"),
        (
            "currencies: {EUR: [{usd: 1, valid_from: 2026-02-01}, {usd: 1, valid_from: 2026-01-01}]}",
            "currencies.EUR: the dates must rise: 2026-01-01 comes after 2026-02-01",
        ),
        ("calendars: {x: [2026-01-01]}", "calendars.x: Tuple should have at least 2 items"),
        ("calendars: {x: [2026-01-02, 2026-01-01]}", "calendars.x: the dates must rise"),
        ("other: 1", "other: Extra inputs are not permitted"),
        ("timezone: UTC\ntimezone: UTC", "is given twice"),
    ],
)
def test_a_document_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """Whatever YAML it holds, the answer is a ConfigError and never a traceback."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert any(message in problem for problem in caught.value.problems), caught.value.problems


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Of every budget, and of what they share."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "timezone: x\nbudgets: [{id: a, amount: -1, period: x}, {id: b, name: b, amount: 1}]")
    assert len(caught.value.problems) == 5


@pytest.mark.parametrize(
    "amount", ["0.1", "12345678901234.123456789012", '"12345678901234.123456789012"', "1_000", "1e3"]
)
def test_an_amount_is_kept_digit_for_digit(tmp_path: Path, amount: str) -> None:
    """A number or a text in quotes: neither becomes a float."""
    assert one(tmp_path, f"amount: {amount}").amount == Decimal(amount.strip('"').replace("_", ""))


def test_a_float_is_refused_even_from_python() -> None:
    """It has lost digits already."""
    with pytest.raises(ValueError, match=r"must be a number or a text that holds one, not 0\.1"):
        Budget.model_validate({"id": "a", "name": "a", "period": "day", "amount": 0.1})


def test_defaults(tmp_path: Path) -> None:
    """People are told at 80 and 100 percent, and when the forecast says so; services are asked for nothing."""
    budget = one(tmp_path, "description: d")
    assert [item.at_percent for item in budget.thresholds.actual] == [80, 100]
    assert [item.at_percent for item in budget.thresholds.forecast] == [100]
    assert (budget.currency, budget.cost, budget.policy.fail, budget.policy.steps) == ("USD", "effective", "open", ())


def test_short_forms(tmp_path: Path) -> None:
    """A list for the actual thresholds, a value or a list for a condition, a month for a year's start."""
    budget = one(
        tmp_path,
        "thresholds: [50, '99.5']\n    scope: {team: a, feature: [b, c]}\n    period: quarter\n    year_starts: 4",
    )
    assert [item.at_percent for item in budget.thresholds.actual] == [50, Decimal("99.5")]
    assert budget.scope["team"].any_of == ("a",)
    assert budget.scope["feature"].any_of == ("b", "c")
    assert budget.year_starts == "04-01"
    assert one(tmp_path, "period: year\n    year_starts: 08-06").year_starts == "08-06"
    assert one(tmp_path, "thresholds: {actual: [], forecast: []}").thresholds.actual == ()


def test_windows_are_hours_or_days_of_24_hours(tmp_path: Path) -> None:
    """Whatever the clock does in between."""
    period = one(tmp_path, "period: {rolling: 36h}").period
    assert isinstance(period, RollingPeriod)
    assert window_length(period.rolling) == timedelta(hours=36)
    assert window_length("7d") == timedelta(days=7)


@pytest.mark.parametrize(
    ("percent", "severity", "forecast", "expected"),
    [
        ("99.9", None, False, "warning"),
        ("100", None, False, "error"),
        ("149.9", None, False, "error"),
        ("150", None, False, "critical"),
        ("200", None, True, "warning"),
        ("50", "critical", False, "critical"),
        ("200", "info", True, "info"),
    ],
)
def test_the_default_severity_grows_with_the_share(percent: str, severity: Any, forecast: bool, expected: str) -> None:
    """Both sides of each border; what is given wins."""
    threshold = Threshold(at_percent=Decimal(percent), severity=severity)
    assert threshold.severity_of(Decimal(10), forecast=forecast) == expected
    amount = Threshold(at_amount=Decimal(percent) / 10, severity=severity)
    assert amount.severity_of(Decimal(10), forecast=forecast) == expected, "as the share that it is"


def test_the_schema_file_is_what_the_model_says() -> None:
    """Regenerate with: make schemas."""
    assert (ROOT / "schemas" / "json" / SCHEMA_FILE_NAME).read_text() == schema_text()


def test_the_example_is_valid_and_fits_the_schema_for_editors(tmp_path: Path) -> None:
    """Read as editors read it: dates and numbers as YAML's text says, short forms included."""
    assert len(load(tmp_path, EXAMPLE.read_text())) == 13
    document = yaml.safe_load(EXAMPLE.read_text())
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    plain = json.loads(json.dumps(document, default=str))
    assert [error.message for error in validator.iter_errors(plain)] == []
    for broken in ({"amount": -1}, {"period": "fortnight"}, {"thresholds": [-1]}, {"scope": {"team": 7}}):
        assert list(validator.iter_errors(plain | {"budgets": [plain["budgets"][0] | broken]})), broken
