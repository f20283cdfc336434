"""Every response that the tests of the adapters read is read by the page for services in other languages too."""

from collections.abc import Mapping
from typing import Any

import pytest

from spendstream.adapters import ExtractedUsage
from spendstream.adapters.names import canonical
from tests.unit.producers.adapters import event_page


@pytest.fixture(autouse=True)
def the_page_says_the_same(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the adapter reads a body in one of the page's forms, the page must come to the same event."""
    real: Any = getattr(request.module, "extract", None)
    if real is None or hasattr(request.function, "hypothesis"):  # damaged responses are not what the page is about
        return

    def extract(provider: str, response: object, **how: Any) -> ExtractedUsage:
        found: ExtractedUsage = real(provider, response, **how)
        if isinstance(response, Mapping) and not found.unreadable:
            wrong = event_page.differences(canonical(provider), response, found)
            assert wrong == [], f"schemas/EVENTS.md says otherwise: {wrong}"
        return found

    monkeypatch.setattr(request.module, "extract", extract)
