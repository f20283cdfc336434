"""litellm's entries in our terms: who sells what where, and what one event of each kind costs by its figures.

An entry's name says provider, place and model in a dozen ways (`azure/eu/gpt-4o`, `bedrock/us-gov-west-1/...`); its
fields say the price of a meter above a context length in a tier (`input_cost_per_token_above_272k_tokens_flex`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from tests.benchmarks.catalogue.probes import STANDARD, Probe, probe

PROVIDERS: Final = {
    "azure_ai": "azure", "azure_text": "azure", "bedrock": "aws", "bedrock_converse": "aws", "bedrock_mantle": "aws",
    "amazon_nova": "amazon_nova", "gemini": "google", "xai": "x-ai", "codestral": "mistral",
    "text-completion-codestral": "mistral", "text-completion-openai": "openai", "cohere_chat": "cohere",
    "together_ai": "together", "fireworks_ai": "fireworks", "fireworks_ai-embedding-models": "fireworks",
    "moonshot": "moonshotai", "voyage": "voyageai", "bigmodel": "zhipuai", "meta_llama": "meta",
    "github_copilot": "github-copilot",
}  # fmt: skip
"""litellm's names of providers -> ours, where they differ; all of `vertex_ai` is google."""
ZONES: Final = {"us": "eastus", "eu": "swedencentral", "apac": "japaneast"}
"""Azure's Data Zones, and a region in each."""
NOT_COMPARED: Final = {
    "commitment": "provisioned throughput: billed by the hour",
    "size": "images by size and quality: the contract has no size",
    "alias": "no provider and no price of its own: an alias that moves",
    "no price": "no figure that prices a call",
}
_REGION: Final = re.compile(r"[a-z]{2}(?:-gov)?-[a-z]+-\d")
_SIZED: Final = re.compile(r"(?:^|/)(?:\d+|max)-x-(?:\d+|max)(?:/|$)")
_TOKEN_FIELDS: Final = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "cache_creation_input_token_cost_above_12hr": "cache_write_12h",
    "input_cost_per_audio_token": "input_audio",
    "output_cost_per_audio_token": "output_audio",
    "input_cost_per_image_token": "input_image",
    "output_cost_per_image_token": "output_image",
    "input_cost_per_video_token": "input_video",
    "output_cost_per_video_token": "output_video",
    "cache_read_input_audio_token_cost": "cache_read_audio",
    "cache_read_input_image_token_cost": "cache_read_image",
}
_FLAT_FIELDS: Final = {
    "input_cost_per_character": "characters",
    "output_cost_per_image": "image",
    "output_cost_per_second": "second",
    "output_cost_per_video_per_second": "video_second",
    "input_cost_per_second": "second",
    "ocr_cost_per_page": "page",
    "input_cost_per_query": "query",
    "google_maps_grounding_cost_per_query": "maps",
    "code_interpreter_cost_per_session": "code_execution",
}
_TIERS: Final = {"batches": "batch", "flex": "flex", "priority": "priority"}
_FIELD: Final = re.compile(
    r"(?P<field>{})(?:_above_(?P<above>\d+)k_tokens)?(?:_(?P<tier>{}))?".format(
        "|".join(sorted(_TOKEN_FIELDS, key=len, reverse=True)), "|".join(_TIERS)
    )
)
_SEARCH: Final = "search_context_cost_per_query"
_VIDEO_MODES: Final = frozenset({"video_generation"})


@dataclass(frozen=True)
class Row:
    """One entry of theirs: what a service would say in its event, and what each kind of event costs in USD."""

    name: str
    provider: str
    model: str
    region: str | None = None
    conditions: Mapping[str, str] = field(default_factory=dict)
    probes: tuple[Probe, ...] = ()
    not_compared: str = ""  # a key of NOT_COMPARED

    @property
    def place(self) -> str:
        return ",".join([*([self.region] if self.region else []), *(f"{k}={v}" for k, v in self.conditions.items())])


