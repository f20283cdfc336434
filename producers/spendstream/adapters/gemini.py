"""Google Gemini (Developer API and Vertex AI): generateContent, embedContent, also Live's usage, and `google_media`.

ai.google.dev/api/generate-content#UsageMetadata. ``promptTokenCount`` includes cached content; tokens that tools added
to the prompt (``toolUsePromptTokenCount``) and thoughts (``thoughtsTokenCount``) stand outside of the counts they
belong to and are added. Storage of explicit caches is billed per hour and does not appear in a response.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from spendstream.adapters import google_media
from spendstream.adapters.reader import Node
from spendstream.adapters.result import ExtractedUsage, Meters, token_usage, tool_calls, total
from spendstream.adapters.tiers import normal_tier
from spendstream_schemas.types import UNREADABLE

_MODALITIES: Final = {"AUDIO": "audio", "IMAGE": "image", "VIDEO": "video"}
_AS_TEXT: Final = ("", "TEXT", "DOCUMENT", "MODALITY_UNSPECIFIED")  # have no meter of their own
UNKNOWN_MODALITY: Final = "unknown_modality"
"""Stands for the model of tokens of a kind that we do not know: they are booked as unpriced, not as text."""
_WRITTEN: Final = {
    "image": "image",
    "banana": "image",
    "live": "audio",
    "tts": "audio",
    "audio": "audio",
    "omni": "video",
}
_WRITES: Final = re.compile(r"image|banana|live|tts|audio|omni")
_BILLED_PER_PROMPT: Final = ("gemini-1", "gemini-2", "gemini-live-2")
"""Models up to 2.5 pay per grounded prompt, later ones per search query (ai.google.dev/gemini-api/docs/pricing)."""


def extract(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one response. Where nothing was produced, Google leaves the count out instead of reporting 0."""
    usage = root.node("usage_metadata")
    model = root.name("model_version", unreadable=UNREADABLE)
    embedding = root.has("embeddings", "embedding")
    tier, image = None, False
    meters: Meters = {}
    others: Meters = {}
    if usage is not None:
        meters, others = counted(usage, model or "")
        tier = usage.name("traffic_type", 64, UNREADABLE) or usage.name("service_tier", 64, UNREADABLE)
    elif embedding:
        meters = {"input_tokens": _embedded_tokens(root), "input_characters": _billable_characters(root)}
    elif (images := google_media.image_meters(root)) is not None:
        meters, image = images, True
    elif (predicted := google_media.predicted_tokens(root)) is not None:
        meters, embedding = {"input_tokens": predicted}, True
    return ExtractedUsage(
        usage=token_usage(provider, meters),
        response_model=model,
        response_id=root.name("response_id", 256),
        service_tier=normal_tier(provider, tier),
        tool_calls=tool_calls(_grounding(root, model or "")),
        also=unknown_kinds(provider, others),
        operation="embeddings" if embedding else "image" if image else "chat" if usage is not None else None,
    )


def counted(usage: Node, model: str) -> tuple[Meters, Meters]:
    """The meters of a usage object, whoever hands it on; and those of tokens of kinds that nobody here knows."""
    meters, others = _without_others(_meters(usage), usage)
    if (writes := _WRITES.search(model)) and meters["output_tokens"] is not None:
        _tell(usage, meters, f"output_{_WRITTEN[writes[0]]}_tokens")
    return meters, others


def unknown_kinds(provider: str, others: Meters) -> tuple[ExtractedUsage, ...]:
    """The usage of tokens of kinds that nobody here knows, if there are any."""
    return (ExtractedUsage(token_usage(provider, others), UNKNOWN_MODALITY),) if any(others.values()) else ()


def _meters(usage: Node) -> Meters:
    tools, thoughts = usage.count("tool_use_prompt_token_count"), usage.count("thoughts_token_count")
    written = usage.count("candidates_token_count")
    if written is None:
        written = usage.count("response_token_count")  # Live's name for it
    read_by_kind = _by_modality(usage.nodes("prompt_tokens_details") + usage.nodes("tool_use_prompt_tokens_details"))
    cached_by_kind = _by_modality(usage.nodes("cache_tokens_details"))
    written_by_kind = _by_modality(usage.nodes("candidates_tokens_details") + usage.nodes("response_tokens_details"))
    meters: Meters = {
        "input_tokens": total(usage.count("prompt_token_count"), tools),
        "cache_read_tokens": usage.count("cached_content_token_count"),
        "tool_use_input_tokens": tools,
        "output_tokens": total(written, thoughts),
        "reasoning_tokens": thoughts,
    }
    for kind in _MODALITIES.values():
        meters[f"input_{kind}_tokens"] = read_by_kind.get(kind)
        meters[f"cache_read_{kind}_tokens"] = cached_by_kind.get(kind)
        meters[f"output_{kind}_tokens"] = written_by_kind.get(kind)
    return meters


def _without_others(meters: Meters, usage: Node) -> tuple[Meters, Meters]:
    """The meters without the tokens of kinds that nobody here knows, and these."""
    read = _of_other_kinds(usage.nodes("prompt_tokens_details") + usage.nodes("tool_use_prompt_tokens_details"))
    cached = _of_other_kinds(usage.nodes("cache_tokens_details"))
    written = _of_other_kinds(usage.nodes("candidates_tokens_details") + usage.nodes("response_tokens_details"))
    counts = {"input_tokens": max(read, cached), "cache_read_tokens": cached, "output_tokens": written}
    others: Meters = {}
    for meter, count in counts.items():
        whole = meters[meter]
        if count and whole is not None:
            others[meter], meters[meter] = count, whole - count
    return meters, others


