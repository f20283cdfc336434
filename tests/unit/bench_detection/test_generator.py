"""The pinned generator gives what its spec says."""

import numpy as np
import pytest

from tests.benchmarks.detection.generator import (
    DAY,
    FIRST_MINUTE,
    HOUR,
    SHAPES,
    WEEK,
    WEEKEND,
    Floats,
    Spec,
    Traffic,
    generate,
    season,
)


def of(text: str, seed: int = 5) -> Traffic:
    return generate(Spec.parse(text), seed)


def level(noise: str, weeks: int = 8, rate: int = 50) -> Floats:
    """The level's deviation from the season by minute, relative."""
    traffic = of(f"rate={rate},weeks={weeks},days=0,sigma=0,noise={noise}")
    minutes = FIRST_MINUTE + np.arange(traffic.events.shape[1])
    return np.asarray(traffic.events[0] / (rate * season(minutes)))


def by(values: Floats, minutes: int) -> Floats:
    """Logarithms of the means of so many minutes."""
    return np.asarray(np.log(values[: len(values) // minutes * minutes].reshape(-1, minutes).mean(axis=1)))


def test_the_same_seed_gives_the_same_traffic() -> None:
    """Bit by bit; another seed gives another."""
    spec = "rate=5,weeks=1,days=7,shape=spike10,series=2"
    one, again, other = of(spec), of(spec), of(spec, seed=6)
    for name in ("events", "cost", "squares"):
        assert np.array_equal(getattr(one, name), getattr(again, name))
        assert not np.array_equal(getattr(one, name), getattr(other, name))
    assert one.incidents == again.incidents


def test_more_series_leave_the_first_ones_as_they_are() -> None:
    """Each has random numbers of its own."""
    few, many = of("rate=5,weeks=1,days=1,series=2"), of("rate=5,weeks=1,days=1,series=4")
    assert np.array_equal(few.cost, many.cost[:2])
    assert not np.array_equal(many.cost[2], many.cost[3])


def test_workdays_have_mean_one_and_weekends_a_third() -> None:
    """Low at 2, high at 14 o'clock."""
    of_week = season(FIRST_MINUTE + np.arange(WEEK, dtype=np.int64)).reshape(7, DAY)
    assert of_week.mean(axis=1) == pytest.approx([1.0] * 5 + [WEEKEND] * 2)
    assert (int(of_week[0].argmin()), int(of_week[0].argmax())) == (2 * HOUR, 14 * HOUR)


@pytest.mark.parametrize("noise", ["none", "hourly:0.35", "minute:0.35", "day:0.15", "ar:0.2"])
def test_the_rate_is_the_mean_of_a_workday(noise: str) -> None:
    """Noise of the level has mean 1; the mean cost of a request is the spec's."""
    traffic = of(f"rate=20,weeks=6,days=0,series=2,noise={noise}")
    workdays = traffic.events.reshape(2, 6, 7, DAY)[:, :, :5]
    assert workdays.mean() == pytest.approx(20, rel=0.05)
    assert traffic.cost.sum() / traffic.events.sum() == pytest.approx(0.01, rel=0.02)


def test_requests_are_poisson() -> None:
    """Without noise the variance of a minute over the weeks is its mean."""
    traffic = of("rate=5,weeks=40,days=0,noise=none")
    of_week = traffic.events.reshape(40, WEEK)
    dispersion = of_week.var(axis=0, ddof=1) / of_week.mean(axis=0)
    assert dispersion.mean() == pytest.approx(1, abs=0.02)


def test_costs_are_lognormal() -> None:
    """Sums and sums of squares of requests that are drawn one by one: E[c²] = mean² e^(sigma²)."""
    traffic = of("rate=50,weeks=2,days=0,sigma=0.8")
    mean = traffic.cost.sum() / traffic.events.sum()
    assert traffic.squares.sum() / traffic.events.sum() / mean**2 == pytest.approx(np.exp(0.64), rel=0.05)
    assert np.all((traffic.cost > 0) == (traffic.events > 0))
    assert np.all(traffic.squares <= traffic.cost**2 * (1 + 1e-6) + 1e-9)


@pytest.mark.parametrize(
    ("kind", "size", "minutes"),
    [("hourly", 0.35, HOUR), ("hourly", 0.15, HOUR), ("minute", 0.35, 1), ("day", 0.3, DAY)],
)
def test_noise_has_its_standard_deviation_and_forgets_at_once(kind: str, size: float, minutes: int) -> None:
    """In logarithms, redrawn at each hour, minute or day, independent of the one before."""
    values = by(level(f"{kind}:{size}", *((1, 2000) if minutes == 1 else (16, 30))), minutes)
    tolerance = 4 / np.sqrt(2 * len(values))
    assert values.std() == pytest.approx(size, rel=tolerance + 0.03)
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 4 / np.sqrt(len(values))


def test_autocorrelated_noise_remembers() -> None:
    """Hourly, 0.8 from hour to hour."""
    values = by(level("ar:0.3", weeks=20), HOUR)
    assert values.std() == pytest.approx(0.3, rel=0.12)
    assert np.corrcoef(values[1:], values[:-1])[0, 1] == pytest.approx(0.8, abs=0.04)


def test_growth_is_by_the_week() -> None:
    """10 % a week, and noises multiply."""
    weeks = by(level("growth:0.1"), WEEK)
    assert np.diff(weeks) == pytest.approx([np.log(1.1)] * 7, abs=0.005)
    both = by(level("hourly:0.2+day:0.3", weeks=20), HOUR)
    assert both.std() == pytest.approx(np.hypot(0.2, 0.3), rel=0.1)


@pytest.mark.parametrize("shape", [name for name in SHAPES if name not in ("none", "dear")])
def test_an_incident_changes_the_level_while_it_lasts(shape: str) -> None:
    """Beside the same seed without one: the same before it, and times the factor in it."""
    days = 22
    with_it = of(f"rate=40,weeks=1,days={days},noise=none,shape={shape}")
    (incident,) = with_it.incidents
    begin, end = incident.start - FIRST_MINUTE, incident.end - FIRST_MINUTE
    assert WEEK <= begin < 2 * WEEK
    assert end - begin == min(SHAPES[shape].minutes, (7 + days) * DAY - begin)
    usual = 40 * season(FIRST_MINUTE + np.arange(with_it.events.shape[1]))
    ratio = with_it.events[0, begin:end].sum() / usual[begin:end].sum()
    wanted = float(np.average(1.05 ** (np.arange(14 * DAY) / DAY))) if shape == "ramp5" else SHAPES[shape].factor
    assert ratio == pytest.approx(wanted, rel=0.05)
    assert with_it.events[0, :begin].sum() == pytest.approx(usual[:begin].sum(), rel=0.01)
    assert not SHAPES[shape].night or begin % DAY < 2 * HOUR


def test_a_dear_request_is_one_request() -> None:
    """It costs what the series costs in a day."""
    traffic = of("rate=10,weeks=1,days=7,shape=dear")
    at = traffic.incidents[0].start - FIRST_MINUTE
    assert traffic.cost[0, at] >= 10 * DAY * 0.01
    assert traffic.squares[0, at] >= (10 * DAY * 0.01) ** 2


@pytest.mark.parametrize("text", ["shape=no", "noise=hourly", "noise=weekly:1", "colour=red", "rate=many"])
def test_what_is_no_spec_is_refused(text: str) -> None:
    """With a ValueError, so that the command says what is known."""
    with pytest.raises(ValueError):
        Spec.parse(text)
