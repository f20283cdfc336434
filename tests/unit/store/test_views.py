"""In which order views are made."""

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.store.views import in_order, load_views


def test_a_view_is_made_after_those_that_it_reads() -> None:
    """Whatever its name; ours can all be made."""
    views = {"a": "CREATE OR REPLACE VIEW a AS SELECT c.x FROM c", "b": "... FROM d", "c": "SELECT 1 AS x FROM b"}
    assert in_order(views) == ["b", "c", "a"]
    assert sorted(in_order(load_views())) == sorted(load_views())
    with pytest.raises(ConfigError, match="read each other"):
        in_order({"a": "SELECT 1 FROM b", "b": "SELECT 1 FROM a"})
