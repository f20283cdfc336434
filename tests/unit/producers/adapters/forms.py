"""Bodies of responses by the form they have, as the servers' own documentation shows them, and what they count."""

from typing import Any

from tests.unit.producers.adapters import test_anthropic, test_bedrock, test_cohere, test_gemini, test_openai

OLLAMA_CHAT: dict[str, Any] = {
    "model": "llama3.2",
    "created_at": "2026-11-02T09:30:00.123Z",
    "message": {"role": "assistant", "content": "secret"},
    "done": True,
    "done_reason": "stop",
    "total_duration": 5191566416,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 383809000,
    "eval_count": 298,
    "eval_duration": 4799921000,
}
OLLAMA_GENERATE: dict[str, Any] = {name: value for name, value in OLLAMA_CHAT.items() if name != "message"} | {
    "response": "secret",
    "context": [1, 2, 3],
}
OLLAMA_EMBED: dict[str, Any] = {
    "model": "all-minilm",
    "embeddings": [[0.01, -0.02]],
    "total_duration": 14143917,
    "load_duration": 1019500,
    "prompt_eval_count": 8,
}
LLAMA_CPP: dict[str, Any] = {
    "content": "secret",
    "model": "qwen3-8b.gguf",
    "stop": True,
    "tokens_evaluated": 40,
    "tokens_predicted": 12,
    "tokens_cached": 51,
    "timings": {"cache_n": 32, "prompt_n": 8, "predicted_n": 12},
}
SGLANG: dict[str, Any] = {
    "text": "secret",
    "meta_info": {
        "id": "9f3c",
        "finish_reason": {"type": "stop"},
        "prompt_tokens": 50,
        "completion_tokens": 20,
        "cached_tokens": 48,
    },
}
TGI: dict[str, Any] = {
    "generated_text": "secret",
    "details": {"finish_reason": "length", "generated_tokens": 20, "prefill": [{"id": 1}, {"id": 2}], "seed": None},
}
TITAN: dict[str, Any] = {
    "inputTextTokenCount": 5,
    "results": [{"tokenCount": 61, "outputText": "secret", "completionReason": "FINISH"}],
}
LLAMA: dict[str, Any] = {
    "generation": "secret",
    "prompt_token_count": 17,
    "generation_token_count": 3,
    "stop_reason": "stop",
}
NOVA: dict[str, Any] = {
    "output": {"message": {"role": "assistant", "content": [{"text": "secret"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "cacheReadInputTokenCount": 90},
}
VOYAGE: dict[str, Any] = {
    "object": "list",
    "data": [{"object": "embedding", "embedding": [0.1], "index": 0}],
    "model": "voyage-3.5",
    "usage": {"total_tokens": 10},
}
IMAGEN: dict[str, Any] = {
    "predictions": [
        {"bytesBase64Encoded": "c2VjcmV0", "mimeType": "image/png"},
        {"raiFilteredReason": "filtered"},
    ]
}

FORMS: dict[str, list[dict[str, Any]]] = {
    "openai": [test_openai.CHAT, VOYAGE],
    "anthropic": [test_anthropic.MESSAGE],
    "google": [test_gemini.RESPONSE, IMAGEN],
    "aws": [test_bedrock.RESPONSE, TITAN, LLAMA, NOVA],
    "cohere": [test_cohere.CHAT],
    "ollama": [OLLAMA_CHAT, OLLAMA_GENERATE, OLLAMA_EMBED],
    "llama.cpp": [LLAMA_CPP],
    "sglang": [SGLANG],
    "tgi": [TGI],
}
