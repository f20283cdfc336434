"""SPENDSTREAM_RECONCILIATION_*: lists of names."""

import pytest

from stream_jobs.base.environment import from_environment
from stream_jobs.base.errors import ConfigError
from stream_jobs.reconciliation.settings import ReconciliationSettings


def test_lists_are_names_between_commas() -> None:
    """Of providers, one comma too many is nothing; patterns of sources are ranked, so none may be empty."""
    found = from_environment(ReconciliationSettings, sources="*-gateway, checkout", unreliable_providers="ollama,,x, ")
    assert found.source_patterns == ("*-gateway", "checkout")
    assert found.excluded_providers == ("ollama", "x")


@pytest.mark.parametrize("sources", ["a,,b", "a,", " ", ","])
def test_an_empty_pattern_is_refused(sources: str) -> None:
    """Not taken for one that says less than was meant."""
    with pytest.raises(ConfigError, match=r"SPENDSTREAM_RECONCILIATION_SOURCES: .*holds"):
        from_environment(ReconciliationSettings, sources=sources)
