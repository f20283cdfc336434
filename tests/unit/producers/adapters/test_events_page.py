"""The page for services in other languages: its lines are what the adapters do, and none of theirs is missing.

`conftest.py` holds it to every response of the other tests of the adapters; here are responses that are made of its own
lines, and the kinds that it once lacked.
"""

import ast
import random
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from spendstream import adapters
from spendstream.adapters import AdapterError, extract
from spendstream.adapters.names import canonical
from tests.contract.provider_responses import KINDS
from tests.unit.pages import EVENTS, section
from tests.unit.producers.adapters import forms, test_deepgram, test_hosted, test_interactions, test_openai_media
from tests.unit.producers.adapters.event_lines import ALSO_WRITTEN, TITLE, at, lines
from tests.unit.producers.adapters.event_page import (
    CHAT,
    COHERE,
    CONVERSE,
    FORMS,
    GEMINI,
    OTHERS,
    PROVIDERS,
    RESPONSES,
    X_SEARCHES,
    differences,
    form_of,
    images,
    read,
    small,
)

Body = dict[str, Any]
PAGE: Final = section(EVENTS, TITLE)


def chat(**usage: Any) -> Body:
    return {"id": "c", "object": "chat.completion", "model": "m", "usage": usage}


def responses(*output: Body, **more: Any) -> Body:
    usage = {"input_tokens": 100, "output_tokens": 10}
    return {"id": "r", "object": "response", "model": "gpt-5", "output": list(output), "usage": usage} | more


def gemini(model: str, **metadata: Any) -> Body:
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 3}
    return {"modelVersion": model, "usageMetadata": usage, "candidates": [{"groundingMetadata": metadata}]}


