"""Ollama, llama.cpp, SGLang and TGI: their own APIs, and OpenAI's as they serve it."""

from typing import Any

import openai
import pytest

from spendstream.adapters import StreamAccumulator, extract, usage_event
from tests.unit.producers.adapters import forms
from tests.unit.producers.adapters.local_api import LocalApi
from tests.unit.producers.adapters.support import meters


@pytest.mark.parametrize(
    ("body", "expected", "operation"),
    [
        (forms.OLLAMA_CHAT, {"input_tokens": 26, "output_tokens": 298}, "chat"),
        (forms.OLLAMA_GENERATE, {"input_tokens": 26, "output_tokens": 298}, "completion"),
        (forms.OLLAMA_EMBED, {"input_tokens": 8}, "embeddings"),
        (forms.LLAMA_CPP, {"input_tokens": 40, "cache_read_tokens": 32, "output_tokens": 12}, "completion"),
        (forms.SGLANG, {"input_tokens": 50, "cache_read_tokens": 48, "output_tokens": 20}, "completion"),
        (forms.TGI, {"input_tokens": 2, "output_tokens": 20}, "completion"),
    ],
    ids=["ollama chat", "ollama generate", "ollama embed", "llama.cpp", "sglang", "tgi"],
)
def test_native_bodies_are_counted(body: dict[str, Any], expected: dict[str, int], operation: str) -> None:
    """Whole prompts and whole answers; what was cached is a part of the prompt."""
    found = extract("ollama", body)  # whichever server it is: the body says what it is
    assert meters(found) == expected
    assert found.operation == operation


def test_the_last_chunk_of_ollama_has_the_counts() -> None:
    """Before it usage is unknown; no text is kept."""
    stream = StreamAccumulator("ollama")
    for text in ("sec", "ret"):
        chunk = {"model": "llama3.2", "created_at": "2026-11-02T09:30:00Z", "message": {"content": text}, "done": False}
        stream.add(chunk)
    assert stream.result().usage is None
    assert stream.result().response_model == "llama3.2"
    stream.add(forms.OLLAMA_CHAT)
    assert meters(stream.result()) == {"input_tokens": 26, "output_tokens": 298}
    assert "secret" not in repr(vars(stream))


def test_running_totals_of_sglang_are_not_added_up() -> None:
    """Each chunk repeats the count so far."""
    stream = StreamAccumulator("sglang")
    for written in (1, 2, 20):
        stream.add({"text": "…", "meta_info": forms.SGLANG["meta_info"] | {"completion_tokens": written}})
    assert meters(stream.result())["output_tokens"] == 20


VLLM: dict[str, Any] = {
    "id": "chatcmpl-7f",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 40,
        "completion_tokens": 7,
        "total_tokens": 47,
        "prompt_tokens_details": {"cached_tokens": 32},
    },
    "service_tier": None,
    "kv_transfer_params": None,
}


@pytest.mark.parametrize("provider", ["vllm", "sglang", "ollama", "llama.cpp", "tgi", "our-own-server"])
def test_openais_client_against_ones_own_server(provider: str) -> None:
    """The response of a real client, whatever the server is called."""
    with LocalApi(VLLM) as api, openai.OpenAI(base_url=f"{api.url}/v1", api_key="none") as client:
        response = client.chat.completions.create(
            model="meta-llama/Llama-3.1-8B-Instruct", messages=[{"role": "user", "content": "hello"}]
        )
    event = usage_event(provider, response, source="s")
    assert event.usage.model_dump(exclude_none=True, exclude={"kind"}) == {
        "input_tokens": 40,
        "cache_read_tokens": 32,
        "output_tokens": 7,
    }
    assert (event.response_model, event.operation, event.service_tier) == (VLLM["model"], "chat", None)


def test_openais_client_streams_from_ones_own_server() -> None:
    """`stream_options.include_usage` brings the counts with the last chunk."""
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "qwen3", "choices": []}
    delta = {"index": 0, "delta": {"content": "hi"}, "finish_reason": None}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    with (
        LocalApi([chunk | {"choices": [delta]}, chunk | {"usage": usage}]) as api,
        openai.OpenAI(base_url=f"{api.url}/v1", api_key="none") as client,
    ):
        stream = StreamAccumulator("our-own-server")
        for item in client.chat.completions.create(
            model="qwen3",
            messages=[{"role": "user", "content": "hello"}],
            stream=True,
            stream_options={"include_usage": True},
        ):
            stream.add(item)
    assert meters(stream.result()) == {"input_tokens": 5, "output_tokens": 2}


def test_vllms_rerank_is_counted() -> None:
    """It reports the total alone: all of it was read."""
    body = {
        "id": "rerank-1",
        "model": "BAAI/bge-reranker-v2-m3",
        "usage": {"total_tokens": 56},
        "results": [{"index": 1, "document": {"text": "secret"}, "relevance_score": 0.99}],
    }
    found = extract("vllm", body)
    assert meters(found) == {"input_tokens": 56}
    assert found.operation == "rerank"