def rows(entries: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """All entries in our terms, in their order; those that cannot be compared say why."""
    return [_row(name, entry) for name, entry in entries.items() if name != "sample_spec"]


def _row(name: str, entry: Mapping[str, Any]) -> Row:
    theirs = str(entry.get("litellm_provider") or "")
    provider = "google" if theirs.startswith("vertex_ai") else PROVIDERS.get(theirs, theirs)
    model, region, conditions = _place(name, provider)
    row = Row(name, provider or name.partition("/")[0], model, region, conditions)
    if not theirs:
        return _refused(row, "alias")
    if "-month-commitment" in name:
        return _refused(row, "commitment")
    if _SIZED.search(name):
        return _refused(row, "size")
    probes = tuple(_probes(entry, provider, on_vertex=name.startswith("vertex_ai/")))
    return Row(name, provider, model, region, conditions, probes) if probes else _refused(row, "no price")


def _refused(row: Row, why: str) -> Row:
    return Row(row.name, row.provider, row.model, row.region, row.conditions, (), why)


def _place(name: str, provider: str) -> tuple[str, str | None, dict[str, str]]:
    """(model, region, conditions) that an entry's name says."""
    parts = name.split("/")
    if provider == "aws":
        parts = [part for part in parts if part not in ("bedrock", "bedrock_mantle", "invoke")]
        region = next((part for part in parts if _REGION.fullmatch(part)), None)
        return parts[-1] if parts else name, region, {}
    if provider == "azure":
        parts = parts[1:] if parts[0] in ("azure", "azure_ai") else parts
        if len(parts) > 1 and parts[0] in ZONES:
            return "/".join(parts[1:]), ZONES[parts[0]], {"deployment": "data_zone"}
        if len(parts) > 1 and parts[0] == "us-gov":
            return "/".join(parts[1:]), "usgovvirginia", {"deployment": "regional"}
        if len(parts) > 1 and parts[0] in ("global", "global-standard"):
            return "/".join(parts[1:]), None, {"deployment": "global"}
        return "/".join(parts), None, {}
    prefixes = ("gemini", "vertex_ai", "xai", "mistral", "codestral", "text-completion-codestral", "deepseek", "groq",
                "perplexity", "together_ai", "fireworks_ai", "moonshot", "voyage", "zai", "bigmodel", "meta_llama",
                "github_copilot", "cohere", "openai", "anthropic", provider)  # fmt: skip
    if len(parts) > 1 and parts[0] in prefixes:
        return "/".join(parts[1:]), None, {}
    return name, None, {}


def _probes(entry: Mapping[str, Any], provider: str, *, on_vertex: bool) -> Iterator[Probe]:
    one_sided = entry.get("mode") in ("embedding", "rerank", "moderation", "image_generation", "ocr")
    found: dict[Probe, None] = {}
    for key, value in entry.items():
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            continue
        matched = _FIELD.fullmatch(key)
        if matched is not None:
            kind, tier = _TOKEN_FIELDS[matched["field"]], _TIERS.get(matched["tier"] or "", STANDARD)
            if value == 0 and one_sided and kind.startswith("output"):
                continue
            made = probe(kind, tier=tier, above=int(matched["above"] or 0) * 1000, usd=Decimal(value))
            found[made] = None
        elif key in _FLAT_FIELDS and value != 0:
            kind = _FLAT_FIELDS[key]
            if kind == "second":
                video = entry.get("mode") in _VIDEO_MODES
                kind = "video_second" if video else "audio_second" if key.startswith("input") else ""
            if kind:
                found[probe(kind, usd=Decimal(value))] = None
    found.update(dict.fromkeys(_search(entry, provider)))
    found.update(dict.fromkeys(_multiplied(entry, on_vertex=on_vertex)))
    yield from found


def _search(entry: Mapping[str, Any], provider: str) -> Iterator[Probe]:
    by_size = entry.get(_SEARCH)
    if not isinstance(by_size, dict):
        return
    for field_name, usd in by_size.items():
        size = field_name.removeprefix("search_context_size_")
        kind = "request" if provider == "perplexity" else "web_search"
        differ = len(set(by_size.values())) > 1
        if differ or size == "medium":
            conditions = {"search_context": size} if differ else {}
            yield probe(kind, usd=Decimal(usd), conditions=conditions)


def _multiplied(entry: Mapping[str, Any], *, on_vertex: bool) -> Iterator[Probe]:
    """Input and output where the entry gives a factor for a place or a speed; on Vertex also where it gives none."""
    special = entry.get("provider_specific_entry")
    special = special if isinstance(special, dict) else {}
    factors = {
        ("data_residency", "eu"): entry.get("regional_processing_uplift_multiplier_eu"),
        ("data_residency", "us"): entry.get("regional_processing_uplift_multiplier_us"),
        ("endpoint", "regional"): (uplift := entry.get("regional_endpoint_uplift_multiplier")),
        ("inference_geo", "us"): special.get("us"),
        ("speed", "fast"): special.get("fast"),
    }
    if on_vertex:
        factors |= {("region", place): Decimal(1) if uplift is None else uplift for place in ("europe-west4", "us")}
    for (name, value), factor in factors.items():
        if not isinstance(factor, int | Decimal):
            continue
        for key in ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost"):
            if isinstance(price := entry.get(key), int | Decimal):
                yield probe(_TOKEN_FIELDS[key], usd=Decimal(price) * factor, conditions={name: value})
