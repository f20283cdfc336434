"""Tells the receivers: one task each, which takes what is next from the outbox, records that it is about to be sent,
sends it, and records what became of it.

The order of writes: `sending` with the notification as it is ▸ the receiver ▸ `sent` or `failed`. Who dies before the
first has told nothing. Who dies after it may have told: the next owner sends the same again under the same key. Who
dies after the last has told it once.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from stream_jobs.alerts.bucket import Backoff, TokenBucket
from stream_jobs.alerts.compose import Planned
from stream_jobs.alerts.health import Condition, Record, Trouble
from stream_jobs.alerts.journal import Journal
from stream_jobs.alerts.model import RANK
from stream_jobs.alerts.notification import DeliveryError, Notifier
from stream_jobs.alerts.outbox import GRAVE, Outbox
from stream_jobs.alerts.receivers import Receiver
from stream_jobs.alerts.rows import GIVEN_UP
from stream_jobs.base.errors import ConfigError, LostPartitionError
from stream_jobs.base.instants import utc_now
from stream_jobs.runtime.metrics import NOTIFICATION_DELAY, NOTIFICATIONS, NOTIFICATIONS_PENDING, RECEIVER_UNUSABLE

log = logging.getLogger(__name__)

UNUSABLE_AGAIN_S: Final = 30.0
BROKEN_ATTEMPTS: Final = 3
"""How often a notification is tried that a notifier fails on in a way that nobody thought of."""
GRACE_S: Final = 3.0
MAX_SLEEP_S: Final = 30.0

MakeNotifier = Callable[[Receiver], Notifier]


class Delivery:
    """The receivers' tasks. Used from one event loop."""

    def __init__(
        self, outbox: Outbox, journal: Journal, make_notifier: MakeNotifier, on_crash: Callable[[BaseException], None]
    ) -> None:
        self._outbox = outbox
        self._journal = journal
        self._make_notifier = make_notifier
        self._on_crash = on_crash
        self._tasks: dict[str, tuple[ReceiverTask, asyncio.Task[None]]] = {}

    async def use(self, receivers: Iterable[Receiver]) -> None:
        """Tell these from now on. Tasks of receivers that are as they were go on; what was refused is tried again."""
        wanted = {receiver.name: receiver for receiver in receivers}
        changed = [name for name, (task, _) in self._tasks.items() if wanted.get(name) != task.receiver]
        await self._stop(changed)
        for name, receiver in wanted.items():
            if name not in self._tasks:
                task = ReceiverTask(receiver, self._outbox, self._journal, self._make_notifier)
                running = asyncio.create_task(task.run(), name=f"tell {name}")
                running.add_done_callback(self._done)
                self._tasks[name] = (task, running)
        self.wake()

    def wake(self) -> None:
        """Something may be due."""
        for task, _ in self._tasks.values():
            task.woken.set()

    def conditions(self, now: datetime) -> dict[str, Condition]:
        """How each receiver stands. One that failed and has nothing more to hear of is tried no more: who knows."""
        found = {name: task.record.condition(now) for name, (task, _) in self._tasks.items()}
        for name, one in found.items():
            if isinstance(one, Trouble) and one.kind == "failing" and not self._outbox.pending(name):
                found[name] = "unknown"
        return found

    async def stop(self) -> None:
        """Nothing is sent when this returns. What is under way is given a moment to be answered."""
        await self._stop(list(self._tasks))

    async def _stop(self, names: list[str]) -> None:
        stopped = [self._tasks.pop(name) for name in names]
        for task, _ in stopped:
            task.stopping = True
            task.woken.set()
        running = {future for _, future in stopped}
        if running:
            _, late = await asyncio.wait(running, timeout=GRACE_S)
            for future in late:
                future.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        for name in names:
            for gauge in (NOTIFICATIONS_PENDING, RECEIVER_UNUSABLE):
                gauge.labels(name)  # so that there is one to remove
                gauge.remove(name)

    def _done(self, running: "asyncio.Task[None]") -> None:
        error = None if running.cancelled() else running.exception()
        if error is not None and not isinstance(error, LostPartitionError):
            log.critical("%s stopped", running.get_name(), exc_info=error)
            self._on_crash(error)


