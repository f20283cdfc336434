from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream_jobs.detection.config import Config
from stream_jobs.detection.detector import CostDetector
from stream_jobs.detection.model import Finding, Minute
from tests.unit.detection.world import BEGIN, MONDAY, column, minutes, only, run, warmed

RATES = np.array([50.0, 50.0, 5.0])


def told(findings: list[Finding]) -> list[tuple[int, str]]:
    """Each finding once: its series and direction."""
    return list(dict.fromkeys((f.number, f.direction) for f in findings))


@pytest.mark.slow
def test_a_rise_is_found_within_minutes_once_and_is_over_soon_after_it() -> None:
    """Ten times the requests for an hour: one finding, open after at most five minutes; its trailing edge is no
    drop."""
    findings = run(warmed(RATES), minutes(RATES, 600, level=only(0, 3, 10.0, 200, 260)))
    assert told(findings) == [(0, "up")]
    first, last = findings[0], findings[-1]
    assert first.state == "open"
    assert 200 < first.detected_at - BEGIN <= 205
    assert abs(first.start - BEGIN - 200) <= 3
    assert last.closing == "over"
    assert last.end is not None
    assert 255 <= last.end - BEGIN <= 300
    assert last.excess == pytest.approx(9 * 60 * 50 * 0.01, rel=0.6)
    assert last.low < last.expected < last.high < last.actual
    assert {(f.number, f.direction, f.detected_at) for f in findings} == {(0, "up", first.detected_at)}


def test_a_drop_to_nothing_is_found_as_silence_or_drop() -> None:
    """Nobody calls any more: found within a quarter of an hour at 50 requests a minute."""
    findings = run(warmed(RATES), minutes(RATES, 400, level=only(0, 3, 0.0, 200, 400)))
    assert told(findings) == [(0, "down")]
    assert findings[0].kind in ("drop", "silence")
    assert findings[0].detected_at - BEGIN <= 215


def test_usual_traffic_is_quiet() -> None:
    """A day of three series as they always were."""
    assert run(warmed(RATES), minutes(RATES, 1440)) == []


def test_minutes_that_nobody_knows_are_no_drop() -> None:
    """Four hours without a known minute tell nothing, and nothing when they are over."""
    detector = warmed(RATES)
    findings: list[Finding] = []
    for minute in minutes(RATES, 700):
        lost = 200 <= minute.at - BEGIN < 440
        nothing, known = np.zeros(3), np.full(3, not lost)
        given_ = Minute(minute.at, nothing, nothing, nothing, known=known) if lost else minute
        findings += detector.advance(given_)
    assert findings == []


@pytest.mark.slow
def test_a_level_that_somebody_expects_is_adopted_at_once() -> None:
    """Marked as expected, the finding closes as the new normal, and the level is no finding again."""
    detector = warmed(RATES)
    findings: list[Finding] = []
    for minute in minutes(RATES, 900, level=only(0, 3, 5.0, 120, 900)):
        if minute.at - BEGIN == 400:
            findings += detector.adopt(0)
        findings += detector.advance(minute)
    assert told(findings) == [(0, "up")]
    assert findings[-1].closing == "new_normal"
    assert findings[-1].end == BEGIN + 400
    assert detector.adopt(1) == []


@pytest.mark.slow
def test_that_the_level_before_an_adopted_one_is_back_is_no_news() -> None:
    """Three times as much for four days is told, and adopted; then it is as it was, and nothing more is said."""
    detector = warmed(RATES)
    findings = run(detector, minutes(RATES, 7200, level=only(0, 3, 3.0, 120, 5880)))
    assert told(findings) == [(0, "up")]
    assert findings[-1].closing == "new_normal"
    assert detector.bands()[0][0] == pytest.approx(60 * 50 * 0.01, rel=0.4)


def test_one_dear_request_is_a_finding_of_its_own_and_told_once() -> None:
    """A request that costs what a day does, among ordinary ones."""
    detector = warmed(RATES)
    findings: list[Finding] = []
    for minute in minutes(RATES, 300):
        if minute.at - BEGIN == 150 and minute.squares is not None:
            minute.cost[1] += 700.0
            minute.squares[1] += 700.0**2
        findings += detector.advance(minute)
    assert [(f.number, f.kind, f.state) for f in findings] == [(1, "dear_request", "closed")]


