"""No file in sql/ multiplies or divides an amount of money but with `prorate`: Decimal(38, 12) wraps without a word."""

import re
from pathlib import Path

import pytest

from stream_jobs.store.sql_files import SQL_ROOT
from stream_jobs.store.sql_text import Token, tokens

MONEY = re.compile(r"(?:^|_)(?:costs?|amount|spent|held|usd|price|fee|saving|value)(?:_|$)")
ARITHMETIC = ("multiply", "divide", "intDiv", "multiplyDecimal", "divideDecimal")
SAFE = ("toFloat64", "prorate", "toUInt8", "count", "countIf")
"""What makes no amount of money of one."""
NO_OPERAND = frozenset("(,.=<>[{+-*/|")


def closing(found: list[Token], at: int, step: int) -> int:
    """Where the bracket at `at` is closed (step 1) or was opened (step -1)."""
    depth = 0
    while 0 <= at < len(found):
        depth += {"(": 1, ")": -1, "[": 1, "]": -1}.get(found[at].text, 0)
        if depth == 0:
            return at
        at += step
    return at


def operand(found: list[Token], at: int, step: int) -> list[Token]:
    """The tokens of the operand that begins beside the sign at `at`, in the direction of `step`."""
    first = at + step
    if not 0 <= first < len(found):
        return []
    if step < 0 and found[first].text in ")]":
        last = closing(found, first, -1)
        with_name = last - 1 if last and found[last - 1].kind == "word" else last
        return found[with_name : first + 1]
    if step > 0 and found[first].text == "(":
        return found[first : closing(found, first, 1) + 1]
    if step > 0 and first + 1 < len(found) and found[first + 1].text == "(":
        return found[first : closing(found, first + 1, 1) + 1]
    name = [found[first]]
    while 0 <= first + 2 * step < len(found) and found[first + step].text == ".":
        first += 2 * step
        name.append(found[first])
    return name


def is_money(part: list[Token]) -> bool:
    if not part or part[0].text in SAFE:
        return False
    names = [token for at, token in enumerate(part) if token.kind in ("word", "identifier") and not safe(part, at)]
    return any(MONEY.search(token.value) for token in names)


def safe(part: list[Token], at: int) -> bool:
    """Inside of a call that makes no money of it."""
    return any(
        token.text in SAFE and start + 1 < len(part) and start < at <= closing(part, start + 1, 1)
        for start, token in enumerate(part)
    )


def arithmetic(sql: str) -> list[str]:
    """Where money is multiplied or divided."""
    found = list(tokens(sql))
    wrong = []
    for at, token in enumerate(found):
        sides: list[list[Token]] = []
        is_sign = token.text in ("*", "/") and at and found[at - 1].text not in NO_OPERAND
        if is_sign and not found[at - 1].is_word("SELECT", "DISTINCT"):
            sides = [operand(found, at, -1), operand(found, at, 1)]
        elif token.text in ARITHMETIC and at + 1 < len(found) and found[at + 1].text == "(":
            sides = [found[at + 1 : closing(found, at + 1, 1) + 1]]
        if any(is_money(side) for side in sides):
            wrong.append(sql[max(0, token.start - 60) : token.end + 60])
    return wrong


FILES = sorted(path for path in SQL_ROOT.rglob("*.sql") if path.name != "0034_prorate.sql")  # which is how it is done


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SQL_ROOT)))
def test_no_file_multiplies_or_divides_money(path: Path) -> None:
    """Shares are of toFloat64, parts of amounts of `prorate`."""
    assert arithmetic(path.read_text()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT cost * 2 FROM t",
        "SELECT sum(effective_cost) / sum(events) FROM t",
        "SELECT events * (list_cost + 1) FROM t",
        "SELECT 2 * t.list_cost FROM t",
        "SELECT round(list_cost, 2) / 3",
        "SELECT divide(amount, 30)",
        "SELECT intDiv(toInt64(spent), 7)",
        "SELECT `effective_cost` / days",
        "SELECT sumIf(effective_cost, a) /* part */ / sumIf(effective_cost, b)",
        "SELECT line_quantity * line_unit_price",
    ],
)
def test_money_that_is_multiplied_or_divided_is_found(sql: str) -> None:
    """As sign or function, on either side, in brackets, by any way of writing a name."""
    assert arithmetic(sql) != []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM t",
        "SELECT t.* FROM t",
        "SELECT count(*), sum(cost) FROM t",
        "SELECT toFloat64(cost) / toFloat64(amount)",
        "SELECT prorate(cost, part, whole)",
        "SELECT cost, a / b FROM t",
        "SELECT cost - held, cached / events AS share",
        "SELECT '1 / cost', 1 -- cost * 2\n",
        "SELECT countIf(cost > 0) / count()",
    ],
)
def test_other_arithmetic_is_none(sql: str) -> None:
    """Stars for columns, shares of floats, counts, texts and comments."""
    assert arithmetic(sql) == []
