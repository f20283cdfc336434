"""All silences, and which of them holds for a signal.

Whoever can write to `alerts.v1` can make silences, and each is compared with each alert. So there is a bound on how
many there may be at a time, and a condition is asked once per value: its answers are bits, and a signal's silences the
bits that are left when those of its labels are put over each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

from spendstream_schemas.alert_feed import AlertSignal, Silence
from spendstream_schemas.scope import Condition

MAX_SILENCES: Final = 500
"""That have not ended. People lift old ones, or make one that covers more, long before that."""
TOO_MANY_SILENCES: Final = (
    f"there are {MAX_SILENCES} silences that have not ended, and there may be no more: "
    "see 'spendstream alerts silences', lift some, or make one that covers more"
)
KEPT_ENDED: Final = 5_000
"""Of those that have ended the last ones are remembered, for their records may come again."""
MAX_ANSWERS: Final = 20_000

Held = Literal["news", "known", "too_many"]


class Silences:
    """Not safe for use by several threads."""

    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        """Those that are on record already, however many they are."""
        self._by_id = {silence.silence_id: silence for silence in silences}
        self._now = _Holding(())
        self._look_at: datetime | None = None  # when one begins or ends next
        self._look_again = True
        self._not_ended: tuple[datetime, int] | None = None  # at this time so many

    def __bool__(self) -> bool:
        return bool(self._by_id)

    def hold(self, silence: Silence, at: datetime) -> Held:
        """Of two with the same id the one that ends first holds: lifting one is final."""
        known = self._by_id.get(silence.silence_id)
        if known is not None and known.ends_at <= silence.ends_at:
            return "known"
        counted = self._count(at)
        more = (silence.ends_at > at) - (known is not None and known.ends_at > at)
        if more > 0 and counted >= MAX_SILENCES:
            return "too_many"
        self._by_id[silence.silence_id] = silence
        self._not_ended = at, counted + more
        self._look_again = self._look_again or known is not None or silence.ends_at > at
        if len(self._by_id) - counted > 2 * KEPT_ENDED:
            self._forget(at)
        return "news"

    def _count(self, at: datetime) -> int:
        if self._not_ended is None or self._not_ended[0] != at:
            self._not_ended = at, sum(silence.ends_at > at for silence in self._by_id.values())
        return self._not_ended[1]

    def due(self, at: datetime) -> bool:
        """Whether others may hold now than those of the last `of`."""
        return self._look_again or (self._look_at is not None and at >= self._look_at)

    def of(self, signal: AlertSignal, at: datetime) -> str | None:
        """Of the silences that hold for it now, the one that ends last."""
        if self.due(at):
            self._look(at)
        return self._now.of(signal)

    def _look(self, at: datetime) -> None:
        self._forget(at)
        self._now = _Holding([one for one in self._by_id.values() if one.starts_at <= at < one.ends_at])
        edges = [edge for one in self._by_id.values() for edge in (one.starts_at, one.ends_at)]
        self._look_at = min((edge for edge in edges if edge > at), default=None)
        self._look_again = False

    def _forget(self, at: datetime) -> None:
        ended = [one for one in self._by_id.values() if one.ends_at <= at]
        ended.sort(key=lambda one: one.ends_at)
        for one in ended[: max(0, len(ended) - KEPT_ENDED)]:
            del self._by_id[one.silence_id]


class _Holding:
    """Silences that hold now. A number's bits stand for them, the lowest for the one that ends last."""

    def __init__(self, silences: Sequence[Silence]) -> None:
        ordered = sorted(silences, key=lambda silence: (silence.ends_at, silence.silence_id), reverse=True)
        self._ids = [silence.silence_id for silence in ordered]
        self._of_kind: dict[str, int] = {}
        self._of_any_kind = self._of_any_alert = 0
        self._of_alert: dict[str, int] = {}
        conditions: dict[str, list[tuple[int, Condition]]] = {}
        for index, silence in enumerate(ordered):
            bit = 1 << index
            for kind in silence.kinds:
                self._of_kind[kind] = self._of_kind.get(kind, 0) | bit
            self._of_any_kind |= 0 if silence.kinds else bit
            if silence.alert_id is None:
                self._of_any_alert |= bit
            else:
                self._of_alert[silence.alert_id] = self._of_alert.get(silence.alert_id, 0) | bit
            for name, condition in silence.scope.items():
                conditions.setdefault(name, []).append((bit, condition))
        self._fields = {name: _Field(found, len(ordered)) for name, found in conditions.items()}

    def of(self, signal: AlertSignal) -> str | None:
        labels: Mapping[str, str] = signal.labels
        left = self._of_any_kind | self._of_kind.get(signal.kind, 0)
        left &= self._of_any_alert | self._of_alert.get(signal.alert_id, 0)
        for name, field in self._fields.items():
            if not left:
                return None
            left &= field.of(labels.get(name, ""))
        return self._ids[(left & -left).bit_length() - 1] if left else None


class _Field:
    """The conditions on one field, and what those of them that must be tried said of the values they were tried on."""

    def __init__(self, conditions: Sequence[tuple[int, Condition]], silences: int) -> None:
        self._without = (1 << silences) - 1 & ~sum(bit for bit, _ in conditions)
        self._named: dict[str, int] = {}
        self._not_named: dict[str, int] = {}
        self._any_but = 0
        self._tried: list[tuple[int, Condition]] = []
        for bit, condition in conditions:
            if condition.any_of is not None:
                for value in condition.any_of:
                    self._named[value] = self._named.get(value, 0) | bit
            elif condition.none_of is not None:
                self._any_but |= bit
                for value in condition.none_of:
                    self._not_named[value] = self._not_named.get(value, 0) | bit
            else:
                self._tried.append((bit, condition))
        self._answers: dict[str, int] = {}

    def of(self, value: str) -> int:
        """The silences that do not look at the field, and those whose condition holds."""
        found = self._answers.get(value)
        if found is None:
            if len(self._answers) >= MAX_ANSWERS:
                self._answers.clear()
            found = sum(bit for bit, condition in self._tried if condition.holds(value))
            self._answers[value] = found
        return found | self._without | self._named.get(value, 0) | (self._any_but & ~self._not_named.get(value, 0))
