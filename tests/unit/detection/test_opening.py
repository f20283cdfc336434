from collections.abc import Iterator

import numpy as np
import pytest

from stream_jobs.detection.model import Finding, Floats, Minute
from tests.unit.detection.world import BEGIN, minutes, run, warmed

RATES = np.array([50.0, 50.0, 5.0])


def after(first: float, second: float, seed: int) -> list[Finding]:
    """Two hours of every series at a level, from minute 200 on, then two at another, then as usual."""

    def level(minute: int) -> Floats:
        return np.full(3, first if 200 <= minute < 320 else second if 320 <= minute < 440 else 1.0)

    return run(warmed(RATES), minutes(RATES, 640, seed, level))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("first", "second"), [(8.0, 0.0), (0.0, 8.0)])
def test_the_opposite_of_what_is_open_is_told_at_once(first: float, second: float, seed: int) -> None:
    """An outage right after a rise, or a rise after an outage: two findings; one is over where the other begins, and
    what each cost is its own."""
    findings = after(first, second, seed)
    for number in range(3):
        closed = [f for f in findings if f.number == number and f.closing == "over"]
        assert [f.direction for f in closed] == (["up", "down"] if first > 1 else ["down", "up"])
        one, other = closed
        assert one.end == pytest.approx(BEGIN + 320, abs=3)
        assert other.start == one.end
        assert other.detected_at - BEGIN - 320 <= 10
        assert other.end == pytest.approx(BEGIN + 440, abs=3)
        rise = one if first > 1 else other
        assert rise.actual == pytest.approx(8 * 120 * 0.01 * RATES[number], rel=0.8)
        assert (other if first > 1 else one).actual < 0.1 * rise.actual


def fewer_but_dearer() -> Iterator[Minute]:
    """Series 0: requests that cost twenty times as much, a third as many."""
    for minute in minutes(RATES, 400, level=lambda at: np.array([1.0 if at < 200 else 0.3, 1.0, 1.0])):
        if minute.at - BEGIN >= 200 and minute.squares is not None:
            minute.cost[0] *= 20
            minute.squares[0] *= 400
        yield minute


def test_fewer_but_dearer_requests_are_one_rise() -> None:
    """That fewer come does not end the rise of what they cost."""
    findings = run(warmed(RATES), fewer_but_dearer())
    assert {(f.number, f.direction, f.state) for f in findings} == {(0, "up", "open")}


@pytest.mark.slow
def test_a_burst_inside_a_shift_is_told_by_itself() -> None:
    """Thirty times for an hour within three times for a day: the shift is over where the burst begins, with its own
    figures, the burst where it ends, and the shift that goes on is told again, so that nothing of it is lost."""

    def level(minute: int) -> Floats:
        return np.full(3, 1.0 if minute < 200 else 30.0 if 1000 <= minute < 1060 else 3.0 if minute < 2000 else 1.0)

    findings = run(warmed(RATES), minutes(RATES, 2400, level=level))
    for number in range(2):
        own = {f.detected_at: f for f in findings if f.number == number}
        shift, burst, *rest = own.values()
        assert (shift.kind, shift.end, burst.kind) == ("shift", burst.start, "spike")
        assert burst.start == pytest.approx(BEGIN + 1000, abs=2)
        assert burst.detected_at - BEGIN <= 1015
        assert burst.end == pytest.approx(BEGIN + 1060, abs=3)
        assert burst.actual / burst.expected == pytest.approx(30, rel=0.6)
        assert shift.actual / shift.expected == pytest.approx(3, rel=0.4)
        assert rest[0].start == burst.end, "the shift goes on"
        again = sum(f.actual - f.expected for f in rest)
        assert again == pytest.approx(2 * 940 * 0.01 * RATES[number], rel=0.4)


def grown(inside: float) -> Iterator[Minute]:
    """Seven percent a day for twelve days; of the last day six hours at another level."""

    def level(minute: int) -> Floats:
        there = inside if 12 * 1440 + 600 <= minute < 12 * 1440 + 960 else 1.0
        return np.full(3, 1.07 ** min(minute / 1440, 12.0) * there)

    return minutes(RATES, 13 * 1440 + 360, level=level)


@pytest.mark.slow
def test_a_burst_inside_a_ramp_is_told_by_itself() -> None:
    """What grew for days and is open hides nothing."""
    findings = run(warmed(RATES), grown(12.0))
    for number in range(3):
        before, burst = [f for f in findings if f.number == number and f.start < BEGIN + 12 * 1440 + 700 and f.closing][
            -2:
        ]
        assert before.end == burst.start == pytest.approx(BEGIN + 12 * 1440 + 600, abs=2)
        assert burst.detected_at <= burst.start + 15
        assert burst.end == pytest.approx(BEGIN + 12 * 1440 + 960, abs=3)
        assert burst.severity == "critical"