def _of_other_kinds(details: Iterable[Node]) -> int:
    strange = (item for item in details if _kind(item) not in _MODALITIES and _kind(item) not in _AS_TEXT)
    return total(*(item.count("token_count") for item in strange)) or 0


def _kind(item: Node) -> str:
    return (item.text("modality", 64) or "").upper()


def _tell(usage: Node, meters: Meters, meter: str) -> None:
    """That none of the output is what such a model can also write, where the response says so. Thoughts are text."""
    details = usage.nodes("candidates_tokens_details") or usage.nodes("response_tokens_details")
    if meters[meter] is None and (details or meters["output_tokens"] == (meters["reasoning_tokens"] or 0)):
        meters[meter] = 0


def _by_modality(details: Iterable[Node]) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in details:
        kind, count = _MODALITIES.get(_kind(item)), item.count("token_count")
        if kind is not None and count is not None:
            found[kind] = found.get(kind, 0) + count
    return found


def _grounding(root: Node, model: str) -> dict[str, int | None]:
    found = [candidate.node("grounding_metadata") for candidate in root.nodes("candidates")]
    return grounded_calls([metadata for metadata in found if metadata is not None], model)


def grounded_calls(grounding: list[Node], model: str) -> dict[str, int | None]:
    """What the grounding metadata of an answer's candidates costs, whoever hands it on.

    Grounded prompts (models up to 2.5) or search queries (later ones), prompts grounded in maps, and retrievals. A
    query counts once however often the response names it, and an empty one does not count; searches for images are
    searches: ai.google.dev/gemini-api/docs/google-search. Queries of Vertex AI Search are billed, those of a File
    Search store are not: ai.google.dev/gemini-api/docs/file-search.
    """
    queries: set[tuple[str, str]] = set()
    retrieved: set[str] = set()
    maps = False
    for metadata in grounding:
        for kind in ("web_search_queries", "image_search_queries"):
            queries.update((kind, query) for query in _texts(metadata.raw(kind)))
        if not any(_in_own_store(chunk) for chunk in metadata.nodes("grounding_chunks")):
            retrieved.update(_texts(metadata.raw("retrieval_queries")))
        maps = maps or any(chunk.has("maps") for chunk in metadata.nodes("grounding_chunks"))
    found: dict[str, int | None] = {}
    if queries:
        found["web_search"] = 1 if is_billed_per_prompt(model) else len(queries)
    if retrieved:
        found["file_search"] = len(retrieved)
    if maps:
        found["maps_grounding"] = 1
    return found


def is_billed_per_prompt(model: str) -> bool:
    """Whether grounding costs the same however many queries it made."""
    return model.rpartition("/")[2].startswith(_BILLED_PER_PROMPT)


def _texts(listed: object) -> set[str]:
    return {str(text) for text in listed if text} if isinstance(listed, (list, tuple)) else set()


def _in_own_store(chunk: Node) -> bool:
    found = chunk.node("retrieved_context")
    return found is not None and found.has("file_search_store")


def _embedded_tokens(root: Node) -> int | None:
    """Vertex AI counts tokens per embedded text."""
    statistics = (item.node("statistics") for item in root.nodes("embeddings"))
    return total(*(item.count("token_count") for item in statistics if item is not None))


def _billable_characters(root: Node) -> int | None:
    metadata = root.node("metadata")
    return None if metadata is None else metadata.count("billable_character_count")


def begins(known: Mapping[str, object], chunk: Node) -> bool:
    """Whether a chunk without an id is of another response: one of its candidates had finished. Older models say so in
    each chunk of a stream, in which the prompt's count stays and the total grows."""
    finished = known.get("finished")
    if not isinstance(finished, frozenset) or not any(_place(one) in finished for one in chunk.nodes("candidates")):
        return False
    before, now = (Node(one, chunk.path).node("usage_metadata") for one in (known, chunk.value))
    if before is None or now is None:
        return now is not None
    grows = (now.count("total_token_count") or 0) > (before.count("total_token_count") or 0)
    return not (grows and now.count("prompt_token_count") == before.count("prompt_token_count"))


def _finished(chunk: Node) -> frozenset[int]:
    return frozenset(_place(one) for one in chunk.nodes("candidates") if one.has("finish_reason"))


def _place(candidate: Node) -> int:
    return candidate.count("index") or 0


def fold(known: dict[str, object], chunk: Node) -> None:
    """Add one stream chunk to what is known: the last usage wins, and the grounding of all chunks stays known."""
    for name in ("model_version", "response_id", "usage_metadata"):
        if chunk.has(name):
            known[name] = chunk.raw(name)
    if chunk.has("error"):
        known["failed"] = True
    if not chunk.has("response_id"):
        before = known.get("finished")
        known["finished"] = _finished(chunk) | (before if isinstance(before, frozenset) else frozenset())
    grounded = [candidate.value for candidate in chunk.nodes("candidates") if candidate.has("grounding_metadata")]
    if grounded:
        before = known.get("candidates")
        known["candidates"] = (before if isinstance(before, list) else []) + [
            {"grounding_metadata": Node(item, "google").raw("grounding_metadata")} for item in grounded
        ]
