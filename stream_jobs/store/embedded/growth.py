"""How long a statement's canonical line may become, before the engine writes it.

The engine writes `x BETWEEN a AND b` as `(x >= a) AND (x <= b)`: one BETWEEN in the first part of another doubles it
with each level, and a few hundred bytes become gigabytes that no memory limit of the engine counts. So the length is
bounded from the engine's own tokens. The bound may be too high, never too low: what is not surely the end of BETWEEN's
first part is taken for a part of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

MAX_GROWN_BYTES: Final = 8 * 1024 * 1024
_BETWEEN: Final = re.compile(rb"between", re.IGNORECASE)
_OPENS: Final = frozenset({"OpeningRoundBracket", "OpeningSquareBracket", "OpeningCurlyBrace"})
_CLOSES: Final = frozenset({"ClosingRoundBracket", "ClosingSquareBracket", "ClosingCurlyBrace"})
_ENDS_AN_OPERAND: Final = _CLOSES | {"Number", "StringLiteral", "QuotedIdentifier", "HereDoc"}
"""Behind those a word is an operator; behind a word or a sign it may be a column that is called `or`."""


class Lexeme(NamedTuple):
    """A token of the engine's: its kind, and its place in the bytes of the statement."""

    kind: str
    start: int
    end: int


@dataclass(slots=True)
class _Frame:
    """What stands within one pair of parentheses: bytes that are done, and those that a BETWEEN would write twice."""

    done: int = 0
    operand: int = 0
    awaited: int = 0  # the ANDs that belong to a BETWEEN
    whole: bool = False  # behind a CASE ... END its beginning is no longer known

    def part(self) -> None:
        if not self.whole:
            self.done, self.operand = self.done + self.operand, 0

    def keep_all(self) -> None:
        self.done, self.operand, self.whole = 0, self.done + self.operand, True

    def comma(self) -> None:
        self.done, self.operand, self.awaited, self.whole = self.done + self.operand, 0, 0, False


def bound(text: bytes) -> int:
    """How long the canonical line of this statement may become."""
    return max(MAX_GROWN_BYTES, 4 * len(text))


def is_short(text: bytes) -> bool:
    """Whether the statement stays within bounds however its BETWEENs stand: nearly all do."""
    count = len(_BETWEEN.findall(text))
    return count == 0 or (count < 24 and len(text) << count <= bound(text))


def grown_bytes(text: bytes, lexemes: Iterable[Lexeme]) -> int:
    """About how long the canonical line can become, at most; any number above `bound(text)` means: longer than that.

    `lexemes` are without spaces and comments.
    """
    limit = bound(text)
    frames = [_Frame()]
    before = ""
    for kind, start, end in lexemes:
        frame = frames[-1]
        frame.operand += end - start + 1
        word = text[start:end].upper() if kind == "BareWord" and end - start <= 8 else b""
        if kind in _OPENS:
            frames.append(_Frame())
        elif kind in _CLOSES and len(frames) > 1:
            inside = frames.pop()
            frames[-1].operand += inside.done + inside.operand
        elif kind == "Comma":
            frame.comma()
        elif word == b"BETWEEN":
            frame.operand *= 2
            frame.awaited += 1
        elif word == b"END":
            frame.keep_all()
        elif before in _ENDS_AN_OPERAND:
            if word == b"AND" and frame.awaited:
                frame.awaited -= 1
            elif word in (b"AND", b"OR", b"WHEN", b"THEN", b"ELSE"):
                frame.part()
        if frames[-1].operand > limit:
            break
        before = kind
    return sum(frame.done + frame.operand for frame in frames)
