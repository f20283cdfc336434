"""`batch_lines`: what stands in the output files of batches costs what a batch costs."""

from typing import Any, Final

import pytest

from spendstream.adapters import AdapterError, extract, usage_events

Body = dict[str, Any]
USAGE: Final = {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000}
ANTHROPIC: Final = {"input_tokens": 1000, "output_tokens": 1000}


def chat(model: str) -> Body:
    return {"id": "c", "object": "chat.completion", "model": model, "usage": USAGE}


def openai(body: Body) -> Body:
    return {"id": "b", "custom_id": "0", "response": {"status_code": 200, "body": body}, "error": None}


def result(message: Body) -> Body:
    return {"custom_id": "0", "result": {"type": "succeeded", "message": message}}


CLAUDE: Final = {"type": "message", "id": "m", "model": "claude-sonnet-4-5-20250929", "usage": ANTHROPIC}
GEMINI: Final[Body] = {
    "modelVersion": "gemini-2.5-flash",
    "responseId": "r",
    "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 1000},
    "candidates": [{"groundingMetadata": {"webSearchQueries": ["a"]}}],
}
NOVA: Final = {"usage": {"inputTokens": 1000, "outputTokens": 1000}}
XAI: Final = {"batch_request_id": "0", "batch_result": {"response": {"chat_get_completion": chat("grok-4.3")}}}
LINES: Final[dict[str, tuple[str, Body, Body]]] = {
    "a tier of its own": ("openai", openai(chat("m") | {"service_tier": "default"}), chat("m")),
    **{
        name: (name, openai(chat("m")), chat("m"))
        for name in ("openai", "azure", "groq", "together", "dashscope", "mistral", "nobody-knows-it")
    },
    "cohere": (
        "cohere",
        openai({"id": "c", "usage": {"billed_units": ANTHROPIC}}),
        {"usage": {"billed_units": ANTHROPIC}},
    ),
    **{
        f"Claude at {name}": (name, result(CLAUDE), CLAUDE)
        for name in ("anthropic", "aws", "google", "vertex_ai", "azure")
    },
    "Gemini": ("google", {"key": "k", "response": GEMINI}, GEMINI),
    "Vertex AI": (
        "google",
        {"status": "", "processed_time": "t", "request": {"contents": []}, "response": GEMINI},
        GEMINI,
    ),
    "Claude at Vertex AI, in its file": ("google", {"request": {"messages": []}, "response": CLAUDE}, CLAUDE),
    "Nova at Bedrock": ("aws", {"recordId": "1", "modelInput": {}, "modelOutput": NOVA}, NOVA),
    "Claude at Bedrock": ("aws", {"recordId": "1", "modelInput": {}, "modelOutput": CLAUDE}, CLAUDE),
    "Fireworks": ("fireworks", {"custom_id": "0", "response": chat("m")}, chat("m")),
    "xAI": ("x-ai", XAI, chat("grok-4.3")),
}


@pytest.mark.parametrize("name", LINES)
def test_a_line_is_the_response_inside_in_the_tier_batch(name: str) -> None:
    """With all of its counts, tools and names, whatever tier it says itself."""
    provider, line, inside = LINES[name]
    found, direct = extract(provider, line), extract(provider, inside)
    assert found.usage is not None
    assert (found.usage, found.tool_calls, found.conditions) == (direct.usage, direct.tool_calls, direct.conditions)
    assert (found.response_model, found.operation) == (direct.response_model, direct.operation)
    assert found.service_tier == "batch"


def test_every_event_of_a_line_is_of_the_batch() -> None:
    """Also those of other models."""
    odd = {"modality": "SMELL", "tokenCount": 10}
    usage = GEMINI["usageMetadata"] | {"promptTokensDetails": [odd]}
    events = usage_events("google", {"key": "k", "response": GEMINI | {"usageMetadata": usage}}, source="svc")
    assert [event.service_tier for event in events] == ["batch", "batch"]


@pytest.mark.parametrize(
    ("provider", "line"),
    [
        ("openai", {"custom_id": "0", "response": None, "error": {"code": "batch_expired"}}),
        ("mistral", {"custom_id": "0", "response": None, "error": {"message": "m"}}),
        ("mistral", {"custom_id": "0", "response": {"status_code": 422, "body": {"detail": "d"}}, "error": None}),
        ("groq", {"custom_id": "0", "response": {"status_code": 400, "body": {"error": {}}}, "error": None}),
        ("google", {"key": "k", "error": {"code": 3}}),
        ("aws", {"recordId": "1", "modelInput": {}, "error": {"errorCode": 400}}),
        ("x-ai", {"batch_request_id": "0", "batch_result": {"error": "e"}}),
        ("google", {"custom_id": "0", "result": {"type": "errored", "error": {}}}),
    ],
)
def test_a_line_that_failed_is_a_failed_call(provider: str, line: Body) -> None:
    """It costs nothing, and is seen."""
    found = extract(provider, line)
    assert (found.status, found.service_tier, found.usage) == ("error", "batch", None)


@pytest.mark.parametrize("line", [{"key": "k"}, {"key": "k", "response": {}}, {"request": {"a": 1}, "response": "x"}])
def test_what_holds_no_response_is_refused(line: Body) -> None:
    """It is no line that anybody knows."""
    with pytest.raises(AdapterError, match="expected a response with usage"):
        extract("google", line)
