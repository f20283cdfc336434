"""Decides which changes of budgets people should hear of, and sends the signals."""

import logging
import time
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Self

from spendstream_schemas.alert_feed import AlertSignal, Fact
from stream_jobs.base.errors import SpendstreamError
from stream_jobs.budget_terms.document import Budget
from stream_jobs.budgets.book import BudgetBook, Place, StandingUpdate
from stream_jobs.budgets.causes import causes
from stream_jobs.budgets.signals import Kind, budget_signal, ended_signal, is_over, removed_signal
from stream_jobs.budgets.standing import WINDOW_KEY, ThresholdKey
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.runtime.topics import ALERTS
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)

MAX_CAUSES: Final = 3
"""Alerts of one cycle whose causes are looked for: a storm has one cause, and nobody reads ten thousand."""
REMIND_S: Final = 30.0  # facts that went on growing are sent so often
DRIFT_S: Final = 900.0  # and so often if the figure moved by less than MATERIAL: rates and forecasts move all the time
MAX_REMINDERS: Final = 1_000
RESOLVE_S: Final = 1.0
MATERIAL: Final = 100
"""A correction of an alert is told when it moved the spend by a hundredth of the amount or more."""
KIND_OF: Final[dict[str, Kind]] = {"actual": "budget", "forecast": "forecast"}


@dataclass(frozen=True, slots=True)
class _Told:
    """A signal that was sent, as far as it is compared with the next."""

    content: int  # equal for signals that say the same, whenever they say it
    value: Decimal
    status: str
    at_s: float

    @classmethod
    def of(cls, signal: AlertSignal) -> Self:
        content = hash(signal.model_dump_json(exclude={"observed_at", "correction"}))
        return cls(content, signal.value or Decimal(0), signal.status, time.monotonic())


