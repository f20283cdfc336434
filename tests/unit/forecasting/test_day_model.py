"""What days will cost."""

from datetime import date

import numpy as np

from stream_jobs.forecasting.day_model import MEMBERS, expected, fit, members, past_of
from tests.unit.forecasting.days import FIRST, noisy, ordinal


def forecast(values: np.ndarray, horizon: int = 28, holidays: frozenset[int] = frozenset()) -> np.ndarray:
    return np.asarray(expected(fit(past_of(values[None], FIRST), holidays), horizon, holidays)[0])


def test_weekends_go_on() -> None:
    """A pattern of weeks, from whatever day on."""
    for days in (56, 60):
        found = forecast(noisy(days, noise=0.03, weekend=0.2))
        off = (np.arange(days, days + 28) % 7) >= 5
        assert np.allclose(found[off], 20, rtol=0.15)
        assert np.allclose(found[~off], 100, rtol=0.15)


def test_a_subscription_is_counted_once() -> None:
    """Also after a year of them: not as a lump, and again as what months do on their 1st."""
    values = noisy(420)
    firsts = [day for day in range(420) if _date(day).day == 1]
    values[firsts] += 900
    found = forecast(values, 31)
    first = next(day for day in range(31) if _date(420 + day).day == 1)
    assert abs(found[first] - 1000) < 80
    assert abs(np.delete(found, first).mean() - 100) < 8


def _date(day: int) -> date:
    return date.fromordinal(FIRST + day)


def test_holidays_are_weekends_where_weekends_are_lower() -> None:
    """Of a series that rests on weekends, and not of one that does not."""
    holidays = frozenset({ordinal("2027-03-10")})
    at = ordinal("2027-03-10") - FIRST
    assert forecast(noisy(60, noise=0.03, weekend=0.2), 28, holidays)[at - 60] < 30
    assert forecast(noisy(60, noise=0.03), 28, holidays)[at - 60] > 90


def test_credits_and_gaps_are_nothing_used_and_not_known() -> None:
    """A refund of fifty days' cost does not move what is expected; nor does a week without rows."""
    calm = forecast(noisy(90)).sum()
    refunded, gone = noisy(90), noisy(90)
    refunded[40] = -5000
    gone[60:67] = np.nan
    assert abs(forecast(refunded).sum() / calm - 1) < 0.03
    assert abs(forecast(gone).sum() / calm - 1) < 0.03


def test_a_moved_level_is_followed_whole() -> None:
    """Four days at ten times as much: every weekday of the next weeks, not those of the four alone."""
    values = noisy(90)
    values[-4:] *= 10
    assert (np.abs(np.log(forecast(values) / 1000)) < 0.3).all()


def test_few_weeks_know_no_single_weekdays() -> None:
    """Ten noisy days are one level, not ten days that come again."""
    found = forecast(noisy(10, noise=0.5))
    assert found.max() / found.min() < 1.2


def test_intermittent_series_have_a_mean() -> None:
    """Used on one day of four: their days' median is 0, their sum is not."""
    rng = np.random.default_rng(3)
    values = noisy(120) * (rng.random(120) < 0.25)
    assert np.allclose(forecast(values), values[-56:].mean())


def test_members_have_their_names() -> None:
    found = members(fit(past_of(noisy(60)[None], FIRST)), 5)
    assert found.shape == (len(MEMBERS), 1, 5)
    assert np.isfinite(found).all()
