"""Waiting until every record that was sent has met its fate."""

import time
from collections.abc import Callable

from spendstream_traffic.replay.fates import FateCounts, Fates
from spendstream_traffic.replay.ranges import ERA, SentRanges
from stream_jobs.base.errors import RetryError, SpendstreamError

POLL_INTERVAL_S = 0.2


class NotBookedError(SpendstreamError):
    """The pipeline did not get through with what was sent. Nothing is lost: the records are in Kafka."""


def wait_for_fates(
    fates: Fates,
    sent: SentRanges,
    *,
    timeout_s: float,
    on_progress: Callable[[int], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FateCounts:
    """Returns once each record is booked, dropped as a duplicate or quarantined, and says how many of each.

    `on_progress` gets the number of finished records. Raises NotBookedError when nothing has moved for `timeout_s`
    seconds, with what is missing. A store that does not answer counts as no progress.
    """
    done = known = -1
    deadline = clock() + timeout_s
    trouble: RetryError | None = None
    ends: dict[int, int] = {}
    counts = FateCounts()
    while True:
        try:
            ends = fates.finished_to(sent.topic)
            trouble = None
            if (now_done := sent.count_before(ends)) > done:
                done, deadline = now_done, clock() + timeout_s
                on_progress(done)
            if done == sent.count:
                # Receipts are the last thing a block writes, so this is normally one look. It is the check, too.
                counts = fates.count(sent)
                if counts.known >= sent.count:
                    return counts
                if counts.known > known:
                    known, deadline = counts.known, clock() + timeout_s
        except RetryError as error:
            trouble = error
        if clock() >= deadline:
            raise NotBookedError(_missing(sent, ends, counts, timeout_s, trouble))
        sleep(POLL_INTERVAL_S)


def _missing(
    sent: SentRanges, ends: dict[int, int], counts: FateCounts, timeout_s: float, trouble: RetryError | None
) -> str:
    done = sent.count_before(ends)
    head = f"nothing moved for {timeout_s:g} s; "
    if trouble is not None:
        return f"{head}the store could not be asked: {trouble}"
    if done == sent.count:
        return (
            f"{head}all {sent.count} records are finished, but only {counts.known} are in the ledger, the duplicates "
            "or the quarantine. Run 'spendstream status' and keep the data folder: this should not happen."
        )
    behind = []
    for partition, ranges in sent.partitions.items():
        end, last = ends.get(partition, 0), ranges[-1][1]
        if end <= last:
            behind.append(f"partition {partition % ERA}: finished before offset {end}, sent up to offset {last}")
    return (
        f"{head}{sent.count - done} of {sent.count} records are not finished yet ({sent.topic}, {'; '.join(behind)}). "
        "They are in Kafka and will be booked once the metering job runs: see 'spendstream status'."
    )
