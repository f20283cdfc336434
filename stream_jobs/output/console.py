"""rich's console and bars, for texts from outside: no markup, no emoji codes, no links, nothing hidden.

Only this module makes them. Our own styling is said with `Text(text, style)`; a text that looks like markup is a text.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import rich.console
from rich.console import RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

from stream_jobs.output.escape import escaped
from stream_jobs.output.streams import KEPT, GuardedStream, behind
from stream_jobs.output.texts import clean, one_line

__all__ = ["Console", "Progress", "Status", "bar_of", "progress_bars"]


class Console(rich.console.Console):
    """On stdout, on stderr, or into a `file`. A terminal has a width; elsewhere a line is as long as it is."""

    def __init__(self, *, stderr: bool = False, highlight: bool = True, file: IO[str] | None = None) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=highlight, file=file)

    @property
    def file(self) -> IO[str]:
        """The stream itself: what is written here was escaped before it was styled."""
        return behind(rich.console.Console.file.fget(self))  # type: ignore[attr-defined]

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        rich.console.Console.file.fset(self, new_file)  # type: ignore[attr-defined]

    def print(self, *objects: Any, **options: Any) -> None:
        """A text is one line, whatever is in it; several are `Lines`."""
        options = {"crop": False, "soft_wrap": not self.file.isatty()} | options
        super().print(*(one_line(item) for item in objects), **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(escaped(text, KEPT), **options | {"markup": False, "emoji": False})

    def render(
        self, renderable: RenderableType, options: rich.console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Everything that is printed comes through here, the insides of tables too."""
        harmless = clean(renderable, KEPT) if isinstance(renderable, Text) else renderable
        for segment in super().render(harmless, options):
            yield segment if segment.control else _plain_segment(segment)

    def working(self, what: str) -> "Status":
        """As a context manager: a moving mark with what is being done, and nothing where nobody looks."""
        return Status(self, what)


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


def bar_of(bars: Progress, what: str) -> Callable[[int, int], None]:
    """To be told how much is done, of how much. The bar is there once there is something to tell."""
    tasks: list[TaskID] = []

    def told(done: int, of: int) -> None:
        tasks.extend([bars.add_task(what, total=of)] if not tasks else [])
        bars.update(tasks[0], completed=done, total=of)

    return told


@contextmanager
def _lines_above(console: Console) -> Iterator[None]:
    """What others write on stderr stands above what is being drawn there."""
    if not (console.is_terminal and isinstance(sys.stderr, GuardedStream)):
        yield
        return
    with sys.stderr.lines_go_to(lambda line: console.print(Text(line), soft_wrap=True)):
        yield


def _plain_segment(segment: Segment) -> Segment:
    style = segment.style
    if style is not None and style.link is not None:
        style = style.update_link(None)
    return Segment(escaped(segment.text, KEPT), style)
