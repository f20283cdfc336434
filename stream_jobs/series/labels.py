"""Which labels the deltas of blocks tell: those that somebody watches, and those that the settings name."""

from collections.abc import Callable, Sequence
from typing import Final

from stream_jobs.series.measures import MAX_LABELS

LOOK_EVERY_S: Final = 5.0


class WatchedLabels:
    """`names` may be asked by any thread; `look` is called by one."""

    def __init__(self, named: Sequence[str], asked: Callable[[], Sequence[str]]) -> None:
        """`named` by the settings; `asked` says which are watched now."""
        self._named = tuple(named)
        self._asked = asked
        self.names = self._named[:MAX_LABELS]
        """At most MAX_LABELS: the watched ones first. What deltas do not tell is read from the ledger."""

    def look(self) -> None:
        """Raises what `asked` raises, and then goes on as before."""
        self.names = tuple(dict.fromkeys((*self._asked(), *self._named)))[:MAX_LABELS]
