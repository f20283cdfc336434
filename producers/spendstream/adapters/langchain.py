"""LangChain's messages: what any of its chat models answers with, whole (`AIMessage`) or in chunks (`AIMessageChunk`).

python.langchain.com/api_reference/core/messages (UsageMetadata): ``input_tokens`` includes cache, ``output_tokens``
includes reasoning; the details may have keys of a tier (``flex_cache_read``). The usage of chunks adds up to that of
the message. ``response_metadata`` is the provider's own: model, id, tier, and what LangChain counts nowhere.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel

from spendstream.adapters import anthropic, bedrock, gemini, langchain_anthropic, openai_responses
from spendstream.adapters.openai import SEARCHES
from spendstream.adapters.openai_compatible import reported_tool_calls, search_context
from spendstream.adapters.reader import Node
from spendstream.adapters.result import ExtractedUsage, Meters, conditions, token_usage, tool_calls, total
from spendstream.adapters.stated import stated_cost
from spendstream.adapters.tiers import normal_tier
from spendstream_schemas import Conditions
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
_RUN: Final = re.compile(r"(?:lc_)?run-+([0-9a-f]{8}-[0-9a-f-]{27})")
_HOSTED: Final = {
    "web_search": "web_search_call",
    "file_search": "file_search_call",
    "code_interpreter": "code_interpreter_call",
    "image_generation": "image_generation_call",
}
"""Hosted tools by LangChain's name of them in standard content blocks -> the item of OpenAI's response."""
_KEPT: Final = ("id", "type", "name", "container_id")
_ITEMS: Final = (*_HOSTED.values(), "shell_call")
_GROUNDING: Final = "grounding_metadata"
_NOTHING: Final[tuple[object, ...]] = (None, "", {}, [])
"""Chunks repeat fields empty that another chunk has filled."""
_NOT_OPENAIS: Final = ("anthropic", "aws", "google")
"""Their blocks have the same names; what they cost is counted elsewhere."""


def is_message(root: Node) -> bool:
    """Whether this is one of LangChain's; ``{"raw": message, "parsed": ...}`` (`with_structured_output`) is one too."""
    root = _message(root)
    return isinstance(root.raw("response_metadata"), Mapping) and _kind(root) in ("ai", "AIMessageChunk")


def messages_in(response: object) -> list[Any]:
    """The messages of what holds several: a list (`batch`), an `LLMResult` (`generate`), the state of an agent
    (``{"messages": [...]}``), of which those after the last question are new. Empty for anything else."""
    if isinstance(response, BaseModel) and type(response).__name__ != "LLMResult":
        return []
    if isinstance(response, Mapping):
        listed = response.get("messages")
        found = list(listed) if isinstance(listed, (list, tuple)) else []
        asked = [place for place, one in enumerate(found) if type_of(one) in ("human", "HumanMessageChunk")]
        return [one for one in found[asked[-1] + 1 if asked else 0 :] if _is_answer(one)]
    if isinstance(response, (list, tuple)):
        return list(response) if response and all(_is_answer(one) for one in response) else []
    if type(response).__name__ != "LLMResult":
        return []
    generations = getattr(response, "generations", None)
    answers = [line[0] for line in generations if line] if isinstance(generations, list) else []  # the rest are choices
    return [one for one in (getattr(answer, "message", None) for answer in answers) if _is_answer(one)]


def type_of(value: object) -> object:
    """What an object says that it is, also where only its class does."""
    return value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)


def _is_answer(value: object) -> bool:
    return type_of(value) in ("ai", "AIMessageChunk")


