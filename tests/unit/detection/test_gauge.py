"""Gauges: values of any unit, judged by their own past."""

from functools import cache

import numpy as np
import pytest

from stream_jobs.detection.gauge import GaugeDetector
from stream_jobs.detection.model import Finding

START = 29_449_440


def replay(detector: GaugeDetector, values: np.ndarray, begin: int = 0) -> dict[tuple[int, int], Finding]:
    """Values as [steps, series]; every finding as it was at last."""
    found = {}
    for number, row in enumerate(values, start=begin):
        for finding in detector.advance(START + number * detector.step, row):
            found[finding.number, finding.detected_at] = finding
    for finding in detector.open_findings():
        found[finding.number, finding.detected_at] = finding
    return found


def noise(steps: int, series: int = 1, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).normal(100.0, 5.0, (steps, series))


def made(step: int = 5, series: int = 1) -> GaugeDetector:
    detector = GaugeDetector(step)
    detector.add([f"s{number}" for number in range(series)])
    return detector


@pytest.mark.slow
def test_spike() -> None:
    """A value far from all before is told with its own step's end, in its direction, and is over soon behind it."""
    values = np.repeat(noise(1_520), 2, axis=1)
    values[1_500] += [200.0, -200.0]
    one, other = replay(made(series=2), values).values()
    found = {finding.number: finding for finding in (one, other)}
    assert [found[number].direction for number in (0, 1)] == ["up", "down"]
    for finding in found.values():
        assert finding.detected_at == START + 1_501 * 5
        assert (finding.start, finding.state) == (START + 1_500 * 5, "closed")
        assert finding.end == finding.detected_at
        assert finding.low < 100 < finding.high


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 5, 60])
def test_it_ends_where_the_values_come_back(step: int) -> None:
    """Not where the means of the last few do; its figures are of its own values."""
    lasting = (2, 6, 20)
    values = np.repeat(noise(1_600), len(lasting), axis=1)
    for number, lasts in enumerate(lasting):
        values[1_500 : 1_500 + lasts, number] += 80.0
    found = replay(made(step, len(lasting)), values).values()
    assert sorted(finding.number for finding in found) == [0, 1, 2]
    for finding in found:
        end = 1_500 + lasting[finding.number]
        assert (finding.start, finding.end) == (START + 1_500 * step, START + end * step)
        assert finding.actual == pytest.approx(values[1_500:end, finding.number].mean())


@pytest.mark.slow
def test_the_opposite_of_what_is_open_is_told_at_once() -> None:
    """An outage right after a rise, or a rise right after an outage, or a few values later: each is a finding of its
    own values, the second of those between them, too."""
    each = [(first, between) for first in (80.0, -80.0) for between in (0, 1, 3)]
    values = np.repeat(noise(1_700), len(each), axis=1)
    for number, (first, between) in enumerate(each):
        values[1_500:1_510, number] += first
        values[1_510 + between : 1_570 + between, number] -= first
    found = list(replay(made(series=len(each)), values).values())
    for number, (first, between) in enumerate(each):
        one, other = (finding for finding in found if finding.number == number)
        begun, own = 1_510 + between, values[:, number]
        assert (one.start, one.end) == (START + 1_500 * 5, START + 1_510 * 5)
        assert (other.start, other.end) == (START + 1_510 * 5, START + (begun + 60) * 5)
        assert (one.direction, other.direction) == (("up", "down") if first > 0 else ("down", "up"))
        assert other.detected_at - START <= (begun + 3) * 5
        assert one.actual == pytest.approx(own[1_500:1_510].mean())
        assert other.actual == pytest.approx(own[1_510 : begun + 60].mean(), rel=0.1)


@pytest.mark.slow
def test_new_normal() -> None:
    """A level that stays is told once, becomes a shift, and is the usual one within a week."""
    values = noise(3_600)
    values[1_500:] += 80.0
    (finding,) = replay(made(), values).values()
    assert (finding.kind, finding.direction, finding.closing) == ("shift", "up", "new_normal")
    assert finding.end is not None
    assert finding.end - finding.start < 7 * 1440
    assert finding.actual - finding.expected > 40


@pytest.mark.slow
def test_season() -> None:
    """What comes every day is usual; its absence on one day is not."""
    minutes = np.arange(10 * 288)
    values = (100 + 60 * np.sin(minutes / 288 * 2 * np.pi) + noise(2_880)[:, 0] / 20)[:, None]
    both = np.repeat(values, 2, axis=1)
    both[9 * 288 + 40 : 9 * 288 + 100, 1] = 105.0
    assert [(finding.number, finding.direction) for finding in replay(made(series=2), both).values()] == [(1, "down")]


