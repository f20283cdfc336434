"""OpenAI images and transcription: platform.openai.com/docs/api-reference/images/object and /audio.

Also what can be known of responses without usage: the seconds of a transcription where they are told, and which kind of
call a list is of.
"""

from collections.abc import Mapping

from spendstream.adapters import openai_responses
from spendstream.adapters.reader import Node
from spendstream.adapters.result import ExtractedUsage, Meters, token_usage
from spendstream_schemas.types import UNREADABLE


def image_meters(root: Node, usage: Node | None) -> Meters:
    """GPT image models report tokens; DALL-E and Grok Imagine report none, so their images are counted."""
    if usage is None or not usage.has("input_tokens", "output_tokens"):
        images = root.nodes("data")
        return {"output_images": len(images) or None}
    return openai_responses.image_meters(usage)


def svg_usage(provider: str, root: Node) -> tuple[ExtractedUsage, ...]:
    """Tokens of the model that wrote an SVG, which are billed beside the image model's."""
    usage = root.node("svg_usage")
    if usage is None:
        return ()
    meters: Meters = {
        "input_tokens": usage.count("input_tokens"),
        "output_tokens": usage.count("output_tokens"),
        "reasoning_tokens": usage.count("reasoning_tokens"),
    }
    return (
        ExtractedUsage(
            usage=token_usage(provider, meters),
            response_model=usage.name("model", unreadable=UNREADABLE),
            operation="image",
        ),
    )


def transcription_meters(usage: Node) -> Meters:
    """Billed by tokens or by the duration of the audio, as ``usage.type`` says."""
    if usage.has("seconds"):
        return {"input_audio_seconds": usage.seconds("seconds")}
    return openai_responses.meters(usage)


def unreported_meters(root: Node, operation: str | None) -> Meters:
    """Meters of a response without a usage object: Whisper tells the audio's length in ``verbose_json`` only; Voyage's
    client puts the total beside the embeddings or results."""
    if operation == "transcription":
        return {"input_audio_seconds": root.seconds("duration")}
    return {"input_tokens": root.count("total_tokens")} if operation in ("embeddings", "rerank") else {}


def is_transcript(root: Node) -> bool:
    """Whether a response without usage is of audio: Whisper's ``json`` has nothing but the text."""
    return isinstance(root.raw("text"), str) and not root.has("choices", "output")


def kind_of_list(root: Node) -> str | None:
    """What the items of a response are: documents with their relevance (Voyage, Jina, Together, vLLM) or vectors."""
    if _first_has(root, "results", "relevance_score") or _first_has(root, "data", "relevance_score"):
        return "rerank"
    return "embeddings" if root.has("embeddings") or _first_has(root, "data", "embedding") else None


def _first_has(root: Node, name: str, field: str) -> bool:
    items = root.raw(name)
    first = items[0] if isinstance(items, (list, tuple)) and items else None
    return field in first if isinstance(first, Mapping) else getattr(first, field, None) is not None
