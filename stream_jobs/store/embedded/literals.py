"""Long texts within a statement: taken out before it is read, and put back as what they are.

Jobs ask for thousands of ids in one text of a megabyte. Reading and writing that down anew costs more than the question
itself, and no two such statements are alike. So a long text is replaced by a parameter; the statement that is left is
read, judged and remembered; and the text goes where the engine has read the parameter. Whatever we took for a text
here, nothing is run but the judged statement with literals in it: each is checked to be one, from quote to quote.
"""

import re
from collections.abc import Sequence
from typing import Final

from stream_jobs.store.embedded.canonical import Token

LONG: Final = 2_048
_NAME: Final = "spendstream_literal_"
_TEXT: Final = re.compile(r"'[^'\\]*(?:\\.[^'\\]*)*'", re.DOTALL)


def taken_out(sql: str) -> tuple[str, list[str]]:
    """The statement with a parameter in place of each long text, and the texts, quotes included."""
    if len(sql) < LONG or _NAME in sql:
        return sql, []
    texts: list[str] = []
    pieces: list[str] = []
    position = 0
    for match in _TEXT.finditer(sql):
        if match.end() - match.start() >= LONG:
            pieces += [sql[position : match.start()], f"{{{_NAME}{len(texts)}:String}}"]
            texts.append(match.group())
            position = match.end()
    return "".join([*pieces, sql[position:]]) if texts else sql, texts


def put_back(line: str, found: Sequence[Token], texts: Sequence[str]) -> str | None:
    """The canonical line with the texts where it has their parameters; None unless it has each of them once, in order:
    then something that we took for a text was none."""
    pieces: list[str] = []
    position = placed = 0
    for at, token in enumerate(found):
        if token.kind == "word" and token.value.startswith(_NAME) and found[at - 1].value == "{":
            if token.value != f"{_NAME}{placed}" or not _TEXT.fullmatch(texts[placed]):
                return None
            pieces += [line[position : found[at - 1].start], texts[placed]]
            position = found[at + 3].end  # : String }
            placed += 1
    return "".join([*pieces, line[position:]]) if placed == len(texts) else None