class Speaker:
    """Used by one thread. Everything that it has to say may be said again."""

    def __init__(self, store: StoreClient, producer: RecordProducer, book: BudgetBook) -> None:
        self._store = store
        self._producer = producer
        self._book = book
        self._said: dict[tuple[Kind, Place], tuple[int, tuple[str, ...]]] = {}  # used (not what came late), and why
        self._told: dict[tuple[Kind, Place], _Told] = {}  # what was last sent
        self._over: set[tuple[Kind, Place]] = set()
        self._grown: dict[tuple[Kind, Place], StandingUpdate] = {}
        self._remind_at = self._resolve_at = time.monotonic()

    def say(
        self, updates: Sequence[StandingUpdate], now: datetime, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """Raises BrokerUnavailableError; nothing is lost when it is called again with the same. `meanwhile` is called
        again and again while there is much to say."""
        looked_for = self._worst(updates)
        # One of each alert: of two at one instant the graver would count. As they are sent: models take more room.
        signals: dict[str, bytes] = {}
        said: dict[tuple[Kind, Place], tuple[int, tuple[str, ...]]] = {}
        told: dict[tuple[Kind, Place], _Told] = {}
        for update in updates:
            if not (update.up or update.down or update.again) and update.place not in self._book.notified:
                continue  # of a period that was over long ago, or of one that was taken back since
            for kind in self._kinds(update):
                key = (kind, update.place)
                known = said.get(key) or self._said.get(key)
                crossing = any(KIND_OF[threshold.kind] == kind for threshold in (*update.up, *update.down))
                corrected = known is not None and update.late and self._is_material(update, known[0])
                if known is not None and not crossing and not corrected and key not in said:
                    self._grown[key] = update
                    if not update.late:  # what was spent since is nothing that a later correction has changed
                        self._said[key] = update.standing.used, known[1]
                    continue
                why = self._why(update, now) if update in looked_for else known[1] if known else ()
                # After a start it is not known what was said. Who has the alerts knows whether this is something else.
                told_before = key in self._said or any(KIND_OF[one.kind] == kind for one in update.before)
                signal = self._signal(kind, update, now, why, correction=update.late and told_before)
                signals[signal.alert_id] = signal.model_dump_json().encode()
                said[key] = update.standing.used, why
                told[key] = _Told.of(signal)
                meanwhile()
        looked_at, endings = self._reminders(now, said), self._endings(now)
        reminders = {key: signal for key, signal in looked_at.items() if self._is_news(key, signal)}
        told |= {key: _Told.of(signal) for key, signal in reminders.items()}
        unsaid = [*reminders.values()]
        # What was just said of a place that is watched says that it is over, and why.
        unsaid += [endings[key] for key in endings if key not in said or not self._book.is_watched(key[1], now)]
        for signal in unsaid:
            signals[signal.alert_id] = signal.model_dump_json().encode()
        if signals:
            self._producer.send(ALERTS, [(alert_id.encode(), record) for alert_id, record in signals.items()])
        if time.monotonic() >= self._remind_at:
            self._remind_at = time.monotonic() + REMIND_S
        self._note(said, told, looked_at, endings, now)

    def _note(
        self,
        said: dict[tuple[Kind, Place], tuple[int, tuple[str, ...]]],
        told: dict[tuple[Kind, Place], _Told],
        looked_at: dict[tuple[Kind, Place], AlertSignal],
        endings: dict[tuple[Kind, Place], AlertSignal],
        now: datetime,
    ) -> None:
        """All of that was sent, but for what of `looked_at` hardly differs from what was told."""
        self._said |= said
        self._over -= said.keys()
        self._told |= told
        for key, signal in looked_at.items():
            grown = self._grown.pop(key)
            if self._told[key].content != _Told.of(signal).content:
                self._grown[key] = grown  # it waits, behind all others
        for key in (*said, *endings):
            self._grown.pop(key, None)
        self._over |= endings.keys()
        if endings:
            self._forget({place for _, place in endings}, now)

    def _is_news(self, key: tuple[Kind, Place], signal: AlertSignal) -> bool:
        """Whether it says something else than what was sent last; what hardly differs waits."""
        told, now_told = self._told.get(key), _Told.of(signal)
        if told is None or told.content == now_told.content:
            return told is None
        moved = abs(now_told.value - told.value) * MATERIAL >= abs(told.value)
        return moved or now_told.status != told.status or now_told.at_s >= told.at_s + DRIFT_S

    def _forget(self, ended: Iterable[Place], now: datetime) -> None:
        """What was said of places that nobody watches any more, or that nothing is known of."""
        notified = self._book.notified
        for place in ended:
            if not self._book.is_watched(place, now):
                notified.pop(place, None)
        self._said = {key: what for key, what in self._said.items() if key[1] in notified}
        self._told = {key: what for key, what in self._told.items() if key[1] in notified}
        self._over = {key for key in self._over if key[1] in notified}

    @staticmethod
    def _kinds(update: StandingUpdate) -> set[Kind]:
        """The alerts that the change is about: those that hold, and those that held until now."""
        return {KIND_OF[key.kind] for key in (*update.crossed, *update.down, *update.again)}

    @staticmethod
    def _is_material(update: StandingUpdate, said: int) -> bool:
        return abs(update.standing.used - said) * MATERIAL >= max(1, abs(update.standing.amount))

    @staticmethod
    def _worst(updates: Sequence[StandingUpdate]) -> list[StandingUpdate]:
        """Those whose causes are looked for: of what was newly crossed the dearest, each budget's before any other."""
        risen = [update for update in updates if update.up]
        risen.sort(key=lambda update: update.standing.amount - update.standing.used)
        first = {update.budget.id: update for update in reversed(risen)}
        others = [update for update in risen if first[update.budget.id] is not update]
        return [*sorted(first.values(), key=risen.index), *others][:MAX_CAUSES]

    def _why(self, update: StandingUpdate, now: datetime) -> tuple[str, ...]:
        try:
            zone = self._book.budgets.zone_of(update.budget)
            return causes(self._store, update.budget, update.place.values, update.standing, now, zone)
        except SpendstreamError as error:  # an alert without its cause is better than none
            log.warning("cannot look for the cause of %s: %s", update.place, error)
            return ()

    def _signal(
        self, kind: Kind, update: StandingUpdate, now: datetime, why: tuple[str, ...], *, correction: bool
    ) -> AlertSignal:
        budget = update.budget
        return budget_signal(
            kind,
            budget,
            update.place,
            update.standing,
            update.crossed,
            now,
            zone=self._book.budgets.zone_of(budget),
            causes=why,
            correction=correction,
            parents=self._parents(budget, now),
        )

    def _parents(self, budget: Budget, now: datetime) -> list[Fact]:
        """Where the budgets above it stand."""
        found: list[Fact] = []
        above = self._book.tracked_by(budget.parent) if budget.parent else None
        while above is not None and above.current is not None and len(found) < 5:
            if not above.budget.per:
                standing = above.standing(above.current, (), now)
                unit = standing.unit
                of = unit.of(unit.kept(standing.used), unit.kept(standing.amount))
                found.append(Fact(name=f"Part of {above.budget.id}"[:64], text=of))
            above = self._book.tracked_by(above.budget.parent) if above.budget.parent else None
        return found

    def _reminders(self, now: datetime, said: Container[tuple[Kind, Place]]) -> dict[tuple[Kind, Place], AlertSignal]:
        """Alerts that hold, with the facts as they are by now; without those that were just said."""
        if time.monotonic() < self._remind_at:
            return {}
        keys = [key for key in self._grown if key not in said and self._book.is_watched(key[1], now)][:MAX_REMINDERS]
        return {
            key: self._signal(key[0], self._grown[key], now, self._said.get(key, (0, ()))[1], correction=False)
            for key in keys
        }

    def _endings(self, now: datetime) -> dict[tuple[Kind, Place], AlertSignal]:
        """Alerts whose period is over, and those of places that no budget looks at any more."""
        found: dict[tuple[Kind, Place], AlertSignal] = {}
        if time.monotonic() < self._resolve_at:
            return found
        for place, notified in self._book.notified.items():
            known = notified.crossed.keys() | notified.taken_back
            if not known:
                continue
            gone = not self._book.is_watched(place, now)
            if not gone and (notified.period.end > now or place.period_key == WINDOW_KEY):
                continue
            for kind in {KIND_OF[key.kind] for key in known}:
                if (kind, place) in self._over:
                    continue
                ending = removed_signal(kind, place, now) if gone else self._ending(kind, place, notified.crossed, now)
                if ending is not None:
                    found[kind, place] = ending
        if not found:
            self._resolve_at = time.monotonic() + RESOLVE_S
        return found

    def _ending(
        self, kind: Kind, place: Place, crossed: dict[ThresholdKey, datetime], now: datetime
    ) -> AlertSignal | None:
        mine = {key: at for key, at in crossed.items() if KIND_OF[key.kind] == kind}
        if not is_over(self._book.notified[place].period.end, mine, now):
            return None
        standing = self._book.now_standing(place, now)
        budget = self._book.budgets.get(place.budget_id)
        if standing is None or budget is None:
            return ended_signal(kind, place, now)
        update = StandingUpdate(budget, place, standing, (), (), crossed, now, late=False)
        return self._signal(kind, update, now, self._said.get((kind, place), (0, ()))[1], correction=False)
