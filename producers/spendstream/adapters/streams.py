"""Usage of a streamed response, from its chunks."""

from spendstream.adapters.reader import Node
from spendstream.adapters.registry import Reader, reader_for, reader_of
from spendstream.adapters.result import ExtractedUsage


class StreamAccumulator:
    """Feed it every chunk (or event) of one stream; ask for the result at the end, or whenever the stream was cut.

    It keeps ids, names and counts only, no content (of OpenAI's response events it holds the last one).
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._reader: Reader = reader_of(provider)
        self._known: dict[str, object] = {}

    def add(self, chunk: object) -> None:
        """Take one chunk. Raises AdapterError if it has no named fields; what was known before stays known."""
        node = Node(chunk, self._provider)
        if not self._known:
            self._reader = reader_for(self._provider, node)
        self._reader.fold(self._known, node)

    @property
    def complete(self) -> bool:
        """Whether the provider has said its last word about usage: what follows, if anything, adds none."""
        return self._known.get("complete") is True

    def result(self) -> ExtractedUsage:
        """What the chunks so far say; ``usage`` is None if the stream was cut before usage arrived.

        Raises AdapterError when the numbers cannot be read or contradict each other.
        """
        whole = Node(self._known.get("whole") or self._known, self._provider)
        return self._reader.extract(self._provider, whole)
