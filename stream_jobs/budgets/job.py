"""The job 'budgets': reads the deltas of blocks, and says where every budget stands.

A cycle takes what has come, and then: what changed ▸ crossings into ClickHouse ▸ states to `budget.state.v1` ▸ signals
to `alerts.v1`. A crash at any point is made good by beginning anew: the sums come from the ledger, what was crossed
from budget_crossings, and every signal that holds is sent again, which changes nothing for those who have it.
"""

import logging
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from stream_jobs.base.errors import RetryError
from stream_jobs.base.garbage import no_collecting
from stream_jobs.base.instants import unix_micros
from stream_jobs.budget_terms.control import LATELY, Definitions
from stream_jobs.budget_terms.control_reader import ControlReader
from stream_jobs.budget_terms.document import FILE_NAME
from stream_jobs.budget_terms.resolve import Budgets, load_budgets
from stream_jobs.budgets.book import BudgetBook, Place, StandingUpdate
from stream_jobs.budgets.feed import BudgetFeed
from stream_jobs.budgets.history import BudgetHistory, Recorded
from stream_jobs.budgets.outlook_reader import OutlookReader
from stream_jobs.budgets.recount import Recount
from stream_jobs.budgets.speaker import Speaker
from stream_jobs.currencies.document import FILE_NAME as CURRENCIES_FILE
from stream_jobs.job_context import Job, JobContext
from stream_jobs.runtime.due import Due
from stream_jobs.runtime.files_reload import FilesReload
from stream_jobs.runtime.jobs import BUDGETS
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.metrics import (
    BUDGET_BAD_DELTAS,
    BUDGET_CHECKED,
    BUDGET_CHECKS,
    BUDGET_CROSSINGS,
    BUDGET_DELTAS,
    BUDGET_DIFFERENCE,
    BUDGETS_WATCHED,
)
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.runtime.topics import COST_DELTAS
from stream_jobs.series.check import Difference, differences, snapshot
from stream_jobs.series.follower import deltas_of
from stream_jobs.series.sums import LedgerSums, Vector
from stream_jobs.store.client import StoreClient
from stream_jobs.store.deadline import ServerClock
from stream_jobs.store.retention import kept_for, whole_since
from stream_jobs.streams.feed_app import FeedJob, build_feed_app
from stream_jobs.streams.model import SourceRecord

log = logging.getLogger(__name__)

HEARTBEAT_S: Final = 1.0
CORRECTIONS_S: Final = 1.0
CONTROL_S: Final = 0.5
FILE_S: Final = 2.0
LOOK_AHEAD_S: Final = 15.0
POLICIES_S: Final = 5.0
HISTORY_S: Final = 5.0
CHECK_S: Final = 2.0  # one budget
TOLD_AT_ONCE: Final = 5_000
OUTLIVED_S: Final = 86_400.0
OUTLIVED_NOTICE: Final = timedelta(days=60)
BEHIND_S: Final = 10.0
BEHIND_SINCE: Final = timedelta(hours=1)


def build(context: JobContext) -> Job:
    """Raises ConfigError."""
    store = context.new_client()
    job = FeedJob(BUDGETS, COST_DELTAS, BudgetsJob(store, context.kafka, context.config_dir))
    return Job(partial(build_feed_app, job, **context.faust), close=[store.close])


class BudgetsJob:
    """A FeedHandler; see the module."""

    def __init__(self, store: StoreClient, kafka: KafkaSettings, config_dir: Path | None) -> None:
        """Raises ConfigError for a budgets.yaml that cannot be used."""
        self._store = store
        self._kafka = kafka
        files = (config_dir / FILE_NAME, config_dir / CURRENCIES_FILE) if config_dir is not None else ()
        self._reload = FilesReload("budgets", lambda: files, partial(load_budgets, config_dir), self._take_file)
        self._definitions = Definitions(store, config_dir)
        self._running: Running | None = None

    def begin(self) -> None:
        """Implements FeedHandler."""
        self.end()
        with no_collecting():
            self._running = Running(self._store, self._kafka, self._definitions, self._reload.look)

    def handle(self, records: list[SourceRecord]) -> None:
        """Implements FeedHandler."""
        assert self._running is not None
        with no_collecting():
            self._running.handle(records)

    def end(self) -> None:
        """Implements FeedHandler."""
        running, self._running = self._running, None
        if running is not None:
            running.close()

    def _take_file(self, file: Budgets) -> None:
        assert self._running is not None
        self._running.take_file(file)


