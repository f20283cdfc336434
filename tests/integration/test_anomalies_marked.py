"""What people marked as expected stays silent, and what comes after it and is much more does not: from blocks to
signals, with the job's own detector, on the real store and broker, in simulated time."""

from datetime import timedelta

import pytest

from stream_jobs.anomalies.marks import write_mark
from stream_jobs.store.client import StoreClient
from tests.integration.test_anomalies_told import Told, job, store

__all__ = ["job", "store"]


def test_much_more_than_what_was_marked_as_expected_is_told(job: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as much of the same user from the very minute of the mark on."""
    job.minutes(15)
    (*_, told) = job.minutes(5, 60)
    assert (told.status, told.labels["user_id"]) == ("firing", "u1")
    at = job.world.now + timedelta(seconds=10)
    monkeypatch.setattr(StoreClient, "now", lambda _: at)
    write_mark(job.store, told.alert_id.removeprefix("anomaly/"), "expected", "", "mara")
    resolved, *after = job.minutes(6, 600)
    assert (resolved.alert_id, resolved.status) == (told.alert_id, "resolved")
    assert after
    assert {(signal.status, signal.labels["user_id"]) for signal in after} == {("firing", "u1")}