def extract(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one message."""
    root = _message(root)
    usage, said = root.node("usage_metadata"), root.node("response_metadata")
    assert said is not None
    billed = [node for name in ("usage", "token_usage") if (node := _part(said, name)) is not None]
    meters: Meters = {}
    if usage is not None:
        meters = {"input_tokens": usage.count("input_tokens"), "output_tokens": usage.count("output_tokens")}
        for details, names in (("input_token_details", _INPUT), ("output_token_details", _OUTPUT)):
            node = usage.node(details)
            if node is not None:
                meters |= {meter: _by_tier(node, name) for meter, name in names.items()}
        if provider == "perplexity":
            meters |= _beside_the_answer(usage, meters)
    ids = (said.name("id", 256), root.name("id", 256))
    model = (
        bedrock.routed_to(said)
        or said.name("model_name", unreadable=UNREADABLE)
        or said.name("model", unreadable=UNREADABLE)
    )
    cost, refused = _stated(provider, [*billed, said])
    found = ExtractedUsage(
        response_model=model,
        response_id=next((one for one in ids if one and not one.startswith(_OWN_IDS)), None),
        service_tier=normal_tier(provider, _tier(said, billed)),
        conditions=_conditions(said, billed),
        operation="chat",
    )
    googles, others = _part(said, "usage_metadata"), Meters()
    if googles is not None and googles.count("prompt_token_count"):  # Vertex AI's own: LangChain's leave thoughts out
        own, others = gemini.counted(googles, model or "")
        meters |= {name: count for name, count in own.items() if count is not None}
    also = gemini.unknown_kinds(provider, others)
    also += () if billed else langchain_anthropic.untold(_blocks(root.raw("content")))
    for iterated in (one for one in billed if one.raw("iterations")):
        compacted, advised = anthropic.beside_the_totals(provider, iterated, found)
        meters = anthropic.summed([meters, *compacted]) if meters else meters
        also += advised
    return replace(
        found,
        usage=token_usage(provider, meters),
        tool_calls=tool_calls(_tools(provider, root, said, billed, model or "")),
        stated_cost_usd=None if also else cost,  # of the whole call
        stated_cost_refused=refused,
        also=also,
        run_id=_run(ids[1]),
    )


def _run(message_id: str | None) -> str | None:
    """LangChain's id of the run: ``run--<uuid>`` or ``lc_run--<uuid>`` in chunks and their sum, with ``-0`` behind it
    where the message came whole."""
    found = _RUN.match(message_id or "")
    return found[1] if found else None


def _beside_the_answer(usage: Node, meters: Meters) -> Meters:
    """What Perplexity bills beside the answer: langchain-perplexity's output tokens are the answer's alone."""
    details = usage.node("output_token_details")
    citations = None if details is None else details.count("citation_tokens")
    written, reasoning = meters["output_tokens"], meters.get("reasoning_tokens")
    if written is None:
        return {}
    found: Meters = {"output_tokens": total(int(written), citations, None if reasoning is None else int(reasoning))}
    return found if citations is None else found | {"citation_tokens": citations}


def _stated(provider: str, billed: list[Node]) -> tuple[Decimal | None, str | None]:
    """What the provider states in its own usage object, where LangChain hands it on."""
    found = (stated_cost(provider, usage) for usage in billed)
    return next((one for one in found if one != (None, None)), (None, None))


def _conditions(said: Node, billed: list[Node]) -> Conditions | None:
    """The conditions in a provider's own usage object, and those beside it."""
    facts: dict[str, str | None] = {"latency": bedrock.latency(said), "search_context": search_context(said)}
    for usage in billed:
        found = anthropic.where_served(usage) | {"search_context": search_context(usage)}
        facts |= {name: value for name, value in found.items() if value is not None}
    return conditions(**facts)


def _tools(provider: str, root: Node, said: Node, billed: list[Node], model: str) -> dict[str, int | None]:
    """Calls of hosted tools, wherever the integration of this provider keeps them.

    OpenAI's items stand in the content, or in ``additional_kwargs.tool_outputs``; Gemini's grounding, Anthropic's and
    xAI's counts in ``response_metadata``. Counts go before what was listed.
    """
    listed = Node({"object": "response", "output": _hosted_items(provider, root)}, root.path)
    found = openai_responses.tool_counts(listed, provider) | langchain_anthropic.calls(_blocks(root.raw("content")))
    found |= gemini.grounded_calls(_grounding(said), model)
    for usage in (said, *billed):
        found |= {name: count for name, count in reported_tool_calls(usage).items() if count is not None}
    if found.get("web_search") is None and SEARCHES.search(model):
        found["web_search"] = 1
    return found


def _grounding(said: Node) -> list[Node]:
    """Gemini's of a message, or that of each chunk."""
    if isinstance(said.raw(_GROUNDING), (list, tuple)):
        return said.nodes(_GROUNDING)
    return [one for one in [_part(said, _GROUNDING)] if one is not None]


def _hosted_items(provider: str, root: Node) -> list[dict[str, Any]]:
    """The items of OpenAI's response that a message lists, each once."""
    more = _part(root, "additional_kwargs")
    blocks = _hosted_blocks(provider, root.raw("content"))
    blocks += _hosted_blocks(provider, None if more is None else more.raw("tool_outputs"))
    items: dict[object, dict[str, Any]] = {}
    for place, block in enumerate(blocks):
        if block["type"] != "server_tool_call":
            items[block.get("id") or place] = block
        elif provider not in _NOT_OPENAIS:
            items[block.get("id") or place] = block | {"type": _HOSTED[block["name"]]}
    return list(items.values())


def _blocks(listed: object) -> list[dict[str, Any]]:
    return [_mapping(item) for item in listed] if isinstance(listed, (list, tuple)) else []


def _hosted_blocks(provider: str, listed: object) -> list[dict[str, Any]]:
    """The calls of hosted tools among blocks of content; of their fields those that move the price, no text."""
    found = []
    for block in _blocks(listed):
        kind = block.get("type")
        if langchain_anthropic.is_call(block):
            continue
        x_search = openai_responses.is_x_search(provider, kind, block.get("name"))
        if not x_search and kind not in _ITEMS and not (kind == "server_tool_call" and block.get("name") in _HOSTED):
            continue
        fields = _mapping(block.get("extras")) | block
        done = _mapping(fields.get("action") or fields.get("args"))
        kept = {name: fields[name] for name in _KEPT if isinstance(fields.get(name), str)}
        where = _mapping(fields.get("environment")).get("container_id")
        kept |= {} if where is None else {"environment": {"container_id": where}}
        found.append(kept | {"action": {"type": done["type"]} if isinstance(done.get("type"), str) else {}})
    return found


def fold(known: dict[str, object], chunk: Node) -> None:
    """Add one chunk to the message."""
    known["type"] = "ai"
    said = {name: value for name, value in _mapping(chunk.raw("response_metadata")).items() if value not in _NOTHING}
    before = _mapping(known.get("response_metadata"))
    if _GROUNDING in said:  # what later chunks say adds to it, also where they fill it in with empty lists
        said[_GROUNDING] = [*before.get(_GROUNDING, []), *_listed(said[_GROUNDING])]
    known["response_metadata"] = before | said
    if chunk.raw("id"):
        known["id"] = chunk.raw("id")
    _keep_hosted(known, chunk)
    usage = chunk.raw("usage_metadata")
    if isinstance(usage, Mapping):
        known["usage_metadata"] = _sum(_mapping(known.get("usage_metadata")), usage)
    if chunk.raw("chunk_position") == "last":
        known["complete"] = True


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _keep_hosted(known: dict[str, object], chunk: Node) -> None:
    """Of what a chunk brings, the calls of hosted tools; never what was written."""
    more = _part(chunk, "additional_kwargs")
    blocks = _hosted_blocks("x-ai", chunk.raw("content"))  # what is xAI's only, is told apart in the end
    blocks += _hosted_blocks("x-ai", None if more is None else more.raw("tool_outputs"))
    blocks += langchain_anthropic.kept(_blocks(chunk.raw("content")))
    if blocks:
        before = known.get("content")
        known["content"] = (before if isinstance(before, list) else []) + blocks


def _part(root: Node, name: str) -> Node | None:
    """A nested object; None for what is none: each integration puts there what it likes."""
    value = root.raw(name)
    return root.node(name) if isinstance(value, (Mapping, BaseModel)) else None


def _message(root: Node) -> Node:
    if root.is_mapping and "raw" in root.value and "parsed" in root.value:
        return root.node("raw") or root
    return root


def _by_tier(node: Node, name: str) -> int | None:
    return next((count for tier in _TIERS if (count := node.count(tier + name)) is not None), None)


def _tier(said: Node, billed: list[Node]) -> str | None:
    """Bedrock's is an object with a ``type``, Vertex AI's the type of traffic."""
    bedrocks, vertexs = _part(said, "service_tier"), _part(said, "usage_metadata")
    if bedrocks is not None:
        return bedrocks.name("type", 64, UNREADABLE)
    found = [said.name("service_tier", 64, UNREADABLE)]
    found += [usage.name("service_tier", 64, UNREADABLE) for usage in billed]
    found.append(None if vertexs is None else vertexs.name("traffic_type", 64, UNREADABLE))
    return next((tier for tier in found if tier is not None), None)


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
