"""`responses`: which responses of a block are the same call, and which are kept."""

from typing import Any

import pytest

from spendstream.adapters import ExtractedUsage
from spendstream.responses import Responses, is_final_of
from spendstream_schemas import TokenUsage


def said(tokens_in: int | None, response_id: str | None = None, **fields: Any) -> ExtractedUsage:
    usage = None if tokens_in is None else TokenUsage(kind="tokens", input_tokens=tokens_in)
    return ExtractedUsage(usage=usage, response_id=response_id, **fields)


def calls(*found: ExtractedUsage) -> list[tuple[str | None, int | None]]:
    """What becomes of responses that are read from as many objects."""
    responses = Responses()
    for one in found:
        responses.take(one, object())
    assert responses.last is not None
    kept = [*(one for _, one in responses.before(responses.last)), responses.last]
    return [(one.response_id, one.usage.input_tokens if isinstance(one.usage, TokenUsage) else None) for one in kept]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([said(1, "a"), said(2, "b")], [("a", 1), ("b", 2)]),
        ([said(1, "a"), said(2, "a")], [("a", 2)]),
        ([said(1, "a"), said(2, "b"), said(3, "a")], [("b", 2), ("a", 3)]),
        ([said(1), said(1), said(1)], [(None, 1)] * 3),
        ([said(None, "a"), said(1)], [("a", None), (None, 1)]),
        ([said(None), said(1)], [(None, 1)]),
        ([said(None), said(1, "a")], [("a", 1)]),
        ([said(1), said(None)], [(None, 1), (None, None)]),
        ([said(1, "a"), said(None, status="error")], [("a", 1), (None, None)]),
        ([said(None, status="error"), said(1)], [(None, None), (None, 1)]),
        ([said(1, "a"), said(None, "a")], [("a", 1)]),
        ([said(1, "a"), said(2, "b"), said(None, "a")], [("b", 2), ("a", 1)]),
    ],
)
def test_which_responses_are_one_call(
    found: list[ExtractedUsage], expected: list[tuple[str | None, int | None]]
) -> None:
    """The same id; or nothing said before. Equal counts alone are two calls, and what was paid is never dropped."""
    assert calls(*found) == expected


def test_the_same_object_is_the_same_call() -> None:
    """Recorded twice, it counts once."""
    responses, response = Responses(), object()
    responses.take(said(1), response)
    responses.take(said(1), response)
    assert list(responses.before(responses.last)) == []


@pytest.mark.parametrize(
    ("streamed", "final", "same"),
    [
        (said(1, "a"), said(1), True),
        (said(1, "a"), said(1, "b"), False),
        (said(1, "a"), said(2), False),
        (said(None), said(1, "a"), True),
        (said(1), said(1), True),
        (said(1, run_id="r"), said(1, "a", run_id="s"), False),
        (said(1, run_id="r"), said(1, "a", run_id="r"), True),
        (said(1, run_id="r"), said(2, run_id="r"), True),
    ],
)
def test_the_final_response_of_a_stream(streamed: ExtractedUsage, final: ExtractedUsage, same: bool) -> None:
    """By its id or that of the framework's run; where one has none, by equal usage."""
    assert is_final_of(streamed, final) == same


def test_a_status_stays_with_its_response() -> None:
    """A stream that failed is kept as what it was, whatever follows."""
    responses = Responses()
    responses.keep(said(1, "a"), "cancelled")
    responses.take(said(2, "b"), object())
    assert [(number, found.status) for number, found in responses.before(responses.last)] == [(1, "cancelled")]
