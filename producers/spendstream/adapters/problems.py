"""What in a response cannot be read: an error, or a note where as much is to be read as can.

Readers say `problem`. Outside of `reading`, and there at first, that raises AdapterError. Where a response is read for
what is left of it (`salvage`), the part is left out and noted; what a price depends on is then not known, so the usage
is `lost` in part and must not be priced as if it were whole.
"""

from contextvars import ContextVar
from typing import Final, Self

_current: Final[ContextVar["reading | None"]] = ContextVar("spendstream_problems", default=None)


class AdapterError(ValueError):
    """A response that cannot be read: the message says what was expected and what came instead."""


class reading:  # noqa: N801 - a context manager, as `suppress` is
    """The problems of the response that the block reads. `lost`: something that its price may depend on is left out."""

    __slots__ = ("_outer", "lost", "said", "salvage")

    def __init__(self, *, salvage: bool) -> None:
        self.salvage = salvage
        self.said: list[str] = []
        self.lost = False

    def __enter__(self) -> Self:
        self._outer = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._outer)

    def note(self, message: str) -> None:
        if message not in self.said:
            self.said.append(message)


def problem(message: str) -> None:
    """A part of the response cannot be what it should be, or contradicts another. Raises AdapterError, or returns
    where the part is to be left out."""
    problems = _current.get()
    if problems is None or not problems.salvage:
        raise AdapterError(message)
    problems.note(message)
    problems.lost = True


def left_out(message: str) -> None:
    """A name cannot be read, and says so itself or is left out."""
    problems = _current.get()
    if problems is not None:
        problems.note(message)
