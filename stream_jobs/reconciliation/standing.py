"""What the entries of one event should come to, and what must be posted so that they do. Plain functions.

Entries that reconciliation posted itself are never a reason for anything: what should stand follows from the other
entries alone. So a decision does not depend on what was posted before, a repetition posts nothing, and whatever two
passes posted at the same moment is put right by the next one.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from stream_jobs.ledger.amounts import account, amounts, opposite
from stream_jobs.origin.rules import SenderRules
from stream_jobs.origin.standing import Held, standing_charge

RUN_PREFIX: Final = "reconciliation-"
"""`ledger.adjustment_run` of what reconciliation posted: the prefix and the run's number."""

Entry = Mapping[str, Any]
_SAME_SOURCE: Final = SenderRules()


@dataclass(frozen=True, slots=True)
class Standing:
    """An event as the ledger has it. `kept` is the charge that counts, `should` the entries that stand with it."""

    event_id: str
    kept: Entry
    should: tuple[Entry, ...]
    entries: tuple[Entry, ...]

    @property
    def revision(self) -> int:
        return int(self.kept["revision"])

    @property
    def priced(self) -> bool:
        return not sum(int(entry["unpriced"]) for entry in self.should)


def standing(entries: Sequence[Entry], senders: SenderRules = _SAME_SOURCE) -> Standing | None:
    """What should stand of one event's entries: the first charge of the highest revision with its own adjustments.

    A revision counts only from whoever may correct the event, see `origin.standing`. Of other sources nothing stands.
    The first is the one that was adjusted later, if one was; else the one booked first, of those at one instant the
    one with the lowest topic id, partition and offset. Revisions of which no charge is in the ledger (any more:
    retention) are left as they are. None if there is no charge at all.
    """
    booked = [entry for entry in entries if not ours(entry)]
    charged = {entry["revision"] for entry in booked if entry["entry_kind"] == "charge"}
    if not charged:
        return None
    judged = tuple(entry for entry in entries if entry["revision"] in charged)
    counts = standing_charge(map(Held.of, booked), senders)
    assert counts is not None
    newest = [entry for entry in booked if entry["revision"] == counts.revision]
    charges = [entry for entry in newest if entry["entry_kind"] == "charge"]
    others = [entry for entry in newest if entry["entry_kind"] != "charge"]
    adjusted = {_position(entry) for entry in others}
    kept = min(
        (charge for charge in charges if charge["source"] == counts.source),
        key=lambda charge: (_position(charge) not in adjusted, _order(charge)),
    )
    positions = {_position(charge) for charge in charges} - {_position(kept)}
    should = (kept, *(entry for entry in others if _position(entry) not in positions))
    return Standing(str(kept["event_id"]), kept, should, judged)


def ours(entry: Entry) -> bool:
    """Whether reconciliation posted it."""
    return str(entry["adjustment_run"]).startswith(RUN_PREFIX)


def missing(event: Standing, *, counts: bool) -> list[dict[str, Any]]:
    """The entries to post so that those that should stand are all that does; none of them if the event does not count.

    Each is the exact opposite of one that is booked, or that one again. Their kind follows from the number of events:
    what takes an event back is a retraction.
    """
    difference: Counter[Any] = Counter()
    models: dict[Any, tuple[Entry, int]] = {}
    # Of entries that are alike the model is one that should not stand, so that the row says what it takes back.
    for entry in sorted(event.entries, key=lambda entry: (entry not in event.should, not ours(entry))):
        key, sign = _signed(entry)
        models[key] = (entry, sign)
        difference[key] -= sign
    if counts:
        for entry in event.should:
            key, sign = _signed(entry)
            difference[key] += sign
    rows: list[dict[str, Any]] = []
    for key, times in difference.items():
        model, sign = models[key]
        row = dict(model) if times * sign > 0 else opposite(model)
        row["entry_kind"] = "retraction" if row["events"] < 0 else "adjustment"
        rows.extend(dict(row) for _ in range(abs(times)))
    return rows


def _signed(entry: Entry) -> tuple[Any, int]:
    """An entry without its sign, and the sign: an entry and its opposite differ in the latter only."""
    values = amounts(entry)
    negated = amounts(opposite(entry))
    if values == negated:  # it adds nothing
        return (entry["revision"], None), 0
    flat = [value for value in values if value is not None and not isinstance(value, tuple)]
    flat += [number for value in values if isinstance(value, tuple) for number in value]
    sign = 1 if next(number for number in flat if number) > 0 else -1
    return (entry["revision"], account(entry), values if sign > 0 else negated), sign


def _position(entry: Entry) -> tuple[Any, ...]:
    return (entry["topic_id"], entry["partition"], entry["offset"])


def _order(charge: Entry) -> tuple[Any, ...]:
    booked_at: datetime = charge["booked_at"]
    # Charges of one position and instant differ in more only if somebody put them there.
    alike = (repr(amounts(charge)), repr(account(charge)))
    return (booked_at, *_position(charge), charge["price_book_version"], *alike)
