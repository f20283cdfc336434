"""JSON that people and programs are shown."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.base.json_values import json_text, json_values


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**26), max_value=10**26))
def test_a_decimal_is_a_string_of_its_digits(amount: Decimal) -> None:
    """All of them, without an exponent, and the same amount."""
    found = json.loads(json_text({"amount": amount}))["amount"]
    assert isinstance(found, str)
    assert "E" not in found.upper()
    assert Decimal(found) == amount


def test_zero_is_zero() -> None:
    """Whatever exponent a column of twelve places gives it."""
    assert json_text([Decimal("0E-12"), Decimal("-0.000"), Decimal("1E+3")]) == '["0", "0", "1000"]'


@given(st.builds(datetime.combine, st.dates(date(1900, 1, 2), date(2299, 1, 1)), st.times()), st.integers(-720, 720))
def test_an_instant_has_an_offset(at: datetime, minutes: int) -> None:
    """The store's come without one and are UTC; others become UTC."""
    assert datetime.fromisoformat(json_values(at)) == at.replace(tzinfo=UTC)
    there = at.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert datetime.fromisoformat(json_values(there)) == there
    assert json_values(there).endswith("Z")


@dataclass(frozen=True, slots=True)
class Spent:
    name: str
    amount: Decimal
    at: tuple[datetime, ...]


def test_what_lies_inside_has_the_same_form() -> None:
    """However deep."""
    found = json_values({"a": [Spent("x", Decimal("2.50"), (datetime(2026, 3, 1, tzinfo=UTC),))], 1: {"c", "b"}})
    assert found == {"a": [{"name": "x", "amount": "2.5", "at": ["2026-03-01T00:00:00Z"]}], "1": ["b", "c"]}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *((timedelta(minutes=5), 300), (timedelta(milliseconds=1500), 1.5), (date(2026, 3, 1), "2026-03-01")),
        *((float("nan"), "nan"), (0.5, 0.5), (True, True), (None, None), (Path("a/b"), "a/b")),
    ],
)
def test_other_values(value: Any, shown: Any) -> None:
    """JSON has no NaN: a reader would refuse the whole document."""
    assert json_values(value) == shown


def test_what_has_no_form_is_refused() -> None:
    """Rather than shown as Python sees it."""
    with pytest.raises(TypeError, match="object"):
        json_values([object()])


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@given(text=st.text(st.characters(), max_size=5))
def test_a_document_can_be_written_and_says_the_same(encoding: str, text: str) -> None:
    """In whatever encoding a terminal has, and with what no encoding has."""
    written = json_text({"a": text}, encoding).encode(encoding)
    assert json.loads(written.decode(encoding)) == {"a": text}


SINGLE = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.decimals(allow_nan=False), st.dates()),
    st.builds(
        datetime.combine,
        *(st.dates(date(1900, 1, 2), date(2299, 1, 1)), st.times()),
        st.sampled_from((None, UTC, timezone(timedelta(hours=3)))),
    ),
    *(st.timedeltas(), st.sets(st.text()), st.builds(Path, st.just("a/b"))),
)


@given(
    st.recursive(
        SINGLE,
        lambda inner: st.one_of(
            st.lists(inner),
            st.tuples(inner, inner),
            st.dictionaries(st.text() | st.integers() | st.dates(), inner),
            st.builds(Spent, st.text(), st.just(Decimal(1)), st.tuples(inner)),
        ),
    )
)
def test_the_document_is_of_these_values(value: Any) -> None:
    """However it is written: by the encoder alone, or value by value, for a key that is no text, or NaN."""
    assert json_text(value) == json.dumps(json_values(value), ensure_ascii=False)
