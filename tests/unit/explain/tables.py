"""Small tables of cells, made by hand or by Hypothesis."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from stream_jobs.explain import Cells, cells_of

AMOUNTS = ("requests_before", "cost_before", "requests_after", "cost_after")
TOKENS = tuple(
    f"{meter}_tokens_{period}"
    for meter in ("input", "cache_read", "cache_write", "output")
    for period in ("before", "after")
)

ALL_KINDS = ("tokens_before", "tokens_after")


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    """Costs are texts or numbers of USD."""
    columns: dict[str, Any] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if name.startswith("cost") or name.endswith(("_before", "_after")):
            columns[name] = pa.array([Decimal(str(value)) for value in values], pa.decimal128(38, 12))
        else:
            columns[name] = pa.array(values, pa.string())
    return pa.table(columns)


def cells(*rows: tuple[Any, ...], names: tuple[str, ...] = ("model", "user")) -> Cells:
    """Rows of values, then requests and cost before, requests and cost after."""
    return cells_of(table_of([dict(zip((*names, *AMOUNTS), row, strict=True)) for row in rows]))


_COUNTS = st.sampled_from((0, 0, 1, 7, 1000, 10**7))
_COSTS = st.one_of(st.just("0"), st.integers(-(10**15), 10**17).map(lambda pico: str(Decimal(pico).scaleb(-12))))


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Of any kind: new, gone, credits, costs without requests, tokens or none."""
    tokens = draw(st.sampled_from(((), TOKENS, TOKENS[:2], TOKENS[2:4], TOKENS[4:], TOKENS[6:], ALL_KINDS)))
    return [
        {
            "model": draw(st.sampled_from("abc")),
            "user": draw(st.sampled_from(("u1", "u2", "u3", ""))),
            **{name: draw(_COUNTS if name.startswith("requests") else _COSTS) for name in AMOUNTS},
            **{name: draw(_COUNTS) for name in tokens},
        }
        for _ in range(draw(st.integers(1, 8)))
    ]
