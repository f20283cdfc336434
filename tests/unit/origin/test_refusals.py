"""What a block keeps of the records that it refused for their sender."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas import InvalidReason
from stream_jobs.base.errors import ConfigError
from stream_jobs.origin.refusals import SENDER_REASONS, decode, encode


@given(st.integers(0, 2**40), st.dictionaries(st.integers(0, 50), st.sampled_from(SENDER_REASONS)))
def test_refusals_come_back_as_they_were(first: int, refused: dict[int, InvalidReason]) -> None:
    """Any offsets of a block with any reasons."""
    offsets = {first + at: reason for at, reason in refused.items()}
    assert decode(encode(offsets.items(), first), first) == offsets


def test_neighbours_are_one_range() -> None:
    """A block of unsigned records takes a few bytes."""
    refused = [(offset, InvalidReason.SIGNATURE_MISSING) for offset in range(100, 20_100)]
    assert encode(refused, 100) == "signature_missing:0-19999"
    assert encode([*refused[:2], *refused[3:4]], 100) == "signature_missing:0-1,3"


def test_other_reasons_are_found_again_by_the_redo_itself() -> None:
    """They follow from the bytes."""
    assert encode([(1, InvalidReason.NOT_JSON)], 0) == ""


@pytest.mark.parametrize("text", ["nonsense:1", "signature_missing:", "signature_missing:a", "signature_missing"])
def test_a_text_of_another_version_is_an_error(text: str) -> None:
    """Not a guess."""
    with pytest.raises(ConfigError, match="this version does not know"):
        decode(text, 0)
