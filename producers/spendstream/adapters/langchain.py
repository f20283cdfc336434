"""LangChain's messages: what any of its chat models answers with, whole (`AIMessage`) or in chunks (`AIMessageChunk`).

python.langchain.com/api_reference/core/messages (UsageMetadata): ``input_tokens`` includes cache, ``output_tokens``
includes reasoning; the details may have keys of a tier (``flex_cache_read``). The usage of chunks adds up to that of
the message. ``response_metadata`` is the provider's own: model, id, tier, and what LangChain counts nowhere.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from spendstream.adapters.reader import Node
from spendstream.adapters.result import ExtractedUsage, Meters, token_usage, tool_calls
from spendstream.adapters.tiers import normal_tier
from spendstream_schemas.types import UNREADABLE

_TIERS: Final = ("", "flex_", "priority_")
_INPUT: Final = {
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_creation",
    "cache_write_5m_tokens": "ephemeral_5m_input_tokens",
    "cache_write_1h_tokens": "ephemeral_1h_input_tokens",
    "input_audio_tokens": "audio",
}
_OUTPUT: Final = {"reasoning_tokens": "reasoning", "output_audio_tokens": "audio"}
_OWN_IDS: Final = ("run-", "lc_", "lc-")
"""How ids begin that LangChain made itself; others are the provider's."""


def is_message(root: Node) -> bool:
    """Whether this is one of LangChain's; ``{"raw": message, "parsed": ...}`` (`with_structured_output`) is one too."""
    root = _message(root)
    return _kind(root) in ("ai", "AIMessageChunk") and isinstance(root.raw("response_metadata"), Mapping)


def messages_in(response: object) -> list[Any]:
    """The messages of what holds several: a list (`batch`), an `LLMResult` (`generate`), the state of an agent
    (``{"messages": [...]}``), of which those after the last question are new. Empty for anything else."""
    if isinstance(response, BaseModel) and type(response).__name__ != "LLMResult":
        return []
    if isinstance(response, Mapping):
        listed = response.get("messages")
        found = list(listed) if isinstance(listed, (list, tuple)) else []
        asked = [place for place, one in enumerate(found) if _type(one) in ("human", "HumanMessageChunk")]
        return [one for one in found[asked[-1] + 1 if asked else 0 :] if _is_answer(one)]
    if isinstance(response, (list, tuple)):
        return list(response) if response and all(_is_answer(one) for one in response) else []
    if type(response).__name__ != "LLMResult":
        return []
    generations = getattr(response, "generations", None)
    answers = [line[0] for line in generations if line] if isinstance(generations, list) else []  # the rest are choices
    return [one for one in (getattr(answer, "message", None) for answer in answers) if _is_answer(one)]


def _type(value: object) -> object:
    return value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)


def _is_answer(value: object) -> bool:
    return _type(value) in ("ai", "AIMessageChunk")


def extract(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one message."""
    root = _message(root)
    usage, said = root.node("usage_metadata"), root.node("response_metadata")
    assert said is not None
    meters: Meters = {}
    if usage is not None:
        meters = {"input_tokens": usage.count("input_tokens"), "output_tokens": usage.count("output_tokens")}
        for details, names in (("input_token_details", _INPUT), ("output_token_details", _OUTPUT)):
            node = usage.node(details)
            if node is not None:
                meters |= {meter: _by_tier(node, name) for meter, name in names.items()}
    ids = (said.name("id", 256), root.name("id", 256))
    billed = said.node("usage")
    tools = billed.node("server_tool_use") if billed is not None else None
    return ExtractedUsage(
        usage=token_usage(provider, meters),
        response_model=said.name("model_name", unreadable=UNREADABLE) or said.name("model", unreadable=UNREADABLE),
        response_id=next((one for one in ids if one and not one.startswith(_OWN_IDS)), None),
        service_tier=normal_tier(provider, _tier(said)),
        tool_calls=None if tools is None else tool_calls({"web_search": tools.count("web_search_requests")}),
        operation="chat",
    )


def fold(known: dict[str, object], chunk: Node) -> None:
    """Add one chunk to the message."""
    known["type"] = "ai"
    known["response_metadata"] = _mapping(known.get("response_metadata")) | _mapping(chunk.raw("response_metadata"))
    if chunk.raw("id"):
        known["id"] = chunk.raw("id")
    usage = chunk.raw("usage_metadata")
    if isinstance(usage, Mapping):
        known["usage_metadata"] = _sum(_mapping(known.get("usage_metadata")), usage)
    if chunk.raw("chunk_position") == "last":
        known["complete"] = True


def _message(root: Node) -> Node:
    if isinstance(root.value, Mapping) and "raw" in root.value and "parsed" in root.value:
        return root.node("raw") or root
    return root


def _by_tier(node: Node, name: str) -> int | None:
    return next((count for tier in _TIERS if (count := node.count(tier + name)) is not None), None)


def _tier(said: Node) -> str | None:
    usage = said.node("usage")
    return said.name("service_tier", 64, UNREADABLE) or (
        usage.name("service_tier", 64, UNREADABLE) if usage is not None else None
    )


def _kind(root: Node) -> object:
    """Not `raw`: in a message that a model made, it is a default that nobody set."""
    value = root.value
    try:
        return value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    except Exception:  # noqa: BLE001 - a foreign object may raise anything from a property
        return None


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _sum(known: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(known)
    for name, value in more.items():
        if isinstance(value, Mapping):
            found[name] = _sum(_mapping(found.get(name)), value)
        elif value is not None:
            before = found.get(name)
            both = isinstance(value, int) and isinstance(before, int)
            found[name] = before + value if both else value
    return found
