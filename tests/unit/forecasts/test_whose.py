"""Whose usage a series is."""

from spendstream_schemas.scope import Condition, in_scope
from stream_jobs.forecasts.model import Key, Watched
from stream_jobs.forecasts.whose import conditions_of, watched_of
from stream_jobs.series.spec import SeriesSpec
from tests.unit.forecasts.build import HOURS, TOTAL, team

SCOPE = {"provider": Condition(any_of=("openai",))}
REST = team("")


def test_a_series_has_its_scope_and_its_values() -> None:
    """A value is itself, whatever signs are in it."""
    assert conditions_of(TOTAL, {}, [TOTAL]) == {}
    found = conditions_of(team("a*"), SCOPE, [team("a*")])
    assert found is not None
    assert in_scope(found, {"team": "a*", "provider": "openai"})
    assert not in_scope(found, {"team": "ab", "provider": "openai"})
    assert not in_scope(found, {"team": "a*", "provider": "other"})


def test_all_others_are_those_that_have_no_series_of_their_own() -> None:
    """Of one field; by several no conditions tell them."""
    found = conditions_of(REST, {}, [TOTAL, team("search"), REST])
    assert found is not None
    assert not in_scope(found, {"team": "search"})
    assert in_scope(found, {"team": "ads"})
    pairs = Key("b", ("team", "model"), ("", ""), "effective_cost")
    assert conditions_of(pairs, {}, [pairs]) is None


def test_a_series_is_of_what_it_was_read_with() -> None:
    """Two budgets may be cut by the same field."""
    one, two = (
        Watched(SeriesSpec(scope, ("team",), "effective_cost", HOURS.calendar), name)
        for name, scope in (("", {}), ("b", SCOPE))
    )
    assert watched_of(team("search"), [one, two]) is one
    assert watched_of(Key("b", ("team",), ("search",), "effective_cost"), [one, two]) is two
