"""What a service makes of a response that has schemas/EVENTS.md alone.

The lines of its tables are computed from the page's own text, so the page has no second copy here. What the page says
in prose behind a line stands here as a function.
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from spendstream.adapters import ExtractedUsage
from spendstream.adapters.tiers import normal_tier
from tests.unit.producers.adapters.event_lines import at, lines, value

CHAT: Final = "OpenAI chat, and whoever has its form"
RESPONSES: Final = "OpenAI responses, and realtime"
ANTHROPIC: Final = "Anthropic messages"
GEMINI: Final = "Gemini generateContent, and Live"
CONVERSE: Final = "Bedrock Converse"
COHERE: Final = "Cohere"
OTHERS: Final = "Others"
FORMS: Final = (CHAT, RESPONSES, ANTHROPIC, GEMINI, CONVERSE, COHERE)
PROVIDERS: Final = {
    "x-ai": "xAI",
    "perplexity": "Perplexity",
    "deepseek": "DeepSeek",
    "mistral": "Mistral",
    "dashscope": "DashScope",
    "google": "Google",
}
X_SEARCHES: Final = ("x_keyword_search", "x_semantic_search", "x_user_search", "x_thread_fetch")
Said = dict[str, Any]


@dataclass
class Event:
    """What the page makes of a response, by the event's names."""

    said: Said
    also: list[Said] = field(default_factory=list)


def form_of(provider: str, body: Mapping[str, Any]) -> str:
    """As the page tells forms apart."""
    if body.get("object") in ("response", "realtime.response"):
        return RESPONSES
    if body.get("type") == "message":
        return ANTHROPIC
    if "usageMetadata" in body:
        return GEMINI
    usage = body.get("usage")
    if isinstance(usage, dict) and "inputTokens" in usage:
        return CONVERSE
    if at("usage.billed_units", body) or at("meta.billed_units", body):
        return COHERE
    if "total_input_tokens" in (usage or {}):
        return OTHERS
    if not isinstance(usage, dict) or body.get("object") == "list" or {"data", "results"} & body.keys():
        return OTHERS
    if "seconds" in usage or (provider == "aws" and "input_tokens" in usage):  # the latter are a wrapper's names
        return OTHERS
    return RESPONSES if at("usage.input_tokens", body) or at("usage.output_tokens", body) else CHAT


def read(provider: str, body: Mapping[str, Any]) -> Event:
    """The event of a response in one of the big forms."""
    form = form_of(provider, body)
    said = _lines_of(provider, form, body)
    return Event({name: what for name, what in said.items() if what is not None}, list(_more(form, body, said)))


def _lines_of(provider: str, form: str, body: Mapping[str, Any]) -> Said:
    table = {name: line for (whose, name), line in lines(form).items() if not whose}
    if provider in PROVIDERS and form in (CHAT, RESPONSES):
        table |= {
            name: line + table.get(name, ())
            for (whose, name), line in lines(CHAT).items()
            if whose == PROVIDERS[provider]
        }
    if form == COHERE and "usage" not in body:
        body = {**body, "usage": body.get("meta")}
    said: Said = {}
    for name in sorted(table, key=_wholes_last):
        said[name] = next((found for one in table[name] if (found := value(one, body, said)) is not None), None)
        if name == "cache_write_tokens" and form != COHERE:
            said[name] = _rest(said)
    _PROSE[form](provider, body, said)
    if form in (CHAT, RESPONSES):
        advisors_off(body, said)
    return said


def advisors_off(body: Mapping[str, Any], said: Said) -> None:
    """LiteLLM's totals have what advisors used."""
    for item in at("usage.iterations[type=advisor_message]", body):
        part = _lines_of("", ANTHROPIC, {"usage": item})
        said |= {
            name: said[name] - count
            for name, count in part.items()
            if name.endswith("_tokens") and count and said[name]
        }


