"""Usage of a streamed response, from its chunks."""

from dataclasses import replace

from spendstream.adapters.bedrock_invoke import decoded
from spendstream.adapters.litellm import GATEWAY, served_by
from spendstream.adapters.names import canonical
from spendstream.adapters.reader import Node
from spendstream.adapters.registry import UNKNOWN, Reader, reader_for, reader_of, salvaged, served
from spendstream.adapters.result import AdapterError, ExtractedUsage
from spendstream.adapters.shapes import recognised
from spendstream_schemas.types import UNREADABLE


class StreamAccumulator:
    """Feed it every chunk (or event) of one stream; ask for the result at the end, or whenever the stream was cut.

    It keeps ids, names and counts only, no content (of OpenAI's response events it holds the last one).
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        own = reader_of(provider)
        self._reader: Reader = own or UNKNOWN
        self._may_be_bytes = canonical(provider) == "aws"
        self._through_gateway = canonical(provider) == GATEWAY
        self._searching = own is None  # the first chunks of a provider that is not known may show no form yet
        self._known: dict[str, object] = {}
        self._served_by: str | None = None
        self._lost = False  # a part of a chunk could not be read

    def add(self, chunk: object) -> None:
        """Take one chunk. Raises AdapterError if it cannot be read; what was known before stays known."""
        node = Node(chunk, self._provider)
        if self._may_be_bytes:
            node = decoded(node)
        try:
            self._fold(chunk, node)
        except AdapterError:
            self._lost = True
            raise

    def _fold(self, chunk: object, node: Node) -> None:
        if self._searching or not self._known:
            self._reader = reader_for(self._provider, node)
            self._searching = self._searching and recognised(node) is None
        if self._through_gateway and self._served_by is None:
            self._served_by = served_by(chunk)
        self._reader.fold(self._known, node)

    @property
    def complete(self) -> bool:
        """Whether the provider has said its last word about usage: what follows, if anything, adds none."""
        return self._known.get("complete") is True

    @property
    def advice(self) -> str:
        """What to do so that such a stream brings its usage: only OpenAI's chat and completions must be asked."""
        kind = self._known.get("object")
        if isinstance(kind, str) and kind.startswith(("chat.completion", "text_completion")):
            return '; pass stream_options={"include_usage": True}'
        return "; record what it comes to in the end, or say its usage with record_usage"

    def result(self, *, salvage: bool = False) -> ExtractedUsage:
        """What the chunks so far say; ``usage`` is None if the stream was cut before usage arrived.

        Raises AdapterError when the numbers cannot be read or contradict each other, as `extract` does.
        """
        found = salvaged(self._result, salvage)
        if self._lost and found.usage is not None:
            found = replace(found, response_model=UNREADABLE)
        return replace(found, status="error") if self._known.get("failed") else found

    def _result(self) -> ExtractedUsage:
        whole = Node(self._known.get("whole") or self._known, self._provider)
        return served(self._provider, self._served_by, self._reader.extract(canonical(self._provider), whole))
