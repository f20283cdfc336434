"""Where providers with an OpenAI-compatible API differ in what their usage means.

A correction takes the usage object and the meters as OpenAI would mean them, and returns what this provider means.
Groq, Cerebras, Fireworks, Together and OpenRouter (openrouter.ai/docs/use-cases/usage-accounting) follow OpenAI.
"""

from collections.abc import Callable
from typing import Final

from spendstream.adapters.anthropic import server_tools
from spendstream.adapters.problems import problem
from spendstream.adapters.reader import Node, names_of
from spendstream.adapters.result import Meters, total, unreported_lifetime
from spendstream_schemas.types import UNREADABLE


def _deepseek(usage: Node, meters: Meters) -> Meters:
    """prompt_tokens = hits + misses (api-docs.deepseek.com/guides/kv_cache); hits are cache reads."""
    hits, misses = usage.count("prompt_cache_hit_tokens"), usage.count("prompt_cache_miss_tokens")
    if hits is None:
        return meters
    prompt = meters["input_tokens"]
    if misses is not None and prompt is not None and hits + misses != prompt:
        problem(
            f"{usage.path}: prompt_cache_hit_tokens + prompt_cache_miss_tokens = {hits + misses}, "
            f"but prompt_tokens = {prompt}"
        )
    return meters | {"cache_read_tokens": hits}


def _x_ai(usage: Node, meters: Meters) -> Meters:
    """Chat completions count reasoning beside completion_tokens and inside total_tokens.

    docs.x.ai/docs/key-information/consumption-and-rate-limits. Which way round a response is, its total says; without
    a total, chat is taken as documented and responses (which follow OpenAI) as they are.
    """
    reasoning, written = usage_int(meters, "reasoning_tokens"), usage_int(meters, "output_tokens")
    if not reasoning or written is None:
        return meters
    read, all_tokens = usage_int(meters, "input_tokens") or 0, usage.count("total_tokens")
    if all_tokens is None:
        outside = usage.has("prompt_tokens")
    elif all_tokens in (read + written, read + written + reasoning):
        outside = all_tokens == read + written + reasoning
    else:
        problem(
            f"{usage.path}: total_tokens = {all_tokens} is neither input + output = {read + written} "
            f"nor that plus reasoning = {read + written + reasoning}"
        )
        return meters
    return meters | {"output_tokens": written + reasoning} if outside else meters


def _perplexity(usage: Node, meters: Meters) -> Meters:
    """Deep research bills citation and reasoning tokens beside completion_tokens, at prices of their own.

    docs.perplexity.ai/getting-started/pricing. Both are output here: what the service caused to be produced.
    """
    citations, reasoning = usage.count("citation_tokens"), usage.count("reasoning_tokens")
    written = total(usage_int(meters, "output_tokens"), citations, reasoning)
    found = meters | {"output_tokens": written}
    if citations is not None:
        found["citation_tokens"] = citations
    if reasoning is not None:
        found["reasoning_tokens"] = reasoning
    return found


def beside_perplexitys_answer(usage: Node, meters: Meters) -> Meters:
    """As `_perplexity`, where a gateway has put the reasoning into ``completion_tokens_details``: it is still beside
    ``completion_tokens``."""
    found, reasoning = _perplexity(usage, meters), usage_int(meters, "reasoning_tokens")
    if usage.has("reasoning_tokens") or reasoning is None:
        return found
    return found | {"output_tokens": total(usage_int(found, "output_tokens"), reasoning)}


def cache_creation(place: Node, by_lifetime: Node | None) -> Meters:
    """Cache writes under Anthropic's names, inside ``prompt_tokens``; `by_lifetime` splits them, if it is there.

    LiteLLM has them in the usage (docs.litellm.ai/docs/completion/prompt_caching), DashScope in the details
    (alibabacloud.com/help/en/model-studio/context-cache).
    """
    written = place.count("cache_creation_input_tokens")
    short, long = (
        None if by_lifetime is None else by_lifetime.count(f"ephemeral_{ttl}_input_tokens") for ttl in ("5m", "1h")
    )
    return {
        "cache_write_tokens": unreported_lifetime(place, written or None, short, long),
        "cache_write_5m_tokens": short,
        "cache_write_1h_tokens": long,
    }


def created_in_details(details: Node | None) -> Meters:
    """Cache writes that stand beside the hits; nothing if they don't."""
    if details is None or not details.has("cache_creation", "cache_creation_input_tokens"):
        return {}
    return cache_creation(details, details.node("cache_creation"))


def explicit_cache(usage: Node) -> str | None:
    """``explicit`` where hits of DashScope's explicit cache are among the input: they cost half as much as others.

    A request has one kind of cache; ``cache_type`` says which: alibabacloud.com/help/en/model-studio/context-cache.
    """
    billed = [item.node("prompt_tokens_details") for item in usage.nodes("x_details")]
    for details in (usage.node("prompt_tokens_details"), *billed):
        if details is not None and details.text("cache_type", 64) == "ephemeral" and details.count("cached_tokens"):
            return "explicit"
    return None


def _dashscope(usage: Node, meters: Meters) -> Meters:
    """Its own API calls the input's details as chat does; its Responses API tells cache writes in ``x_details`` only.

    alibabacloud.com/help/en/model-studio/context-cache.
    """
    found = meters
    own = usage.node("prompt_tokens_details")
    if own is not None and usage.has("input_tokens"):
        found = found | {"cache_read_tokens": own.count("cached_tokens")} | created_in_details(own)
    for billed in usage.nodes("x_details"):
        writes = created_in_details(billed.node("prompt_tokens_details"))
        found = found | {name: total(usage_int(found, name), usage_int(writes, name)) for name in writes}
    return found


