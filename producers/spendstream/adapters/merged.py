"""Streams whose chunks stand between one another's: what each response said, by its id."""

from typing import Final

from spendstream.adapters.reader import Node
from spendstream.adapters.registry import Reader

_MAX_IDS: Final = 256


class Merged:
    """What each of several responses has said whose chunks stand between one another's, by id.

    That it is so shows when an id comes back: before that, a gateway may give each chunk an id of its own.
    """

    __slots__ = ("_apart", "_by_id")

    def __init__(self) -> None:
        self._by_id: dict[object, dict[str, object]] | None = None
        self._apart = False

    def note(self, before: object, begun: object, known: dict[str, object]) -> None:
        """Another id has come, and the response with the one before may go on."""
        if before == begun:
            return
        if self._by_id is None:
            self._by_id = {before: dict(known)}
        if len(self._by_id) < _MAX_IDS:
            self._by_id.setdefault(begun, {})

    def has(self, response: object) -> bool:
        """Whether chunks of it came before others, or are to be kept apart in any case."""
        return self._apart or (self._by_id is not None and response in self._by_id)

    def known(self, response: object) -> dict[str, object]:
        """What it said itself."""
        return {} if self._by_id is None else self._by_id.get(response, {})

    def turn_to(self, response: object) -> dict[str, object]:
        """The same, to fold further chunks into."""
        self._apart = True
        assert self._by_id is not None
        return self._by_id.setdefault(response, {})

    def fold(self, reader: Reader, response: object, node: Node) -> None:
        """A chunk of a response that is not alone, while it is not known whether the ids tell responses apart."""
        if self._by_id is not None and not self._apart and response in self._by_id:
            reader.fold(self._by_id[response], node)

    def forget(self, response: object) -> None:
        """It has ended."""
        if self._by_id is not None:
            self._by_id.pop(response, None)

    @property
    def complete(self) -> bool:
        """Whether each of them is."""
        return not self._apart or all(known.get("complete") for known in (self._by_id or {}).values())
