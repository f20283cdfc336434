"""rich's texts, escaped: the same styles on what can be seen."""

from typing import Any

from rich.text import Span, Text

from stream_jobs.output.escape import escaped


def one_line(item: Any) -> Any:
    """A text, plain or styled, as one line; anything else as it is."""
    if isinstance(item, str):
        return escaped(item)
    return clean(item, "") if isinstance(item, Text) else item


def clean(text: Text, keep: str) -> Text:
    """The same text and styles, escaped."""
    if escaped(text.plain, keep) == text.plain:
        return text
    pieces = [escaped(character, keep) for character in text.plain]
    starts = [0]
    for piece in pieces:
        starts.append(starts[-1] + len(piece))
    clean = text.blank_copy("".join(pieces))
    last = len(pieces)
    clean.spans = [Span(starts[min(s.start, last)], starts[min(s.end, last)], s.style) for s in text.spans]
    return clean