def by_total(usage: Node, meters: Meters) -> Meters:
    """What the total says where the parts do not: that reasoning stands beside the answer (Grok as other hosts serve
    it), and how much the one of input and output is that is not reported."""
    read, written = usage_int(meters, "input_tokens"), usage_int(meters, "output_tokens")
    if read is not None and written is not None:
        reasoning = usage_int(meters, "reasoning_tokens")
        if reasoning and usage.count("total_tokens") == read + written + reasoning:
            return meters | {"output_tokens": written + reasoning}
        return meters
    all_tokens = usage.count("total_tokens")
    if all_tokens is None:
        return meters
    if read is None and written is not None and all_tokens > written:
        return meters | {"input_tokens": all_tokens - written}
    if written is None and read is not None and all_tokens > read:
        return meters | {"output_tokens": all_tokens - read}
    return meters


def _google(usage: Node, meters: Meters) -> Meters:
    """Gemini in OpenAI's form tells what it thought in ``total_tokens`` only; it is billed as output.

    ai.google.dev/gemini-api/docs/openai, ai.google.dev/gemini-api/docs/thinking.
    """
    read, written = usage_int(meters, "input_tokens"), usage_int(meters, "output_tokens")
    all_tokens = usage.count("total_tokens")
    if read is None or written is None or all_tokens is None or all_tokens <= read + written:
        return by_total(usage, meters)
    thought = all_tokens - read - written
    return meters | {"output_tokens": written + thought, "reasoning_tokens": thought}


CORRECTIONS: Final[dict[str, Callable[[Node, Meters], Meters]]] = {
    "dashscope": _dashscope,
    "deepseek": _deepseek,
    "google": _google,
    "x-ai": _x_ai,
    "perplexity": _perplexity,
}

_XAI_TOOLS: Final = {
    "web_search_calls": "web_search",
    "x_search_calls": "social_search",
    "code_interpreter_calls": "code_execution",
    "file_search_calls": "file_search",
    "document_search_calls": "file_search",
    "image_generation_calls": "image_generation",
}
_ATTACHMENTS: Final = "document_search_calls"
"""Searches in files that are attached to messages: four times as dear as those in collections."""
_BILLED_BY_TOKENS: Final = ("mcp_calls",)
"""What xAI's tools cost is on docs.x.ai/developers/pricing; these cost what they bring into the context."""
_UNNAMED: Final = "unnamed_tool"


def reported_tool_calls(usage: Node) -> dict[str, int | None]:
    """Billable tool calls that stand in the usage object itself (xAI, Perplexity, OpenRouter, LiteLLM)."""
    found: dict[str, int | None] = {}
    for name, count in _xai_calls(usage).items():
        if (ours := _XAI_TOOLS.get(name)) is not None:
            found[ours] = total(found.get(ours), count)
    found |= {name: count for name, count in server_tools(usage).items() if count is not None}
    served = usage.node("server_tool_use")
    if served is not None and (opened := served.count("browser_open_requests")) is not None:
        found["web_fetch"] = opened  # of Groq's browser, as LiteLLM counts it
    searches = usage.count("num_search_queries")
    if searches is not None:
        found["web_search"] = searches
    if sources := live_sources(usage):
        found["web_search"] = sources
    if found.get("web_search") is None:
        found |= _searches_in_details(usage)
    return found


def _searches_in_details(usage: Node) -> dict[str, int | None]:
    """Where LiteLLM counts searches, of Gemini and xAI above all; xAI's are a copy of its own count.

    docs.litellm.ai/docs/completion/web_search.
    """
    details = usage.node("prompt_tokens_details")
    searches = None if details is None else details.count("web_search_requests")
    return {} if searches is None else {"web_search": searches}


def _xai_calls(usage: Node) -> dict[str, int]:
    """xAI's counts of its server-side tools by their own names, also those that nobody here knows."""
    tools = usage.node("server_side_tool_usage_details")
    if tools is None:
        return {}
    names = {name for name in names_of(tools.value) if name.endswith("_calls")} | {*_XAI_TOOLS}
    return {name: count for name in sorted(names) if (count := tools.count(name)) is not None}


def live_sources(usage: Node) -> int | None:
    """Sources that xAI's Live Search has used, each of which is billed: docs.x.ai/docs/guides/live-search.

    The tools that came after it, and all of the Responses API, count calls: their sources cost nothing more.
    """
    if usage.has("server_side_tool_usage_details", "input_tokens"):
        return None
    return usage.count("num_sources_used")


def search_context(usage: Node | None, listed: int = 0) -> str | None:
    """Which search it was, where searches of one kind have several prices.

    Perplexity's request fee depends on the context's size: low, medium, high. xAI's Live Search and its search in
    attachments have prices of their own. A tool of xAI's that nobody knows has none: then it is the tool's name, so
    that the call is unpriced unless xAI states its cost. `listed`: calls of tools that stand in the output.
    """
    if usage is None:
        return None
    return usage.name("search_context_size", 64, UNREADABLE) or ("live" if live_sources(usage) else _xai(usage, listed))


def _xai(usage: Node, listed: int) -> str | None:
    calls = {name: count for name, count in _xai_calls(usage).items() if count}
    unknown = [name for name in calls if name not in _XAI_TOOLS and name not in _BILLED_BY_TOKENS]
    if (usage.count("num_server_side_tools_used") or 0) > max(sum(calls.values()), listed):
        unknown.append(_UNNAMED)
    if _ATTACHMENTS in calls:
        unknown += ["file_search_calls"] if "file_search_calls" in calls else []
        return ",".join(["attachment", *unknown])[:64]
    return ",".join(unknown)[:64] or None


def usage_int(meters: Meters, name: str) -> int | None:
    """A token meter, which is always a whole number."""
    value = meters.get(name)
    return None if value is None else int(value)
