"""Figures to scale by, and what is not known."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasts.demand import (
    HOUR,
    OLD_AFTER,
    Deployment,
    Peak,
    UnclearDemandError,
    UnknownDemandError,
    deployment,
    peak,
    replicas,
    usable,
)
from tests.unit.forecasts.demand_build import CHAT, NINE, hours, outlook

HALF = timedelta(minutes=30)


def test_what_counts_is_the_largest_hour_that_has_a_part_in_the_time() -> None:
    """A replica that is started now must be there for all of it."""
    of = hours([1, 5, 3, 9])
    assert peak(of, NINE, HALF, "0.5").requests == 1
    assert peak(of, NINE + HALF, HALF, "0.5").requests == 5
    assert peak(of, NINE + HOUR, HOUR, "0.9") == Peak(10, 200, "steady")
    assert peak(of, NINE + 2 * HOUR, HOUR, "0.5").requests == 9


@pytest.mark.parametrize("now", [NINE - HALF, NINE + 2 * HOUR, NINE + 5 * HOUR])
def test_hours_that_are_not_forecast_are_not_known(now: object) -> None:
    """Before the first, after the last."""
    with pytest.raises(UnknownDemandError, match="not all hours up to"):
        peak(hours([1, 2, 3]), now, HOUR + HALF, "0.5")  # type: ignore[arg-type]


def test_an_hour_that_is_missing_in_between_is_not_0() -> None:
    """Nor is one of which nothing can be said."""
    first, _, last = hours([1, 2, 3])
    with pytest.raises(UnknownDemandError):
        peak([first, last], NINE, 2 * HOUR, "0.5")
    assert peak(hours([1, None, 3]), NINE, 2 * HOUR, "0.5") == Peak(None, 100, "steady")


def test_a_forecast_that_is_stale_or_was_read_long_ago_is_not_relied_on() -> None:
    """And none is none."""
    fresh = outlook({CHAT: hours([1])})
    assert usable(fresh, NINE + OLD_AFTER) is fresh
    for unusable, why in (
        (None, "no forecast"),
        (outlook({}), "no forecast"),
        (outlook({CHAT: hours([1])}, stale="records wait"), "records wait"),
        (outlook({CHAT: hours([1])}, read=NINE - HOUR), "last heard of"),
    ):
        with pytest.raises(UnknownDemandError, match=why):
            usable(unusable, NINE + HALF / 10)


def test_of_several_providers_one_must_be_named() -> None:
    """P90s of two do not add up."""
    other = Deployment("azure", "gpt-4o")
    in_europe = Deployment("azure", "gpt-4o", "eu")
    of = outlook(dict.fromkeys((CHAT, other, in_europe), hours([1])))
    with pytest.raises(UnclearDemandError, match="'openai', 'azure'"):
        deployment(of, "gpt-4o", None, "")
    assert deployment(of, "gpt-4o", "azure", "") == other
    assert deployment(of, "gpt-4o", None, "eu") == in_europe
    for model, provider in (("gpt-4o", "aws"), ("gpt-5", None), ("", None)):
        with pytest.raises(UnknownDemandError):
            deployment(of, model, provider, "")


@given(
    rate=st.floats(min_value=0, max_value=1e9),
    tokens=st.floats(min_value=0, max_value=1e9),
    each=st.floats(min_value=1e-3, max_value=1e6),
)
def test_so_many_replicas_can_serve_it_and_one_less_cannot(rate: float, tokens: float, each: float) -> None:
    """Requests and tokens both."""
    found = replicas(Peak(rate, tokens, ""), each, each)
    most = max(rate, tokens)
    assert found * each >= most * (1 - 1e-12)
    assert (found - 1) * each < most or found == 0
    assert (found == 0) == (most == 0)


def test_replicas_of_what_is_not_known_are_not_0() -> None:
    """Whichever is asked for."""
    assert replicas(Peak(7, None, ""), 2, None) == 4
    with pytest.raises(UnknownDemandError, match="tokens"):
        replicas(Peak(7, None, ""), 2, 10)
    with pytest.raises(UnknownDemandError, match="requests"):
        replicas(Peak(None, 7, ""), 2, None)
