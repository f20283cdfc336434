"""`groq`: tools that Groq has executed are counted, and none of them is free for want of a price."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from spendstream.adapters import StreamAccumulator, extract, usage_event
from spendstream_schemas import ToolCalls
from stream_jobs.facts import facts_of
from tests.unit.pricing.shipped import shipped_book

Tool = dict[str, Any]
USAGE: Final = {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000}
MODEL: Final = "openai/gpt-oss-120b"
EXECUTED: Final[dict[str, tuple[list[Tool], ToolCalls | None, str | None]]] = {
    "a search, by its type": ([{"type": "browser_search"}], ToolCalls(web_search=1), None),
    "actions of the browser": (
        [{"type": "function", "name": f"browser.{name}"} for name in ("search", "open", "find", "open")],
        ToolCalls(web_search=1, web_fetch=2),
        None,
    ),
    "programs": (
        [{"name": "python", "type": "function"}, {"type": "code_interpreter"}],
        ToolCalls(code_execution=2),
        None,
    ),
    "unknown ones": (
        [{"type": "wolfram_alpha"}, {"type": "browser_automation"}],
        None,
        "browser_automation,wolfram_alpha",
    ),
    "one without a name": ([{"arguments": "secret"}], None, "unnamed_tool"),
    "none": ([], None, None),
}


def streamed(tools: list[Tool]) -> StreamAccumulator:
    """Each tool comes twice: when it begins, and with its output."""
    stream = StreamAccumulator("groq")
    chunk = {"id": "c", "object": "chat.completion.chunk", "model": MODEL}
    stream.add(chunk | {"x_groq": {"id": "req"}, "choices": [{"index": 0, "delta": {"role": "assistant"}}]})
    for index, tool in enumerate(tools):
        for more in ({}, {"output": "secret"}):
            stream.add(
                chunk | {"choices": [{"index": 0, "delta": {"executed_tools": [{"index": index} | tool | more]}}]}
            )
    stream.add(chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "x_groq": {"usage": USAGE}})
    return stream


@pytest.mark.parametrize("name", EXECUTED)
def test_executed_tools_are_counted_and_unpriced(name: str) -> None:
    """Whole and in a stream, each once; no price of theirs could be checked, so a call with one has none."""
    tools, calls, unknown = EXECUTED[name]
    message = {"role": "assistant", "content": "x", "executed_tools": tools}
    body = {"id": "c", "object": "chat.completion", "model": MODEL, "choices": [{"message": message}], "usage": USAGE}
    stream = streamed(tools)
    assert "secret" not in str(stream._known)
    for found in (extract("groq", body), extract("groq", body | {"x_groq": {"id": "req"}}), stream.result()):
        assert found.usage is not None
        assert found.usage.output_tokens == 1000
        assert (found.tool_calls, found.conditions and found.conditions.search_context) == (calls, unknown)
        event = usage_event("groq", found, source="svc", occurred_at=datetime(2026, 11, 28, tzinfo=UTC))
        reason = shipped_book().price(facts_of(event)).reason
        expected = "unknown_condition" if unknown else "no_price_for_tool" if calls else None
        assert (reason and reason.value) == expected


def test_litellm_s_counts_of_the_browser() -> None:
    """Searches and pages that were opened."""
    usage = USAGE | {"server_tool_use": {"web_search_requests": 2, "browser_open_requests": 3}}
    found = extract("litellm", {"object": "chat.completion", "model": MODEL, "usage": usage})
    assert found.tool_calls == ToolCalls(web_search=2, web_fetch=3)
