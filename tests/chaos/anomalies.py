"""What the anomalies job has counted, against the ledger: every block once, in its minute or as late, through it all.

A job that begins now goes on from what those before it wrote down. What it then holds of the last hour (as judged, what
came late after that, and what is not judged yet) must be what the blocks put into the ledger, minute by minute.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Final, cast

from stream_jobs.anomalies.exact import floats
from stream_jobs.anomalies.findings import Findings
from stream_jobs.anomalies.ledger import LedgerMinutes
from stream_jobs.anomalies.model import Series
from stream_jobs.anomalies.settings import AnomaliesSettings
from stream_jobs.anomalies.start import Start
from stream_jobs.anomalies.states import States
from stream_jobs.anomalies.watch import Watch
from stream_jobs.anomalies.watermark import start_of
from stream_jobs.detection.detector import CostDetector
from stream_jobs.series.sums import LedgerSums
from stream_jobs.store.client import StoreClient

HOUR: Final = 60
SETTINGS: Final = AnomaliesSettings(history_days=0)


def anomalies_differences(store: StoreClient) -> Iterator[str]:
    """What is wrong, for people."""
    now = store.now()
    start = Start(store, SETTINGS, States(store, now), LedgerMinutes(store, SETTINGS.levels))
    watch = start.begin(LedgerSums(store).vector(), Findings(store).last(now - timedelta(days=8)), now)
    if not start.from_snapshot:
        yield "anomalies: nothing was written down that can be gone on from"
        return
    held, booked = _held(watch), _booked(store, watch.next - HOUR)
    wrong = {start_of(minute): (held[minute], booked[minute]) for minute in sorted({*held, *booked})
             if held[minute] != booked[minute]}  # fmt: skip
    if wrong:
        yield f"anomalies: {len(wrong)} minutes do not hold what the ledger has: {dict(list(wrong.items())[:5])}"
    if changes := watch.rows.settle(watch.next - 1, now):
        yield f"anomalies: {len(changes)} findings are not recorded as they are: {changes[:2]}"


def _held(watch: Watch) -> "Counter[int]":
    """Events by minute since an hour before the first that is not judged."""
    found: Counter[int] = Counter()
    detector = cast(CostDetector, watch.detector)
    late = watch.rows._late.get(Series(), {})
    for minute in range(watch.next - HOUR, watch.next):
        found[minute] = round(float(detector.frame.state.ring_x[1, minute % HOUR, 0]))
        if minute in late:
            found[minute] += late[minute].events
    total = watch.registry.names.find(Series())
    for minute in range(watch.next, (watch._minutes.latest or watch.next) + 1):
        sums = watch._minutes.take(minute)
        rows = sums.ids == total
        found[minute] = round(float(floats(sums.sums[rows], "events").sum()))
    return found


def _booked(store: StoreClient, since: int) -> "Counter[int]":
    rows = store.rows(
        "SELECT intDiv(toUnixTimestamp(occurred_at), 60) AS minute, sum(events) FROM ledger "
        "WHERE adjustment_run = '' AND occurred_at >= {since:DateTime('UTC')} GROUP BY minute",
        {"since": start_of(since)},
    )
    return Counter({int(minute): int(events) for minute, events in cast(list[tuple[int, int]], rows)})
