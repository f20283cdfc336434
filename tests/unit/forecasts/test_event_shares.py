"""Over which weeks the part of a series is looked up that an event concerns."""

from datetime import UTC, datetime, timedelta

from stream_jobs.forecasts.event_shares import LOOKED_AT, weeks_before
from tests.unit.planned.test_effects import planned

ORIGIN = datetime(2026, 12, 10, 7, tzinfo=UTC)
FIRST = ORIGIN - timedelta(days=60)
TODAY = datetime(2026, 12, 10, tzinfo=UTC)


def test_an_event_is_weighed_by_the_weeks_before_it_began() -> None:
    """By then it has moved nothing; of what is to come, comes again or began before all history, by the last ones."""
    dates = (("2026-12-01", 1), ("2026-12-20", 10), ("2026-10-12", 10))
    for begins, day in dates:
        events = planned({"scope": {"team": "a"}, "from": begins, "factor": 3})
        until = TODAY.replace(day=day)
        assert weeks_before(events, next(iter(events)), FIRST, ORIGIN) == (until - LOOKED_AT, until), begins
    again = planned({"from": "2026-12-01", "every": {"at": "02:00", "lasts": "1h"}, "factor": 3})
    assert weeks_before(again, next(iter(again)), FIRST, ORIGIN)[1] == TODAY