def _wholes_last(name: str) -> tuple[bool, bool]:
    """input_tokens may be a sum with other lines, and what was written is told less what the lifetimes have."""
    return name == "input_tokens", name == "cache_write_tokens"


def _rest(said: Said) -> int | None:
    lifetimes = sum(said.get(f"cache_write_{name}_tokens") or 0 for name in ("5m", "30m", "1h", "12h"))
    return max((said["cache_write_tokens"] or 0) - lifetimes, 0) or None


def by_total(body: Mapping[str, Any], said: Said, *, without_a_total: bool = False) -> None:
    """What the total says."""
    (whole, *_) = at("usage.total_tokens", body) or [None]
    read, written, reasoning = said.get("input_tokens"), said.get("output_tokens"), said.get("reasoning_tokens")
    if written is not None and reasoning:
        outside = without_a_total if whole is None else whole == (read or 0) + written + reasoning
        said["output_tokens"] = written + reasoning if outside else written
    elif whole is not None and read is None and written is not None and whole > written:
        said["input_tokens"] = whole - written
    elif whole is not None and written is None and read is not None and whole > read:
        said["output_tokens"] = whole - read


def _chat(provider: str, body: Mapping[str, Any], said: Said) -> None:
    if provider == "x-ai":
        by_total(body, said, without_a_total=True)
        sources(body, said)
    elif provider not in ("perplexity", "mistral"):
        by_total(body, said)
    if provider == "google":
        thoughts(body, said)
    executed(body, said)
    if provider == "mistral":
        said["conditions.search_context"] = connectors(body)
    if said["conditions.inference_geo"] == "not_available":
        said["conditions.inference_geo"] = None
    said["conditions.cache"] = explicit_cache(body)
    if said.get("tool_calls.web_search") is None and re.search(r"-search-(preview|api)", str(body.get("model"))):
        said["tool_calls.web_search"] = 1
    said["status"] = "error" if body.get("error") is not None else None


def thoughts(body: Mapping[str, Any], said: Said) -> None:
    """Gemini's: what the total has beside input and answer."""
    (written, *_), (whole, *_) = at("usage.completion_tokens", body) or [None], at("usage.total_tokens", body) or [None]
    read = said["input_tokens"]
    if None not in (read, written, whole) and whole > read + written:
        said["output_tokens"], said["reasoning_tokens"] = whole - read, whole - read - written


def executed(body: Mapping[str, Any], said: Said) -> None:
    """Groq's tools."""
    names = [one.get("name") or one.get("type") or "unnamed_tool" for one in at("choices.message.executed_tools", body)]
    tools = {
        "web_search": ("browser.search", "browser_search", "web_search", "search"),
        "web_fetch": ("browser.open", "visit_website"),
        "code_execution": ("python", "code_interpreter", "code_execution"),
    }
    opened = at("usage.server_tool_use.browser_open_requests", body)
    for tool, called in tools.items():
        count = sum(names.count(name) for name in called)
        if count and said.get(f"tool_calls.{tool}") is None:
            said[f"tool_calls.{tool}"] = count
    if opened:
        said["tool_calls.web_fetch"] = opened[0]
    free = {"browser.find", "function"}.union(*tools.values())
    others = ",".join(sorted({name for name in names if name not in free}))[:64]
    said["conditions.search_context"] = said.get("conditions.search_context") or others or None


def connectors(body: Mapping[str, Any]) -> str | None:
    """Mistral's that have no price."""
    known = re.findall(
        r"\w+", " ".join(" ".join(line) for (whose, _), line in lines(CHAT).items() if whose == "Mistral")
    )
    called = dict.fromkeys(at("outputs[type=tool.execution].name", body), 1)
    for counts in at("usage.connectors", body):
        called |= counts
    return ",".join(sorted(name for name, count in called.items() if count and name not in known))[:64] or None


def explicit_cache(body: Mapping[str, Any]) -> str | None:
    """DashScope's, whose hits have a price of their own."""
    places = at("usage.prompt_tokens_details", body) + at("usage.x_details.prompt_tokens_details", body)
    hit = any(place.get("cache_type") == "ephemeral" and place.get("cached_tokens") for place in places)
    return "explicit" if hit else None


