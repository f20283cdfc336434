"""Which budgets a request falls under, without looking at all of them.

Most budgets name plain values: `team: search`, or a few of them. Budgets that name values for the same fields stand in
one dictionary under those values, so one look-up per such group of fields finds them, however many they are. Conditions
of other kinds (none_of, glob, missing) are tried on what the look-up found.
"""

from collections.abc import Callable, Iterable
from itertools import product
from math import prod
from operator import itemgetter
from typing import Any, Final

from spendstream.guard.pending import Pending
from spendstream.guard.policy import CompiledPolicy, Facts, State, ValuesKey
from spendstream_schemas.scope import LABEL

_MAX_ENTRIES: Final = 4096
"""Of one budget in the index. With more combinations, the fields with the most values are tried instead."""


Tests = tuple[tuple[str, Callable[[str], bool]], ...]
"""Fields, and what must hold for each one's value; that of a missing one is the empty string."""
Entry = tuple[
    CompiledPolicy,
    Tests,
    Callable[[Facts], ValuesKey] | None,
    dict[ValuesKey, State],
    dict[ValuesKey, Pending],
    int,
    int | None,
]
"""A policy, what remains to be tried of its scope, and what else of it is needed each time: `values_of`, `states`,
`pending`, `amount`, `first_reached`. Unpacking them together takes half as long as asking for each."""


class Index:
    """Immutable; made anew when a policy changes."""

    def __init__(self, policies: Iterable[CompiledPolicy], source: str) -> None:
        """`source`: of requests that name none."""
        tables: dict[tuple[str, ...], dict[Any, list[Entry]]] = {}
        everywhere: list[Entry] = []
        reads: set[str] = set()
        for policy in policies:
            reads |= policy.reads
            looked_up, tests = _split(policy)
            entry = (
                policy,
                tests,
                policy.values_of,
                policy.states,
                policy.pending,
                policy.amount,
                policy.first_reached,
            )
            if not looked_up:
                everywhere.append(entry)
                continue
            table = tables.setdefault(tuple(field for field, _ in looked_up), {})
            for values in product(*(dict.fromkeys(values) for _, values in looked_up)):
                table.setdefault(values[0] if len(values) == 1 else values, []).append(entry)
        self._source = source
        self._labels = [(name, name.removeprefix(LABEL)) for name in reads if name.startswith(LABEL)]
        self.more = bool(self._labels) or "source" in reads or "region" in reads
        """Whether anything is looked at that most budgets don't: then `with_more` must be asked first."""
        self._everywhere = everywhere
        self._tables = [(itemgetter(*fields), table) for fields, table in tables.items()]

    def with_more(self, facts: Facts) -> Facts:
        """With source, region and each label as a field of its own."""
        given = facts["labels"] or {}
        found = {**facts, **{field: given.get(name) for field, name in self._labels}}
        found["region"] = facts.get("region")
        found["source"] = self._source if (source := facts.get("source")) is None else source
        return found

    def candidates(self, facts: Facts) -> list[Entry]:
        """All policies whose scope may hold for these facts, in no particular order."""
        found = self._everywhere.copy()
        for values_of, table in self._tables:
            entries = table.get(values_of(facts))
            if entries is not None:
                found += entries
        return found


def _split(policy: CompiledPolicy) -> tuple[list[tuple[str, tuple[str, ...]]], Tests]:
    """The fields to look up, in a fixed order, and what to try."""
    looked_up = sorted(policy.any_of)
    tests = list(policy.others)
    while prod(len(values) for _, values in looked_up) > _MAX_ENTRIES:
        worst = max(looked_up, key=lambda item: len(item[1]))
        looked_up.remove(worst)
        tests.append((worst[0], frozenset(worst[1]).__contains__))
    return looked_up, tuple(tests)
