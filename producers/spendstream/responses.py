"""What one block knows of several responses: which of them are the same call to the provider, and which are kept.

A response is the same call as the one before it where it has the same id, or is the same object. Where the one before
has no id, and said nothing of usage or failure, it is taken as the beginning of what follows (a job that was asked for
until it was done), unless the two are of different operations; anything else is a call of its own, however equal: three
equal batches are paid three times. What is known of a call is not unsaid by an answer without usage.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from spendstream.adapters import ExtractedUsage


def same_call(before: "ExtractedUsage", found: "ExtractedUsage") -> bool:
    """Whether a response that was recorded after another is of the same call, by what they say."""
    if before.run_id and found.run_id:
        return before.run_id == found.run_id
    if before.response_id:
        return before.response_id == found.response_id
    if before.operation and found.operation and before.operation != found.operation:
        return False
    return before.usage is None and before.status is None


def is_final_of(streamed: "ExtractedUsage", found: "ExtractedUsage") -> bool:
    """Whether a response is what a stream came to: by its id; where one of them has none, also by equal usage."""
    if same_call(streamed, found):
        return True
    if streamed.run_id and found.run_id:
        return False
    one_id = streamed.response_id is None or found.response_id is None
    return one_id and streamed.usage is not None and streamed.usage == found.usage


def _completed(found: "ExtractedUsage", before: "ExtractedUsage | None") -> "ExtractedUsage":
    """A later answer of the same call, with the usage that an earlier one had if it has none (a deleted response)."""
    if before is None or before.usage is None or found.usage is not None:
        return found
    return replace(before, status=found.status or before.status)


class Responses:
    """The responses of one block: the last one, and those before it."""

    __slots__ = ("_earlier", "_source", "last")

    def __init__(self) -> None:
        self.last: ExtractedUsage | None = None
        self._source: object = None
        self._earlier: dict[str | int, ExtractedUsage] | None = None

    def take(self, found: "ExtractedUsage", source: object = None) -> None:
        """A further response, and the object that it was read from."""
        before = self.last
        if before is not None:
            if (source is not None and source is self._source) or same_call(before, found):
                found = _completed(found, before)
            else:
                self.keep(before)
            if found.response_id and self._earlier:  # asked for again, with others in between
                found = _completed(found, self._earlier.pop(found.response_id, None))
        self.last, self._source = found, source

    def keep(self, found: "ExtractedUsage", status: Literal["ok", "error", "cancelled"] = "ok") -> None:
        """A response that another one follows: a call of its own, with how it ended, if not well."""
        if self._earlier is None:
            self._earlier = {}
        known = self._earlier.get(found.response_id) if found.response_id else None
        if known is not None and known.usage is not None and found.usage is None:
            return
        key = found.response_id or len(self._earlier)
        while key in self._earlier and isinstance(key, int):
            key += 1
        self._earlier[key] = found if status == "ok" else replace(found, status=status)

    def close_last(self) -> None:
        """The next response is another call, whatever it says."""
        if self.last is not None:
            self.keep(self.last)
            self.last = self._source = None

    def before(self, last: "ExtractedUsage | None") -> Iterator[tuple[int, "ExtractedUsage"]]:
        """The calls before the last one, each once, with its number from 1."""
        if self._earlier:
            last_id = None if last is None else last.response_id
            for number, found in enumerate(self._earlier.values(), start=1):
                if not found.response_id or found.response_id != last_id:
                    yield number, found
