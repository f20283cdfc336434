"""A CSV file as arrays, block by block: some forty bytes a row are held, whatever the file's size."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import open_file
from stream_jobs.timed_csv.cells import BadCell, instants, numbers, texts
from stream_jobs.timed_csv.columns import NO_OTHERS, Columns, Mode, read_columns

Floats = npt.NDArray[np.float64]
Told = Callable[[int, int], None]
"""Is told how much is done, of how much."""
BLOCK_BYTES: Final = 4 * 1024 * 1024
MAX_SERIES: Final = 20_000
MAX_NAME: Final = 1_000


@dataclass(frozen=True, slots=True)
class Rows:
    """A file's rows, in its order: arrays of the same length."""

    columns: Columns
    names: list[str]  # of the series, sorted; [""] where the file has none
    series: npt.NDArray[np.int32]  # which of `names`
    micros: npt.NDArray[np.int64]  # since 1970
    numbers: dict[str, Floats]  # by the names of `columns.numbers`


def read(
    path: Path,
    mode: Mode | None = None,
    told: Told = lambda _done, _of: None,
    also: Mapping[str, str] = NO_OTHERS,
) -> Rows:
    """`also` as in `read_columns`. Raises ConfigError that says which line is wrong, and how."""
    with open_file(path) as stream:
        columns = read_columns(stream, path, mode, also)
        size = path.stat().st_size
        parts: list[tuple[Any, ...]] = []
        numbered: dict[str, int] = {}
        rows = 0
        try:
            for batch in _batches(stream, columns):
                parts.append(_arrays(batch, columns, numbered))
                rows += batch.num_rows
                told(min(stream.tell(), size), size)
        except BadCell as bad:
            raise ConfigError(f"{path.name}, line {_line(path, rows + bad.row)}: {bad.why}") from None
        except pa.ArrowInvalid as error:
            raise ConfigError(_parse_error(path, error)) from None
    if not rows:
        raise ConfigError(f"{path.name} has no rows below its first line")
    names = sorted(numbered)
    place = np.empty(len(names), np.int32)
    place[[numbered[name] for name in names]] = np.arange(len(names), dtype=np.int32)
    joined = [np.concatenate([part[index] for part in parts]) for index in range(len(parts[0]))]
    return Rows(columns, names, place[joined[0]], joined[1], dict(zip(columns.numbers, joined[2:], strict=True)))


def _batches(stream: BinaryIO, columns: Columns) -> Iterator[Any]:
    stream.seek(columns.header_bytes)
    wanted = ["time", *(["series"] if columns.has_series else []), *columns.numbers]
    rows_below = stream.read(BLOCK_BYTES).strip()
    stream.seek(columns.header_bytes)
    if not rows_below:
        return
    reader = pyarrow.csv.open_csv(
        stream,
        read_options=pyarrow.csv.ReadOptions(column_names=columns.names, block_size=BLOCK_BYTES, use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(delimiter=columns.separator),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(columns.names, pa.binary()), include_columns=wanted, strings_can_be_null=False
        ),
    )
    yield from reader


def _arrays(batch: Any, columns: Columns, numbered: dict[str, int]) -> tuple[Any, ...]:
    cells = {name: texts(batch.column(name), name) for name in batch.schema.names}
    found: list[Any] = [np.zeros(batch.num_rows, np.int32), instants(cells["time"])]
    if columns.has_series:
        coded = cells["series"].dictionary_encode()
        own = coded.dictionary.to_pylist()
        for name in own:
            if len(name) > MAX_NAME:
                row = cells["series"].to_pylist().index(name)
                raise BadCell(row, f"series has a name of more than {MAX_NAME} characters")
            if name not in numbered and len(numbered) >= MAX_SERIES:
                row = cells["series"].to_pylist().index(name)
                raise BadCell(row, f"more than {MAX_SERIES:,} series: scan them in several files")
            numbered.setdefault(name, len(numbered))
        codes = np.array([numbered[name] for name in own], np.int32)
        found[0] = codes[coded.indices.to_numpy(zero_copy_only=False)]
    else:
        numbered.setdefault("", 0)
    comma = columns.separator == ";"
    for name in columns.numbers:
        least = 0.0 if name in ("events", "cost_squares") else -np.inf
        found.append(numbers(cells[name], name, least=least, decimal_comma=comma))
    return tuple(found)


def _line(path: Path, row: int) -> int:
    """In which line of the file its row lies: lines without anything are no rows."""
    with open_file(path) as stream:
        stream.readline()
        seen = -1
        for number, line in enumerate(stream, start=2):
            seen += bool(line.strip(b"\r\n"))
            if seen == row:
                return number
    return row + 2


def _parse_error(path: Path, error: Exception) -> str:
    """What Arrow says of a line that it cannot take apart, without its line of code."""
    text = str(error).replace("CSV parse error: ", "")
    head, _, rest = text.partition(": ")
    if head.startswith("Row #") and head[5:].isdigit():
        return f"{path.name}, line {_line(path, int(head[5:]) - 1)}: {rest[:200]}"
    if "straddling object" in text:
        return f"{path.name}: a line is longer than {BLOCK_BYTES:,} bytes, or a quotation mark is never closed"
    return f"{path.name}: {text[:200]}"