def sources(body: Mapping[str, Any], said: Said) -> None:
    """xAI's Live Search counts sources."""
    used = at("usage.num_sources_used", body)
    if any(used) and not at("usage.server_side_tool_usage_details", body):
        said["tool_calls.web_search"], said["conditions.search_context"] = used[0], "live"
    else:
        said["conditions.search_context"] = xai_tools(body)


def xai_tools(body: Mapping[str, Any], listed: int = 0) -> str | None:
    """xAI's tools that have another price than their kind, or none."""
    (details, *_) = at("usage.server_side_tool_usage_details", body) or [{}]
    calls = {name: count for name, count in sorted(details.items()) if name.endswith("_calls") and count}
    known = " ".join(" ".join(line) for (whose, _), line in lines(CHAT).items() if whose == "xAI") + " mcp_calls"
    found = [name for name in calls if name not in known]
    if sum(at("usage.num_server_side_tools_used", body)) > max(sum(calls.values()), listed):
        found.append("unnamed_tool")
    if "document_search_calls" in calls:
        found = ["attachment", *found, *(["file_search_calls"] if "file_search_calls" in calls else [])]
    return ",".join(found)[:64] or None


def _responses(provider: str, body: Mapping[str, Any], said: Said) -> None:
    by_total(body, said)
    said["response_id"] = _own_id(said["response_id"] or "") or None
    said["conditions.cache"] = explicit_cache(body)
    if not at("tool_usage.web_search", body):
        path = lines(RESPONSES)["", "tool_calls.web_search"][-1].removeprefix("number of ")
        searches = len([one for one in at(path, body) if _searched(one)])
        own = at("usage.server_side_tool_usage_details.web_search_calls", body) if provider == "x-ai" else []
        said["tool_calls.web_search"] = own[0] if own else searches or None
    if "tool_usage" in body:
        said["tool_calls.image_generation"] = None
    containers: dict[str, int] = {}
    for term in lines(RESPONSES)["", "tool_calls.code_execution"][0].split(" + "):
        tool = "tools[type=shell].environment" if "shell" in term else "tools[type=code_interpreter].container"
        memory = _gigabytes(at(f"{tool}.memory_limit", body))
        containers |= dict.fromkeys(at(term.removeprefix("distinct "), body), memory)
    said["tool_calls.code_execution"] = sum(containers.values()) or None
    if provider == "x-ai":
        items = [str(one.get("type")) for one in at("output", body) if isinstance(one, Mapping)]
        listed = sum(items.count(f"{tool}_call") for tool in ("file_search", "image_generation"))
        searches = len([one for one in at("output[type=web_search_call]", body) if _searched(one)])
        on_x = [one for one in at("output[type=custom_tool_call]", body) if one.get("name") in X_SEARCHES]
        counted = at("usage.server_side_tool_usage_details.x_search_calls", body)
        said["tool_calls.social_search"] = counted[0] if counted else len(on_x) or None
        listed += searches + sum(containers.values()) + len(on_x)
        said["conditions.search_context"] = xai_tools(body, listed)
    if body.get("object") == "batch":
        said["service_tier"] = "batch"
    if body.get("type") == "conversation.item.input_audio_transcription.completed":
        said["response_model"], said["response_id"] = "input_audio_transcription", body["item_id"]
    older = any(str(tool["type"]).startswith("web_search_preview") for tool in at("tools", body) if "type" in tool)
    if older and said["tool_calls.web_search"] and re.match(r"gpt-4|gpt-3|chatgpt-4", str(body.get("model"))):
        said["conditions.search_context"] = "preview"
    ended = body.get("status")
    said["status"] = {"failed": "error", "cancelled": "cancelled"}.get("failed" if at("error", body) else str(ended))


