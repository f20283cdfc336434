"""Any CSV or JSONL log, by a mapping from its columns to the fields of a usage event."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from spendstream_traffic.replay.mapping import LABELS, Mapping, convert
from spendstream_traffic.replay.rows import BadRow, Row, csv_rows, json_record, text_lines


def read_csv(path: Path, mapping: Mapping) -> Iterator[Row | BadRow]:
    """One row per record, in the file's order. Raises ConfigError when a mapped column is not in the header."""
    for item in csv_rows(path, mapping.columns, mapping.delimiter):
        yield item if isinstance(item, BadRow) else _row(item[0], mapping, item[1].get)


def read_jsonl(path: Path, mapping: Mapping) -> Iterator[Row | BadRow]:
    """One row per line that is not blank. A column that a line lacks is absent."""
    for item in text_lines(path):
        if isinstance(item, BadRow):
            yield item
            continue
        line, text = item
        try:
            record = json_record(text)
        except ValueError as error:
            yield BadRow(line, str(error))
            continue
        yield _row(line, mapping, partial(at_path, record))


def at_path(record: dict[str, Any], column: str) -> Any:
    """record['a.b'] if there is such a key, else record['a']['b'], else None."""
    if column in record:
        return record[column]
    value: Any = record
    for part in column.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _row(line: int, mapping: Mapping, cell: Callable[[str], Any]) -> Row | BadRow:
    payload: dict[str, Any] = {"usage": {"kind": "tokens"}}
    for path, rule in mapping.fields.items():
        try:
            value = convert(path, rule, None if rule.column is None else cell(rule.column))
        except ValueError as error:
            column = f" (column {rule.column})" if rule.column else ""
            return BadRow(line, f"{error}{column}")
        if value is None:
            continue
        if path.startswith(LABELS):
            payload.setdefault("attribution", {}).setdefault("labels", {})[path.removeprefix(LABELS)] = value
            continue
        parent, _, name = path.rpartition(".")
        (payload.setdefault(parent, {}) if parent else payload)[name] = value
    return Row(line, payload)
