"""Findings on a terminal: a table of many, and one in full with its drawing and its cause."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rich.text import Text

from stream_jobs.anomalies import words
from stream_jobs.anomalies.around import Around, around
from stream_jobs.anomalies.cause import Cause, cause_of
from stream_jobs.anomalies.drawing import drawing
from stream_jobs.anomalies.found import Found, group_of, history_of
from stream_jobs.base.instants import utc_now
from stream_jobs.base.readable import clock, duration, instant
from stream_jobs.output.console import Console
from stream_jobs.output.tables import Facts, Table
from stream_jobs.store.client import StoreClient

SEVERITY_STYLES: Final = {"critical": "bold red", "error": "red", "warning": "yellow", "info": "cyan"}
PIPE_WIDTH: Final = 80


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything that is said of a finding."""

    found: Found
    now: datetime
    cause: Cause
    around: Around
    history: Sequence[dict[str, Any]]
    group: Sequence[Found]


def look_at(store: StoreClient, found: Found) -> Shown:
    """All that is known of it now. Raises StoreUnavailableError."""
    now = utc_now()
    return Shown(
        found=found,
        now=now,
        cause=cause_of(found.cause),
        around=around(store, found, now),
        history=history_of(store, found.finding_id),
        group=group_of(store, found),
    )


def width_of(console: Console) -> int:
    """Of drawings; a pipe has none of its own."""
    return console.width if console.file.isatty() else PIPE_WIDTH


def findings_table(findings: Sequence[Found]) -> Table:
    """A row each."""
    table = Table(header_style="bold")
    for column in ("severity", "state", "series", "what", "since (UTC)", "for", "actual", "usual", "mark", "id"):
        table.add_column(column, justify="right" if column in ("actual", "usual") else "left")
    for found in findings:
        table.add_row(
            Text(found.severity, style=SEVERITY_STYLES.get(found.severity, "")),
            Text(_state(found)),
            Text(words.series_name(found.series)),
            Text(words.KINDS.get(found.kind, found.kind)),
            instant(found.starts_at),
            duration(words.length(found)) + (f" until {clock(found.known_until)}" if found.is_open else ""),
            words.quantity(found.measure, found.actual),
            words.amount(found.measure, found.expected),
            Text(found.mark),
            Text(found.finding_id, style="dim"),
        )
    return table


def _state(found: Found) -> str:
    if found.is_open and found.silenced_by:
        return "silenced"
    return "calm" if found.is_calm else found.state


def print_finding(console: Console, shown: Shown) -> None:
    """What, when, how much, a drawing, why, what people said, what else belongs to it."""
    found = shown.found
    style = SEVERITY_STYLES.get(found.severity, "")
    console.print(
        Text.assemble((found.severity.upper(), style), " ", (words.line(found), "bold")),
    )
    console.print(Facts((name, text) for name, text in facts_of(shown) if text))
    lines = list(drawing(shown.around, found, width_of(console)))
    if lines:
        console.print()
        for line in lines:
            console.print(line, no_wrap=True, overflow="ignore", crop=False)
    console.print()
    causes = shown.cause.lines() or [_UNEXPLAINED]
    console.print(Facts((name, line) for name, line in zip(("why", *[""] * len(causes)), causes, strict=False)))
    _history(console, shown)
    if shown.group:
        console.print()
        console.print(Text(f"Of the same cause: {len(shown.group)} more", "bold"))
        console.print(findings_table(shown.group))


_UNEXPLAINED: Final = "nobody knows yet: it is looked into when it is found, and again when it changes"


def facts_of(shown: Shown) -> Iterator[tuple[str, str]]:
    found = shown.found
    name = found.measure
    yield "id", found.finding_id
    yield "state", words.state(found)
    yield "kind", f"{words.KINDS.get(found.kind, found.kind)}, {found.direction}, told by the scale {found.scale}"
    yield "when", words.when(found)
    yield "noticed", f"{clock(found.detected_at)} UTC"
    yield "actual", words.quantity(name, found.actual)
    yield (
        "usual",
        f"{words.amount(name, found.expected)}, between {words.amount(name, found.low)} and "
        + words.amount(name, found.high),
    )
    yield "per day", words.per_day(found)
    yield "surprise", f"{round(found.score)} nats"
    if found.mark:
        by = f" by {found.marked_by}" if found.marked_by else ""
        note = f": {found.note}" if found.note else ""
        yield "mark", f"{words.MARKS.get(found.mark, found.mark)}, said{by}{note}"
    else:
        yield "mark", f"none; say what it was: spendstream anomalies mark {found.finding_id} real|expected"


def _history(console: Console, shown: Shown) -> None:
    if not shown.history:
        return
    table = Table("when (UTC)", "what", "severity", "actual", "usual", "by", "note", title="History")
    name = shown.found.measure
    for event in shown.history:
        amounts = (
            ("", "")
            if event["actual"] is None
            else (
                words.quantity(name, event["actual"]),
                words.amount(name, event["expected"]),
            )
        )
        table.add_row(
            clock(event["at"]),
            Text(event["change"]),
            Text(event["severity"]),
            *amounts,
            Text(event["by"]),
            Text(event["note"]),
        )
    console.print()
    console.print(table)
