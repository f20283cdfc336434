"""Deepgram: transcription of recordings and streams (developers.deepgram.com/reference/speech-to-text).

Billed by the second of audio, and of each channel where channels are transcribed apart. A recording's response has
``metadata`` beside its ``results``; a stream ends with a message of type ``Metadata``. The operation tells the two
apart, for they have different prices. Speech that Deepgram makes has no body to read: count the request's characters.
"""

from collections.abc import Mapping
from typing import Final

from spendstream.adapters.reader import Node, node_of
from spendstream.adapters.result import ExtractedUsage, token_usage
from spendstream_schemas.types import UNREADABLE

_FIELDS: Final = ("type", "duration", "channels", "request_id", "model_info")
_BY_TOKENS: Final = ("summary_info", "sentiment_info", "topics_info", "intents_info")
"""Audio intelligence, billed by tokens beside the seconds: developers.deepgram.com/docs/summarization."""


def extract(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one recording, or of one stream that ended."""
    told = root.node("metadata") or root
    streamed = told.text("type", 64) == "Metadata"
    duration = told.seconds("duration")
    channels = told.count("channels") if streamed else _transcribed_apart(root)
    return ExtractedUsage(
        usage=token_usage(provider, {"input_audio_seconds": duration and duration * max(channels or 1, 1)}),
        response_model=_model(told),
        response_id=told.name("request_id", 256),
        operation=None if duration is None else "streaming" if streamed else "transcription",
        also=_intelligence(provider, told),
    )


def _intelligence(provider: str, told: Node) -> tuple[ExtractedUsage, ...]:
    """An event for each model that has read the transcript: its tokens are billed beside the audio."""
    found = []
    for name in _BY_TOKENS:
        info = told.node(name)
        if info is None:
            continue
        usage = token_usage(
            provider, {"input_tokens": info.count("input_tokens"), "output_tokens": info.count("output_tokens")}
        )
        if usage is not None and (usage.input_tokens or usage.output_tokens):
            found.append(
                ExtractedUsage(usage=usage, response_model=name.removesuffix("_info"), operation="audio_intelligence")
            )
    return tuple(found)


def _transcribed_apart(root: Node) -> int:
    results = root.node("results")
    return 1 if results is None else len(results.nodes("channels"))


def _model(told: Node) -> str | None:
    """The architecture ("nova-3") of the first model that is listed, by which the price goes."""
    models = told.raw("model_info")
    listed = list(models.values()) if isinstance(models, dict) else []
    first = node_of(listed[0], f"{told.path}.model_info") if listed else None
    return None if first is None else first.name("arch", unreadable=UNREADABLE)


def begins(known: Mapping[str, object], event: Node) -> bool:
    """Whether a message is of another stream."""
    return "duration" in known and event.name("type", 64) == "Metadata"


def fold(known: dict[str, object], event: Node) -> None:
    """Add one message of a stream: the one of type ``Metadata`` has it all."""
    if event.name("type", 64) == "Metadata":
        known |= {name: event.raw(name) for name in _FIELDS if event.has(name)}
