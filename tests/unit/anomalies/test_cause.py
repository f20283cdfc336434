"""What explains a finding, read from what is kept with it."""

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.anomalies.cause import Cause, cause_of
from tests.unit.anomalies.build import cause

KEPT = {
    "explanation": {
        "sets": [
            {"values": {"user_id": "u-17"}, "explains": "4.4", "share": 0.957, "factor": "volume"},
            {"values": {}, "explains": "NaN"},
        ],
        "decomposition": {"volume": "4.5", "price": "-0.3", "mix": "0.000001", "total": "4.2", "x": None},
    },
    "users": [{"user_id": "u-17", "excess": "4.4"}, {"user_id": 1, "excess": "1"}, "x"],
    "requests": [{"event_id": "e-1", "cost": "0.9", "model": "m", "user_id": "u-17"}, {"event_id": "e-2"}],
    "compared": "the same hours of earlier weeks",
}


def test_what_is_kept_is_read_in_full() -> None:
    """Sets, factors by their size, users, requests; what has no amount is left out."""
    found = cause_of(json.dumps(KEPT))
    assert [(one.values, one.explains, one.share, one.factor) for one in found.sets] == [
        ({"user_id": "u-17"}, Decimal("4.4"), Decimal("0.957"), "volume")
    ]
    assert found.factors == (("volume", Decimal("4.5")), ("price", Decimal("-0.3")), ("mix", Decimal("0.000001")))
    assert found.people == (("u-17", Decimal("4.4")),)
    assert [(one.event_id, one.cost, one.values["user_id"]) for one in found.requests] == [
        ("e-1", Decimal("0.9"), "u-17")
    ]
    assert found.lines() == [
        "user u-17: +$4.40, 96 % of it, by its number of requests",
        "by factor: number of requests +$4.50, price per token -$0.300",
        "users: u-17 +$4.40",
        "dearest requests: e-1 $0.900",
        "compared with the same hours of earlier weeks",
    ]


def test_explains_own_sentences_come_first_and_stand_for_its_sets() -> None:
    """They say the same, in more words."""
    found = cause_of(json.dumps(KEPT | {"sentences": ["user u-17: +$4.40 of +$4.20", 3]}))
    assert found.lines(2) == [
        "user u-17: +$4.40 of +$4.20",
        "by factor: number of requests +$4.50, price per token -$0.300",
    ]


def test_what_is_no_cause_is_nothing_known() -> None:
    """An empty text, no JSON, JSON of something else, depth that no parser takes."""
    for text in ("", "{", "[]", "3", '"x"', "null", "[" * 100_000, '{"explanation": 3, "users": {}, "sets": [3]}'):
        assert cause_of(text) == Cause()
        assert not cause_of(text).known
    assert cause().known


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8) | st.sampled_from(["1", "1e999"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("explanation", "sets", "values", "explains", "share", "factor", "decomposition", "users"),
                    *("user_id", "excess", "requests", "event_id", "cost", "sentences", "compared"),
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)


@given(_JSON)
def test_any_json_is_read_and_said(document: object) -> None:
    """Of whatever version it is."""
    for line in cause_of(json.dumps(document)).lines():
        assert isinstance(line, str)