def _gigabytes(limit: list[Any]) -> int:
    return int(limit[0][:-1]) if limit and re.fullmatch(r"[1-9][0-9]{0,3}g", limit[0]) else 1


def _searched(call: Mapping[str, Any]) -> bool:
    return not at("action", call) or at("action.type", call) in ([], ["search"])


def _anthropic(_: str, body: Mapping[str, Any], said: Said) -> None:
    for item in at("usage.iterations[type=compaction]", body):
        part = _lines_of("", ANTHROPIC, {"usage": item})
        for name, count in part.items():
            if name.endswith("_tokens") and count is not None:
                said[name] = (said[name] or 0) + count
    if said["conditions.inference_geo"] == "not_available":
        said["conditions.inference_geo"] = None


def _gemini(_: str, body: Mapping[str, Any], said: Said) -> None:
    model = str(body.get("modelVersion"))
    writes = {"image": "image|banana", "audio": "live|tts|audio", "video": "omni"}
    named = at("usageMetadata.candidatesTokensDetails", body)
    for kind, words in writes.items():
        meter, output = f"output_{kind}_tokens", said["output_tokens"]
        nothing_else = named or output == (said["reasoning_tokens"] or 0)
        if re.search(words, model) and output is not None and said[meter] is None and nothing_else:
            said[meter] = 0
    if said["tool_calls.web_search"] and re.search(r"(^|/)gemini-(live-)?[12]\b", model):
        said["tool_calls.web_search"] = 1
    in_store = "groundingMetadata.groundingChunks.retrievedContext.fileSearchStore"
    billed = {"candidates": [one for one in at("candidates", body) if not at(in_store, one)]}
    said["tool_calls.file_search"] = value(lines(GEMINI)["", "tool_calls.file_search"][0], billed, {})
    said["tool_calls.maps_grounding"] = 1 if at("candidates.groundingMetadata.groundingChunks.maps", body) else None
    strange = _strange(body)
    said["input_tokens"] = _less(said["input_tokens"], strange["input_tokens"])
    said["output_tokens"] = _less(said["output_tokens"], strange["output_tokens"])


def _less(whole: int | None, part: int) -> int | None:
    return None if whole is None else whole - part


def _strange(body: Mapping[str, Any]) -> dict[str, int]:
    known = {"AUDIO", "IMAGE", "VIDEO", "TEXT", "DOCUMENT", "MODALITY_UNSPECIFIED"}

    def tokens(*names: str) -> int:
        listed = [one for name in names for one in at(f"usageMetadata.{name}", body)]
        return sum(one.get("tokenCount", 0) for one in listed if one.get("modality", "TEXT") not in known)

    return {
        "input_tokens": tokens("promptTokensDetails", "toolUsePromptTokensDetails"),
        "output_tokens": tokens("candidatesTokensDetails"),
    }


def _nothing(_: str, body: Mapping[str, Any], said: Said) -> None:
    pass


def _converse(_: str, body: Mapping[str, Any], said: Said) -> None:
    if not at("usage.inputTokens", body):
        said["input_tokens"] = None


def _cohere(_: str, body: Mapping[str, Any], said: Said) -> None:
    processed = at("usage.tokens.input_tokens", body)
    if processed and processed != at("usage.billed_units.input_tokens", body):
        said["cache_read_tokens"] = None
    image, text = at("usage.billed_units.image_tokens", body), at("usage.billed_units.text_tokens", body)
    if image and image[0]:
        said["input_tokens"] = image[0] + (text[0] if text else said["input_tokens"] or 0)
    elif said["input_tokens"] is None:
        said["input_image_tokens"] = None


_PROSE: Final[dict[str, Callable[[str, Mapping[str, Any], Said], None]]] = {
    CHAT: _chat,
    RESPONSES: _responses,
    ANTHROPIC: _anthropic,
    GEMINI: _gemini,
    CONVERSE: _converse,
    COHERE: _cohere,
    OTHERS: _nothing,
}


