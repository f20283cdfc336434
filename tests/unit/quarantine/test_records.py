"""How quarantined records are named."""

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.quarantine.records import Selection, _condition


def test_a_name_selects_topic_partition_and_offset_as_parameters() -> None:
    """A topic's name never becomes SQL, also one with slashes or quotes."""
    condition, parameters = _condition(Selection(names=["a/b'c/3/42", "usage.events.v1/0/7"]))
    assert parameters == {"topic0": "a/b'c", "topic1": "usage.events.v1"}
    assert "partition = 3 AND offset = 42" in condition
    assert " OR " in condition


@pytest.mark.parametrize("name", ["", "topic", "topic/1", "topic/x/1", "topic/1/2 OR 1", "1/2/"])
def test_what_names_no_record_is_an_error_that_shows_the_form(name: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ConfigError, match="give topic/partition/offset"):
        _condition(Selection(names=[name]))
