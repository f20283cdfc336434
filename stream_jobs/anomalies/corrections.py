"""What corrections of the ledger (re-pricing, re-attribution, reconciliation) change of findings."""

from datetime import datetime

from stream_jobs.anomalies.ledger import LedgerMinutes
from stream_jobs.anomalies.model import Change
from stream_jobs.anomalies.rows import Key
from stream_jobs.anomalies.watch import Watch
from stream_jobs.completeness.watermark import start_of
from stream_jobs.series.sums import LedgerSums


class Corrections:
    """Used by one thread."""

    def __init__(self, sums: LedgerSums, ledger: LedgerMinutes) -> None:
        self._sums = sums
        self._ledger = ledger
        self._seen: object = None
        self._looked_at: set[Key] = set()

    def look(self, watch: Watch, now: datetime) -> list[Change]:
        """Findings that are otherwise by what was posted since the last call; all are looked at when anything was, and
        one that is new at least once. Raises StoreUnavailableError, and then looks at all of them the next time."""
        keys = set(watch.rows.all)
        if not keys and self._seen is not None:
            return []
        posted = self._sums.corrections()
        if posted != self._seen:
            self._looked_at = set()
        self._seen = posted
        changes = []
        for key in sorted(keys - self._looked_at):
            found = watch.rows.all[key].found
            end = watch.next if found.end is None else found.end
            added = self._ledger.corrections(key[0], start_of(found.start), start_of(max(end, found.start + 1)))
            change = watch.rows.corrected(key, added, watch.next - 1, now)
            if change is not None:
                changes.append(change)
            self._looked_at.add(key)
        self._looked_at &= keys
        return changes
