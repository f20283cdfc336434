"""Which reader understands which provider's responses, and how it is told when a provider serves several shapes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from spendstream.adapters import anthropic, bedrock, cohere, gemini, mistral, openai
from spendstream.adapters.reader import Node
from spendstream.adapters.result import AdapterError, ExtractedUsage


@dataclass(frozen=True, slots=True)
class Reader:
    """`extract` reads a whole response; `fold` adds one stream chunk to a dict that `extract` can read in the end."""

    extract: Callable[[str, Node], ExtractedUsage]
    fold: Callable[[dict[str, object], Node], None]


_OPENAI: Final = Reader(openai.extract, openai.fold)
_ANTHROPIC: Final = Reader(anthropic.extract, anthropic.fold)

READERS: Final[dict[str, Reader]] = {
    "openai": _OPENAI,
    "azure": _OPENAI,
    "anthropic": _ANTHROPIC,
    "google": Reader(gemini.extract, gemini.fold),
    "aws": Reader(bedrock.extract, bedrock.fold),
    "cohere": Reader(cohere.extract, cohere.fold),
    "mistral": Reader(mistral.extract, mistral.fold),
    "groq": _OPENAI,
    "deepseek": _OPENAI,
    "x-ai": _OPENAI,
    "together": _OPENAI,
    "fireworks": _OPENAI,
    "openrouter": _OPENAI,
    "perplexity": _OPENAI,
    "cerebras": _OPENAI,
}
PROVIDERS: Final = tuple(READERS)
"""The provider ids that adapters know."""

_CLOUDS: Final = ("aws", "google", "azure")
_ANTHROPIC_TYPES: Final = ("message", "message_start", "message_delta")


def reader_for(provider: str, root: Node) -> Reader:
    """The reader for this response or chunk.

    Clouds also serve other makers' models behind the makers' own API: Anthropic's messages on Bedrock, Vertex AI and
    Azure, OpenAI's shapes on Bedrock and Vertex AI. There the shape decides.
    """
    reader = reader_of(provider)
    if provider in _CLOUDS:
        kind = root.raw("type")
        if isinstance(kind, str) and kind in _ANTHROPIC_TYPES:
            return _ANTHROPIC
        kind = root.raw("object")
        if isinstance(kind, str) and kind.startswith(("chat.completion", "response")):
            return _OPENAI
    return reader


def reader_of(provider: str) -> Reader:
    """The provider's own reader. Raises AdapterError for a provider without one."""
    reader = READERS.get(provider) if isinstance(provider, str) else None
    if reader is None:
        raise AdapterError(f"no adapter for the provider {provider!r}: expected one of {', '.join(PROVIDERS)}")
    return reader


def extract(provider: str, response: object) -> ExtractedUsage:
    """What a whole response (SDK object or plain dict) says about its cost.

    ``usage`` is None when the response carries none. Raises AdapterError, and nothing else, when the response cannot
    be read, contradicts itself, or holds nothing that this provider's responses hold.
    """
    reader_of(provider)
    root = Node(response, provider)
    found = reader_for(provider, root).extract(provider, root)
    if found == ExtractedUsage():
        raise AdapterError(
            f"{provider}: expected a response with usage, model or id, got {type(response).__name__} with none of them"
        )
    return found
