"""Usage of a streamed response, from its chunks."""

from dataclasses import replace
from typing import Final

from spendstream.adapters.bedrock_invoke import decoded
from spendstream.adapters.litellm import GATEWAY, served_by
from spendstream.adapters.merged import Merged
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
        self._id: object = None  # of the response that is being streamed
        self._last: Node | None = None
        self._merged = Merged()

    def add(self, chunk: object) -> ExtractedUsage | None:
        """Take one chunk. Returns what the response before it said where another one begins with it (an agent's turns
        in one stream); else None. Raises AdapterError if it cannot be read; what was known before stays known."""
        node = Node(chunk, self._provider)
        if self._may_be_bytes:
            node = decoded(node)
        begun = _id_of(node)
        before = None
        if begun is not None and begun != self._id and self._merged.has(begun):
            before = self._known_apart(begun)
        elif self._id is None or (begun is not None and (begun == self._id or not self._trails(node))):
            before = self._finished_before(node, begun)
            if begun is not None and self._id is not None and before is None and self._in_chunks():
                self._merged.note(self._id, begun, self._known)
            self._id = self._id if begun is None else begun
        self._last = node
        try:
            self._fold(chunk, node)
        except AdapterError:
            self._lost = True
            raise
        return before

    def _known_apart(self, response: object) -> ExtractedUsage | None:
        """Two responses come chunk by chunk: each is known apart from now on. Returns what is known of the one that
        this chunk is not of."""
        self._known = self._merged.known(self._id)
        found = self.result(salvage=True)
        self._known, self._id = self._merged.turn_to(response), response
        return None if found.usage is None and found.status is None else found

    def _finished_before(self, node: Node, begun: object) -> ExtractedUsage | None:
        """What is known, if this chunk begins another response: a new id after an end, or without ids what its reader
        says. Some gateways give each chunk an id of its own: so of OpenAI's chat the chunk before must have been the
        last one."""
        if begun is None:
            if not self._known or not self._reader.begins(self._known, node):
                return None
        elif self._id in (None, begun) or not self._ended():
            return None
        found = self.result(salvage=True)
        if found.usage is None and found.status is None:
            return None
        self._known, self._lost, self._served_by = {}, False, None
        self._merged.forget(self._id)
        return found

    def _in_chunks(self) -> bool:
        kind = self._known.get("object")
        return isinstance(kind, str) and kind.endswith(".chunk")

    def _trails(self, node: Node) -> bool:
        """Whether a chunk says something of what came before: usage stands in a last chunk without choices."""
        return self._in_chunks() and node.raw("usage") is not None and not node.nodes("choices")

    def _ended(self) -> bool:
        if self.complete or not self._in_chunks() or self._last is None:
            return True
        choices = self._last.nodes("choices")
        return not choices or bool(choices[0].raw("finish_reason"))

    def _fold(self, chunk: object, node: Node) -> None:
        if self._searching or not self._known:
            self._reader = reader_for(self._provider, node)
            self._searching = self._searching and recognised(node) is None
        if self._through_gateway and self._served_by is None:
            self._served_by = served_by(chunk)
        self._reader.fold(self._known, node)
        self._merged.fold(self._reader, self._id, node)

    @property
    def complete(self) -> bool:
        """Whether the provider has said its last word about usage: what follows, if anything, adds none."""
        return self._known.get("complete") is True and self._merged.complete

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


_HOLDERS: Final = {"message_start": "message", "chunk": "chunk"}
_UNNAMED: Final = ["data", "meta_info", "interaction"]  # Mistral's events, SGLang's answers, Google's events


def _id_of(node: Node) -> object:
    """The id of the response that a chunk says it is of, where one stands."""
    found = node.raw("id") or node.raw("response_id")
    if found is None:
        kind = node.raw("type")
        if isinstance(kind, str):
            name = "response" if kind.startswith("response.") else _HOLDERS.get(kind)
            names = [] if name is None else [name]
        else:
            names = _UNNAMED
        holder = next((one for name in names if (one := node.raw(name)) is not None), None)
        if holder is None:  # DashScope's own API
            found = node.raw("request_id") if kind is None and node.raw("output") is not None else None
        elif not isinstance(holder, str | bytes | list):
            found = Node(holder, node.path).raw("id")
    return found if isinstance(found, str) else None
