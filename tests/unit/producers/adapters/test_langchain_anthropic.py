"""`langchain_anthropic`: server tools of Anthropic's in LangChain's messages, which streams count nowhere."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from spendstream.adapters import ExtractedUsage, StreamAccumulator, extract, usage_events
from spendstream_schemas import ToolCalls

Block = dict[str, Any]
USAGE: Final = {"input_tokens": 1000, "output_tokens": 1000, "total_tokens": 2000}


def raw(number: int, name: str = "web_search", **more: Any) -> Block:
    return {"type": "server_tool_use", "id": f"srvtoolu_{number}", "name": name, "input": {"query": "secret"}} | more


def standard(number: int, name: str = "web_search", kind: str = "server_tool_call") -> Block:
    return {"type": kind, "id": f"srvtoolu_{number}", "name": name, "args": {}}


def chunked(number: int, name: str = "web_search") -> Block:
    return standard(number, name, "server_tool_call_chunk")


def message(*content: Block, **metadata: Any) -> dict[str, Any]:
    told = {"model_name": "claude-opus-4-6", "model_provider": "anthropic"} | metadata
    return {"type": "ai", "content": list(content), "usage_metadata": USAGE, "response_metadata": told}


def streamed(provider: str, *content: Block) -> StreamAccumulator:
    """As langchain-anthropic gives it: a block in each chunk, the usage's counts of tokens in the last."""
    stream = StreamAccumulator(provider)
    said = {"model_name": "claude-opus-4-6", "model_provider": "anthropic"}
    for metadata, block in [(said, None), *(({}, block) for block in content)]:
        listed = [] if block is None else [block]
        stream.add({"type": "AIMessageChunk", "content": listed, "response_metadata": metadata})
    stream.add(
        {
            "type": "AIMessageChunk",
            "content": [],
            "response_metadata": {"stop_reason": "end_turn"},
            "usage_metadata": USAGE,
            "chunk_position": "last",
        }
    )
    return stream


RAW_ERROR: Final = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_2",
    "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
}
STANDARD_ERROR: Final = {"type": "server_tool_result", "tool_call_id": "srvtoolu_2", "status": "error", "output": {}}
RESULT: Final = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"title": "secret"}]}
BLOCKS: Final[dict[str, tuple[list[Block], ToolCalls | None]]] = {
    "two searches": ([raw(1), RESULT, raw(2)], ToolCalls(web_search=2)),
    "in standard blocks": ([standard(1), standard(2)], ToolCalls(web_search=2)),
    "in chunks of standard blocks": (
        [chunked(1), {"type": "server_tool_call_chunk", "args": "{"}, chunked(2)],
        ToolCalls(web_search=2),
    ),
    "chunks that LangChain has added up": (
        [standard(1, kind="text") | {"text": "", "index": 0}, standard(2)],
        ToolCalls(web_search=2),
    ),
    "one that is shown twice": ([raw(1), raw(1, partial_json="{}"), standard(1)], ToolCalls(web_search=1)),
    "one that failed": ([raw(1), raw(2), RESULT, RAW_ERROR], ToolCalls(web_search=1)),
    "one that failed, in standard blocks": ([standard(1), standard(2), STANDARD_ERROR], ToolCalls(web_search=1)),
    "none that did not fail": ([raw(2), RAW_ERROR], ToolCalls(web_search=0)),
    "pages too": ([raw(1), raw(2, "web_fetch"), raw(3, "web_fetch")], ToolCalls(web_search=1, web_fetch=2)),
    "tools that cost tokens only": ([raw(1, "tool_search_tool_regex"), standard(2, "code_interpreter")], None),
    "the service's own tool": ([{"type": "tool_use", "id": "toolu_1", "name": "web_search", "input": {}}], None),
    "nothing": ([], None),
}


@pytest.mark.parametrize("provider", ["anthropic", "aws", "google", "azure", "litellm"])
@pytest.mark.parametrize("name", BLOCKS)
def test_a_stream_s_searches_are_counted_by_its_blocks(name: str, provider: str) -> None:
    """Each once, whatever its form, and wherever the model is hosted; so in the message that the chunks add up to."""
    blocks, expected = BLOCKS[name]
    for found in (streamed(provider, *blocks).result(), extract(provider, message(*blocks))):
        assert (found.tool_calls, found.also) == (expected, ())


@pytest.mark.parametrize("name", BLOCKS)
def test_a_count_in_the_usage_goes_before_blocks(name: str) -> None:
    """Whole messages carry Anthropic's own count."""
    counted = message(*BLOCKS[name][0], usage={"server_tool_use": {"web_search_requests": 7, "web_fetch_requests": 0}})
    assert extract("anthropic", counted).tool_calls == ToolCalls(web_search=7, web_fetch=0)


@pytest.mark.parametrize(
    ("block", "name"),
    [
        (raw(1, "advisor"), "advisor"),
        (standard(1, "advisor"), "advisor"),
        (chunked(1, "advisor"), "advisor"),
        ({"type": "compaction", "content": "secret"}, "compaction"),
    ],
)
def test_what_a_stream_shows_and_does_not_count_is_unpriced(block: Block, name: str) -> None:
    """An advisor and a compaction are billed beside the totals: an event without meters says so, once."""
    shown = (ExtractedUsage(response_model=name),)
    assert streamed("anthropic", block, block).result().also == shown
    assert extract("anthropic", message(block)).also == shown
    assert extract("anthropic", message(block, usage={"input_tokens": 1000})).also == ()


def test_no_text_of_a_stream_is_kept() -> None:
    """Neither queries nor results."""
    stream = streamed("anthropic", raw(1), RESULT, RAW_ERROR, {"type": "compaction", "content": "secret"})
    assert "secret" not in str(stream._known)


def test_compactions_and_advisors_cost_what_they_cost_directly() -> None:
    """Whole messages carry ``iterations``: the same events as of Anthropic's own response."""
    counts = {"input_tokens": 1000, "output_tokens": 1000}
    iterations = [
        {"type": "compaction", "input_tokens": 5000, "output_tokens": 100, "cache_read_input_tokens": 7},
        {"type": "message", **counts},
        {"type": "advisor_message", "model": "claude-opus-4-6", "input_tokens": 5000, "output_tokens": 100},
    ]
    usage = counts | {"iterations": iterations, "inference_geo": "us", "service_tier": "standard"}
    own = {"type": "message", "id": "msg_1", "model": "claude-opus-4-6", "usage": usage}
    events = [
        usage_events("anthropic", response, source="svc", event_id="e", occurred_at=datetime(2026, 1, 1, tzinfo=UTC))
        for response in (message(id="msg_1", usage=usage), own)
    ]
    assert events[0] == events[1]
    assert [event.usage.model_dump(exclude_none=True)["input_tokens"] for event in events[0]] == [6007, 5000]
