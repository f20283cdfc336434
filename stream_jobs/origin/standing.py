"""Whose revision of an event stands. Plain functions.

The first charge of an event makes it its source's. A higher revision takes its place when it comes from the same
source, or from one that may correct that source's entries; whatever else was booked does not stand. Normally metering
refuses it before; here it matters for what slipped past (two partitions at one moment).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from stream_jobs.origin.rules import SenderRules


class Held(NamedTuple):
    """An entry of one event, as far as it says whose event it is."""

    booked_at: datetime
    topic_id: str
    partition: int
    offset: int
    revision: int
    source: str
    is_charge: bool

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Held":
        """By the ledger's columns."""
        return cls._make((*(entry[name] for name in cls._fields[:-1]), entry["entry_kind"] == "charge"))

    @property
    def position(self) -> tuple[str, int, int]:
        return (self.topic_id, self.partition, self.offset)


def standing_charge(entries: Iterable[Held], rules: SenderRules) -> Held | None:
    """The charge whose source and revision count. None: there is no charge (any more).

    A correction that metering accepted took something back at its own position. It stays accepted, whatever the rules
    are by now: a change of settings must not rewrite what is booked.
    """
    charges: list[Held] = []
    took_back: dict[tuple[str, int, int], int] = {}  # the lowest revision that was taken back from a position
    for entry in entries:
        if entry.is_charge:
            charges.append(entry)
        else:
            took_back[entry.position] = min(entry.revision, took_back.get(entry.position, entry.revision))
    current: Held | None = None
    for charge in sorted(charges):
        if current is None or (
            charge.revision > current.revision
            and (
                took_back.get(charge.position, charge.revision) < charge.revision
                or rules.may_correct(charge.source, current.source)
            )
        ):
            current = charge
    return current