@pytest.mark.slow
def test_a_new_series_needs_no_weeks_to_be_judged() -> None:
    """A day and a half of its own are enough for a rise of ten times, which is one as any other."""
    detector = CostDetector()
    detector.add(["new"])
    rate = np.array([20.0])
    findings = run(detector, minutes(rate, 2300, level=only(0, 1, 10.0, 2160, 2220)))
    assert [(f.number, f.direction, f.kind) for f in findings[:1]] == [(0, "up", "spike")]
    assert 2160 < findings[0].detected_at - BEGIN <= 2170


def by_the_sun(at: int) -> float:
    """Nights are quieter than days, and weekends than workdays."""
    return float((1 + 0.7 * np.sin(2 * np.pi * (at / 1440 - 1 / 3))) * (0.35 if at // 1440 % 7 > 4 else 1))


def at_the_office(closed: float) -> Callable[[int], float]:
    """From nine to six on workdays; what is left of it otherwise."""
    return lambda at: 1.0 if 9 <= at // 60 % 24 < 18 and at // 1440 % 7 < 5 else closed


WEEKLY = {"sun": by_the_sun, "0.02": at_the_office(0.02), "0.05": at_the_office(0.05)}
JOINS = {"sun": range(0, 168, 42), "0.02": (0, 120), "0.05": (0, 120)}
"""The hours of a week in which three series begin."""
WATCHED = {"sun": 5 * 1440, "0.02": 8 * 1440, "0.05": 8 * 1440}


@cache
def first_weeks() -> tuple[list[tuple[str, int]], list[Finding]]:
    """The kind and the first minute of series that join one after the other, and what is found of them all: a series
    is judged alike beside others, and they are minutes for one pass."""
    joining = sorted((60 * hour, kind) for kind, hours in JOINS.items() for hour in hours)
    detector, series = CostDetector(), list[tuple[str, int]]()
    findings: list[Finding] = []
    rng = np.random.default_rng(3)
    for at in range(max(begin + WATCHED[kind] for begin, kind in joining)):
        for begin, kind in joining:
            if begin == at:
                detector.add([f"{kind} {begin} {number}" for number in range(3)])
                series += [(kind, begin)] * 3
        if at % 60 == 0:
            hour = np.exp(0.2 * rng.standard_normal(len(series)))
        now = {kind: level(at) for kind, level in WEEKLY.items()}
        usual = np.tile(RATES, len(series) // 3) * hour
        events = rng.poisson(usual * [now[kind] for kind, _ in series]).astype(float)
        cost = events * 0.01 * np.exp(0.3 * rng.standard_normal(len(series)))
        findings += detector.advance(Minute(MONDAY + at, events, cost, cost * cost / np.maximum(events, 1)))
    return series, findings


def told_of(kind: str, begin: int) -> list[Finding]:
    """While they are new."""
    series, findings = first_weeks()
    found = [f for f in findings if series[f.number] == (kind, begin)]
    return [f for f in found if f.detected_at - MONDAY <= begin + WATCHED[kind]]


@pytest.mark.slow
@pytest.mark.parametrize("begins", JOINS["0.02"])
@pytest.mark.parametrize("closed", ["0.02", "0.05"])
def test_office_hours_are_no_news_to_a_new_series(begins: int, closed: str) -> None:
    """Days from nine to six, and no weekends: neither the first mornings nor the first two weekends are told."""
    assert told_of(closed, 60 * begins) == []


@pytest.mark.slow
@pytest.mark.parametrize("begins", JOINS["sun"])
def test_the_first_days_of_a_new_series_are_no_news(begins: int) -> None:
    """Nights are quieter than days, and weekends than workdays, before anybody has seen one."""
    assert told_of("sun", 60 * begins) == []


@settings(max_examples=4)
@given(st.integers(0, 2**31), st.integers(15, 50), st.sampled_from([0.0, 12.0, 25.0]))
def test_a_finding_ends_where_it_ended_and_costs_its_stretch(seed: int, length: int, factor: float) -> None:
    """Within three minutes at 50 requests a minute; what it cost is the sum of its minutes, those after it left out."""
    detector, findings = warmed(RATES), list[Finding]()
    traffic = list(minutes(RATES, 290, seed, only(0, 3, factor, 180, 180 + length)))
    for minute in traffic:
        findings += [one for one in detector.advance(minute) if one.number == 0]
    last = findings[-1]
    assert last.closing == "over"
    assert last.end is not None
    assert abs(last.end - BEGIN - 180 - length) <= 3
    stretch = sum(minute.cost[0] for minute in traffic if last.start <= minute.at < last.end)
    assert last.actual == pytest.approx(stretch, rel=1e-5)


@pytest.mark.slow
def test_without_squares_a_request_s_noise_is_estimated() -> None:
    """Usual traffic is quiet and a rise is found where nobody tells the sums of squares."""
    detector = warmed(RATES, squares=False)
    findings = run(detector, minutes(RATES, 600, level=only(2, 3, 20.0, 300, 360), squares=False))
    assert told(findings) == [(2, "up")]


def test_scores_and_bands_are_of_each_series() -> None:
    """0 where all is as usual; the band is around what is expected of an hour."""
    detector = warmed(RATES)
    run(detector, minutes(RATES, 130, level=only(0, 3, 20.0, 120, 130)))
    scores, (usual, low, high) = detector.scores(), detector.bands()
    assert scores.shape == usual.shape == (3,)
    assert scores[0] > 10 > scores[1]
    assert (low < usual).all()
    assert (usual < high).all()


@pytest.mark.slow
@settings(max_examples=4)
@given(st.integers(0, 130), st.integers(0, 2**31), st.integers(0, 10**6))
@example(60, 0, 0)
@example(120, 1, 7)
def test_a_restart_at_any_minute_changes_nothing(cut: int, seed: int, salt: int) -> None:
    """Dump and load, also where an hour or a finding has just ended: the same findings, scores, bands, and the same
    state bit by bit, as without."""
    level = only(seed % 3, 3, 12.0, 40 + salt % 60, 110)
    whole, traffic = warmed(RATES), list(minutes(RATES, 150, seed, level))
    first = warmed(RATES)
    findings = run(first, iter(traffic[:cut]))
    second = CostDetector.load(first.dump())
    assert (second.scores() == first.scores()).all()
    assert (np.array(second.bands()) == np.array(first.bands())).all()
    assert [second.standing(i) for i in range(3)] == [first.standing(i) for i in range(3)]
    findings += run(second, iter(traffic[cut:]))
    assert findings == run(whole, iter(traffic))
    assert second.dump() == whole.dump()


@pytest.mark.slow
@settings(max_examples=4)
@given(st.integers(0, 2**31), st.integers(1, 40))
def test_neighbours_change_nothing(seed: int, neighbours: int) -> None:
    """A series is judged alike alone, first or last among any number of others."""
    rates = np.concatenate([np.full(neighbours, 30.0), [50.0]])
    level = only(neighbours, neighbours + 1, 15.0, 60, 90)
    many, one = CostDetector(), CostDetector()
    many.add([str(number) for number in range(neighbours + 1)])
    one.add(["alone"])
    last = np.array([neighbours])
    for minute in minutes(rates, 290, seed, lambda at: level(at - 200)):
        among = [f for f in many.advance(minute) if f.number == neighbours]
        alone = one.advance(column(minute, last))
        assert [(f.start, f.score, f.actual, f.low, f.state) for f in among] == [
            (f.start, f.score, f.actual, f.low, f.state) for f in alone
        ]
        assert many.scores()[neighbours] == one.scores()[0]


@pytest.mark.slow
@settings(max_examples=3)
@given(st.integers(0, 2**31), st.integers(-10, 20))
def test_the_unit_of_money_changes_nothing_but_floors(seed: int, power: int) -> None:
    """All costs times a power of two: the same findings with that many times the money (floors in money set to 0)."""
    config, factor = Config(floor_money=0.0, page_money=0.0), 2.0**power
    level = only(0, 1, 10.0, 400, 460)
    plain, scaled = CostDetector(config), CostDetector(config)
    for detector in (plain, scaled):
        detector.add(["one"])
    for m in minutes(np.array([40.0]), 520, seed, level):
        assert m.squares is not None
        as_it_is = plain.advance(m)
        other = scaled.advance(Minute(m.at, m.events, m.cost * factor, m.squares * factor**2))
        assert [(f.number, f.start, f.kind, f.scale) for f in as_it_is] == [
            (f.number, f.start, f.kind, f.scale) for f in other
        ]
        assert [f.actual * factor for f in as_it_is] == pytest.approx([f.actual for f in other])


def test_series_may_join_at_any_minute_without_touching_others() -> None:
    """What is added later changes no figure of those that are there."""
    alone, joined = warmed(RATES), warmed(RATES)
    for index, minute in enumerate(minutes(RATES, 200)):
        if index == 77:
            joined.add([f"late {number}" for number in range(40)], usual=[1.0] * 40)
        more = len(joined.names) - 3
        wide = [np.concatenate([a, np.zeros(more)]) for a in (minute.events, minute.cost, minute.cost * minute.cost)]
        assert alone.advance(Minute(minute.at, *(a[:3] for a in wide))) == joined.advance(Minute(minute.at, *wide))
        assert (alone.scores() == joined.scores()[:3]).all()


def test_wrong_minutes_are_refused_and_change_nothing() -> None:
    """Out of order, of another width, or holding no numbers."""
    detector = warmed(RATES)
    state = detector.dump()
    good = next(minutes(RATES, 1))
    for wrong, match in (
        (Minute(good.at + 1, good.events, good.cost), "in order"),
        (Minute(good.at, good.events[:2], good.cost), "series"),
        (Minute(good.at, good.events * np.nan, good.cost), "no number"),
        (Minute(good.at, good.events, good.cost + np.inf), "no number"),
    ):
        with pytest.raises(ValueError, match=match):
            detector.advance(wrong)
    assert detector.dump() == state


def test_less_than_the_floor_in_money_is_never_told() -> None:
    """A hundred times of next to nothing is next to nothing."""
    findings: list[Finding] = []
    detector = CostDetector()
    detector.add(["tiny"])
    for m in minutes(np.array([20.0]), 900, level=only(0, 1, 100.0, 800, 803)):
        findings += detector.advance(Minute(m.at, m.events, m.cost * 1e-8))
    assert findings == []


def test_a_series_fits_in_four_kilobytes() -> None:
    """What is kept of a series, all arrays together."""
    assert warmed(RATES).frame.state.bytes_per_series <= 4096


def test_requests_that_all_cost_more_are_found_though_nobody_tells_the_squares() -> None:
    """A minute that costs more is not taken for one dear request minute after minute."""
    detector, dearer = warmed(RATES, squares=False), 10.0
    findings: list[Finding] = []
    for minute in minutes(RATES, 300, squares=False):
        cost = minute.cost * np.where((np.arange(3) == 1) & (minute.at - BEGIN >= 200), dearer, 1.0)
        findings += detector.advance(Minute(minute.at, minute.events, cost))
    assert (1, "up") in told(findings)
    first = next(f for f in findings if f.kind != "dear_request")
    assert first.detected_at - BEGIN <= 210


@pytest.mark.slow
def test_a_price_that_rises_by_a_third_in_calm_traffic_is_told_within_a_day() -> None:
    """Sixteen days after its first minute, when what two weeks were off is forgotten fastest: for what begins is not
    learned as fast as that."""
    detector = CostDetector()
    detector.add(["a"])
    rise = 15 * 1440 + 600
    found = []
    for at in range(rise + 1440):
        cost = np.array([0.1 if at < rise else 0.13])
        found += detector.advance(Minute(BEGIN + at, np.array([10.0]), cost, cost * cost / 10))
    assert found
    assert {(one.direction, one.start >= BEGIN + rise - 60) for one in found} == {("up", True)}
