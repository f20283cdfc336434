"""Price keys: what each price of the book is per, and which meter of an event it prices.

The names are those of genai-prices, so that base data and corrections read alike. Keys that the base data does not
have (30-minute cache writes, images, ...) follow the same pattern and come from corrections only.
"""

from typing import Final

_M: Final = 1_000_000
_TOKEN_MODALITIES: Final = ("text", "audio", "image", "video")
CACHE_TTLS: Final = ("5m", "30m", "1h", "12h")

TOKEN_KEYS: Final[frozenset[str]] = frozenset(
    {
        "input_mtok",
        "output_mtok",
        "output_reasoning_mtok",
        "output_citation_mtok",
        "cache_read_mtok",
        "cache_write_mtok",
        *(f"cache_write_{ttl}_mtok" for ttl in CACHE_TTLS),
        *(f"input_{modality}_mtok" for modality in _TOKEN_MODALITIES),
        *(f"output_{modality}_mtok" for modality in _TOKEN_MODALITIES),
        *(f"cache_{modality}_read_mtok" for modality in _TOKEN_MODALITIES),
        *(f"cache_{modality}_write_mtok" for modality in _TOKEN_MODALITIES),
    }
)
"""USD per million tokens."""

FLAT_METERS: Final[dict[str, tuple[str, ...]]] = {
    "input_characters": ("input_mchars",),
    "input_audio_seconds": ("input_audio_hours", "audio_hours"),
    "output_audio_seconds": ("output_audio_hours", "audio_hours"),
    "output_video_seconds": ("output_video_hours",),
    "output_images": ("output_images_kcount",),
    "input_pages": ("input_document_kpages",),
    "input_annotated_pages": ("input_annotated_document_kpages",),
    "search_units": ("rerank_searches_kcount",),
}
"""Meters that are not tokens -> the price keys that price them, most specific first."""

TOOL_KEYS: Final[dict[str, str]] = {
    "web_search": "web_searches_kcount",
    "web_fetch": "web_fetches_kcount",
    "file_search": "storage_searches_kcount",
    "code_execution": "code_executions_kcount",
    "social_search": "social_searches_kcount",
    "maps_grounding": "maps_groundings_kcount",
    "image_generation": "image_generations_kcount",
    "computer_use": "computer_uses_kcount",
}
"""Kinds of server-side tool calls -> their price keys (USD per thousand calls)."""

REQUESTS_KEY: Final = "requests_kcount"
"""USD per thousand requests: every event counts as one."""

PER: Final[dict[str, int]] = {
    **dict.fromkeys(TOKEN_KEYS, _M),
    "input_mchars": _M,
    "audio_hours": 3600,
    "input_audio_hours": 3600,
    "output_audio_hours": 3600,
    "output_video_hours": 3600,
    "output_images_kcount": 1000,
    "input_document_kpages": 1000,
    "input_annotated_document_kpages": 1000,
    "rerank_searches_kcount": 1000,
    REQUESTS_KEY: 1000,
    **dict.fromkeys(TOOL_KEYS.values(), 1000),
}
"""How many units of the meter one price is for. The keys are all price keys the book knows."""
