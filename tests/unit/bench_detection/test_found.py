"""What counts as found, and what as a false alert."""

import pytest

from tests.benchmarks.detection.found import Found, Judged, judge
from tests.benchmarks.detection.generator import DAY, Incident

SPIKE = Incident(0, 5000, 5060, "spike10")


def told(*findings: Found, incident: Incident = SPIKE) -> Judged:
    return judge(findings, [incident], 1, 1000, 20_000)


@pytest.mark.parametrize(
    ("finding", "delay"),
    [
        (Found(0, 4995, 5004, 5070, "up"), 4),
        (Found(0, 5010, 5500, None, "up"), 500),
        (Found(0, 5001, 5004, 5070, "down"), None),  # the other direction
        (Found(0, 4990, 5000, 5070, "up"), None),  # before it could be seen
        (Found(0, 4000, 5004, 5000, "up"), None),  # was over when the incident began
        (Found(0, 5060, 5070, None, "up"), None),  # began when the incident was over
        (Found(0, 5010, 5060 + DAY + 1, None, "up"), None),  # too late for anybody
    ],
)
def test_a_finding_of_an_incident(finding: Found, delay: int | None) -> None:
    """It overlaps the incident, in its direction, and was detected after its beginning."""
    assert told(finding).delays == [delay]


def test_all_that_is_said_is_counted_once() -> None:
    """As a false alert before the incident, as the find, as a repeat of it, or as an echo."""
    judged = told(
        Found(0, 900, 990, 995, "up"),  # in the history: not judged
        Found(0, 2000, 2010, 2020, "down"),
        Found(0, 5000, 5010, 5040, "up"),
        Found(0, 5041, 5050, 5060, "up"),
        Found(0, 9000, 9010, 9020, "down"),
    )
    assert (judged.false_alerts, judged.delays, judged.repeats, judged.echoes) == (1, [10], 1, 1)
    assert judged.quiet_days == pytest.approx(4000 / DAY)


def test_a_drop_is_found_by_what_says_down() -> None:
    """Of a shape whose factor is below one."""
    incident = Incident(0, 5000, 6000, "zero")
    assert told(Found(0, 5000, 5020, None, "down"), incident=incident).delays == [20]
    assert told(Found(0, 5000, 5020, None, "up"), incident=incident).delays == [None]


def test_where_nothing_happens_all_is_false() -> None:
    """And all of the time counts."""
    judged = judge([Found(1, 5, 2000, None, "up")], [], 2, 1000, 1000 + DAY)
    assert (judged.false_alerts, judged.quiet_days, judged.delays) == (1, 2.0, [])


def test_portions_add_up() -> None:
    """Delays are joined, counts are added."""
    judged = told(Found(0, 5000, 5010, None, "up"))
    judged += told()
    assert judged.delays == [10, None]
    assert judged.quiet_days == pytest.approx(8000 / DAY)
