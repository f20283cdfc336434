"""Images and audio without a usage object: what the response does say is counted, the rest is usage_unknown."""

from typing import Any

import openai
import pytest
from google.genai import types as genai

from spendstream.adapters import extract, usage_event
from spendstream_schemas import TokenUsage
from tests.unit.producers.adapters import forms
from tests.unit.producers.adapters.local_api import LocalApi
from tests.unit.producers.adapters.support import meters


def test_imagens_pictures_are_counted() -> None:
    """Those that were filtered are none; a call of which nothing is left made 0."""
    made = genai.GeneratedImage(image=genai.Image(image_bytes=b"secret", mime_type="image/png"))
    filtered = genai.GeneratedImage(rai_filtered_reason="filtered")
    for items, count in (([made, made, filtered], 2), ([filtered], 0)):
        found = extract("google", genai.GenerateImagesResponse(generated_images=items))
        assert meters(found) == {"output_images": count}
        assert found.operation == "image"


@pytest.mark.parametrize("provider", ["google", "vertex_ai", "gcp.vertex_ai"])
def test_predictions_of_vertex_ai_are_counted(provider: str) -> None:
    """Imagen's by the picture, embeddings by their tokens."""
    embedded = {"predictions": [{"embeddings": {"statistics": {"token_count": n}, "values": []}} for n in (4, 5)]}
    assert meters(extract(provider, forms.IMAGEN)) == {"output_images": 1}
    assert meters(extract(provider, embedded)) == {"input_tokens": 9}


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        ({"text": "secret"}, {}),
        ({"text": "secret", "x_groq": {"id": "req_1"}}, {}),
        (
            {"task": "transcribe", "language": "english", "duration": 8.47, "text": "secret", "segments": []},
            {"s": "8.47"},
        ),
        ({"text": "secret", "usage": {"type": "duration", "seconds": 9}}, {"s": "9"}),
    ],
    ids=["json", "groq", "verbose_json", "duration"],
)
def test_whisper_through_openais_client(body: dict[str, Any], usage: dict[str, str]) -> None:
    """Its length where it is told; else an event without usage, which the service can give (`record_usage`)."""
    with LocalApi(body) as api, openai.OpenAI(base_url=f"{api.url}/v1", api_key="none") as client:
        response = client.audio.transcriptions.create(
            model="whisper-1",
            file=("a.wav", b"RIFF"),
            response_format="verbose_json" if "task" in body else "json",
        )
    event = usage_event("openai", response, source="s", model="whisper-1")
    assert event.operation == "transcription"
    assert isinstance(event.usage, TokenUsage)
    seconds = event.usage.input_audio_seconds
    assert {"s": f"{seconds.normalize():f}"} == usage if seconds is not None else not usage
    assert "secret" not in event.model_dump_json()


def test_voyages_own_client_keeps_the_total_beside_the_vectors() -> None:
    """Its objects have `total_tokens` and no usage."""
    assert meters(extract("voyage", {"embeddings": [[0.1]], "total_tokens": 10})) == {"input_tokens": 10}
    ranked = {"results": [{"index": 0, "relevance_score": 0.9}], "total_tokens": 26}
    assert meters(extract("voyageai", ranked)) == {"input_tokens": 26}
    assert extract("voyageai", ranked).operation == "rerank"
    assert meters(extract("voyageai", forms.VOYAGE)) == {"input_tokens": 10}
