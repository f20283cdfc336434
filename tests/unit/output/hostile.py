"""Texts that command a terminal or deceive a reader, and what of a command's output they must never become."""

import re

from stream_jobs.output.escape import is_hidden

MARK = "\x1b[38;5;199m"
"""A colour that nothing of ours has."""
CLIPBOARD = "\x1b]52;c;cm0gLXJm\x07"
HOSTILE = (
    f"a{CLIPBOARD}{MARK}\x1b]8;;http://evil.test\x1b\\\x9b31m\x9d0;t\x9c\r\nfake: all is well\x08\x7f\x00\t"
    "[bold]b[/bold] [link=http://evil.test]x[/link] :smile: \u202egnp.exe\u2066\u2028\u2029\u200b\u200f\u061c\ufeff"
    "\u3164\ufe0f\u00ad\U000e0041é漢"
)
OURS = re.compile(r"\x1b\[[0-9;]*m|\x1b\[[0-9]*[ABCDGJK]|\x1b\[\?25[lh]|\r")
"""Colours, and what bars and spinners need: the cursor's moves, hiding and showing it."""


def foreign(shown: str) -> list[str]:
    """What is in a terminal's input that we did not put there."""
    found = [mark for mark in (MARK, "]52;c;cm0gLXJm\x07", "\x1b]8") if mark in shown]
    return found + sorted({character for character in OURS.sub("", shown) if is_hidden(character)} - {"\n", "\t"})