CONTAINER: Final = {"type": "code_interpreter_call", "container_id": "c1"}
ITERATIONS: Final = [
    {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
    {"type": "message", "input_tokens": 100, "output_tokens": 7},
    {"type": "advisor_message", "model": "claude-opus-4-6", "input_tokens": 90, "output_tokens": 8},
]
IMAGE_TOOL: Final = {
    "input_tokens": 100,
    "input_tokens_details": {"text_tokens": 100, "image_tokens": 0},
    "output_tokens": 4_000,
    "cached_tokens": 60,
}
EXPLICIT: Final = {
    "cache_type": "ephemeral",
    "cached_tokens": 500,
    "cache_creation_input_tokens": 400,
    "cache_creation": {"ephemeral_5m_input_tokens": 400},
}
XAI_TOOLS: Final = {"web_search_calls": 1, "x_search_calls": 2}
CONNECTORS: Final = {
    "prompt_tokens": 400,
    "completion_tokens": 50,
    "total_tokens": 1450,
    "connector_tokens": 1000,
    "connectors": {"web_search": 2, "code_interpreter": 1},
}


def grok(completion: int, total: int | None) -> Body:
    reasoning = {"reasoning_tokens": 300}
    return chat(
        prompt_tokens=1000, completion_tokens=completion, total_tokens=total, completion_tokens_details=reasoning
    )


KNOWN: Final[dict[str, tuple[str, Body, Mapping[str, Any]]]] = {
    "Anthropic's compactions": (
        "anthropic",
        {
            "type": "message",
            "usage": {"input_tokens": 100, "output_tokens": 7, "speed": "fast", "iterations": ITERATIONS},
        },
        {"input_tokens": 180_100, "output_tokens": 3_507, "conditions.speed": "fast"},
    ),
    "advisors through LiteLLM": (
        "litellm",
        chat(prompt_tokens=180_190, completion_tokens=3_515, total_tokens=183_705, iterations=ITERATIONS),
        {"input_tokens": 180_100, "output_tokens": 3_507},
    ),
    "OpenAI's image tool": (
        "openai",
        responses(tool_usage={"image_gen": IMAGE_TOOL}, tools=[{"type": "image_generation", "model": "gpt-image-1"}]),
        {"input_tokens": 100, "output_tokens": 10},
    ),
    "Mistral's connectors": (
        "mistral",
        {"object": "conversation.response", "usage": CONNECTORS, "outputs": [{"id": "a"}, {"id": "b"}]},
        {"input_tokens": 1400, "tool_use_input_tokens": 1000, "tool_calls.web_search": 2, "response_id": "b"},
    ),
    "Mistral's executions": (
        "mistral",
        {
            "object": "conversation.response",
            "usage": CONNECTORS | {"connectors": {"github_mcp": 2, "code_interpreter": 0}},
            "outputs": [{"type": "tool.execution", "name": name} for name in ("web_search", "web_search", "jira")],
        },
        {"tool_calls.web_search": 2, "tool_calls.code_execution": 0, "conditions.search_context": "github_mcp,jira"},
    ),
    "grounding in maps": (
        "google",
        gemini("gemini-3-flash", groundingChunks=[{"maps": {"uri": "u"}}]),
        {"tool_calls.maps_grounding": 1},
    ),
    "containers by their memory": (
        "openai",
        responses(CONTAINER, CONTAINER, tools=[{"type": "code_interpreter", "container": {"memory_limit": "4g"}}]),
        {"tool_calls.code_execution": 4},
    ),
    "hosted shells": (
        "openai",
        responses({"type": "shell_call", "environment": {"container_id": "c2"}}, CONTAINER),
        {"tool_calls.code_execution": 2},
    ),
    "searches of the older form": (
        "openai",
        responses({"type": "web_search_call"}, {"type": "web_search_call", "action": {"type": "open_page"}}),
        {"tool_calls.web_search": 1},
    ),
    "xAI's tools": (
        "x-ai",
        responses(usage={"output_tokens": 9, "server_side_tool_usage_details": XAI_TOOLS}),
        {"tool_calls.web_search": 1, "tool_calls.social_search": 2},
    ),
    "xAI's searches on X, listed only": (
        "x-ai",
        responses(
            *({"type": "custom_tool_call", "name": name, "id": name} for name in (*X_SEARCHES, "view_image")),
            usage={"input_tokens": 1, "output_tokens": 9, "num_server_side_tools_used": 4},
        ),
        {"tool_calls.social_search": 4, "conditions.search_context": None},
    ),
    "xAI's searches on X, counted": (
        "x-ai",
        responses(
            {"type": "custom_tool_call", "name": "x_user_search"},
            usage={"output_tokens": 9, "server_side_tool_usage_details": XAI_TOOLS},
        ),
        {"tool_calls.social_search": 2},
    ),
    "a service's own tool with such a name": (
        "openai",
        responses({"type": "custom_tool_call", "name": "x_user_search"}),
        {"tool_calls.social_search": None},
    ),
    "xAI's sources": (
        "x-ai",
        chat(prompt_tokens=1, completion_tokens=1, num_sources_used=3),
        {"tool_calls.web_search": 3, "conditions.search_context": "live"},
    ),
    "DashScope's responses": (
        "dashscope",
        responses(usage={"input_tokens": 1000, "output_tokens": 1, "x_details": [{"prompt_tokens_details": EXPLICIT}]}),
        {"cache_write_5m_tokens": 400, "cache_write_tokens": None, "conditions.cache": "explicit"},
    ),
    "DashScope's chat": (
        "dashscope",
        chat(prompt_tokens=1000, completion_tokens=1, prompt_tokens_details=EXPLICIT),
        {"cache_read_tokens": 500, "cache_write_5m_tokens": 400, "conditions.cache": "explicit"},
    ),
    "Gemini in OpenAI's form": (
        "google",
        chat(prompt_tokens=1000, completion_tokens=20, total_tokens=1100),
        {"output_tokens": 100, "reasoning_tokens": 80},
    ),
    "Grok on Azure with short reasoning": ("azure", grok(400, 1700), {"output_tokens": 700}),
    "xAI with reasoning inside": ("x-ai", grok(400, 1400), {"output_tokens": 400}),
    "xAI with reasoning outside": ("x-ai", grok(100, 1400), {"output_tokens": 400}),
    "xAI without a total": ("x-ai", grok(100, None), {"output_tokens": 400}),
    "Grok on Azure": ("azure", grok(100, 1400), {"output_tokens": 400}),
    "Grok on OpenRouter": ("openrouter", grok(100, 1400), {"output_tokens": 400}),
    "others with reasoning inside": ("openai", grok(400, 1400), {"output_tokens": 400}),
    "Moonshot's cache": (
        "moonshotai",
        chat(prompt_tokens=100, completion_tokens=1, cached_tokens=60),
        {"input_tokens": 100, "cache_read_tokens": 60},
    ),
    "Realtime": (
        "openai",
        {
            "object": "realtime.response",
            "usage": {
                "input_tokens": 100,
                "output_tokens": 50,
                "input_token_details": {
                    "audio_tokens": 80,
                    "cached_tokens": 60,
                    "cached_tokens_details": {"audio_tokens": 50},
                },
                "output_token_details": {"audio_tokens": 40},
            },
        },
        {"cache_read_audio_tokens": 50, "input_audio_tokens": 80, "output_audio_tokens": 40},
    ),
    "an error beside HTTP 200": ("openrouter", chat(prompt_tokens=1) | {"error": {"code": 502}}, {"status": "error"}),
}
OTHER_FORMS: Final[dict[str, tuple[str, str, Body]]] = {
    "Voyage": ("embeddings and rerank in OpenAI's form", "voyageai", forms.VOYAGE),
    "Voyage's client": (
        "embeddings and rerank in OpenAI's form",
        "voyageai",
        {"embeddings": [[0.1]], "total_tokens": 9},
    ),
    "OpenAI embeddings": (
        "embeddings and rerank in OpenAI's form",
        "openai",
        {"object": "list", "data": [{"embedding": [0.1]}], "usage": {"prompt_tokens": 8, "total_tokens": 8}},
    ),
    "DALL-E": ("images without", "openai", {"created": 1, "data": [{"url": "a"}, {"url": "b"}]}),
    "Nova Canvas": ("images without", "aws", {"images": ["c2VjcmV0", "c2VjcmV0"]}),
    "Stability": ("images without", "aws", {"artifacts": [{"base64": "c2VjcmV0"}]}),
    "Whisper": ("transcription by", "openai", {"text": "hi", "usage": {"type": "duration", "seconds": 7.5}}),
    "Whisper's verbose_json": ("transcription by", "openai", {"text": "hi", "duration": 8.47}),
    "Deepgram recordings": ("Deepgram recordings", "deepgram", test_deepgram.recording()),
    "Deepgram streams": ("Deepgram streams", "deepgram", test_deepgram.TOLD | {"type": "Metadata", "channels": 1}),
    "Sora": (
        "OpenAI video",
        "openai",
        {"id": "v", "object": "video", "status": "completed", "seconds": 8, "size": "720x1280"},
    ),
    "Grok Imagine": ("xAI video", "x-ai", {"model": "m", "video": {"duration": 6, "url": "u"}}),
    "Mistral OCR": ("Mistral OCR", "mistral", {"model": "m", "pages": [], "usage_info": {"pages_processed": 3}}),
    "Mistral's annotated OCR": (
        "Mistral's annotated OCR",
        "mistral",
        {"model": "m", "pages": [], "usage_info": {"pages_processed": 3}, "document_annotation": "{}"},
    ),
    "Gemini embedContent": (
        "Gemini embedContent",
        "google",
        {"embeddings": [{"statistics": {"tokenCount": 4}}, {"statistics": {"tokenCount": 5}}]},
    ),
    "characters of Gemini's embedContent": (
        "Gemini embedContent",
        "google",
        {"embeddings": [{"values": [0.1]}], "metadata": {"billableCharacterCount": 12}},
    ),
    ":predict": (
        "embeddings of Vertex AI",
        "google",
        {"predictions": [{"embeddings": {"statistics": {"token_count": 6}, "values": [0.1]}}]},
    ),
    "Titan": ("Bedrock InvokeModel, Titan", "aws", forms.TITAN),
    "Llama": ("Bedrock InvokeModel, Llama", "aws", forms.LLAMA),
    "Ollama": ("Ollama", "ollama", forms.OLLAMA_CHAT),
    "llama.cpp": ("llama.cpp", "llama.cpp", forms.LLAMA_CPP),
    "SGLang": ("SGLang", "sglang", forms.SGLANG),
    "TGI": ("TGI", "tgi", forms.TGI),
    "watsonx": ("watsonx", "watsonx", test_hosted.WATSONX),
    "an interaction": ("Google's Interactions API", "google", test_interactions.interaction()),
    "Replicate": ("Replicate", "replicate", test_hosted.REPLICATE),
}
PROVIDER_OF: Final = {
    CHAT: ("openai", "groq", "azure", "nobody-knows-it", *PROVIDERS),
    RESPONSES: ("openai", "x-ai", "nobody-knows-it", "dashscope"),
    "Anthropic messages": ("anthropic", "aws", "google"),
    GEMINI: ("google", "nobody-knows-it"),
    CONVERSE: ("aws",),
    COHERE: ("cohere", "nobody-knows-it"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_kinds_that_the_page_once_lacked(name: str) -> None:
    """The page comes to what is right, and so does the adapter, in every event of the call."""
    provider, body, right = KNOWN[name]
    said = read(provider, body).said
    assert {field: said.get(field) for field in right} == right
    assert differences(provider, body, extract(provider, body)) == []


@pytest.mark.parametrize("name", OTHER_FORMS)
def test_the_lines_of_other_forms_are_what_adapters_read(name: str) -> None:
    """Each form of the last table, in a response as its server gives it."""
    whose, provider, body = OTHER_FORMS[name]
    found = extract(provider, body)
    assert found.usage is not None
    said = small(whose, body)
    meters = found.usage.model_dump(mode="json", exclude_none=True, exclude={"kind"})
    names = {"response_model": found.response_model, "response_id": found.response_id}
    ours = {meter: float(count) for meter, count in meters.items()} | {
        name: names[name] for name in names & said.keys()
    }
    assert {name: what if name in names else float(what) for name, what in said.items() if "." not in name} == ours
    assert f"`{found.operation}`" in PAGE
    assert found.conditions is None or found.conditions.size == said["conditions.size"]


def counted(body: Body, provider: str) -> Body:
    usage = extract(provider, body).usage
    assert usage is not None
    return usage.model_dump(exclude_none=True, exclude={"kind"})


@pytest.mark.parametrize("details", [{}, {"output_tokens_details": {"image_tokens": 4_000, "text_tokens": 160}}])
def test_images_by_tokens(details: Body) -> None:
    """The lines of responses; without a breakdown all output is image."""
    body = {"created": 1, "data": [{}], "usage": test_openai_media.IMAGE_USAGE | details}
    said = {name: count for name, count in images(body).items() if count is not None}
    assert said == counted(body, "openai")


def test_imagen_s_pictures() -> None:
    """What was filtered is none."""
    made = [one for one in at("predictions", forms.IMAGEN) if {"bytesBase64Encoded", "gcsUri"} & one.keys()]
    assert {"output_images": len(made)} == counted(forms.IMAGEN, "google")


def test_the_last_chunk_of_invoke_model_and_its_headers() -> None:
    """Both tell the same counts, with the cache beside the input."""
    told = {"inputTokenCount": 9, "outputTokenCount": 4, "cacheReadInputTokenCount": 90, "cacheWriteInputTokenCount": 7}
    said = small("Bedrock InvokeModel, streams", told)
    assert said == counted({"amazon-bedrock-invocationMetrics": told}, "aws")
    named = re.findall(r"`(x-amzn-bedrock-[a-z-]+)`", PAGE)
    headers = {name: str(count) for name, count in zip(named, told.values(), strict=True)}
    assert said == counted({"ResponseMetadata": {"HTTPHeaders": headers}}, "aws")


def test_every_line_of_other_forms_has_a_response() -> None:
    """Here or in a test of its own."""
    held = {whose for whose, _, _ in OTHER_FORMS.values()}
    elsewhere = ("OpenAI images", "Imagen", "Bedrock InvokeModel, streams")
    named = {whose for whose, _ in lines(OTHERS)}
    assert [name for name in named if not name.startswith((*held, *elsewhere))] == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_random_responses(kind: str, seed: int) -> None:
    """Those that the programs in other languages get: the page comes to the same events."""
    rng = random.Random(seed)
    for call in (KINDS[kind](rng, str(number)) for number in range(20)):
        found = extract(call.provider, call.response)
        assert differences(canonical(call.provider), call.response, found) == []


def put(path: str, what: Any, body: Body) -> None:
    """Make a field of a path of the page's."""
    inner, steps = body, re.findall(r"[^.\[\]]+(?:\[[^\]]*\])?", path)
    for number, step in enumerate(steps):
        name, _, test = step.rstrip("]").partition("[")
        key, _, wanted = test.partition("=")
        listed = bool(test) or name in ("cacheDetails", "x_details")
        if number == len(steps) - 1 and not test:
            inner[name] = what
        elif not listed:
            inner = inner.setdefault(name, {})
        else:
            items = inner.setdefault(name, [])
            found = [one for one in items if not wanted or one.get(key) == wanted]
            if not found:
                items.append({key: wanted} if wanted else {})
                found = items[-1:]
            inner = found[0]


SIZES: Final = {
    "^(in|out)put_tokens": [2_000, 4_500, 7_777],
    "^(input|output)_[a-z]+_tokens|^cache_read_tokens": [90, 500],
    "": [0, 7, 25],
}
"""Of counts, by the field of the event: wholes are larger than their parts, mostly."""


SAID_BY: Final = {
    "mistral": ("response_model", "output_tokens"),
    "dashscope": ("response_model", "response_id", "input_tokens", "output_tokens", "reasoning_tokens"),
    "x-ai": ("response_model", "response_id", "service_tier", "input_tokens", "cache_read_tokens", "reasoning_tokens"),
}
"""Their responses have few of the fields that OpenAI's have."""


def mixed(body: Body) -> bool:
    """Whether what only LiteLLM tells stands beside what only DashScope does, or stands alone."""
    details = at("usage.prompt_tokens_details.cache_creation_token_details", body)
    others = at("usage.prompt_tokens_details.cache_creation", body) + at(
        "usage.prompt_tokens_details.cache_creation_input_tokens", body
    )
    written = at("usage.cache_creation_input_tokens", body)
    ours = [one for one in at("usage.prompt_tokens_details", body) if any("cache_write" in name for name in one)]
    return sum(map(bool, (written, others, ours))) > 1 or bool(details) > bool(written)


def made_of(form: str, provider: str, rng: random.Random) -> Body:
    """A response with some of the fields of the form's lines: wholes are large, parts small, some 0."""
    body: Body = {RESPONSES: {"object": "response"}, "Anthropic messages": {"type": "message"}}.get(form, {})
    whose = ("", PROVIDERS.get(provider, "none")) if form == CHAT else ("",)
    place = rng.choice(["x_details", "usage.prompt_tokens_details.cache_creation"])  # DashScope's: one of them
    for (who, name), line in sorted(lines(form).items()):
        if who not in whose or not line or (who == "" and name not in SAID_BY.get(provider, (name,))):
            continue
        terms = [term for term in rng.choice(line).split(" + ") if not term.startswith("cache_")]
        for path in terms:
            if (
                (place in path and provider == "dashscope")
                or " " in path
                or (name not in ("input_tokens", "output_tokens") and rng.random() < 0.4)
            ):
                continue
            count = rng.choice(next(sizes for part, sizes in SIZES.items() if re.search(part, name)))
            words = name.startswith(("response_", "session_", "conditions.")) or name == "service_tier"
            put(path, f"w{rng.randint(1, 3)}" if words else count, body)
    return body


@pytest.mark.parametrize("form", FORMS)
def test_responses_made_of_the_page_s_own_lines(form: str) -> None:
    """Whatever subset of its fields a response has, page and adapter come to the same events, or the adapter refuses
    what contradicts itself."""
    rng, compared = random.Random(form), 0
    for _ in range(150):
        for provider in PROVIDER_OF[form]:
            body = made_of(form, provider, rng)
            if mixed(body):
                continue
            try:
                found = extract(provider, body)
            except AdapterError:
                continue
            assert form_of(provider, body) == form
            assert differences(provider, body, found) == [], body
            compared += 1
    assert compared > 30 * len(PROVIDER_OF[form])


READING: Final = frozenset({"raw", "has", "node", "nodes", "count", "seconds", "text", "name"})
"""The methods of `Node` that read a field by its name."""
TABLES: Final = ("_HEADERS", "_METRICS", "_XAI_TOOLS", "_CONNECTORS", "_BY_TOKENS")
"""Where modules keep names of fields that they read in a loop."""
NO_RESPONSE_OF_AN_API: Final = ("langchain.py", "litellm.py", "otel.py", "wholes.py")
NOT_ON_THE_PAGE: Final[Mapping[str, str]] = {
    "complete": "ours: what a stream has shown so far",
    "delivered_bytes": "ours: what a stream has shown so far",
    "chunk": "how SDKs wrap parts of a stream",
    "stop": "tells the last chunk of a stream",
    "generated_text": "tells the last chunk of a stream",
    "output_text": "tells a chunk of a stream",
    "stop_reason": "tells the last chunk of a stream",
    "role": "tells the first chunk of a stream",
    "HTTPHeaders": "how boto3 wraps the headers",
    "finish_reason": "that it is there tells the operation",
    "generations": "that it is there tells the operation",
    "embedding": "that it is there tells the operation",
    "embeddings_by_type": "that it is there tells the operation",
    "generated_images": "how Google's SDK calls the predictions",
    "image_bytes": "how Google's SDK calls an image",
    "rai_filtered_reason": "of what was filtered, which is no image",
    "total_token_count": "tells a response of Gemini's without input",
    "prompt_cache_miss_tokens": "the rest of the prompt, to find contradictions",
}
"""Why a service needs none of them for the right event."""


def names_that_adapters_read() -> dict[str, set[str]]:
    """Field -> the modules that read it by this name."""
    found: dict[str, set[str]] = {}
    for path in sorted(Path(adapters.__file__).parent.glob("*.py")):
        if path.name in NO_RESPONSE_OF_AN_API:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in _read_by(node):
                found.setdefault(name, set()).add(path.name)
    return found


def _read_by(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READING:
        given: list[ast.expr] = node.args if node.func.attr == "has" else node.args[:1]
        yield from (text for one in given for text in _texts(one))
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in TABLES:
        value = node.value
        parts = value.values if isinstance(value, ast.Dict) else [value]
        yield from (text for part in parts if part is not None for text in _texts(part))


def _texts(node: ast.AST) -> Iterable[str]:
    """Whole ones, not the parts of one that is put together."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif not isinstance(node, ast.JoinedStr):
        yield from (text for part in ast.iter_child_nodes(node) for text in _texts(part))


def in_camel_case(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def test_every_field_that_adapters_read_is_on_the_page() -> None:
    """Or in the list of those that need not be, with the reason; and what is in that list is not on the page."""
    spans = re.findall(r"`([^`\n]+)`", section(EVENTS, "The event") + PAGE.replace("<kind>_tokens", "video_tokens"))
    said = {word for span in spans for word in re.findall(r"[\w-]+", span)}
    missing = {
        name: sorted(modules)
        for name, modules in names_that_adapters_read().items()
        if not said & {name, in_camel_case(name)}
    }
    assert missing.keys() - NOT_ON_THE_PAGE.keys() == set(), missing
    assert NOT_ON_THE_PAGE.keys() - missing.keys() == set()


def test_other_names_are_on_the_page() -> None:
    """Below the table of their form."""
    assert [name for name in ALSO_WRITTEN.values() if f"`{name}`" not in PAGE] == []
