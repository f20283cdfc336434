"""Google's Interactions API (ai.google.dev/gemini-api/docs/interactions), read as what generateContent would say.

Fields are those of google-genai's types. As there, thoughts and tokens that tools added to the prompt stand outside of
the counts they belong to and are added, unless ``total_tokens`` says that they are inside.
"""

from typing import Any, Final, Literal

from spendstream.adapters import gemini
from spendstream.adapters.problems import problem
from spendstream.adapters.reader import Node
from spendstream.adapters.result import ExtractedUsage, tool_calls, total
from spendstream_schemas.types import UNREADABLE

_FIELDS: Final = ("id", "model", "agent", "object", "status", "service_tier", "usage")
_DETAILS: Final = {
    "input_tokens_by_modality": "prompt_tokens_details",
    "tool_use_tokens_by_modality": "tool_use_prompt_tokens_details",
    "cached_tokens_by_modality": "cache_tokens_details",
    "output_tokens_by_modality": "candidates_tokens_details",
}
_TOOLS: Final = {"google_search": "web_search", "google_maps": "maps_grounding", "retrieval": "file_search"}
_ENDED: Final[dict[str, Literal["error", "cancelled"]]] = {"failed": "error", "cancelled": "cancelled"}


def extract(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one interaction, or of a stream's event that holds it. An agent's is named by the agent."""
    root = root.node("interaction") or root
    usage = root.node("usage")
    model = root.name("model", unreadable=UNREADABLE) or root.name("agent", unreadable=UNREADABLE)
    said: dict[str, Any] = {"model_version": model, "response_id": root.name("id", 256)}
    if usage is not None:
        said["usage_metadata"] = _as_generated(usage) | {"service_tier": root.name("service_tier", 64, UNREADABLE)}
    found = gemini.extract(provider, Node(said, root.path))
    return ExtractedUsage(
        usage=found.usage,
        response_model=model,
        response_id=found.response_id,
        service_tier=found.service_tier,
        tool_calls=None if usage is None else tool_calls(_tools(usage, model or "")),
        also=found.also,
        operation="chat",
        status=_ENDED.get(root.name("status", 64) or ""),
    )


def _as_generated(usage: Node) -> dict[str, Any]:
    """The same counts under generateContent's names."""
    read, tools = usage.count("total_input_tokens"), usage.count("total_tool_use_tokens")
    written, thoughts = usage.count("total_output_tokens"), usage.count("total_thought_tokens")
    tools_inside, thoughts_inside = _inside(usage, read, tools, written, thoughts)
    said: dict[str, Any] = {
        "prompt_token_count": read - tools if tools_inside and read and tools else read,
        "tool_use_prompt_token_count": tools,
        "candidates_token_count": written - thoughts if thoughts_inside and written and thoughts else written,
        "thoughts_token_count": thoughts,
        "cached_content_token_count": usage.count("total_cached_tokens"),
        "total_token_count": usage.count("total_tokens"),
    }
    for name, theirs in _DETAILS.items():
        parts = usage.nodes(name)
        said[theirs] = [{"modality": one.raw("modality"), "token_count": one.count("tokens")} for one in parts] or None
    if tools_inside:  # and so are they in the breakdown
        said["tool_use_prompt_tokens_details"] = None
    return said


def _inside(
    usage: Node, read: int | None, tools: int | None, written: int | None, thoughts: int | None
) -> tuple[bool, bool]:
    """Whether the tools' tokens are inside of the input, and the thoughts inside of the output: by the total. Where
    several ways agree with it, the dearest."""
    whole, counted = usage.count("total_tokens"), total(read, written) or 0
    ways = (
        (counted + (tools or 0) + (thoughts or 0), (False, False)),
        (counted + (thoughts or 0), (True, False)),
        (counted + (tools or 0), (False, True)),
        (counted, (True, True)),
    )
    fits = ((tools or 0) <= (read or 0), (thoughts or 0) <= (written or 0))
    for found, way in ways:
        if whole is None or (whole == found and all(not inside or fit for inside, fit in zip(way, fits, strict=True))):
            return way
    problem(
        f"{usage.path}: total_tokens = {whole} is neither input + output = {counted} nor that plus "
        f"thoughts ({thoughts}) or tool use ({tools})"
    )
    return False, False


def _tools(usage: Node, model: str) -> dict[str, int | None]:
    """As of generateContent: models up to 2.5 pay per grounded prompt, later ones per query."""
    found: dict[str, int | None] = {}
    for item in usage.nodes("grounding_tool_count"):
        tool, count = _TOOLS.get(item.text("type", 64) or ""), item.count("count")
        if tool is not None and count:
            once = tool != "file_search" and gemini.is_billed_per_prompt(model)
            found[tool] = 1 if once else (found.get(tool) or 0) + count
    return found


def fold(known: dict[str, object], event: Node) -> None:
    """Add one stream event to what is known: the last one has the interaction with its usage, others the usage so
    far."""
    kind = event.name("event_type", 64) or ""
    interaction = event.node("interaction")
    if interaction is not None:
        known |= {name: interaction.raw(name) for name in _FIELDS if interaction.has(name)}
        known["complete"] = interaction.has("usage") and kind != "interaction.created"
    elif event.has("usage"):
        known["usage"] = event.raw("usage")
    if kind == "error":
        known["failed"] = True
