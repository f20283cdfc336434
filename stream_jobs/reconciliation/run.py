"""A reconciliation run: finish what an earlier one had begun, look, post."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from stream_jobs.ledger.posting import Poster
from stream_jobs.origin.rules import SenderRules
from stream_jobs.reconciliation.findings import Finding, batch, finding
from stream_jobs.reconciliation.journal import Journal
from stream_jobs.reconciliation.ledger import Interval, LedgerSearch
from stream_jobs.reconciliation.reports import Call, Precedence, doubles_by_call
from stream_jobs.reconciliation.runs import Run, Runs, Tally
from stream_jobs.reconciliation.settings import ReconciliationSettings
from stream_jobs.reconciliation.standing import Standing, standing
from stream_jobs.store.client import StoreClient
from stream_jobs.store.deadline import ServerClock
from stream_jobs.store.retention import kept_for

log = logging.getLogger(__name__)

EVENTS_AT_ONCE: Final = 500
"""Events that are judged together: bounds memory, and how much one insert posts."""
SLICE: Final = timedelta(days=1)
FUTURE: Final = timedelta(days=1)
"""Blocks of workers whose clocks run ahead are looked at too."""
BEGINNING: Final = timedelta(days=30)
"""How far back a run looks that has no predecessor."""

Found = Callable[[Finding], None]


@dataclass(slots=True)
class Outcome:
    """What a run came to, and how often each cause was found."""

    since: datetime
    tally: Tally = field(default_factory=Tally)
    causes: dict[str, int] = field(default_factory=dict)
    finished: int = 0  # batches that an earlier run had begun

    def add(self, item: Finding) -> None:
        self.tally.findings += 1
        self.tally.entries += len(item.postings)
        self.tally.list_cost += item.cost("list_cost")
        self.tally.effective_cost += item.cost("effective_cost")
        self.causes[item.cause] = self.causes.get(item.cause, 0) + 1


class Reconciler:
    """Raises StoreUnavailableError; everything it does may be repeated."""

    def __init__(
        self, store: StoreClient, settings: ReconciliationSettings, senders: SenderRules | None = None
    ) -> None:
        self._store = store
        self._senders = senders or SenderRules()
        self._settings = settings
        self._precedence = Precedence.of(settings)
        self._search = LedgerSearch(store, self._precedence)
        self._runs = Runs(store)
        self._poster = Poster(store, ServerClock(store))

    def dry_run(self, since: datetime | None = None, on_finding: Found = lambda _: None) -> Outcome:
        """What `apply` would post now. Changes nothing but the index of response ids."""
        now = self._store.now()
        outcome = Outcome(self._start(since, now))
        for found in self._look(outcome.since, now, outcome.tally):
            for item in found:
                outcome.add(item)
                on_finding(item)
        return outcome

    def apply(self, trigger: str, since: datetime | None = None, on_finding: Found = lambda _: None) -> Outcome:
        """Raises BusyError when another run is under way."""
        now = self._store.now()
        run = self._runs.open(trigger, self._start(since, now), now)
        outcome = Outcome(run.since)
        try:
            journal = Journal(self._store, self._runs, run)
            for interrupted in journal.interrupted():
                log.info("finishing what reconciliation %d had begun", interrupted.run)
                self._poster.finish(interrupted, journal)
                outcome.finished += 1
            for found in self._look(run.since, now, outcome.tally, lambda: self._runs.check(run, self._store.now())):
                self._poster.post(batch(found, run.number, self._store.now()), journal)
                for item in found:
                    outcome.add(item)
                    on_finding(item)
        except Exception as error:
            self._close_failed(run, outcome, error)
            raise
        self._runs.close(run, self._store.now(), outcome.tally)
        return outcome

    def _close_failed(self, run: Run, outcome: Outcome, error: Exception) -> None:
        try:
            self._runs.close(run, self._store.now(), outcome.tally, repr(error)[:500])
        except Exception as failure:  # noqa: BLE001 - the first error is the one to report; the lease runs out by itself
            log.warning("cannot record that reconciliation %d failed: %s", run.number, failure)

    def beginning(self) -> datetime:
        """When the first entry of the ledger was booked."""
        return self._search.first_booked() or self._store.now()

    def _start(self, since: datetime | None, now: datetime) -> datetime:
        """What was asked for, but not before there was anything: every slice of empty time costs a query."""
        if since is None:
            since = self._runs.last_seen()
            if since is not None:  # where the last run that ended well began, and a margin before it
                return since - timedelta(seconds=self._settings.margin_s)
            since = now - BEGINNING
        return max(since, self.beginning())

    def _look(
        self, since: datetime, now: datetime, tally: Tally, on_step: Callable[[], None] = lambda: None
    ) -> Iterator[list[Finding]]:
        """Findings, as many at a time as one insert may post. `on_step` is called before each step that takes long."""
        late = self._search.late_blocks(since)
        horizon = self._horizon(now)
        while since < now + FUTURE:
            until = since + SLICE if since + SLICE < now else now + FUTURE
            interval = Interval(since, until, late)
            on_step()
            entries = self._search.count(interval)
            tally.examined += entries
            if entries:
                self._search.index_calls(interval)
                for suspects in self._search.suspects(interval, entries):
                    on_step()
                    yield from self._judged(suspects, horizon)
            since, late = until, ()

    def _horizon(self, now: datetime) -> datetime | None:
        """Charges booked before may have been dropped by retention."""
        kept = kept_for(self._store, "ledger")
        return None if kept is None else now - kept + SLICE

    def _judged(self, suspects: set[str], horizon: datetime | None) -> Iterator[list[Finding]]:
        ids = iter(sorted(suspects))
        while part := list(islice(ids, EVENTS_AT_ONCE)):
            if found := self._judge(part, horizon):
                yield found

    def _judge(self, ids: list[str], horizon: datetime | None) -> list[Finding]:
        events = self._standings(set(ids))
        calls = {call for event in events.values() if (call := self._precedence.call_of(event)) is not None}
        reporting = self._search.reporting(calls)
        others = {event_id for reports in reporting.values() if reports is not None for event_id in reports}
        known = events | self._standings(others - events.keys())
        crowded = {call for call, reports in reporting.items() if reports is None}
        doubles = doubles_by_call(self._not_crowded(known, crowded), self._precedence)
        relied_on = self._search.relied_on(events.keys())
        found = []
        for event_id, event in events.items():
            if horizon is not None and relied_on.get(event_id, horizon) < horizon:
                continue  # the charge that counts may have left the ledger with its month; the rollups still hold it
            item = finding(event, doubles.get(event_id))
            if item is not None:
                found.append(item)
        return found

    def _standings(self, ids: set[str]) -> dict[str, Standing]:
        booked = self._search.entries(ids)
        found = {event_id: standing(entries, self._senders) for event_id, entries in booked.items()}
        return {event_id: event for event_id, event in found.items() if event is not None}

    def _not_crowded(self, events: dict[str, Standing], crowded: set[Call]) -> dict[str, Standing]:
        return {event_id: event for event_id, event in events.items() if self._precedence.call_of(event) not in crowded}
