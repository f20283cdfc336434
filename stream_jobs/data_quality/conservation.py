"""Records that were lost, doubled or are not accounted for, as `spendstream conservation` finds them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from urllib.parse import unquote

from stream_jobs.base.instants import parse_utc
from stream_jobs.base.readable import clock
from stream_jobs.conservation.accounts import DIFFERENCES, Accounts, HourAccount
from stream_jobs.data_quality.finding import Finding, Result, command, group_of, result
from stream_jobs.data_quality.settings import DataQualitySettings

CHECK: Final = "conservation"
LOOKED_BACK: Final = timedelta(hours=1)
"""The current hour and the one before; hours in which something was wrong stay in view until they close."""
_MEANING: Final[Mapping[str, str]] = {
    "rows_missing": "a receipt claims rows that are not in the store: lost",
    "rows_extra": "rows that no receipt claims, or the same row twice: counted twice",
    "receipt_missing": "rows that no receipt covers",
    "gap": "offsets between finished blocks that nothing was booked from: lost",
    "overlap": "offsets that two receipts cover: counted twice",
    "unbalanced": "a receipt whose parts do not add up to what it received",
    "expired_unread": "Kafka's retention deleted them before they were booked: lost",
    "skipped": "records at offsets that a finished block covers, but that have no row: lost",
    "log_lost": "the log ends before what was booked from it: the broker has lost records",
    "abandoned": "taken, but not finished before their topic was deleted: lost",
}
Check = Callable[[datetime], Accounts]
"""The accounts of every hour from an instant on."""
_Place = tuple[str, int, datetime]


@dataclass(frozen=True, slots=True)
class Gap:
    """What does not close in one hour of a topic partition, by name."""

    topic: str
    partition: int
    hour: datetime
    names: Mapping[str, int] = field(default_factory=dict)

    @property
    def place(self) -> _Place:
        return self.topic, self.partition, self.hour

    @property
    def records(self) -> int:
        return sum(self.names.values())


class ConservationCheck:
    """Looks more rarely than it is asked, and answers with what it found last in between."""

    def __init__(self, settings: DataQualitySettings, open_ids: Iterable[str] = (), *, with_kafka: bool = True) -> None:
        self._settings = settings
        self._with_kafka = with_kafka
        self._looked: datetime | None = None
        self._last = Result(CHECK, complete=False)
        self._hours = {place[2] for identity in open_ids if (place := place_of(identity)) is not None}

    def look(self, check: Check, now: datetime) -> Result:
        """Raises StoreUnavailableError. Incomplete when Kafka did not answer, though there is one."""
        if not self._settings.conservation_interval_s:
            return self._last
        if self._looked is None or now - self._looked >= timedelta(seconds=self._settings.conservation_interval_s):
            self._last = self._look(check, now)
            self._looked = now
        return self._last

    def _look(self, check: Check, now: datetime) -> Result:
        oldest = now - timedelta(hours=self._settings.conservation_hours)
        since = min([now - LOOKED_BACK, *(hour for hour in self._hours if hour >= oldest)])
        accounts = check(since)
        complete = accounts.kafka_error is None or not self._with_kafka
        found = gaps(accounts.hours)
        if found:
            # The view reads several tables, and blocks are booked meanwhile: only what two looks find is so.
            again = check(since)
            complete &= again.kafka_error is None or not self._with_kafka
            found = confirmed(found, gaps(again.hours))
        hours = {gap.hour for gap in found}
        self._hours = hours if complete else hours | self._hours
        resolution = f"its hour closes now, or is more than {self._settings.conservation_hours} h ago"
        return result(CHECK, findings(found), complete=complete, resolution=resolution)


def gaps(hours: Iterable[HourAccount]) -> list[Gap]:
    """Every hour that does not close; two incarnations of a topic are one."""
    found: dict[_Place, Counter[str]] = {}
    for hour in hours:
        if not hour.closes:
            names = {name: number for name, number in hour.names.items() if name in DIFFERENCES}
            unnamed = hour.difference - hour.ttl_dropped
            place = hour.topic, hour.partition, hour.hour
            found.setdefault(place, Counter()).update(names or {"difference": abs(unnamed)})
    return [Gap(*place, names=dict(names)) for place, names in sorted(found.items())]


def confirmed(first: Iterable[Gap], second: Iterable[Gap]) -> list[Gap]:
    """What both have found: each name with the smaller number."""
    later = {gap.place: gap for gap in second}
    both = []
    for gap in first:
        other = later.get(gap.place)
        names = {n: min(k, other.names[n]) for n, k in gap.names.items() if n in other.names} if other else {}
        if names:
            both.append(Gap(*gap.place, names=names))
    return both


def findings(found: Iterable[Gap]) -> Iterable[Finding]:
    """One for each hour of a partition that does not close."""
    for gap in found:
        where = f"{gap.topic or 'a topic without receipts'}[{gap.partition}]"
        named = ", ".join(f"{name} {number:,}" for name, number in gap.names.items())
        yield Finding(
            check=CHECK,
            subject=(gap.topic, str(gap.partition), f"{gap.hour:%Y-%m-%dT%H}"),
            name="ConservationGap",
            severity="critical",
            summary=f"records of {where} are lost, doubled or not accounted for: {named}, "
            f"in the hour from {gap.hour:%Y-%m-%d %H:%M} UTC",
            facts={
                "where": where,
                "hour": f"from {clock(gap.hour)} UTC",
                **{n: f"{k:,} records" for n, k in gap.names.items()},
            },
            causes=tuple(f"{name}: {_MEANING.get(name, 'received is not what became of it')}" for name in gap.names),
            action=f"See the account: {_command(gap)}. Until it is explained, let Kafka keep its records: raise "
            "retention.ms of the topic. stream_jobs/conservation/README.md says what each name can come from",
            labels={"topic": gap.topic, "partition": str(gap.partition)},
            value=Decimal(gap.records),
            since=gap.hour,
        )


def _command(gap: Gap) -> str:
    chosen = ["--topic", gap.topic] if gap.topic else []
    return command("conservation", *chosen, "--since", f"{gap.hour:%Y-%m-%dT%H}:00")


def place_of(identity: str) -> _Place | None:
    """The hour of a partition that an alert is about; None if it is about something else."""
    head = group_of(CHECK) + "/"
    if not identity.startswith(head):
        return None
    parts = [unquote(part) for part in identity.removeprefix(head).split("/")]
    try:
        topic, partition, hour = parts
        return topic, int(partition), parse_utc(f"{hour}:00")
    except ValueError:
        return None
