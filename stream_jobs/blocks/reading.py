"""Which partitions to read next: where much waits one after the other and deep, so that each block is a large one.

All read alike would fill the room with a little of each. A partition that has nothing to wait for is always among those
that are read: what is new of it costs no room to speak of, and comes at once.
"""

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)


class Standing(NamedTuple):
    """How a partition stands. Numbers of records."""

    turn: int  # when a block was taken of it; a later one is a higher number
    waiting: int  # read, and not yet in a block
    behind: int  # in the broker, as far as it is known
    redo: int = 0  # to be read yet before a block can be redone


def wanted(standings: Mapping[K, Standing], room: int, block: int) -> tuple[list[K], list[K]]:
    """What to read, and what else if nothing comes of that: a broker may be away, or have less than it said it had.

    `room`: so many records may still be read. `block`: so many records of a partition make a whole block; more of it
    is not read before it is booked. Who was served longest ago comes first, so all have their turn.
    """
    first: list[K] = []
    otherwise: list[K] = []
    left = room
    for key, standing in sorted(standings.items(), key=lambda item: (not item[1].redo, item[1].turn)):
        useful = standing.redo or min(standing.behind, block - standing.waiting)
        if not standing.behind and not standing.redo:
            first.append(key)
        elif useful > 0:
            (first if left > 0 else otherwise).append(key)
            left -= useful
    return first, otherwise
