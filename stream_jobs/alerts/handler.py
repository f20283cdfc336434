"""The alerts job's work: takes records in, keeps time, and has the receivers told. A FeedHandler.

Two sides that share nothing but messages: the book of alerts belongs to the feed's thread, outbox and receivers belong
to the event loop.

The order of writes of a cycle: look up what is not held ▸ fold ▸ insert the changes ▸ hand them to the outbox; the feed
commits the offset after that. A crash before the insert: the records are read again. A crash after it: they are read
again and change nothing, for the alerts are loaded as they were recorded.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import pyarrow as pa
from pydantic import ValidationError

from spendstream_schemas.alert_feed import ALERT_KINDS, ALERT_RECORD, SEVERITIES, AlertSignal
from spendstream_schemas.types import MAX_MESSAGE_BYTES
from stream_jobs.alerts.book import AlertBook, Folded, Parsed
from stream_jobs.alerts.delivery import Delivery, MakeNotifier
from stream_jobs.alerts.document import AlertsDocument
from stream_jobs.alerts.health import PREFIX, Condition, changes
from stream_jobs.alerts.journal import Journal
from stream_jobs.alerts.model import Alert, Transition
from stream_jobs.alerts.notifiers import make_notifier as real_notifier
from stream_jobs.alerts.outbox import Outbox
from stream_jobs.alerts.routing import Routing
from stream_jobs.alerts.rows import event_rows, silence_rows
from stream_jobs.alerts.silences import TOO_MANY_SILENCES
from stream_jobs.alerts.store import AlertStore, Loaded, new_token
from stream_jobs.base.errors import CrashError
from stream_jobs.base.instants import utc_now
from stream_jobs.runtime.metrics import ALERT_CHANGES, ALERT_RECORDS_MALFORMED, ALERTS_OPEN, NOTIFICATIONS_PENDING
from stream_jobs.runtime.refused import pass_over
from stream_jobs.runtime.topics import ALERTS
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.model import SourceRecord

log = logging.getLogger(__name__)

TICK_S: Final = 1.0
FOLD_AT_ONCE: Final = 4_000
AHEAD: Final = timedelta(minutes=10)
"""How far another machine's clock may be ahead of ours."""
ON_LOOP_TIMEOUT_S: Final = 30.0
_Answer = TypeVar("_Answer")


def parse(record: SourceRecord, now: datetime) -> Parsed | None:
    """None when it cannot be read; that is logged and counted. Fields of a later version are ignored."""
    try:
        if record.value is None or len(record.value) > MAX_MESSAGE_BYTES:
            raise ValueError("is empty" if record.value is None else f"is longer than {MAX_MESSAGE_BYTES} bytes")
        found = ALERT_RECORD.validate_json(record.value, extra="ignore")
        if isinstance(found, AlertSignal) and found.observed_at > now + AHEAD:
            # Taken for true it would make every signal until then an old one, which changes nothing.
            raise ValueError(f"observed_at: {found.observed_at} is ahead of our clock")
    except ValueError as error:  # pydantic's among them
        first = error.errors(include_url=False, include_input=False)[0] if isinstance(error, ValidationError) else None
        reason = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}" if first else str(error)
        pass_over(ALERTS, 0, record.offset, record.value, reason)
        ALERT_RECORDS_MALFORMED.inc()
        return None
    if isinstance(found, AlertSignal):
        return Parsed(found, found.model_dump_json(exclude_defaults=True).encode())
    return Parsed(found)


