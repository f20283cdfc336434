"""Quarantined records as ClickHouse holds them. One is named by where it lay: topic/partition/offset."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, cast

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import as_utc
from stream_jobs.store.client import StoreClient

_SUMMARY: Final = (
    "quarantined_at, topic, topic_id, partition, offset, reason, path, detail, source, event_id, raw_size, "
    "length(raw) AS kept"
)
_REPLAYED: Final = "(topic_id, partition, offset) IN (SELECT topic_id, partition, offset FROM quarantine_replays)"
_POSITION: Final = "({at:DateTime64(6, 'UTC')}, {at_topic_id:String}, {at_partition:UInt32}, {at_offset:UInt64})"
PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A refused record without its bytes."""

    quarantined_at: datetime
    topic: str
    topic_id: str
    partition: int
    offset: int
    reason: str
    path: str
    detail: str
    source: str
    event_id: str
    raw_size: int  # bytes of the whole value
    kept: int  # bytes of it that were kept
    replayed: bool

    @property
    def name(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def whole(self) -> bool:
        return self.kept == self.raw_size


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records: all that is given must hold. `names` are topic/partition/offset."""

    names: Sequence[str] = ()
    reason: str | None = None
    source: str | None = None
    since: datetime | None = None
    open_only: bool = True


def find(store: StoreClient, selection: Selection, limit: int | None = None) -> Iterator[Quarantined]:
    """The newest first. Read page by page: there may be millions."""
    condition, parameters = _condition(selection)
    position, taken = None, 0
    while limit is None or taken < limit:
        page = min(PAGE, limit - taken) if limit is not None else PAGE
        after = "" if position is None else f"AND (quarantined_at, topic_id, partition, offset) < {_POSITION} "
        rows = store.rows(
            f"SELECT {_SUMMARY}, {_REPLAYED} AS replayed FROM quarantine WHERE {condition} "
            f"{after}ORDER BY quarantined_at DESC, topic_id DESC, partition DESC, offset DESC LIMIT {page}",
            {**parameters, **(position or {})},
        )
        for row in rows:
            record = _record(row)
            position = {
                "at": record.quarantined_at,
                "at_topic_id": record.topic_id,
                "at_partition": record.partition,
                "at_offset": record.offset,
            }
            taken += 1
            yield record
        if len(rows) < page:
            return


class Raw(NamedTuple):
    """A record's own bytes. Without a signature it is empty."""

    key: bytes
    value: bytes
    signature: bytes


def raw_of(store: StoreClient, record: Quarantined) -> Raw:
    """The bytes of one record; of an oversized value only the beginning was kept."""
    rows = store.rows(
        "SELECT hex(key), hex(raw), hex(signature) FROM quarantine WHERE quarantined_at = {at:DateTime64(6, 'UTC')} "
        "AND topic_id = {topic_id:String} AND partition = {partition:UInt32} AND offset = {offset:UInt64}",
        {
            "at": record.quarantined_at,
            "topic_id": record.topic_id,
            "partition": record.partition,
            "offset": record.offset,
        },
    )
    return Raw(*(bytes.fromhex(text) for text in cast(tuple[str, str, str], rows[0])))


def counts(store: StoreClient, selection: Selection) -> list[tuple[str, str, int, datetime, datetime]]:
    """Selected records by topic and reason, with the first and last instant."""
    condition, parameters = _condition(selection)
    rows = store.rows(
        "SELECT topic, reason, count(), min(quarantined_at), max(quarantined_at) FROM quarantine "
        f"WHERE {condition} GROUP BY topic, reason ORDER BY count() DESC",
        parameters,
    )
    typed = cast(list[tuple[str, str, int, datetime, datetime]], rows)
    return [(topic, reason, number, as_utc(first), as_utc(last)) for topic, reason, number, first, last in typed]


def _condition(selection: Selection) -> tuple[str, dict[str, object]]:
    conditions, parameters = ["1"], dict[str, object]()
    if selection.open_only:
        conditions.append(f"NOT {_REPLAYED}")
    for column in ("reason", "source"):
        value = getattr(selection, column)
        if value is not None:
            conditions.append(f"{column} = {{{column}:String}}")
            parameters[column] = value
    if selection.since is not None:
        conditions.append("quarantined_at >= {since:DateTime64(6, 'UTC')}")
        parameters["since"] = selection.since
    if selection.names:
        alternatives = []
        for number, name in enumerate(selection.names):
            topic, partition, offset = _position(name)
            alternatives.append(f"(topic = {{topic{number}:String}} AND partition = {partition} AND offset = {offset})")
            parameters[f"topic{number}"] = topic
        conditions.append(f"({' OR '.join(alternatives)})")
    return " AND ".join(conditions), parameters


def _position(name: str) -> tuple[str, int, int]:
    try:
        topic, partition, offset = name.rsplit("/", 2)
        return topic, int(partition), int(offset)
    except ValueError:
        raise ConfigError(f"{name!r} does not name a record; give topic/partition/offset as 'list' shows it") from None


def _record(row: tuple[object, ...]) -> Quarantined:
    values = list(row)
    values[0] = as_utc(cast(datetime, values[0]))
    values[-1] = bool(values[-1])
    return Quarantined(*values)  # type: ignore[arg-type]
