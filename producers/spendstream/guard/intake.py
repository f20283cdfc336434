"""What stands between the feed and what the guard knows, and what the guard tells about both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from spendstream.guard.book import Book
from spendstream.guard.records import Record, TakenBack
from spendstream.native import Flag


@dataclass(frozen=True, slots=True)
class GuardStats:
    """What the guard knows, and what went wrong since it was made."""

    policies: int
    states: int
    loaded: bool  # the topic was read once
    stale: bool  # no heartbeat for stale_after_s
    connected: bool
    reads: int  # how often the topic was read from its start
    errors: Mapping[str, int] = field(default_factory=dict)  # by kind


class Intake:
    """Between the feed and the book. Not the guard itself: a thread must not keep a forgotten guard alive."""

    def __init__(self, book: Book, wall_ns: Callable[[], int], monotonic_ns: Callable[[], int]) -> None:
        self._book = book
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self.heard = Flag()  # the topic has been read, and there was a heartbeat

    def load_begins(self) -> None:
        self._book.load_begins()

    def take(self, records: Sequence[Record | TakenBack]) -> None:
        self._book.apply(records, self._wall_ns() // 1000, self._monotonic_ns())
        self._look()

    def load_ended(self) -> None:
        self._book.load_ended()
        self._look()

    def _look(self) -> None:
        if self._book.loaded and self._book.heard:
            self.heard.set()
