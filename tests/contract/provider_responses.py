"""Responses as six providers give them, with random numbers that belong together: what a service has in its hands."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Call:
    """What a service knows after a call: whom it asked for what, and the answer, as JSON has it."""

    provider: str
    model: str
    response: dict[str, Any]


def calls(seed: int, of_each: int) -> list[Call]:
    """Different ones, `of_each` per kind of response."""
    rng = random.Random(seed)
    return [make(rng, f"{seed}-{number}") for make in KINDS.values() for number in range(of_each)]


def _share(rng: random.Random, whole: int) -> int:
    """A part of it, often nothing or everything."""
    return rng.choice([0, whole, rng.randint(0, whole)])


def _some(rng: random.Random, **fields: Any) -> dict[str, Any]:
    """Some of the optional fields: providers leave out what does not apply, or send null."""
    return {name: rng.choice([value, value, None]) for name, value in fields.items() if rng.random() < 0.8}


def _openai_chat(rng: random.Random, number: str) -> Call:
    read, written = rng.randint(1, 200_000), rng.randint(0, 20_000)
    cached = _share(rng, read)
    usage: dict[str, Any] = {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    } | _some(
        rng,
        prompt_tokens_details={"cached_tokens": cached, "cache_write_tokens": _share(rng, read - cached)}
        | rng.choice([{}, {"audio_tokens": 0}]),
        completion_tokens_details={"reasoning_tokens": _share(rng, written)}
        | rng.choice([{}, {"accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0, "audio_tokens": 0}]),
    )
    response = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-5.1-2025-11-13",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Größe 漢字"}}],
        "usage": usage,
    } | _some(rng, service_tier=rng.choice(["default", "flex", "priority", "auto", "fast"]))
    return Call("openai", "gpt-5.1", response)


def _openai_responses(rng: random.Random, number: str) -> Call:
    read, written = rng.randint(1, 300_000), rng.randint(0, 20_000)
    usage = {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": _share(rng, read)},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": _share(rng, written)},
        "total_tokens": read + written,
    }
    searches = rng.choice([0, 0, 1, 3])
    actions: list[dict[str, Any]] = [
        {"action": {"type": "search", "query": "q"}},
        {"action": {"type": "open_page"}},
        {},
    ]
    output: list[dict[str, Any]] = [
        {"type": "web_search_call", "id": f"ws_{n}", "status": "completed"} | rng.choice(actions)
        for n in range(searches)
    ]
    output += [{"type": "code_interpreter_call", "container_id": f"c{rng.randint(1, 2)}"}] * rng.choice([0, 1, 2])
    memory = rng.choice(["auto", {"type": "auto"}, {"type": "auto", "memory_limit": "4g"}])
    output.append({"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": []})
    response: dict[str, Any] = {
        "id": f"resp_{number}",
        "object": "response",
        "status": rng.choice(["completed", "completed", "incomplete", "failed"]),
        "model": "gpt-5-2025-08-07",
        "output": output,
        "tools": [{"type": "web_search"}, {"type": "code_interpreter", "container": memory}],
        "usage": usage,
        "service_tier": rng.choice(["default", "flex", "priority"]),
        "conversation": rng.choice([None, {"id": f"conv_{number}"}]),
    }
    if rng.random() < 0.3:
        drawn = {"input_tokens": rng.randint(1, 900), "output_tokens": 4160, "cached_tokens": 0}
        response["tools"] += [{"type": "image_generation", "model": "gpt-image-1"}]
        response["tool_usage"] = {"image_gen": drawn}
    return Call("openai", "gpt-5", response)


def _anthropic(rng: random.Random, number: str) -> Call:
    short, long = rng.choice([0, rng.randint(0, 5_000)]), rng.choice([0, rng.randint(0, 5_000)])
    written = rng.randint(0, 20_000)
    usage: dict[str, Any] = {"input_tokens": rng.randint(0, 50_000), "output_tokens": written} | _some(
        rng,
        cache_read_input_tokens=rng.randint(0, 180_000),
        service_tier=rng.choice(["standard", "priority", "batch"]),
        inference_geo=rng.choice(["us", "not_available", "global"]),
        server_tool_use={"web_search_requests": rng.randint(0, 4), "web_fetch_requests": rng.randint(0, 2)},
    )
    if rng.random() < 0.8:
        usage["cache_creation_input_tokens"] = short + long
        usage["cache_creation"] = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
    if rng.random() < 0.3:
        usage["iterations"] = [
            {"type": "compaction", "input_tokens": rng.randint(1, 180_000), "output_tokens": rng.randint(1, 4_000)},
            {"type": "message", "input_tokens": usage["input_tokens"], "output_tokens": written},
            {
                "type": "advisor_message",
                "model": "claude-opus-5",
                "input_tokens": rng.randint(1, 900),
                "output_tokens": 9,
            },
        ]
    response = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": [{"type": "text", "text": "…"}],
        "stop_reason": "end_turn",
        "usage": usage,
    }
    return Call("anthropic", "claude-sonnet-5", response)


CHUNKS: Final = ([{"web": {"uri": "x"}}], [{"web": {"uri": "x"}}, {"maps": {"uri": "y"}}])


def _gemini(rng: random.Random, number: str) -> Call:
    read = rng.randint(1, 400_000)
    usage: dict[str, Any] = {
        "promptTokenCount": read,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": read}],
        "totalTokenCount": read,
    } | _some(
        rng,
        candidatesTokenCount=rng.randint(1, 8_000),
        thoughtsTokenCount=rng.randint(1, 8_000),
        cachedContentTokenCount=_share(rng, read),
        toolUsePromptTokenCount=rng.randint(1, 900),
    )
    if (written := usage.get("candidatesTokenCount")) and rng.random() < 0.7:
        usage["candidatesTokensDetails"] = [{"modality": rng.choice(["TEXT", "IMAGE"]), "tokenCount": written}]
    queries = rng.choice([[], [], ["a"], ["a", "b"], ["a", "a", ""]])
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": []}, "finishReason": "STOP"}
    if queries:
        candidate["groundingMetadata"] = {"webSearchQueries": queries, "groundingChunks": rng.choice(CHUNKS)}
    response = {
        "responseId": f"gem{number}",
        "modelVersion": rng.choice(["gemini-2.5-flash", "gemini-3-flash-preview", "gemini-2.5-flash-image"]),
        "candidates": [candidate],
        "usageMetadata": usage,
    }
    return Call("google", str(response["modelVersion"]), response)


def _bedrock(rng: random.Random, number: str) -> Call:
    short, long = rng.choice([0, rng.randint(1, 3_000)]), rng.choice([0, rng.randint(1, 3_000)])
    usage: dict[str, Any] = {"inputTokens": rng.randint(0, 50_000), "outputTokens": rng.randint(0, 5_000)}
    usage["totalTokens"] = usage["inputTokens"] + usage["outputTokens"]
    if rng.random() < 0.7:
        usage |= {"cacheReadInputTokens": rng.randint(0, 100_000), "cacheWriteInputTokens": short + long}
        details = [{"ttl": "5m", "inputTokens": short}] if short else []
        usage["cacheDetails"] = details + ([{"ttl": "1h", "inputTokens": long}] if long else [])
    response = {
        "ResponseMetadata": {"RequestId": f"req-{number}", "HTTPStatusCode": 200},
        "output": {"message": {"role": "assistant", "content": [{"text": "…"}]}},
        "stopReason": "end_turn",
        "usage": usage,
        "metrics": {"latencyMs": 900},
    } | _some(rng, serviceTier={"type": rng.choice(["default", "priority", "flex"])})
    if rng.random() < 0.3:
        response["performanceConfig"] = {"latency": rng.choice(["optimized", "standard"])}
    return Call(
        "aws", "us.amazon.nova-pro-v1:0", {name: value for name, value in response.items() if value is not None}
    )


def _cohere_chat(rng: random.Random, number: str) -> Call:
    read, written = rng.randint(1, 100_000), rng.randint(0, 4_000)
    billed = rng.choice([read, max(1, read - 66)])
    usage = {
        "billed_units": {"input_tokens": billed, "output_tokens": written},
        "tokens": {"input_tokens": read, "output_tokens": written},
    } | _some(rng, cached_tokens=_share(rng, read))
    message = {"role": "assistant", "content": [{"type": "text", "text": "…"}]}
    response = {"id": f"co-{number}", "finish_reason": "COMPLETE", "message": message, "usage": usage}
    return Call("cohere", "command-a-03-2025", response)


def _cohere_rerank(rng: random.Random, number: str) -> Call:
    units = rng.randint(1, 40)
    response = {"id": f"rr-{number}", "results": [{"index": 0, "relevance_score": 0.9}]}
    return Call("cohere", "rerank-v3.5", response | {"meta": {"billed_units": {"search_units": units}}})


def _mistral(rng: random.Random, number: str) -> Call:
    read, written = rng.randint(1, 100_000), rng.randint(0, 4_000)
    response = {
        "id": f"mis{number}",
        "object": "chat.completion",
        "model": "mistral-large-2512",
        "created": 1_790_000_000,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "…"}}],
        "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
    }
    return Call("mistral", "mistral-large-2512", response)


def _mistral_conversation(rng: random.Random, number: str) -> Call:
    read, written, added = rng.randint(1, 9_000), rng.randint(0, 4_000), rng.choice([0, rng.randint(1, 9_000)])
    usage = {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written + added,
        "connector_tokens": added,
        "connectors": rng.choice([None, {"web_search": rng.randint(1, 3)}, {"code_interpreter": 1}]),
    }
    response = {
        "object": "conversation.response",
        "conversation_id": "conv_1",
        "outputs": [{"type": "tool.execution", "id": "tool"}, {"type": "message.output", "id": f"out{number}"}],
        "usage": usage,
    }
    return Call("mistral", "mistral-medium-2508", response)


def _xai(rng: random.Random, number: str) -> Call:
    read, written, thought = rng.randint(1, 9_000), rng.randint(1, 4_000), rng.choice([0, rng.randint(1, 4_000)])
    inside = rng.random() < 0.3
    usage: dict[str, Any] = {
        "prompt_tokens": read,
        "completion_tokens": written + thought if inside else written,
        "total_tokens": read + written + thought,
        "completion_tokens_details": {"reasoning_tokens": thought},
    } | _some(
        rng,
        num_sources_used=rng.choice([0, 3]),
        server_side_tool_usage_details={
            name: rng.randint(0, 2)
            for name in ("web_search_calls", "x_search_calls", "file_search_calls", "document_search_calls")
        },
    )
    if not inside and rng.random() < 0.2:
        del usage["total_tokens"]
    return Call("xai", "grok-4", _chat_of(number, "grok-4", usage))


def _moonshot(rng: random.Random, number: str) -> Call:
    read, written = rng.randint(1, 9_000), rng.randint(1, 4_000)
    usage = {"prompt_tokens": read, "completion_tokens": written, "cached_tokens": _share(rng, read)}
    return Call("moonshotai", "kimi-k2", _chat_of(number, "kimi-k2", usage))


def _chat_of(number: str, model: str, usage: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{model}-{number}", "object": "chat.completion", "model": model, "choices": [], "usage": usage}


KINDS: Final[dict[str, Callable[[random.Random, str], Call]]] = {
    "OpenAI chat": _openai_chat,
    "OpenAI responses": _openai_responses,
    "Anthropic messages": _anthropic,
    "Gemini generateContent": _gemini,
    "Bedrock Converse": _bedrock,
    "Cohere chat": _cohere_chat,
    "Cohere rerank": _cohere_rerank,
    "Mistral chat": _mistral,
    "Mistral conversation": _mistral_conversation,
    "xAI chat": _xai,
    "Moonshot chat": _moonshot,
}
