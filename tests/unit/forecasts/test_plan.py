"""What one run looks at."""

from datetime import UTC, datetime, timedelta

from stream_jobs.forecasts.plan import parts, period_of
from stream_jobs.forecasts.settings import ForecastsSettings
from tests.unit.budget_terms.build import budget, budgets

NOW = datetime(2026, 11, 30, 22, 30, tzinfo=UTC)
SETTINGS = ForecastsSettings()


def test_hours_are_one_part_of_everything_and_one_of_demand() -> None:
    """Whatever zone a budget is of. Demand is of requests and tokens, of the same deployments, or of none."""
    found = budgets(budget("b", timezone="Asia/Tokyo"), budget("c"))
    part, demand = parts("hour", found, NOW, SETTINGS)
    assert (demand.origin, demand.horizon, demand.budgets) == (part.origin, part.horizon, [])
    assert [(one.dims, one.spec.measure, one.most, one.weighed_by) for one in demand.watched] == [
        (dims, measure, SETTINGS.demand_values, "events")
        for dims in (("provider", "model"), ("provider", "model", "region"))
        for measure in ("events", "tokens")
    ]
    assert len(parts("hour", found, NOW, SETTINGS.model_copy(update={"demand_values": 0}))) == 1
    assert part.grid.start(part.origin) == NOW.replace(minute=0)
    assert [one.budget_id for one in part.watched] == [""] * 7 + ["b", "c"]
    assert part.horizon == 72


def test_days_are_those_of_each_budgets_zone() -> None:
    """In Tokyo it is tomorrow already; the scopes follow the settings."""
    found = budgets(budget("b", timezone="Asia/Tokyo", period="year"), budget("c", timezone="UTC"))
    own, tokyo, drivers = parts("day", found, NOW, SETTINGS)
    assert (own.grid.zone.key, tokyo.grid.zone.key) == ("UTC", "Asia/Tokyo")
    assert tokyo.origin == own.origin + 1
    assert [one.budget_id for one in own.watched] == [""] * 7 + ["c"]
    assert [one.budget_id for one in tokyo.watched] == ["b"]
    of_costs = [one.dims for one in own.watched if not one.budget_id]
    assert [(one.dims, one.spec.measure, one.weighed_by) for one in drivers.watched] == [
        (dims, measure, "effective_cost") for dims in of_costs for measure in ("events", "tokens")
    ]
    assert (drivers.origin, drivers.horizon, drivers.takes_slow) == (own.origin, 90, False)
    assert (own.horizon, tokyo.horizon) == (90, 90)


def test_the_end_of_the_longest_period_is_within_reach() -> None:
    """But nothing is forecast for ever."""
    part, _ = parts("day", budgets(budget("b", timezone="UTC", period="year")), NOW - timedelta(days=200), SETTINGS)
    assert part.grid.start(part.origin + part.horizon) == datetime(2027, 1, 1, tzinfo=UTC)


def test_what_has_no_end_is_not_forecast() -> None:
    """A window, a total; and a budget that is not in force is not looked at."""
    found = budgets(
        budget("window", period={"rolling": "24h"}),
        budget("total", period="total", valid_from="2026-01-01"),
        budget("later", valid_from="2027-01-01"),
        budget("month"),
    )
    part, _ = parts("hour", found, NOW, SETTINGS)
    assert [one.id for one in part.budgets] == ["window", "total", "month"]
    assert [period_of(found, one, NOW) is None for one in part.budgets] == [True, True, False]
