"""An answer of `spendstream figures` for machines: JSON, CSV and columns, all exact."""

import csv
import io
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa

    from stream_jobs.economics.asked import Question
    from stream_jobs.economics.question import Answer


def _names(answer: "Answer") -> list[str]:
    return [*answer.question.by, *(figure.name for figure in answer.question.figures)]


def document(answer: "Answer") -> dict[str, Any]:
    """As JSON."""
    question = answer.question
    return {
        "from": question.since,
        "to": question.until,
        "timezone": str(question.zone),
        "as_of": question.as_of,
        "spread": question.spread,
        "where": {name: on.model_dump(exclude_none=True) for name, on in (question.where or {}).items()},
        "by": list(question.by),
        "currency": question.rate.currency,
        "rate": _rate(question),
        "source": answer.source,
        "figures": {
            figure.name: {"unit": question.unit(figure), "meaning": figure.meaning} for figure in question.figures
        },
        "total": _of_line(answer.total),
        "lines": [
            {"values": dict(zip(question.by, line.values, strict=True)), **_of_line(line)} for line in answer.lines
        ]
        if question.by
        else [],
        "warnings": answer.warnings(),
    }


def _rate(question: "Question") -> dict[str, Any] | None:
    rate = question.rate
    if rate.currency == "USD":
        return None
    return {"usd": rate.usd, "valid_from": rate.valid_from, "source": rate.source}


def _of_line(line: Any) -> dict[str, Any]:
    return {
        "figures": dict(line.figures),
        "coverage": {
            "events": line.events,
            "unpriced_events": line.unpriced_events,
            "unallocated_cost": line.unallocated_cost,
            "effective_cost": line.effective_cost,
            "known_share_of_cost": dict(line.known),
        },
    }


_COVERAGE: Final = ("covered_events", "covered_unpriced_events", "covered_unallocated_cost", "covered_effective_cost")


def _rows(answer: "Answer") -> list[list[Any]]:
    """The lines (without a dimension the total) with their coverage, as columns have them."""
    lines = answer.lines if answer.question.by else [answer.total]
    rate = _rate_columns(answer.question).values()
    return [
        [
            *line.values, *line.figures.values(), line.events, line.unpriced_events, line.unallocated_cost,
            line.effective_cost, *(line.known.get(figure.name) for figure in answer.question.figures if figure.fact),
            *rate,
        ]
        for line in lines
    ]  # fmt: skip


def _heads(answer: "Answer") -> list[str]:
    known = (f"{figure.name}_known" for figure in answer.question.figures if figure.fact)
    return [*_names(answer), *_COVERAGE, *known, *_rate_columns(answer.question)]


def _rate_columns(question: "Question") -> dict[str, Any]:
    """What says that amounts are not USD, where they are not."""
    rate = question.rate
    if rate.currency == "USD":
        return {}
    told = {"currency": rate.currency, "rate_usd": rate.usd, "rate_valid_from": str(rate.valid_from)}
    return told | {"rate_source": rate.source}


def csv_of(answer: "Answer", *, safe: bool) -> bytes:
    """`safe`: no cell that a spreadsheet obeys."""
    from stream_jobs.base.readable import exact
    from stream_jobs.output.spreadsheet import neutral

    def cell(value: Any) -> str:
        text = "" if value is None else exact(value) if hasattr(value, "as_tuple") else str(value)
        return neutral(text) if safe else text

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(cell, _heads(answer)))
    writer.writerows([cell(value) for value in row] for row in _rows(answer))
    return out.getvalue().encode()


def columns(answer: "Answer") -> "pa.Table":
    """As Parquet has them: types are those of the figures, whatever their values are."""
    import pyarrow as pa

    from stream_jobs.base.no_pandas import arrow_without_pandas

    arrow_without_pandas()
    question = answer.question
    whole = {*_COVERAGE[:2], *(figure.name for figure in question.figures if figure.is_count)}
    texts = {*question.by, *(name for name, value in _rate_columns(question).items() if isinstance(value, str))}
    rows = _rows(answer)
    found: dict[str, Any] = {}
    for number, name in enumerate(_heads(answer)):
        kind = pa.string() if name in texts else pa.int64() if name in whole else pa.decimal128(38, 12)
        found[name] = pa.array([row[number] for row in rows], kind)
    return pa.table(found)