@pytest.mark.slow
def test_scale_and_sign_do_not_matter() -> None:
    """A gauge has no unit: times a power of two, negated, its findings are the same at the same times."""
    values = noise(1_500)
    values[1_000:1_010] += 90.0
    found = replay(made(series=2), values * [1.0, -1024.0]).values()
    told, turned = ([one for one in found if one.number == number] for number in (0, 1))
    assert told
    assert [(one.start, one.end) for one in told] == [(one.start, one.end) for one in turned]
    assert {one.direction for one in turned} == {"down"}


@pytest.mark.slow
def test_series_do_not_know_of_each_other() -> None:
    """Side by side a series has the findings that it has alone."""
    values = noise(1_200, 4)
    values[900:, 2] -= 60.0
    together = replay(made(series=4), values)
    assert {number for number, _ in together} == {2}
    (alone,) = replay(made(), values[:, 2:3]).values()
    (told,) = together.values()
    assert (alone.start, alone.detected_at, alone.score) == (told.start, told.detected_at, told.score)


@pytest.mark.slow
def test_gaps_are_no_values() -> None:
    """A gap is nothing: no drop, no score."""
    detector = made()
    values = noise(1_000)
    values[800:900] = np.nan
    assert not replay(detector, values)
    detector.advance(START + 10_000, np.array([100.0]), np.array([False]))
    assert detector.scores().tolist() == [0.0]


CUTS = (0, 1, 700, 1_004, 1_400)


@cache
def unstopped() -> tuple[np.ndarray, dict[tuple[int, int], Finding]]:
    """Values, and what is found of them."""
    values = noise(1_500, 3)
    values[1_000:1_200, 1] += 70.0
    return values, replay(made(series=3), values)


@cache
def until(cut: int) -> tuple[bytes, dict[tuple[int, int], Finding]]:
    """The state after so many values, and what was found before: gone on from the cut before it."""
    earlier = max((one for one in CUTS if one < cut), default=None)
    state, found = (made(series=3).dump(), {}) if earlier is None else until(earlier)
    detector = GaugeDetector.load(state)
    begin = earlier or 0
    found = found | replay(detector, unstopped()[0][begin:cut], begin)
    return detector.dump(), found


@pytest.mark.slow
@pytest.mark.parametrize("cut", CUTS)
def test_state(cut: int) -> None:
    """Stopped anywhere, also several times, and gone on from its state, it says the same, bit by bit."""
    values, whole = unstopped()
    state, found = until(cut)
    found = found | replay(GaugeDetector.load(state), values[cut:], cut)
    assert {key: one for key, one in found.items() if key in whole} == whole
    assert set(found) == set(whole)


@pytest.mark.slow
def test_flat() -> None:
    """What never moves is usual; when it moves for good, that is told."""
    values = np.tile([0.0, 5.0, -3.0], (1_000, 1))
    assert not replay(made(series=3), values)
    values[800:] += 1.0
    found = replay(made(series=3), values).values()
    assert sorted((one.number, one.direction) for one in found) == [(0, "up"), (1, "up"), (2, "up")]


@pytest.mark.slow
def test_hostile_values() -> None:
    """The largest and smallest numbers there are neither stop nor poison it."""
    values = noise(1_000)
    values[500:506, 0] = [1e308, -1e308, np.inf, -np.inf, 5e-324, 0.0]
    found = replay(made(), values)
    assert found
    assert all(np.isfinite(one.actual) and np.isfinite(one.score) for one in found.values())


def test_steps() -> None:
    """A step of nothing, or of more than a day, is refused."""
    for step in (0, -1, 1441):
        with pytest.raises(ValueError, match="1 to 1440"):
            GaugeDetector(step)


def test_a_number_that_another_series_takes() -> None:
    """It is judged as one that is new, and the others as if nothing had happened."""
    values = np.random.default_rng(8).normal(10, 1, (200, 3))
    values[120:, 1] += 500
    reused, plain, fresh = GaugeDetector(60), GaugeDetector(60), GaugeDetector(60)
    reused.add(["a", "b", "c"])
    plain.add(["a", "b", "c"])
    fresh.add(["d"])
    replay(reused, values[:120])
    replay(plain, values[:120])
    reused.reuse([1], ["d"])
    found = replay(reused, values[120:], begin=120)
    alone = replay(fresh, values[120:, 1:2], begin=120)
    others = replay(plain, values[120:], begin=120)
    assert reused.names == ["a", "d", "c"]
    assert {key for key in found if key[0] == 1} == {(1, at) for _, at in alone}
    assert {key: one for key, one in found.items() if key[0] != 1} == {k: o for k, o in others.items() if k[0] != 1}
    assert np.array_equal(reused.scores()[[0, 2]], plain.scores()[[0, 2]])
    assert reused.scores()[1] == fresh.scores()[0]