class Running:
    """From one assignment to the next."""

    def __init__(
        self, store: StoreClient, kafka: KafkaSettings, definitions: Definitions, look_at_file: Callable[[], None]
    ) -> None:
        self._definitions = definitions
        self._look_at_file = look_at_file
        self._history = BudgetHistory(store)
        self._sums = LedgerSums(store)
        self._clock = ServerClock(store)
        now = self._clock.now()
        budgets = definitions.load(now)
        self._ledger_kept = kept_for(store, "ledger")
        notified, vector = self._history.notified(now), self._sums.vector()
        self._book = BudgetBook(budgets, self._sums, notified, vector, now, kept=self._ledger_kept)
        withdrawn = definitions.known_ids()
        self._control = ControlReader(kafka)
        # From here on there is something to close.
        self._producer = RecordProducer(kafka, linger_ms=1)
        self._feed = BudgetFeed(self._producer)
        self._speaker = Speaker(store, self._producer, self._book)
        self._checker = Checker(self._sums)
        self._recount = Recount(store, self._sums, self._history)
        self._forecasts = OutlookReader(store)
        self._book.use_outlooks(self._forecasts.begin())
        # Of these some may be recorded: they are recorded again, as they are.
        self._recording: list[StandingUpdate] = []
        self._to_say: list[StandingUpdate] = []
        self._standings: dict[tuple[Place, datetime], StandingUpdate] = {}
        self._beat, self._correct, self._read = Due(HEARTBEAT_S), Due(CORRECTIONS_S), Due(CONTROL_S)
        self._look_behind = Due(BEHIND_S)
        self._seen: Vector = {}
        self._file, self._look_ahead, self._keep = Due(FILE_S), Due(LOOK_AHEAD_S), Due(HISTORY_S)
        self._policies = Due(POLICIES_S)
        self._outlived = Due(OUTLIVED_S)
        self._sample = Due(CHECK_S)
        self._now = now  # of the cycle
        self._again = False  # corrections were posted, and not looked at but for what is in memory
        self._feed.policies(budgets, now)
        self._feed.withdraw(withdrawn)
        self._recount.begin(self._book, now)
        # A crash may have come between a credit and what it changed; of what is not spent from nobody else says it.
        rows = definitions.credited
        self._book.count_credits({row.key for row in rows if row.at > now - LATELY or self._book.is_now(row.key)}, now)
        self._look_elsewhere(definitions.changed, self._history.running(now), now)
        definitions.changed.clear()
        BUDGETS_WATCHED.set(len(budgets))

    def handle(self, records: list[SourceRecord]) -> None:
        """See FeedHandler. Whatever it raises, the next call goes on where it stopped."""
        now = self._clock.now()
        self._book.advance(now)  # first: what comes next is of the period that has just begun, perhaps
        deltas, refused = deltas_of(records, now)
        BUDGET_BAD_DELTAS.inc(refused)
        BUDGET_DELTAS.inc(self._book.apply(deltas, now))
        if self._correct() and self._book.correct(now):
            self._again = True
        if self._again:
            self._recount.corrections_posted(self._book)
            self._again = False
        if (since := self._book.follower.missed_since) is not None and not self._book.follower.gap:
            self._recount.missed(self._book, since, now)
            self._book.follower.missed_since = None
        for budget_id, untold_since in self._book.untold_since.items():
            self._recount.missed(self._book, untold_since, now, budget_id)
        self._book.untold_since.clear()
        self._now = now
        self._take_up_changes(now)
        # What stands under a new definition stands later than that: else it would be taken for what stood before.
        now = max(now, self._definitions.last_at or now)
        if self._look_ahead():
            self._book.look_ahead()
        if (outlooks := self._forecasts.look()) is not None:
            self._book.use_outlooks(outlooks)
        if self._outlived():
            self._warn_of_outlived(now)
        self._check(now)
        self._deliver(now)

    def _deliver(self, now: datetime) -> None:
        self._tell_services(now)
        while self._book.waits:  # services wait for none of a hundred thousand users but their own
            self._tell_services(now)
        # After the states: looking for causes takes time, and the services wait for nobody.
        self._speaker.say(self._to_say, now, self._keep_alive)
        self._to_say = []
        if self._keep():
            self._record_standings()

    def _tell_services(self, now: datetime) -> None:
        """Of some that stand differently: what they crossed is kept, and then services are told."""
        if not self._recording:
            self._recording = self._book.evaluate(now, TOLD_AT_ONCE)
        crossings = [update for update in self._recording if update.up or update.down]
        if crossings:
            self._history.record_crossings(crossings)
            # A crash here: nobody was told, but whoever begins anew finds them crossed and sends every signal.
            for update in crossings:
                for direction, keys in (("up", update.up), ("down", update.down)):
                    for key in keys:
                        BUDGET_CROSSINGS.labels(key.kind, direction).inc()
        updates, self._recording = self._recording, []
        for update in updates:
            self._standings[update.place, update.standing.period.start] = update
        self._to_say += updates
        self._feed.states(updates, now)
        self._keep_alive()
        self._feed.flush()

    def _keep_alive(self) -> None:
        """However long a cycle takes, the services hear that somebody keeps count."""
        if self._beat():
            if not self._book.waits:  # by the cycle's time: whoever stands in the next period by then was said to
                self._feed.forget_over(self._now)
            self._feed.beat(self._clock.now())
            self._feed.flush()

    def _record_standings(self) -> None:
        if self._standings:
            self._history.record_standings(self._standings.values())
            self._standings.clear()

    def _take_up_changes(self, now: datetime) -> None:
        """Budgets that were set, removed or edited."""
        changed = False
        if self._definitions.waiting:
            changed = self._definitions.take_up((), now)
        elif self._read():
            changed = self._definitions.take_up(self._control.read(), now)
        if self._file():
            self._look_at_file()
        budgets = self._definitions.budgets
        if budgets is not self._book.budgets:
            self._record_standings()  # as long as what they say is in these periods
            self._book.use(budgets, now)
            BUDGETS_WATCHED.set(len(budgets))
            changed = True
        if self._book.began:
            self._look_elsewhere(self._book.began, self._history.running(now, self._book.began), now)
            self._book.began.clear()
            self._definitions.changed.clear()
        if changed:
            self._keep.soon()  # who changed it looks where it stands now
        if changed or self._policies():
            self._feed.policies(budgets, now)
        if changed:
            log.info("watching %d budgets, version %s", len(budgets), budgets.version)

    def _look_elsewhere(self, changed: Collection[str], running: Iterable[tuple[str, Recorded]], now: datetime) -> None:
        """What was said under other definitions, or in periods of another time zone: what holds no more is taken back,
        and the rest counted again. Whatever holds is said again by this cycle. `running`: what is kept of now."""
        ended: dict[str, list[Recorded]] = {budget_id: [] for budget_id in changed if budget_id in self._book.budgets}
        for budget_id, row in running:
            tracked = self._book.tracked_by(budget_id)
            if tracked is not None and not tracked.counters.rolling and row.period != tracked.current:
                ended.setdefault(budget_id, []).append(row)
            elif budget_id in ended:
                self._feed.withdraw_states(budget_id, [row.values])
        for budget_id, rows in ended.items():
            self._feed.withdraw_states(budget_id, [*self._feed.sent_of(budget_id), *(row.values for row in rows)])
            tracked = self._book.tracked_by(budget_id)
            begins = None if tracked is None or tracked.current is None else tracked.current.start
            # A row that begins where the period does is replaced by that period's.
            self._history.take_back(budget_id, [row for row in rows if row.period.start != begins], now)
        self._recount.changed(ended)

    def _warn_of_outlived(self, now: datetime) -> None:
        """Of budgets that go on for longer than the ledger keeps what they count."""
        for tracked in self._book.tracked:
            since, kept = tracked.counts_since, self._ledger_kept
            if kept is None or since is None or tracked.current is None or tracked.current.end <= since + kept:
                continue
            if since < now - kept + OUTLIVED_NOTICE:
                log.warning(
                    "budget %s counts since %s, but the ledger keeps entries for %d days: what is older is not counted "
                    "once it is read anew; raise SPENDSTREAM_RETENTION_LEDGER_DAYS, or let a budget with a later "
                    "valid_from and the amount that is left take over",
                    *(tracked.budget.id, since.date(), kept.days),
                )

    def take_file(self, file: Budgets) -> None:
        """Of budgets.yaml, which was edited."""
        self._definitions.use_file(file, self._now)

    def _check(self, now: datetime) -> None:
        if self._look_behind():
            # A delta that was lost leaves a gap before the next one; the last one of all leaves nothing.
            if self._book.follower.is_behind(self._seen):
                log.warning("blocks that were booked %g s ago were not heard of: reading the ledger", BEHIND_S)
                self._book.resync(now)
            self._seen = self._sums.vector(now - BEHIND_SINCE)
            self._book.follower.confirm(self._seen)
        for budget_id, found in self._checker.look(self._book, whole_since(self._ledger_kept, now)):
            for difference in found[:10]:
                log.error("budget %s does not hold what the ledger has, and is read anew: %s", budget_id, difference)
            if found:
                self._book.reload(budget_id, now)
        self._recount.look(self._book, now, sample=self._sample())
        BUDGET_DIFFERENCE.set(self._checker.different + sum(self._recount.different.values()))

    def close(self) -> None:
        """Stop. What was not sent is sent by whoever begins next."""
        self._checker.close()
        self._recount.close()
        self._forecasts.close()
        self._control.close()
        self._producer.close()