class ReceiverTask:
    """One receiver's task."""

    def __init__(self, receiver: Receiver, outbox: Outbox, journal: Journal, make_notifier: MakeNotifier) -> None:
        self.receiver = receiver
        self.woken = asyncio.Event()
        self.stopping = False
        self.record = Record()
        self._outbox = outbox
        self._journal = journal
        self._make_notifier = make_notifier
        self._bucket = TokenBucket(receiver.max_per_minute, time.monotonic())
        self._backoff = Backoff()
        self._quiet_until_s = 0.0
        self._heard_of = 0  # position: what came after it is news to a receiver that is left alone
        self._recorded = ""  # key of the last notification that was recorded as being sent
        self._attempt = 0

    async def run(self) -> None:
        notifier: Notifier | None = None
        try:
            while not self.stopping:
                if notifier is None and (notifier := self._made()) is None:
                    await self._pause(UNUSABLE_AGAIN_S)
                elif notifier is not None:
                    await self._step(notifier)
        finally:
            if notifier is not None:
                await notifier.close()

    def _made(self) -> Notifier | None:
        unusable = RECEIVER_UNUSABLE.labels(self.receiver.name)
        try:
            notifier = self._make_notifier(self.receiver)
        except ConfigError as error:
            log.error("receiver %s cannot be used, what it is to hear of waits: %s", self.receiver.name, error)
            unusable.set(1)
            self.record.cannot_be_used(str(error), utc_now())
            return None
        unusable.set(0)
        self.record.can_be_used()
        return notifier

    async def _step(self, notifier: Notifier) -> None:
        """Send what is next, or wait until something may be due."""
        now_s = time.monotonic()
        if (quiet_s := self._quiet_until_s - now_s) > 0:
            await self._pause(quiet_s, but_for_grave=True)
            return
        if (pause_s := self._bucket.wait_s(now_s)) > 0:
            # Before anything is chosen: what comes meanwhile is merged into what is told then.
            await self._pause(pause_s)
            return
        now = utc_now()
        planned, later = self._outbox.next(self.receiver.name, now)
        if planned is not None:
            await self._send(notifier, planned)
            return
        pause_s = MAX_SLEEP_S if later is None else (later - now).total_seconds()
        try:
            await asyncio.wait_for(self.woken.wait(), min(max(pause_s, 0.001), MAX_SLEEP_S))
        except TimeoutError:
            return
        self.woken.clear()

    async def _pause(self, pause_s: float, *, but_for_grave: bool = False) -> None:
        """Not cut by news, but by a stop; after a failure also by something grave that is new, which is tried at once,
        once."""
        deadline_s = time.monotonic() + pause_s
        while not self.stopping and (left_s := deadline_s - time.monotonic()) > 0:
            if but_for_grave and self._outbox.grave_since(self.receiver.name, self._heard_of):
                self._heard_of, self._quiet_until_s = self._outbox.position, 0.0
                return
            try:
                await asyncio.wait_for(self.woken.wait(), left_s)
            except TimeoutError:
                return
            if not self.stopping:
                self.woken.clear()

    async def _send(self, notifier: Notifier, planned: Planned) -> None:
        note = planned.notification
        if note.action == "resolve" and not self.receiver.send_resolved:
            await self._journal.record(planned, "skipped", 0, "send_resolved is false")
            self._outbox.delivered(planned, utc_now())
            return
        if self._recorded != note.key:
            await self._journal.record(planned, "sending", 0, "")
            self._recorded, self._attempt = note.key, 0
        # A crash from here on: it may have been told, and is sent again as it is, with the same key.
        self._attempt += 1
        self._heard_of = self._outbox.position
        self._bucket.take(time.monotonic())
        try:
            answer = await notifier.send(note)
        except DeliveryError as error:
            await self._failed(planned, error)
            return
        except Exception as error:
            log.exception("the sender of %s is broken", self.receiver.name)
            # What it cannot say at all must not keep it from saying anything else: not again until something changes.
            reason = f"{type(error).__name__} in its sender, see the log"
            await self._failed(planned, DeliveryError(reason, retry=self._attempt < BROKEN_ATTEMPTS))
            return
        self._backoff.succeeded()
        self.record.took_it()
        await self._journal.record(planned, "sent", self._attempt, answer)
        now = utc_now()
        NOTIFICATIONS.labels(self.receiver.name, "sent").inc()
        if planned.since is not None:
            NOTIFICATION_DELAY.labels(self.receiver.name).observe((now - planned.since).total_seconds())
        self._outbox.delivered(planned, now)

    async def _failed(self, planned: Planned, error: DeliveryError) -> None:
        name, now = self.receiver.name, utc_now()
        grave = RANK[planned.notification.severity] >= GRAVE or self._outbox.waits_with_grave(name)
        wait_s = self._backoff.failed(error.retry_after_s, grave=grave)
        self._quiet_until_s = time.monotonic() + wait_s
        if error.retry:
            log.warning("cannot tell %s, trying again in %.0f s: %s", name, wait_s, error)
            self.record.failed(str(error), now)
        else:
            log.error("%s refuses a notification, which is given up until it says something else: %s", name, error)
            self.record.gave_up(str(error), planned.notification.group_id, now)
        NOTIFICATIONS.labels(name, "failed" if error.retry else "refused").inc()
        answer = str(error) if error.retry else f"{GIVEN_UP}{error}"
        await self._journal.record(planned, "failed", self._attempt, answer)
        self._outbox.refused(planned, for_good=not error.retry)
