"""What people marked as expected stays silent, and what comes after it and is much more does not: from blocks to
signals, with the job's own detector, on the real store and broker, in simulated time."""

from datetime import timedelta

import pytest

from stream_jobs.anomalies import states
from stream_jobs.anomalies.marks import write_mark
from stream_jobs.store.client import StoreClient
from tests.integration.anomaly_world import told as findings
from tests.integration.test_anomalies_told import Told, job, store

pytestmark = pytest.mark.slow

__all__ = ["job", "store"]


def test_much_more_than_what_was_marked_as_expected_is_told(job: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as much of the same user from the very minute of the mark on. A start without a snapshot, as after an
    upgrade, undoes no mark: nothing is told a second time, and no minute is in two findings of a series."""
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

    before = {(row["finding_id"], row["state"], row["closing"]) for row in findings(job.store)}
    assert {(state, closing) for _, state, closing in before} == {("open", ""), ("closed", "expected")}
    monkeypatch.setattr(states, "FORMAT", states.FORMAT + 1)
    job.start()
    again = job.minutes(6, 600)
    assert {(signal.alert_id, signal.status) for signal in again} <= {(after[-1].alert_id, "firing")}
    found = findings(job.store)
    assert {(row["finding_id"], row["state"], row["closing"]) for row in found} == before
    for one in found:
        mine = [row for row in found if all(row[name] == one[name] for name in ("series", "direction", "measure"))]
        now = job.world.now
        assert [row for row in mine if row["starts_at"] <= one["starts_at"] < (row["ends_at"] or now)] == [one]