class AlertsHandler:
    """`open_store` is called for every begin; the client is closed at the end."""

    def __init__(
        self,
        open_store: Callable[[], StoreClient],
        document: AlertsDocument,
        make_notifier: MakeNotifier = real_notifier,
    ) -> None:
        self._open_store = open_store
        self._document = document
        self._wanted = document
        self._make_notifier = make_notifier
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_crash: Callable[[BaseException], None] = _only_logged
        self._store: AlertStore | None = None
        self._journal: Journal | None = None
        self._book = AlertBook(Routing(document))
        self._outbox = Outbox(document)
        self._delivery: Delivery | None = None
        self._unrecorded: list[tuple[str, pa.Table, str]] = []  # table, rows, token
        self._unapplied: list[Transition] = []
        self._ticked_s = 0.0
        # Replaced as a whole, by the event loop; None until it has looked.
        self._conditions: dict[str, Condition] | None = None
        self._watched: frozenset[str] | None = None  # the receivers of the last look

    def bind(self, loop: asyncio.AbstractEventLoop, on_crash: Callable[[BaseException], None]) -> None:
        """The loop that notifiers run in, and whom to tell when something in it is broken."""
        self._loop, self._on_crash = loop, on_crash

    def use(self, document: AlertsDocument) -> None:
        """Other rules, from the next tick on. May be called from any thread."""
        self._wanted = document

    # ── the feed's thread ─────────────────────────────────────────────────────────────────────────────────────────

    def begin(self) -> None:
        self.end()
        document = self._document = self._wanted
        self._store = AlertStore(self._open_store())
        now = utc_now()
        loaded = self._store.load(now)
        self._book = AlertBook(Routing(document), loaded.alerts, loaded.silences, loaded.position, loaded.refused)
        # The rules of now: what they change is recorded before anybody is told.
        self._keep(self._book.use(Routing(document), now), now)
        self._record(hand_over=False)
        self._on_loop(self._begin_telling(loaded, _active(self._book), self._book.position, now))
        self._ticked_s = 0.0
        log.info("%d alerts are open, %d receivers are told", len(loaded.alerts), len(document.receivers))

    def handle(self, records: list[SourceRecord]) -> None:
        self._record()  # what the last cycle could not; after it, its records change nothing any more
        now = utc_now()
        parsed = [item for record in records if (item := parse(record, now)) is not None]
        for begin in range(0, len(parsed), FOLD_AT_ONCE):
            self._take(parsed[begin : begin + FOLD_AT_ONCE])
        if time.monotonic() - self._ticked_s >= TICK_S:
            self._tick()

    def end(self) -> None:
        if self._delivery is not None:
            self._on_loop(self._end_telling())
        if self._store is not None:
            self._store.close()
            _count_open(())  # another worker's, or nobody's
        self._store = self._journal = None
        self._unrecorded, self._unapplied = [], []
        self._conditions = self._watched = None

    def _take(self, parsed: Sequence[Parsed]) -> None:
        if unknown := self._book.unknown(parsed):
            self._book.admit(self._opened_store().look_up(unknown))
        now = utc_now()
        folded = self._book.fold(parsed, now)
        for silence in folded.too_many:
            pass_over(ALERTS, 0, None, silence.model_dump_json(exclude_defaults=True).encode(), TOO_MANY_SILENCES)
        self._keep(folded, now)
        self._record()

    def _tick(self) -> None:
        now = utc_now()
        if self._wanted is not self._document:
            document = self._document = self._wanted
            self._keep(self._book.use(Routing(document), now), now)
            self._record()
            self._on_loop(self._take_up(document, _active(self._book), now))
            log.info("alerts go by the changed rules: %d receivers", len(document.receivers))
        self._keep(self._book.tick(now), now)
        self._record()
        self._watch_receivers(now)
        _count_open(self._book.alerts.values())
        self._bound().call_soon_threadsafe(self._look_at_receivers)
        self._ticked_s = time.monotonic()

    def _watch_receivers(self, now: datetime) -> None:
        """A receiver that fails is an alert as any other. It needs no record in Kafka: its condition is found again."""
        conditions, held = self._conditions, self._book.alerts
        if conditions is None:
            return
        names = frozenset(conditions)
        # All of them only when a receiver may be gone: there may be a hundred thousand.
        ids = held if names != self._watched else [PREFIX + name for name in names if PREFIX + name in held]
        self._watched = names
        if signals := changes(conditions, [held[alert_id] for alert_id in ids], now):
            self._take([Parsed(one, one.model_dump_json(exclude_defaults=True).encode()) for one in signals])

    def _keep(self, folded: Folded, now: datetime) -> None:
        """The book has it; the store is to have it too."""
        if folded.silences:
            self._unrecorded.append(("alert_silences", silence_rows(folded.silences, now), new_token()))
        # A crash between the two inserts: the silences hold, and the next owner records what they silence.
        if folded.transitions:
            self._unrecorded.append(("alert_events", event_rows(folded.transitions), new_token()))
            self._unapplied += folded.transitions

    def _record(self, *, hand_over: bool = True) -> None:
        """Raises StoreUnavailableError; what is left is recorded by the next call, with the same tokens."""
        while self._unrecorded:
            self._opened_store().insert(*self._unrecorded[0])
            del self._unrecorded[0]
        transitions, self._unapplied = self._unapplied, []
        for transition in transitions:
            ALERT_CHANGES.labels(transition.kind).inc()
        if transitions and hand_over:
            self._bound().call_soon_threadsafe(self._apply, transitions)

    def _opened_store(self) -> AlertStore:
        if self._store is None:
            raise CrashError("the alerts job was given records before it began")
        return self._store

    def _bound(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise CrashError("the alerts job has no event loop")
        return self._loop

    def _on_loop(self, work: Coroutine[Any, Any, _Answer]) -> _Answer:
        return asyncio.run_coroutine_threadsafe(work, self._bound()).result(ON_LOOP_TIMEOUT_S)

    # ── the event loop ────────────────────────────────────────────────────────────────────────────────────────────

    async def _begin_telling(self, loaded: Loaded, alerts: list[Alert], position: int, now: datetime) -> None:
        self._outbox = Outbox(self._document)
        self._outbox.restore(alerts, loaded.known, loaded.pending, position, now)
        assert self._store is not None
        self._journal = Journal(self._store)
        self._delivery = Delivery(self._outbox, self._journal, self._make_notifier, self._on_crash)
        await self._delivery.use(self._document.receivers)

    def _apply(self, transitions: list[Transition]) -> None:
        self._outbox.apply(transitions)
        if self._delivery is not None:
            self._delivery.wake()

    def _look_at_receivers(self) -> None:
        if self._delivery is not None:
            self._conditions = self._delivery.conditions(utc_now())
            for receiver in self._outbox.receivers:
                NOTIFICATIONS_PENDING.labels(receiver).set(self._outbox.pending(receiver))

    async def _take_up(self, document: AlertsDocument, alerts: list[Alert], now: datetime) -> None:
        self._outbox.use(document)
        self._outbox.reassess(alerts, now)
        if self._delivery is not None:
            await self._delivery.use(document.receivers)

    async def _end_telling(self) -> None:
        delivery, self._delivery = self._delivery, None
        if delivery is not None:
            await delivery.stop()
        if self._journal is not None:
            self._journal.close()


def _active(book: AlertBook) -> list[Alert]:
    return [alert for alert in book.alerts.values() if alert.active]


def _count_open(alerts: Iterable[Alert]) -> None:
    counts = {(kind, severity): 0 for kind in ALERT_KINDS for severity in SEVERITIES}
    for alert in alerts:
        if alert.active:
            counts[alert.kind, alert.severity] += 1
    for (kind, severity), number in counts.items():
        ALERTS_OPEN.labels(kind, severity).set(number)


def _only_logged(error: BaseException) -> None:
    log.critical("the alerts job is broken", exc_info=error)
