"""Characters that a terminal obeys or a reader cannot see, written out: `\\x1b` for ESC, `\\u202e` for a mark that
turns the reading direction.

Escaped is all that Unicode does not call printable: C0 and C1 controls (a terminal may take one byte of the latter for
the beginning of a sequence), DEL, format characters (bidi marks, zero-width ones, tags), line and paragraph separators,
lone surrogates, private and unassigned code points. And what is printable, but shows nothing: fillers, variation
selectors, the combining grapheme joiner. Two names that differ must not look the same. Spaces of all widths stay.
"""

import functools
import re
import unicodedata
from typing import Final

# Default-ignorable or blank, though letters, marks or symbols to Unicode.
_UNSEEN: Final = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d159\U000e0100-\U000e01ef"
)
_MAYBE: Final = re.compile("[^\x20-\x7e]")
_UNSEEN_ONE: Final = re.compile(f"[{_UNSEEN}]")


def escaped(text: str, keep: str = "") -> str:
    """The text with every such character written out as Python writes it; those in `keep` stay.

    Nothing else is changed, so the text can be read as it was; a backslash that was there stays one.
    """
    if text.isascii() and text.isprintable():
        return text
    return _MAYBE.sub(lambda found: found[0] if found[0] in keep else _shown(found[0]), text)


def json_escaped(text: str) -> str:
    """JSON that says the same without such a character in it. Outside of its strings JSON has only line ends and tabs,
    which stay; a reader of JSON gets every text back as it was, a lone surrogate as one."""
    if text.isascii() and text.isprintable():
        return text
    return _MAYBE.sub(lambda found: found[0] if found[0] in "\n\t\r" else _shown_in_json(found[0]), text)


def is_hidden(character: str) -> bool:
    """Whether it must be written out."""
    if character.isprintable():
        return _UNSEEN_ONE.match(character) is not None
    return unicodedata.category(character) != "Zs"


@functools.lru_cache(4096)
def _shown(character: str) -> str:
    return character if not is_hidden(character) else _escape_of(character)


@functools.lru_cache(4096)
def _shown_in_json(character: str) -> str:
    if not is_hidden(character):
        return character
    code = ord(character)
    if code > 0xFFFF:
        high, low = divmod(code - 0x10000, 0x400)
        return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
    return f"\\u{code:04x}"


def _escape_of(character: str) -> str:
    if (short := {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)) is not None:
        return short
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
