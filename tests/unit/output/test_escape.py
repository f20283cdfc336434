"""What a terminal would obey, or a reader not see, is written out."""

import ast
import json
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream_jobs.output.escape import escaped, is_hidden, json_escaped
from tests.unit.output.hostile import HOSTILE

TEXTS = st.text(st.characters(codec=None) | st.sampled_from(HOSTILE))
DANGEROUS = {
    *map(chr, (*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x34F, 0x61C, 0x180E, 0x2800, 0x3164, 0xFEFF)),
    *map(chr, (*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), *range(0xD800, 0xE000))),
    *map(chr, (*range(0xFE00, 0xFE10), *range(0xE0000, 0xE0080), *range(0xE0100, 0xE01F0), 0xFFFE, 0x10FFFF)),
}


@given(TEXTS)
@example(HOSTILE)
def test_nothing_dangerous_is_left(text: str) -> None:
    """By a list of its own, and by Unicode's categories."""
    shown = escaped(text)
    assert not DANGEROUS & set(shown)
    assert not {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} & {unicodedata.category(c) for c in shown}
    assert escaped(shown) == shown


@given(TEXTS.filter(lambda text: "\\" not in text))
def test_it_can_be_read_back(text: str) -> None:
    """Python's own notation: whoever needs the text as it was has it."""
    quoted = escaped(text).replace('"', '\\"')
    assert ast.literal_eval(f'"{quoted}"') == text


@given(TEXTS)
def test_plain_texts_stay_as_they_are(text: str) -> None:
    """Letters, signs, emoji and spaces of any script."""
    plain = "".join(character for character in text if not is_hidden(character))
    assert escaped(plain) == plain


@given(TEXTS)
def test_only_what_is_kept_is_kept(text: str) -> None:
    """Line ends where we make them."""
    assert escaped(text, "\n").split("\n") == [escaped(line) for line in text.split("\n")]


@given(st.recursive(TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=5), st.booleans())
@example({"a": HOSTILE}, False)
@example({"a": HOSTILE}, True)
def test_json_says_the_same(value: object, ascii_only: bool) -> None:
    """The reader gets every text back; none of it is dangerous on the way."""
    text = json.dumps(value, indent=1, ensure_ascii=ascii_only)
    shown = json_escaped(text)
    assert json.loads(shown) == json.loads(text)
    assert not (DANGEROUS - set("\n\t\r")) & set(shown)


@pytest.mark.parametrize("text", ["", "a b", "Zoë 漢字 🦊 ▲ “q”", "\u00a0\u202f\u3000", "C:\\x1b"])
def test_what_people_write_is_not_touched(text: str) -> None:
    """Typographic spaces too, and a backslash."""
    assert escaped(text) == text == json.loads(json_escaped(json.dumps(text, ensure_ascii=False)))


@pytest.mark.slow
def test_every_code_point_is_judged() -> None:
    """One by one, whatever a look at several might miss."""
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if (escaped(character) == character) == is_hidden(character):
            pytest.fail(f"U+{code:04X}")
