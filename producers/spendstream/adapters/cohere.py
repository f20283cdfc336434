"""Cohere v2: chat, embed and rerank.

docs.cohere.com/reference/chat: what is billed is ``billed_units``, not ``tokens`` (which include the prompt template).
Reasoning is not reported, and no model is named in a response.
"""

from typing import Final

from spendstream.adapters.problems import problem
from spendstream.adapters.reader import Node
from spendstream.adapters.result import ExtractedUsage, Meters, token_usage

UNCOUNTED: Final = "units_without_meter"
"""Stands for what is billed by the image or the classification, for which there is no meter: unpriced, not lost."""


def extract(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one response: under ``usage`` for chat, under ``meta`` for embed and rerank."""
    usage = root.node("usage") or root.node("meta")
    billed = usage.node("billed_units") if usage is not None else None
    counted = None if usage is None or billed is None else token_usage(provider, _meters(usage, billed))
    return ExtractedUsage(
        usage=counted,
        response_id=root.name("id", 256),
        operation=_operation(root),
        also=() if billed is None or counted is None else _without_meter(billed),
    )


def _without_meter(billed: Node) -> tuple[ExtractedUsage, ...]:
    """An event of its own for units that no meter counts; images whose tokens are reported are billed by those."""
    by_piece = (billed.count("images") and not billed.count("image_tokens")) or billed.count("classifications")
    return (ExtractedUsage(response_model=UNCOUNTED),) if by_piece else ()


def _operation(root: Node) -> str | None:
    if root.has("embeddings"):
        return "embeddings"
    if root.has("results"):
        return "rerank"
    return "chat" if root.has("usage", "message", "finish_reason") else None


def _meters(usage: Node, billed: Node) -> Meters:
    meters: Meters = {
        "input_tokens": billed.count("input_tokens"),
        "output_tokens": billed.count("output_tokens"),
        "search_units": billed.count("search_units"),
        "input_pages": billed.count("pages"),
        "cache_read_tokens": _billed_cache_reads(usage, billed),
    }
    return meters | _images(billed)


def _billed_cache_reads(usage: Node, billed: Node) -> int | None:
    """``cached_tokens`` is counted in ``tokens.input_tokens``: it is a part of the bill only where the two agree."""
    cached, tokens = usage.count("cached_tokens"), usage.node("tokens")
    processed = None if tokens is None else tokens.count("input_tokens")
    if cached is not None and processed is not None and cached > processed:
        problem(f"{usage.path}: cached_tokens = {cached} > tokens.input_tokens = {processed}")
        return None
    return cached if processed is None or processed == billed.count("input_tokens") else None


def _images(billed: Node) -> Meters:
    """Embedded images: ``image_tokens`` and ``text_tokens``. ``input_tokens`` is either the text's or both's.

    Where the text's are not given it is taken as the text's, which is the dearer of the two.
    """
    image, text, both = billed.count("image_tokens"), billed.count("text_tokens"), billed.count("input_tokens")
    if not image:
        return {"input_image_tokens": image if both is not None else None}
    if not both or text is None or both == text:
        return {"input_tokens": image + (text if text is not None else both or 0), "input_image_tokens": image}
    if both == image + text:
        return {"input_image_tokens": image}
    problem(f"{billed.path}: input_tokens = {both}, image_tokens = {image} and text_tokens = {text} do not add up")
    return {}


def fold(known: dict[str, object], event: Node) -> None:
    """Add one stream event to what is known: the id comes with message-start, usage with message-end."""
    if event.has("id"):
        known["id"] = event.raw("id")
    delta = event.raw("delta") if event.name("type", 64) == "message-end" else None
    if delta is not None:
        end = Node(delta, f"{event.path}.delta")
        if end.raw("finish_reason") in ("ERROR", "TIMEOUT"):
            known["failed"] = True
        if end.has("usage"):
            known["usage"] = end.raw("usage")
