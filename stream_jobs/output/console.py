"""rich's console, tables and bars, for texts from outside: no markup, no emoji codes, no links, nothing hidden.

Only this module makes them. Our own styling is said with `Text(text, style)`; a text that looks like markup is a text.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import rich.console
import rich.table
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Span, Text

from stream_jobs.output.escape import escaped
from stream_jobs.output.streams import KEPT, GuardedStream, behind

__all__ = ["Console", "Lines", "Progress", "Status", "Table", "progress_bars"]


class Console(rich.console.Console):
    """On stdout, on stderr, or into a `file`. A `width` is for where there is no terminal, which has its own."""

    def __init__(
        self, *, stderr: bool = False, highlight: bool = True, width: int | None = None, file: IO[str] | None = None
    ) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=highlight, file=file)
        if width is not None and not self.is_terminal:
            self.width = width

    @property
    def file(self) -> IO[str]:
        """The stream itself: what is written here was escaped before it was styled."""
        return behind(rich.console.Console.file.fget(self))  # type: ignore[attr-defined]

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        rich.console.Console.file.fset(self, new_file)  # type: ignore[attr-defined]

    def print(self, *objects: Any, **options: Any) -> None:
        """A text is one line, whatever is in it; several are `Lines`."""
        super().print(*(_one_line(item) for item in objects), **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(escaped(text, KEPT), **options | {"markup": False, "emoji": False})

    def render(
        self, renderable: RenderableType, options: rich.console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Everything that is printed comes through here, the insides of tables too."""
        clean = _clean(renderable, KEPT) if isinstance(renderable, Text) else renderable
        for segment in super().render(clean, options):
            yield segment if segment.control else _plain_segment(segment)

    def working(self, what: str) -> "Status":
        """As a context manager: a moving mark with what is being done, and nothing where nobody looks."""
        return Status(self, what)


class Table(rich.table.Table):
    """A table whose cells, heads and title are one line each, whatever is in them. `Lines` are several."""

    def __init__(self, *headers: Any, title: Any = None, **options: Any) -> None:
        super().__init__(*headers, title=None if title is None else _one_line(title), **options)

    @classmethod
    def grid(cls, **options: Any) -> "Table":  # type: ignore[override]
        """Without lines and heads."""
        made = super().grid(**options)
        assert isinstance(made, cls)
        return made

    def add_column(self, header: RenderableType = "", footer: RenderableType = "", **options: Any) -> None:
        super().add_column(_one_line(header), _one_line(footer), **options)

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        super().add_row(*(_one_line(cell) for cell in cells), **options)


def Lines(texts: Iterable[str | Text]) -> Group:  # noqa: N802 - used as rich's own renderables are
    """Several lines, each of them one, whatever is in it."""
    return Group(*(_one_line(Text(item) if isinstance(item, str) else item) for item in texts))


class Status:
    """What is being done just now."""

    def __init__(self, console: Console, what: str) -> None:
        self._console = console
        self._stack = ExitStack()
        self._spinner = Spinner("dots", text=Text(escaped(what)), style="status.spinner")
        # rich's own redirection would obey escape sequences in what others write meanwhile.
        self._live = Live(
            self._spinner,
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            refresh_per_second=12.5,
        )

    def update(self, what: str) -> None:
        self._spinner.update(text=Text(escaped(what)))

    def __enter__(self) -> "Status":
        self._stack.enter_context(_lines_above(self._console))
        self._stack.enter_context(self._live)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars on stderr, and only for people: nothing is drawn when stderr is not a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Not redirected: see Status.
    bars = Progress(
        *columns, console=console, disable=not console.is_terminal, redirect_stdout=False, redirect_stderr=False
    )
    with _lines_above(console), bars:
        yield bars


@contextmanager
def _lines_above(console: Console) -> Iterator[None]:
    """What others write on stderr stands above what is being drawn there."""
    if not (console.is_terminal and isinstance(sys.stderr, GuardedStream)):
        yield
        return
    with sys.stderr.lines_go_to(lambda line: console.print(Text(line), soft_wrap=True)):
        yield


def _one_line(item: Any) -> Any:
    if isinstance(item, str):
        return escaped(item)
    return _clean(item, "") if isinstance(item, Text) else item


def _clean(text: Text, keep: str) -> Text:
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


def _plain_segment(segment: Segment) -> Segment:
    style = segment.style
    if style is not None and style.link is not None:
        style = style.update_link(None)
    return Segment(escaped(segment.text, KEPT), style)