def seasonal(step: int, days: int, weekly: bool, series: int = 4, seed: int = 21) -> np.ndarray:
    """[steps, series]: 50 ± 30 over a day with noise of 3, weekends at 30; of a value a day 100, and 40 at weekends."""
    minutes = np.arange(days * 1440 // step) * step
    weekend = (minutes + START) // 1440 % 7 < 2
    usual = 50 + 30 * np.sin(2 * np.pi * minutes / 1440) if step < 1440 else np.full(len(minutes), 100.0)
    level = np.where(weekend & weekly, 30.0 if step < 1440 else 40.0, usual)
    return level[:, None] + np.random.default_rng(seed).normal(0, 3, (len(minutes), series))


@pytest.mark.parametrize(("step", "weekly"), [(60, False), (60, True), pytest.param(15, True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("off", "hours"), [(24.0, 250), (-60.0, 72)])
def test_a_shift_of_what_has_a_season(step: int, weekly: bool, off: float, hours: int) -> None:
    """It is told once within hours, lasts until the values or the usual level are back, and nothing follows it: not
    where the values come back, nor a week later."""
    values = seasonal(step, 34, weekly)
    begin = 22 * 1440 // step
    values[begin : begin + hours * 60 // step] += off
    found = [one for one in replay(made(step, 4), values).values() if one.detected_at > START + begin * step]
    assert sorted(one.number for one in found) == [0, 1, 2, 3]
    for one in found:
        assert one.direction == ("up" if off > 0 else "down")
        assert one.detected_at - START - begin * step <= 6 * 60 + step
        assert one.end is not None
        lasted = (one.end - one.start) / 60
        assert abs(lasted - 72) <= 3 if hours == 72 else 84 <= lasted <= 240


@pytest.mark.parametrize("factor", [0.0, 2.5])
def test_an_odd_day_has_no_mirror(factor: float) -> None:
    """A day at 0, or at 2.5 times its usual value, is told at its end, and the same weekdays behind it are not."""
    values = seasonal(1440, 160, weekly=True)
    values[120] *= factor
    found = [one for one in replay(made(1440, 4), values).values() if one.detected_at > START + 119 * 1440]
    assert [(one.number, one.start) for one in found] == [(number, START + 120 * 1440) for number in range(4)]


@pytest.mark.slow
def test_growth_is_usual() -> None:
    """A fifth of a percent a day, over most of a year: next to nothing is told."""
    days = np.arange(300)
    noisy = np.random.default_rng(3).normal(0, 0.1, (300, 20))
    assert len(replay(made(1440, 20), 100 * np.exp(noisy) * 1.002 ** days[:, None])) <= 30


@pytest.mark.slow
def test_a_little_off_for_days() -> None:
    """Values of hours with a noise of a fifth that are two fifths lower: no value tells it, but days do."""
    values = 100 * np.exp(np.random.default_rng(4).normal(0, 0.2, (29 * 24, 6)))
    values[25 * 24 : 28 * 24] *= 0.6
    found = [one for one in replay(made(60, 6), values).values() if one.start >= START + 24 * 1440]
    assert len({one.number for one in found if one.direction == "down"}) >= 5
    assert not [one for one in found if one.direction == "up"]


def test_the_least_move_of_a_constant() -> None:
    """A fiftieth of a percent, once or now and then, is no news of what never moves; a tenth of it is."""
    values = np.full((620, 3), 5.0)
    values[500, 0] = values[::97, 1] = 5.001
    values[500, 2] = 5.5
    assert {one.number for one in replay(made(60, 3), values).values()} == {2}


@pytest.mark.slow
def test_four_hours_within_what_the_day_has() -> None:
    """A rise at any hour of what has a season, to values that other hours have: seen in what hours add up to."""
    at = np.arange(40 * 24)
    noisy = np.random.default_rng(11).normal(0, 2, (40 * 24, 12))
    for hour in at[1:]:  # hours go together: what one is off, the next one is nearly
        noisy[hour] += 0.75 * noisy[hour - 1]
    values = (50 + 15 * np.sin(at / 24 * 2 * np.pi) - 8 * (at // 24 % 7 >= 5))[:, None] + noisy
    for number in range(12):
        begun = 36 * 24 + 2 * number
        values[begun : begun + 4, number] += 30
    found = list(replay(made(60, 12), values).values())
    assert {one.direction for one in found} == {"up"}
    assert len({one.number for one in found}) >= 10
    assert len(found) <= 12


@pytest.mark.slow
def test_counts_are_whole() -> None:
    """One more than ever is no finding of a series of small counts."""
    counts = np.random.default_rng(5).poisson(0.3, (1_200, 12)).astype(float)
    assert len(replay(made(5, 12), counts)) <= 1