def _own_id(wrapped: str) -> str:
    """LiteLLM's ids."""
    try:
        text = base64.b64decode(wrapped.removeprefix("resp_"), validate=True).decode()
    except ValueError:
        return wrapped
    return text.rpartition("response_id:")[2] if text.startswith("litellm:") else wrapped


def _more(form: str, body: Mapping[str, Any], said: Said) -> Iterable[Said]:
    """One call, several events."""
    if form in (ANTHROPIC, CHAT, RESPONSES):
        for item in at("usage.iterations[type=advisor_message]", body):
            found = _lines_of("", ANTHROPIC, {"usage": item}) | {"response_model": item.get("model")}
            taken = ("service_tier", "conditions.inference_geo", "conditions.speed")
            yield found | {name: said.get(name) for name in taken}
    if form == RESPONSES:
        for usage in at("tool_usage.image_gen", body):
            if usage.get("input_tokens") or usage.get("output_tokens"):
                model = at("tools[type=image_generation].model", body) or ["image_generation_tool"]
                yield images({"usage": usage}) | {
                    "response_model": model[0],
                    "cache_read_tokens": usage.get("cached_tokens"),
                    "cache_read_image_tokens": (at("cached_tokens_details.cached_image_tokens", usage) or [None])[0],
                }
    if form == GEMINI and any(strange := _strange(body).values()):
        yield {"response_model": "unknown_modality"} | {
            name: count for name, count in zip(("input_tokens", "output_tokens"), strange, strict=True) if count
        }
    if form == COHERE:
        billed = (at("usage.billed_units", body) or at("meta.billed_units", body) or [{}])[0]
        if (billed.get("images") and not billed.get("image_tokens")) or billed.get("classifications"):
            yield {"response_model": "units_without_meter"}


def images(body: Mapping[str, Any]) -> Said:
    """OpenAI images: all output is images where its details have neither."""
    said = _lines_of("", RESPONSES, body)
    details = at("usage.output_tokens_details", body)
    if not details or not {"image_tokens", "text_tokens"} & details[0].keys():
        said["output_image_tokens"] = said["output_tokens"]
    return said


def differences(provider: str, body: Mapping[str, Any], found: ExtractedUsage) -> list[tuple[str, Any, Any]]:
    """(field, what the page says, what the adapter says) where the two differ; nothing for other forms."""
    if form_of(provider, body) == OTHERS or "custom_id" in body:
        return []
    event = read(provider, body)
    wrong = _differ(provider, event.said, found)
    if len(event.also) != len(found.also):
        return [*wrong, ("one call, several events", len(event.also), len(found.also))]
    for said, also in zip(event.also, found.also, strict=True):
        wrong += _differ(provider, said, replace(also, response_id=None))  # which their events leave out
    return wrong


def _differ(provider: str, said: Said, found: ExtractedUsage) -> list[tuple[str, Any, Any]]:
    ours: Said = {
        "response_model": found.response_model,
        "response_id": found.response_id,
        "session_id": found.session_id,
        "service_tier": found.service_tier,
        "status": found.status,
    }
    for prefix, part in (("", found.usage), ("conditions.", found.conditions), ("tool_calls.", found.tool_calls)):
        if part is not None:
            ours |= {f"{prefix}{name}": count for name, count in part.model_dump(exclude={"kind"}).items()}
    ours["cache_write_tokens"] = ours.get("cache_write_tokens") or None  # a rest of 0 costs what none costs
    theirs = said | {"service_tier": normal_tier(provider, said.get("service_tier"))}
    names = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    return [(name, theirs.get(name), ours.get(name)) for name in names]


def small(whose: str, body: Mapping[str, Any]) -> Said:
    """The lines of one of the others, by how their name begins."""
    said: Said = {}
    for (name, meter), line in lines(OTHERS).items():
        if name.startswith(whose):
            said[meter] = next((found for one in line if (found := value(one, body, said)) is not None), None)
    return {name: what for name, what in said.items() if what is not None}
