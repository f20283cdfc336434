"""What the ledger knows of an event that comes again."""

from datetime import datetime
from typing import NamedTuple


class Booked(NamedTuple):
    """What the ledger knows of an event."""

    revision: int  # the highest
    since: datetime  # when the first was booked
    several: bool = False  # it was charged more than once: of a correction, or of a copy that slipped past
