"""Until when a run may write."""

from datetime import UTC, datetime, timedelta

from stream_jobs.forecasts.lease import leased
from tests.unit.forecasts.build import BERLIN, HOURS

NOW = datetime(2026, 11, 30, 23, 5, tzinfo=UTC)


def test_the_next_run_is_due_when_the_first_hour_that_is_forecast_is_over() -> None:
    """And a day, of its zone; with some slack."""
    lease = leased(NOW, HOURS, NOW - timedelta(minutes=1), limit_s=600, slack_s=900)
    assert lease.due_at == datetime(2026, 12, 1, 0, 15, tzinfo=UTC)
    assert lease.not_after == NOW + timedelta(minutes=10)
    day = leased(NOW, BERLIN, NOW - timedelta(minutes=1), limit_s=600, slack_s=900)
    assert day.due_at == datetime(2026, 12, 1, 23, 15, tzinfo=UTC)


def test_parts_of_runs_have_tokens_of_their_own() -> None:
    """By table, run, grain and part."""
    lease = leased(NOW, HOURS, NOW, limit_s=600, slack_s=900)
    later = leased(NOW + timedelta(microseconds=1), HOURS, NOW, limit_s=600, slack_s=900)
    day = leased(NOW, BERLIN, NOW, limit_s=600, slack_s=900)
    tokens = {one.token(table, part) for one in (lease, later, day) for table in ("forecasts", "x") for part in (0, 1)}
    assert len(tokens) == 12
    assert lease.token("x", 1) == leased(NOW, HOURS, NOW, limit_s=1, slack_s=1).token("x", 1)
