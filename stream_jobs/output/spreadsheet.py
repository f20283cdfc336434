"""CSV and TSV that a spreadsheet shows and does not obey: a cell that it takes for a formula gets a quote in front.

OWASP's rule: cells that begin with = + - @, a tab or a carriage return, also after blanks, and their full-width forms.
Spreadsheets whose separator is another one (a semicolon in much of Europe) cut cells where we do not, so the rule holds
after such a separator inside of a cell too. Numbers stay numbers, negative ones too.
https://owasp.org/www-community/attacks/CSV_Injection
"""

import codecs
import re
from typing import Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.output.lines import Data

_SIGNS: Final = "=+@\uff1d\uff0b\uff0d\uff20\u2212-"
_BLANK: Final = r"[\s\x00-\x20\x7f-\xa0\u200b-\u200f\u2060\ufeff\"']"
_FORMULA: Final = re.compile(rf"(?:{_BLANK}|\\[trn0])*[{_SIGNS}]|[\t\r\n]|\\[trn]")
_INSIDE: Final = re.compile(rf"([;|\t\r\n]{_BLANK}*)(?=[{_SIGNS}])")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|-?(?:inf|nan)", re.ASCII)
_CSV: Final = re.compile(r'("(?:[^"]|"")*"|[^",\r\n]*)(,|\r?\n)')
_TSV: Final = re.compile(r"([^\t\n]*)(\t|\n)")
_CELLS: Final = {
    f"{name}{names}": cell
    for name, cell in (
        ("CSV", _CSV),
        ("TSV", _TSV),
        ("TabSeparated", _TSV),
        ("TSVRaw", _TSV),
        ("TabSeparatedRaw", _TSV),
    )
    for names in ("", "WithNames", "WithNamesAndTypes")
}
_DIALECT: Final = re.compile(r"format_(?:csv|tsv|custom)", re.IGNORECASE)


def neutral(text: str) -> str:
    """The cell's text as a spreadsheet shows it and does nothing."""
    if _NUMBER.fullmatch(text):
        return text
    text = _INSIDE.sub(r"\1'", text)
    return f"'{text}" if _FORMULA.match(text) else text


def refuse_others(data_format: str | None, statement: str) -> None:
    """Raises ConfigError when it is another format, or another dialect of it: cells could not be told apart."""
    if data_format not in _CELLS:
        raise ConfigError(f"--spreadsheet-safe goes with --format {', '.join(sorted(_CELLS))}")
    if _DIALECT.search(statement):
        raise ConfigError("--spreadsheet-safe knows ClickHouse's own CSV and TSV: leave out settings of the format")


class SpreadsheetSafe:
    """Passes on CSV or TSV, as ClickHouse writes it, with its cells neutral."""

    def __init__(self, to: Data, data_format: str) -> None:
        """Of a format and a statement that `refuse_others` has let through."""
        self._to = to
        self._cell = _CELLS[data_format]
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._rest = ""

    def write(self, data: bytes, /) -> int:
        self._pass_on(self._rest + self._decoder.decode(data))
        return len(data)

    def finish(self) -> None:
        """The last line may lack its end."""
        rest = self._rest + self._decoder.decode(b"", final=True)
        if rest:
            self._pass_on(rest + "\n")

    def _pass_on(self, text: str) -> None:
        done: list[str] = []
        position = 0
        while (found := self._cell.match(text, position)) is not None:
            done += (_safe(found[1]), found[2])
            position = found.end()
        self._rest = text[position:]
        self._to.write("".join(done).encode("utf-8", "surrogateescape"))


def _safe(cell: str) -> str:
    """The cell as it stands in the file."""
    quoted = cell.startswith('"') and cell.endswith('"') and len(cell) > 1
    text = cell[1:-1].replace('""', '"') if quoted else cell
    safe = neutral(text)
    if safe == text:
        return cell
    return '"' + safe.replace('"', '""') + '"' if quoted else safe
