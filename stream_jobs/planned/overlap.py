"""How an event's scope lies to a series: whether one holds all of the other, a part of it, or nothing.

Conditions of which one names its values can be compared; two patterns that differ cannot, and then nothing is claimed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from spendstream_schemas.scope import Condition


@dataclass(frozen=True, slots=True)
class Overlap:
    """All three are False where neither holds the other, or where nobody can tell."""

    inside: bool  # everything of the series lies in the event's scope
    encloses: bool  # everything of the event's scope lies in the series
    apart: bool  # nothing is in both

    @property
    def part(self) -> bool:
        """Whether some of the series may lie in the event's scope, but not all of it surely does."""
        return not self.inside and not self.apart


def overlap(scope: Mapping[str, Condition], series: Mapping[str, Condition]) -> Overlap:
    """Of an event's scope, and of a series' conditions. A field that is not named holds whatever there is."""
    within = encloses = True
    for field in {**scope, **series}:
        one, two = scope.get(field), series.get(field)
        if one is not None and two is not None:
            holds, held, apart = _compared(one, two)
            if apart:
                return Overlap(inside=False, encloses=False, apart=True)
        else:
            holds, held = one is None, two is None
        within, encloses = within and holds, encloses and held
    return Overlap(within, encloses, apart=False)


def _compared(one: Condition, two: Condition) -> tuple[bool, bool, bool]:
    """(all that the second lets through is let through by the first, the other way round, nothing by both)."""
    ones, twos = _values(one), _values(two)
    through = None if twos is None else [one.holds(value) for value in twos]  # of the second's values by the first
    back = None if ones is None else [two.holds(value) for value in ones]
    same = one == two
    apart = (through is not None and not any(through)) or (back is not None and not any(back))
    return same or (through is not None and all(through)), same or (back is not None and all(back)), apart


def _values(condition: Condition) -> tuple[str, ...] | None:
    """Those that it lets through, if it names them."""
    if condition.any_of is not None:
        return condition.any_of
    return ("",) if condition.missing else None