class Checker:
    """Compares one budget after the other with the ledger, in a thread of its own."""

    def __init__(self, sums: LedgerSums) -> None:
        self._sums = sums
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="budgets-check")
        self._due = Due(CHECK_S)
        self._under_way: tuple[str, Future[list[Difference]]] | None = None
        self._last: str = ""
        self._different: dict[str, int] = {}

    @property
    def different(self) -> int:
        """Sums that were not the ledger's at the last look at each budget."""
        return sum(self._different.values())

    def look(self, book: BudgetBook, since: datetime) -> list[tuple[str, list[Difference]]]:
        """The result that has come in, if one has; and begin with the next budget when it is time. All that happened
        `since` is in the ledger: what began before that cannot be compared."""
        done = []
        if self._under_way is not None and self._under_way[1].done():
            budget_id, future = self._under_way
            self._under_way = None
            try:
                found = future.result()
            except RetryError as error:
                log.warning("cannot compare budget %s with the ledger: %s", budget_id, error)
            else:
                done.append((budget_id, found))
                self._different[budget_id] = len(found)
                self._different = {one: count for one, count in self._different.items() if one in book.budgets}
                BUDGET_CHECKS.labels("different" if found else "equal").inc()
                BUDGET_CHECKED.set_to_current_time()
        if self._under_way is None and self._due():
            ids = [tracked.budget.id for tracked in book.tracked]
            later = [budget_id for budget_id in sorted(ids) if budget_id > self._last]
            self._last = (later or sorted(ids) or [""])[0]
            tracked = book.tracked_by(self._last)
            if tracked is not None:
                taken = snapshot(tracked.counters, book.follower.vector, unix_micros(since))
                self._under_way = self._last, self._thread.submit(differences, taken, self._sums)
        return done

    def close(self) -> None:
        self._thread.shutdown(wait=True)
