"""Dated ids of known models: every snapshot that the providers' own SDKs name is known, and no invented date is."""

import re
from datetime import UTC, datetime
from pathlib import Path

import anthropic
import openai
import pytest

from spendstream_schemas import UnpricedReason
from stream_jobs.pricing.catalog import Identity
from stream_jobs.pricing.rates import Missing
from tests.unit.pricing.shipped import shipped_book as book

AT = datetime(2026, 11, 28, tzinfo=UTC)
DATED = re.compile(r"""["']((?:gpt|o\d|computer-use-preview|claude)-[a-z0-9.\-]*-?(?:20\d\d-\d\d-\d\d|20\d{6}))["']""")


def dated_ids(sdk: str) -> list[str]:
    """Every dated id that an SDK's types name."""
    types = Path(sdk).parent / "types"
    texts = (path.read_text(encoding="utf-8") for path in types.rglob("*.py"))
    return sorted({found for text in texts for found in DATED.findall(text)})


def model_of(provider: str, ref: str, at: datetime = AT) -> str:
    """The book's id of what an id means."""
    found = book().catalog.identify(provider, ref, None, at)
    assert isinstance(found, Identity), found
    return found.model


@pytest.mark.parametrize(("provider", "sdk"), [("openai", openai.__file__), ("anthropic", anthropic.__file__)])
def test_every_snapshot_that_the_sdk_names_is_known(provider: str, sdk: str) -> None:
    """Whatever a typed client can ask for or be served has a price."""
    refs = dated_ids(sdk)
    assert len(refs) >= 3
    unknown = [ref for ref in refs if isinstance(book().catalog.identify(provider, ref, None, AT), Missing)]
    assert unknown == []


@pytest.mark.parametrize(
    ("provider", "snapshot", "name"),
    [
        ("openai", "gpt-5.2-2025-12-11", "gpt-5.2"),
        ("openai", "gpt-4o-mini-tts-2025-12-15", "gpt-4o-mini-tts"),
        ("openai", "gpt-4o-mini-transcribe-2025-12-15", "gpt-4o-mini-transcribe"),
        ("openai", "gpt-audio-mini-2025-12-15", "gpt-audio-mini"),
        ("openai", "gpt-realtime-mini-2025-12-15", "gpt-realtime-mini"),
        ("openai", "gpt-realtime-2.1-2026-07-07", "gpt-realtime-2.1"),
        ("openai", "gpt-5-search-api-2025-10-14", "gpt-5-search-api"),
        ("openai", "computer-use-preview-2025-03-11", "computer-use-preview"),
        ("openai", "tts-1-hd-1106", "tts-1-hd"),
        ("azure", "gpt-5.1-codex-mini-2025-11-13", "gpt-5.1-codex-mini"),
        ("azure", "gpt-audio-1.5-2026-02-23", "gpt-audio-1.5"),
        ("azure", "gpt-35-turbo-instruct-0914", "gpt-3.5-turbo-instruct"),
        ("x-ai", "grok-4.20-0309", "grok-4.20"),
        ("x-ai", "grok-4.20-beta-0309-reasoning", "grok-4.20"),
    ],
)
def test_a_snapshot_costs_what_its_name_costs(provider: str, snapshot: str, name: str) -> None:
    """Both are the same model of the book."""
    assert model_of(provider, snapshot) == model_of(provider, name)


@pytest.mark.parametrize(
    ("provider", "ref"),
    [
        ("openai", "gpt-4o-mini-tts-2025-12-16"),
        ("openai", "gpt-realtime-2.1-2026-07-07-fast"),
        ("openai", "gpt-5.1-codex-2025-13-11"),
        ("x-ai", "grok-4.20-0310"),
    ],
)
def test_an_invented_date_is_unknown(provider: str, ref: str) -> None:
    """Another snapshot may cost something else: a date is not priced because it looks like one."""
    found = book().catalog.identify(provider, ref, None, AT)
    assert isinstance(found, Missing)
    assert found.reason is UnpricedReason.UNKNOWN_MODEL


def test_a_retired_model_becomes_its_successor_on_the_day() -> None:
    """grok-code-fast-1 was itself until noon, Pacific time, of its last day, and is Grok Build since."""
    before, after = datetime(2026, 5, 15, 18, 59, tzinfo=UTC), datetime(2026, 5, 15, 19, tzinfo=UTC)
    for ref in ("grok-code-fast-1", "grok-code-fast-1-0825"):
        assert model_of("x-ai", ref, before) == "grok-code-fast-1"
        assert model_of("x-ai", ref, after) == "grok-build-0.1"
