"""The continuous check: what counters hold against the ledger, to the last digit. The difference must be 0.

The counters are copied together with the blocks that they hold, and the ledger is asked for the sums of exactly those
blocks, in the background while counting goes on.
"""

from dataclasses import dataclass

from stream_jobs.series.counters import Counters
from stream_jobs.series.facts import Sums, Values
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.series.sums import LedgerSums, Vector

NOTHING = Sums()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was counted, and of which blocks."""

    spec: SeriesSpec
    cells: tuple[tuple[int, int], ...]  # start and end, in microseconds since 1970
    counted: dict[int, dict[Values, Sums]]
    vector: Vector


@dataclass(frozen=True, slots=True)
class Difference:
    """Counted less booked, for one cell and one combination of values."""

    cell: int
    values: Values
    amount: int  # of the measure
    unpriced: int
    held: int
    flat: int


def snapshot(counters: Counters, vector: Vector, since: int = 0) -> Snapshot:
    """To be taken by the thread that counts. `since`: cells that begin before that (microseconds since 1970) are left
    out, of which the ledger may not hold everything any more."""
    cells = tuple((cell, counters.end_of(cell)) for cell in counters.cells if cell >= since)
    return Snapshot(counters.spec, cells, counters.copy_of_blocks(), dict(vector))


def differences(taken: Snapshot, sums: LedgerSums) -> list[Difference]:
    """Everything that is not as the ledger has it; empty when all is well. Raises StoreUnavailableError."""
    if not taken.cells:
        return []
    booked = sums.sums(taken.spec, taken.cells, taken.vector).blocks
    found = []
    for cell, _ in taken.cells:
        counted_here, booked_here = taken.counted.get(cell, {}), booked.get(cell, {})
        for values in counted_here.keys() | booked_here.keys():
            counted, there = counted_here.get(values, NOTHING), booked_here.get(values, NOTHING)
            if counted != there:
                found.append(Difference(cell, values, *counted.plus(there.opposite())))
    return found
