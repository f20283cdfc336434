"""A value that its column cannot hold costs its own row."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.store.fitting import as_table, fitted, printable

SCHEMA = pa.schema([("n", pa.uint32()), ("usd", pa.decimal128(38, 12)), ("text", pa.string())])
NUMBERS = st.sampled_from([0, 1, 2**32 - 1, 2**32, -1, 10**30, "x", None])
AMOUNTS = st.sampled_from([None, Decimal(1), Decimal("1E-13"), Decimal("0E+27"), Decimal(10) ** 30, Decimal("NaN")])
TEXTS = st.sampled_from(["", "a", "\ud800", None, 1])


def fits(row: dict[str, Any]) -> bool:
    try:
        as_table(SCHEMA, [row])
    except Exception:  # noqa: BLE001 - that is the question
        return False
    return True


@given(st.lists(st.fixed_dictionaries({"n": NUMBERS, "usd": AMOUNTS, "text": TEXTS}), max_size=30))
def test_the_rows_that_fit_are_in_the_table_and_of_the_others_it_is_known_why(rows: list[dict[str, Any]]) -> None:
    """For any mix: each row has one of the two fates, and the column that is named is one that cannot hold it."""
    table, misfits = fitted(SCHEMA, rows)
    good = [row for row in rows if fits(row)]
    assert table.to_pylist() == as_table(SCHEMA, good).to_pylist()
    assert sorted(misfits) == [index for index, row in enumerate(rows) if not fits(row)]
    for index, misfit in misfits.items():
        kept = dict.fromkeys(SCHEMA.names) | {misfit.column: rows[index][misfit.column]}
        assert not fits(kept)
        misfit.detail.encode()


def test_what_an_error_quotes_can_be_stored() -> None:
    """Half a surrogate pair is no text to a store."""
    assert printable("a\ud800b").encode() == b"a\\ud800b"
