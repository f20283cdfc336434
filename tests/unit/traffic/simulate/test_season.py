"""Daily and weekly seasons."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from spendstream_traffic.simulate.season import PROFILES, growth_at, season_at

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", PROFILES)
def test_a_week_has_the_mean_one(name: str) -> None:
    """So a workload's share is its share over a week, whatever its season."""
    samples = [season_at(name, MONDAY + timedelta(minutes=10 * step)) for step in range(7 * 24 * 6)]
    assert np.mean(samples) == pytest.approx(1, abs=1e-9)
    assert min(samples) > 0


def test_the_profiles_differ_as_their_names_say() -> None:
    """Business by day on weekdays, consumers in the evening and at weekends, batches at night."""
    saturday = MONDAY + timedelta(days=5)

    def at(name: str, day: datetime, hour: float) -> float:
        return season_at(name, day + timedelta(hours=hour))

    assert at("business", MONDAY, 11) > 5 * at("business", MONDAY, 3)
    assert at("business", MONDAY, 11) > 4 * at("business", saturday, 11)
    assert at("consumer", MONDAY, 20) > 3 * at("consumer", MONDAY, 4)
    assert at("consumer", saturday, 20) > at("consumer", MONDAY, 20)
    assert at("nightly", MONDAY, 2.5) > 10 * at("nightly", MONDAY, 14)
    assert at("flat", MONDAY, 2) == at("flat", saturday, 15) == 1


@pytest.mark.parametrize("name", PROFILES)
def test_the_curve_has_no_jumps_not_even_at_the_end_of_the_week(name: str) -> None:
    """A jump would look like an incident. (Weekends begin within an hour.)"""
    samples = [season_at(name, MONDAY + timedelta(minutes=step)) for step in range(7 * 24 * 60 + 1)]
    assert samples[0] == pytest.approx(samples[-1])
    assert max(abs(np.diff(samples))) < 0.05


def test_growth_is_per_thirty_days() -> None:
    """8 % after 30 days, 16.64 % after 60."""
    assert growth_at(0.08, 0) == 1
    assert growth_at(0.08, 30) == pytest.approx(1.08)
    assert growth_at(0.08, 60) == pytest.approx(1.08**2)