@pytest.mark.slow
def test_a_silence_inside_a_drop_is_told_by_itself() -> None:
    """Fewer for a day and a half, within which nobody calls for six hours: the drop is over where the silence begins,
    and goes on where that ends, until all is as usual."""

    def level(minute: int) -> Floats:
        return np.full(3, 0.0 if 1000 <= minute < 1360 else 0.3 if 200 <= minute < 2400 else 1.0)

    findings = run(warmed(RATES), minutes(RATES, 3400, level=level))
    for number in range(3):
        *_, drop, silence, again = [f for f in findings if f.number == number and f.closing]
        assert [drop.kind, silence.kind, again.kind] == ["drop", "silence", "drop"]
        assert drop.end == silence.start == pytest.approx(BEGIN + 1000, abs=3)
        assert silence.detected_at <= silence.start + 60
        assert silence.end == again.start == pytest.approx(BEGIN + 1360, abs=15)
        assert silence.actual < 0.05 * silence.expected
        assert again.end == pytest.approx(BEGIN + 2400, abs=70)


@pytest.mark.parametrize("times", [3.0, 20.0])
@pytest.mark.parametrize("seed", range(3))
def test_more_but_cheaper_requests_are_no_news(times: float, seed: int) -> None:
    """What is spent stays as usual. When nobody calls any more that is told once, though more had called than usual; it
    goes on until requests come again."""

    def another_kind() -> Iterator[Minute]:
        level = lambda at: np.full(3, times if 200 <= at < 500 else float(at < 200))  # noqa: E731
        for minute in minutes(RATES, 700, seed, level):
            if minute.at - BEGIN >= 200 and minute.squares is not None:
                minute.cost[:] = RATES * 0.01 * (minute.events > 0)
                minute.squares[:] = minute.cost**2 / np.maximum(minute.events, 1)
            yield minute

    told = {(f.number, f.detected_at): f for f in run(warmed(RATES), another_kind())}.values()
    assert sorted((f.number, f.kind, f.state) for f in told) == [(n, "silence", "open") for n in range(3)]


@pytest.mark.slow
def test_what_costs_much_of_a_day_is_told_every_night() -> None:
    """A key that leaked and is used from one to five, on the third night as on the first, if half an hour later: what
    was told before is no habit where so much goes. Each is a finding of its own night."""

    def level(minute: int) -> Floats:
        return np.full(3, 13.0 if minute < 3 * 1440 and 60 <= minute % 1440 < 300 else 1.0)

    told = run(warmed(RATES), minutes(RATES, 4 * 1440, level=level))
    for number in range(3):
        own = [f for f in told if f.number == number and f.closing == "over" and f.direction == "up"]
        begun = [BEGIN + night * 1440 + 60 for night in range(3)]
        assert [f.start for f in own] == pytest.approx(begun, abs=2)
        assert [f.end for f in own] == pytest.approx([at + 240 for at in begun], abs=5)
        assert max(f.detected_at - f.start for f in own) <= 50


@pytest.mark.slow
@pytest.mark.parametrize("times", [10.0, 4.0, 0.2])
def test_a_burst_of_requests_of_another_kind_is_over_when_its_money_is(times: float) -> None:
    """For two days requests are more and cheaper, or fewer and dearer, than was usual, at the same cost; then six times
    as many for an hour."""
    begun = 2 * 1440 + 600

    def another_kind() -> Iterator[Minute]:
        level = lambda at: np.full(3, times * (6.0 if begun <= at < begun + 60 else 1.0))  # noqa: E731
        for minute in minutes(RATES, begun + 600, 3, level):
            if minute.squares is not None:
                minute.cost[:] /= times
                minute.squares[:] /= times * times
            yield minute

    told = {(f.number, f.detected_at): f for f in run(warmed(RATES), another_kind())}.values()
    bursts = {f.number: f for f in told if f.start >= BEGIN + begun - 5}
    assert {f.number for f in bursts.values()} == {0, 1, 2}
    for one in bursts.values():
        assert (one.direction, one.closing) == ("up", "over")
        assert one.end == pytest.approx(BEGIN + begun + 60, abs=5)
        assert one.actual / one.expected == pytest.approx(6, rel=0.5)
