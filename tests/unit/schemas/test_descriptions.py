"""What the published schemas and the page for services in other languages say of each field."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from spendstream.adapters import extract
from spendstream_schemas.descriptions import describe, undescribed
from tests.unit.pages import EVENTS, ROOT, section
from tests.unit.producers.adapters import (
    forms,
    test_anthropic,
    test_bedrock,
    test_cohere,
    test_gemini,
    test_openai,
    test_openai_responses,
)

PUBLISHED = sorted((ROOT / "schemas" / "json").glob("*.schema.json"))
XAI = test_openai.CHAT | {
    "usage": {
        "prompt_tokens": 32,
        "completion_tokens": 9,
        "total_tokens": 135,
        "prompt_tokens_details": {"cached_tokens": 6},
        "completion_tokens_details": {"reasoning_tokens": 94},
    }
}
DEEPSEEK = test_openai.CHAT | {
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_cache_hit_tokens": 64,
        "prompt_cache_miss_tokens": 36,
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
}
PERPLEXITY = test_openai.CHAT | {
    "usage": {"prompt_tokens": 10, "completion_tokens": 100, "citation_tokens": 500, "reasoning_tokens": 2000}
}
RESPONSES: dict[str, tuple[str, dict[str, Any]]] = {
    "OpenAI chat": ("openai", test_openai.CHAT),
    "OpenAI responses": ("openai", test_openai_responses.RESPONSE),
    "Anthropic messages": ("anthropic", test_anthropic.MESSAGE),
    "Gemini generateContent": ("google", test_gemini.RESPONSE),
    "Bedrock Converse": ("aws", test_bedrock.RESPONSE),
    "xAI chat": ("x-ai", XAI),
    "Perplexity chat": ("perplexity", PERPLEXITY),
    "DeepSeek chat": ("deepseek", DEEPSEEK),
    "Cohere chat": ("cohere", test_cohere.CHAT),
    "Ollama": ("ollama", forms.OLLAMA_CHAT),
}


@pytest.mark.parametrize("path", PUBLISHED, ids=[path.name for path in PUBLISHED])
def test_every_field_of_every_published_schema_says_what_it_means(path: Path) -> None:
    """Contract, feeds and YAML files alike: `descriptions.py`, or a description at the field."""
    assert undescribed(json.loads(path.read_text(encoding="utf-8"))) == []


def test_a_field_without_a_description_is_found() -> None:
    """Also inside alternatives and definitions."""
    inner = {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"b": {}}}]}
    schema = {"title": "T", "properties": {"a": {"description": "says it"}, "c": {}}, "$defs": {"D": inner}}
    assert undescribed(schema) == ["T.c", "D.b"]
    assert undescribed(describe(schema, {"T": {"c": "too"}, "D": {"b": "this"}})) == []


def rows() -> list[list[str]]:
    """The first table of the section: what to add up, by response."""
    text = section(EVENTS, "From a provider's response to the event")
    lines = [line for line in text.partition("The model of the response")[0].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def value_of(expression: str, body: dict[str, Any]) -> Any:
    """The sum of the fields that are present; None if none is."""
    found: list[Any] = []
    for path in expression.split(" + "):
        part: Any = body
        for name in path.split("."):
            part = part.get(name) if isinstance(part, dict) else None
        if part is not None:
            found.append(part)
    return None if not found else sum(found) if isinstance(found[0], int) else found[0]


def test_the_page_adds_up_what_the_adapters_add_up() -> None:
    """Each cell of the table, computed on a whole response, is what the adapter makes of that field."""
    (_, *fields), *providers = rows()
    assert len(providers) == len(RESPONSES)
    for name, *cells in providers:
        (provider, body), *_ = [known for prefix, known in RESPONSES.items() if re.match(rf"{prefix}\b", name)]
        found = extract(provider, body)
        assert found.usage is not None
        for field, cell in zip(fields, cells, strict=True):
            expected = found.response_model if field == "`model`" else getattr(found.usage, field.strip("`"))
            said = None if cell.startswith("not in it") else value_of(cell.strip("`"), body)
            assert said == expected, (name, field)
