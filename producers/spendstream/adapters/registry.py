"""Which reader understands a response: by the provider's name, and by the form of the response."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from spendstream.adapters import (
    anthropic,
    batch_lines,
    bedrock,
    bedrock_invoke,
    cohere,
    deepgram,
    gemini,
    hosted,
    interactions,
    langchain,
    litellm,
    mistral,
    openai,
    self_hosted,
)
from spendstream.adapters.names import NAMES, canonical
from spendstream.adapters.problems import reading
from spendstream.adapters.reader import Node
from spendstream.adapters.result import AdapterError, ExtractedUsage
from spendstream.adapters.shapes import Shape, marked, recognised
from spendstream_schemas.types import UNREADABLE


@dataclass(frozen=True, slots=True)
class Reader:
    """`extract` reads a whole response; `fold` adds one stream chunk to a dict that `extract` can read in the end.

    `shapes` are the forms of responses that it reads itself. `begins` says whether a chunk without an id is of another
    response than what `fold` has gathered.
    """

    extract: Callable[[str, Node], ExtractedUsage]
    fold: Callable[[dict[str, object], Node], None]
    shapes: frozenset[Shape]
    begins: Callable[[Mapping[str, object], Node], bool] = lambda _known, _chunk: False


def _extract_aws(provider: str, root: Node) -> ExtractedUsage:
    converse = root.has("usage", "metadata")
    return bedrock.extract(provider, root) if converse else bedrock_invoke.extract(provider, root)


def _fold_aws(known: dict[str, object], chunk: Node) -> None:
    bedrock.fold(known, chunk)
    bedrock_invoke.fold(known, chunk)


def _begins_aws(known: Mapping[str, object], chunk: Node) -> bool:
    return bedrock.begins(known, chunk) or bedrock_invoke.begins(known, chunk)


_OPENAI: Final = Reader(openai.extract, openai.fold, frozenset({"openai"}), openai.begins)
UNKNOWN: Final = _OPENAI
"""Reads what shows no form of its own."""
_LANGCHAIN: Final = Reader(langchain.extract, langchain.fold, frozenset())
_ANTHROPIC: Final = Reader(anthropic.extract, anthropic.fold, frozenset({"anthropic"}))
_GOOGLE: Final = Reader(gemini.extract, gemini.fold, frozenset({"gemini", "vertex_predict"}), gemini.begins)
_INTERACTIONS: Final = Reader(interactions.extract, interactions.fold, frozenset({"interaction"}))
_AWS: Final = Reader(_extract_aws, _fold_aws, frozenset({"converse", "bedrock_invoke"}), _begins_aws)
_COHERE: Final = Reader(cohere.extract, cohere.fold, frozenset({"cohere"}))
_OLLAMA: Final = Reader(self_hosted.extract_ollama, self_hosted.fold_ollama, frozenset({"ollama"}), self_hosted.begins)
_NATIVE: Final = Reader(self_hosted.extract_native, self_hosted.fold_native, frozenset({"native"}), self_hosted.begins)
_HOSTED: Final = Reader(hosted.extract, hosted.fold, frozenset({"hosted"}), hosted.begins)
_BY_SHAPE: Final[Mapping[Shape, Reader]] = {
    shape: reader
    for reader in (_OPENAI, _ANTHROPIC, _GOOGLE, _INTERACTIONS, _AWS, _COHERE, _OLLAMA, _NATIVE, _HOSTED)
    for shape in reader.shapes
}

READERS: Final[dict[str, Reader]] = dict.fromkeys(NAMES, _OPENAI) | {
    "anthropic": _ANTHROPIC,
    "google": _GOOGLE,
    "aws": _AWS,
    "cohere": _COHERE,
    "mistral": Reader(mistral.extract, mistral.fold, frozenset({"openai"})),
    "deepgram": Reader(deepgram.extract, deepgram.fold, frozenset(), deepgram.begins),
}
PROVIDERS: Final = tuple(READERS)
"""The provider ids that adapters know. Any other name is taken too: then the form of the response decides alone."""

_NOTHING: Final = ExtractedUsage()


def reader_for(provider: str, root: Node) -> Reader:
    """The reader for this response or chunk.

    Providers also serve each other's APIs: Anthropic's messages on Bedrock, Vertex AI and Azure, OpenAI's on nearly all
    others. So a form that shows itself decides, and else the provider's own reader. For a provider that is not known
    the most likely form is taken, OpenAI's at last. Raises AdapterError for what cannot be a provider's name.
    """
    reader = reader_of(provider)
    if langchain.is_message(root):
        return _LANGCHAIN
    if reader is None:
        shape = recognised(root)
        return UNKNOWN if shape is None else _BY_SHAPE[shape]
    shape = marked(root)
    return reader if shape is None or shape in reader.shapes else _BY_SHAPE[shape]


def reader_of(provider: str) -> Reader | None:
    """The provider's own reader, by any of its names; None for a provider that is not known.

    Raises AdapterError for what is no name.
    """
    if not isinstance(provider, str) or not provider.strip():
        raise AdapterError(f"no adapter for the provider {provider!r}: expected a name, such as {', '.join(PROVIDERS)}")
    return READERS.get(canonical(provider))


def extract(provider: str, response: object, *, salvage: bool = False) -> ExtractedUsage:
    """What a whole response (SDK object or plain dict) says about its cost.

    ``usage`` is None when the response carries none. Raises AdapterError, and nothing else, when the response cannot
    be read, contradicts itself, or holds nothing that this provider's responses hold. With `salvage`, what is left of
    a response in which a part cannot be read: `salvaged`.
    """
    reader_of(provider)
    root = Node(response, provider)
    return salvaged(lambda: _extracted(provider, response, root), salvage)


def salvaged(read: Callable[[], ExtractedUsage], salvage: bool) -> ExtractedUsage:
    """What `read` gives; where it raises AdapterError and `salvage` is asked for, what can be read without the parts
    that cannot. Then the served model is `UNREADABLE`, so that nothing is priced without what is missing."""
    try:
        with reading(salvage=False) as problems:
            found = read()
    except AdapterError:
        if not salvage:
            raise
        with reading(salvage=True) as problems:
            found = read()
    if problems.lost:
        also = tuple([replace(other, response_model=UNREADABLE) for other in found.also])
        found = replace(found, response_model=UNREADABLE, also=also)
    return replace(found, unreadable=tuple(problems.said)) if problems.said else found


def _extracted(provider: str, response: object, root: Node) -> ExtractedUsage:
    found = batch_lines.extract(root, lambda inside: _read(provider, inside)) or _read(provider, root)
    if found.usage is None and found == _NOTHING:
        raise AdapterError(
            f"{provider}: expected a response with usage, model or id, got {type(response).__name__} with none of them"
        )
    return served(provider, litellm.served_by(response), found)


def _read(provider: str, root: Node) -> ExtractedUsage:
    return reader_for(provider, root).extract(canonical(provider), root)


def served(provider: str, by: str | None, found: ExtractedUsage) -> ExtractedUsage:
    """The same, with the provider that a gateway says has served."""
    if by is None or canonical(provider) != litellm.GATEWAY:
        return found
    also = tuple([served(provider, by, other) for other in found.also])
    return replace(found, provider=by, response_model=litellm.without_provider(found.response_model, by), also=also)
