"""How often the injected cause is named first, and its factor: tables of many makes, beside simpler rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow.compute as pc

from stream_jobs.explain import Explanation, cells_of, explain
from tests.benchmarks.detection.cause_peers import adtributor, largest_mover
from tests.benchmarks.detection.cause_tables import CauseTable, Spec, draw
from tests.benchmarks.detection.options import Options, progress
from tests.benchmarks.harness.results import Figure
from tests.benchmarks.harness.tables import Table

WANTED: Final[Mapping[str, tuple[Spec, float | None]]] = {
    "one value, excess 1": (Spec(1, 1.0), 0.95),
    "one value, excess 3": (Spec(1, 3.0), 0.95),
    "one value, excess 1, price": (Spec(1, 1.0, "price"), 0.95),
    "one value, excess 1, tokens": (Spec(1, 1.0, "tokens_per_request", tokens=True), 0.95),
    "one value, excess 1, exact expectation": (Spec(1, 1.0, expectation="exact"), 0.95),
    "two values, excess 1": (Spec(2, 1.0), 0.92),
    "two values, excess 1, price": (Spec(2, 1.0, "price"), 0.92),
    "one value, excess 0.3": (Spec(1, 0.3), 0.80),
    "two values, excess 0.3": (Spec(2, 0.3), 0.80),
    "one value, excess 0.3, cache": (Spec(1, 0.3, "cache", tokens=True), 0.80),
    "one value, a fall of 0.3": (Spec(1, -0.3), 0.80),
    "one value, excess 1, everything grew by half": (Spec(1, 1.0, growth=1.5), 0.95),
    "one value, excess 1, before was two to six times as long": (Spec(1, 1.0, expectation="longer"), None),
    "two causes of one value, both among the first three": (Spec(1, 1.0, causes=2), None),
}
"""What is injected, and the floor of how often it is named first."""
NOTHING: Final[Mapping[str, Spec]] = {
    "nothing": Spec(0),
    "nothing, everything doubled": Spec(0, growth=2.0),
}
"""Tables without a cause: how often a set is named all the same."""
MOST_NAMED: Final = 0.05
FACTOR_FLOOR: Final = 0.97
_QUICK: Final = 4


@dataclass(slots=True)
class _Counts:
    trials: int = 0
    first: int = 0
    factor: int = 0
    sums: int = 0
    peers: dict[str, int] = field(default_factory=dict)


PEERS: Final[Mapping[str, Callable[..., dict[str, str] | None]]] = {
    "largest mover": largest_mover,
    "adtributor": adtributor,
}


def sections(options: Options) -> list[Table]:
    """One table, a row for each kind of cause."""
    trials = _QUICK if options.quick else options.trials
    rows, figures = [], []
    named, factors, sums, all_trials = 0, 0, 0, 0
    for name, (spec, floor) in WANTED.items():
        counts = _measured(spec, trials, options.seed)
        progress(f"cause: {name}: {counts.first} of {counts.trials}")
        low, high = interval(counts.first, counts.trials)
        others = (f"{_percent(counts.peers.get(peer, 0), counts.trials)}" for peer in PEERS)
        rows.append(
            (
                name,
                str(counts.trials),
                _percent(counts.first, counts.trials),
                f"{100 * low:.0f} to {100 * high:.0f} %",
                "" if floor is None else f"{100 * floor:.0f} %",
                *others,
            )
        )
        if floor is not None and not options.quick and counts.trials:
            figures.append(_figure(f"named first: {name}", counts.first, counts.trials, floor))
        named, factors, sums = named + counts.first, factors + counts.factor, sums + counts.sums
        all_trials += counts.trials
    for name, spec in NOTHING.items():
        told, of = _told_of_nothing(spec, trials, options.seed)
        progress(f"cause: {name}: a set named in {told} of {of}")
        low, high = interval(told, of)
        rows.append(
            (name, str(of), _percent(told, of), f"{100 * low:.0f} to {100 * high:.0f} %", "", *("" for _ in PEERS))
        )
        if not options.quick and of:
            share = [told / of]
            figures.append(
                Figure(f"a set named: {name}", "of 1", share, MOST_NAMED, lower_is_better=True, interval=(low, high))
            )
    if not options.quick:
        figures.append(_figure("its factor named first", factors, named, FACTOR_FLOOR))
        figures.append(_figure("parts that add up to the pico", sums, all_trials, 1.0))
    head = ("cause", "tables", "named first", "95 % interval", "floor", *PEERS)
    note = (
        f"Of the sets that were named first, the factor was right in {_percent(factors, named)}. Parts added up in "
        f"{sums} of {all_trials} tables. Tables have 2 to 10 dimensions of 2 to 10,000 values, 30 to 20,000 rows, "
        "5,000 to 2,000,000 requests, costs of a request lognormal with sigma 0.3 to 1.6, and levels that move by up "
        "to sigma 0.35 by row or by value. A set with the very same rows counts as the injected one; causes that "
        "overlap with another set of as few values to nine tenths are not drawn. Of `nothing`: how often one is named "
        "though there is no cause, but for values whose level moves by itself."
    )
    return [Table("The cause of a rise or a fall", head, rows, note, figures)]


def interval(hits: int, trials: int) -> tuple[float, float]:
    """Of a share, 95 % (Wilson 1927)."""
    if not trials:
        return 0.0, 1.0
    z, share = 1.96, hits / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * float(np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)))
    return (max(0.0, middle - half) if hits else 0.0), (min(1.0, middle + half) if hits < trials else 1.0)


def _measured(spec: Spec, trials: int, seed: int) -> _Counts:
    counts = _Counts()
    for number in range(3 * trials):
        drawn = draw(spec, seed + number)
        if drawn is None:
            continue
        counts.trials += 1
        cells = cells_of(drawn.table)
        found = explain(cells)
        truths = [_held(drawn, cause.values) for cause in drawn.causes]
        named = [_held(drawn, one.values) for one in found.sets]
        right = bool(named) and named[0] in truths and all(truth in named[:3] for truth in truths)
        counts.first += right
        counts.factor += right and found.sets[0].factor == _factor(spec)
        counts.sums += _adds_up(found)
        for peer, rule in PEERS.items():
            value = rule(cells)
            counts.peers[peer] = counts.peers.get(peer, 0) + (value is not None and _held(drawn, value) in truths)
        if counts.trials == trials:
            break
    return counts


def _told_of_nothing(spec: Spec, trials: int, seed: int) -> tuple[int, int]:
    """In how many tables a set is named, and of how many."""
    drawn = [one for number in range(trials) if (one := draw(spec, seed + number)) is not None]
    return sum(bool(explain(cells_of(one.table)).sets) for one in drawn), len(drawn)


def _factor(spec: Spec) -> str:
    return "volume" if spec.moved == "volume" else spec.moved if spec.tokens else "cost_per_request"


def _held(drawn: CauseTable, values: Mapping[str, str]) -> frozenset[int]:
    """The rows that have these values, and any requests."""
    mask = np.asarray(drawn.table["requests_before"]) + np.asarray(drawn.table["requests_after"]) > 0
    for name, value in values.items():
        mask &= np.asarray(pc.equal(drawn.table[name], value))
    return frozenset(np.flatnonzero(mask).tolist())


def _adds_up(found: Explanation) -> bool:
    parts = [part for name, part in found.decomposition.items() if name != "total"]
    sets = all(sum(one.factors.values()) == one.excess for one in found.sets)
    common = found.common.explains if found.common else 0
    whole = sum(one.explains for one in found.sets) + common + found.unexplained
    return sets and sum(parts) == found.excess == found.after - found.before == whole


def _figure(name: str, hits: int, trials: int, floor: float) -> Figure:
    return Figure(name, "of 1", [hits / max(trials, 1)], floor=floor, interval=interval(hits, trials))


def _percent(hits: int, trials: int) -> str:
    return f"{100 * hits / trials:.1f} %" if trials else "none"
