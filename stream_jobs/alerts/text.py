"""What a person reads at three in the morning, composed once for all receivers; how it looks is theirs.

What, where, how much, since when, probably why, what to do, who looks after it. Everything is cleaned of control
characters here; escaping for a medium (HTML, Slack) is the last step, in `render` or in the notifier.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from spendstream_schemas.scope import LABEL, SCOPE_FIELDS
from stream_jobs.alerts.notification import LISTED_BY_COMMAND, AlertView, Notification
from stream_jobs.base import readable
from stream_jobs.output.escape import is_hidden

MAX_HEADLINE: Final = 150
MAX_CHANGE: Final = 50
# Control characters, line and paragraph separators.
_BREAKS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PLAIN_NAME: Final = re.compile(r"[\w./:+-]+", re.ASCII).fullmatch
_RUN: Final = re.compile(r"-([0-9a-f]{12})\Z").search
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_CALLS: Final = re.compile(r"(?<!\w)@(?=\w)|<(?=[!@#:/\w])|\](?=\()")


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph: rows of (name, value), and lines."""

    title: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    headline: str  # at most MAX_HEADLINE
    parts: tuple[Part, ...]
    link: str | None


@dataclass(frozen=True, slots=True)
class Style:
    """How a medium shows it; `escape` is applied to every text that comes from outside."""

    escape: Callable[[str], str]
    title: str
    row: str
    line: str


PLAIN: Final = Style(lambda text: text, "{}:", "{}: {}", "- {}")


def compose(notification: Notification, zone: tzinfo = UTC) -> Story:
    """The story of a group: in full for one alert, a line for each of several."""
    total = notification.open_alerts + notification.resolved_alerts
    parts = [Part(rows=tuple(_rows(notification, total, zone)))]
    alerts = notification.alerts
    first = alerts[0] if alerts else None
    if total > 1:
        lines = [_line(alert, zone) for alert in alerts]
        if total > len(alerts):
            lines.append(f"and {total - len(alerts):,} more: {_list_command(notification, total)}")
        parts.append(Part("Alerts", lines=tuple(lines)))
    if first is not None and notification.action != "resolve":
        if first.causes:
            of = " (of the first)" if total > 1 else ""
            parts.append(Part(f"Probably because{of}", lines=tuple(clean(cause) for cause in first.causes)))
        actions = list(dict.fromkeys(clean(alert.action) for alert in alerts if alert.action))
        if actions:
            parts.append(Part("What to do", lines=tuple(actions[:3])))
    return Story(headline(notification), tuple(part for part in parts if part.rows or part.lines), _link(notification))


def headline(notification: Notification, limit: int = MAX_HEADLINE) -> str:
    """State, what, and how many if more than one: "CRITICAL: 12 open alerts, $1,234.50 at stake: Team search ..."."""
    state = {"acknowledge": "ACKNOWLEDGED", "resolve": "RESOLVED"}.get(
        notification.action, notification.severity.upper()
    )
    if notification.action == "update" or is_correction(notification):
        change = shorten(clean(notification.change), MAX_CHANGE)
        corrected = is_correction(notification)
        word = "CORRECTED" if corrected else state
        told = change.casefold() not in ("", "corrected", "figures corrected", "updated")
        state = f"{word} ({change})" if told else word
    total = notification.open_alerts + notification.resolved_alerts
    what = clean(notification.alerts[0].summary) if notification.alerts else clean(notification.group_id)
    if total > 1:
        money = f", {readable.money(notification.money_usd)} at stake" if notification.money_usd > 0 else ""
        if notification.action == "resolve":
            what = f"{_alerts(total)}{money and money.replace('at stake', 'was at stake')}: {what}"
        else:
            what = f"{_alerts(notification.open_alerts, 'open ')}{money}: {what}"
    return shorten(f"{'TEST ' if notification.test else ''}{state}: {what}", limit)


def is_correction(notification: Notification) -> bool:
    """Whether people are told because something that they were told before was not right."""
    return notification.action in ("trigger", "update") and "correct" in notification.change.casefold()


def render(parts: Iterable[Part], style: Style) -> list[str]:
    """Parts of a story as lines in one medium; an empty one between parts."""
    lines: list[str] = []
    for part in parts:
        if lines:
            lines.append("")
        if part.title:
            lines.append(style.title.format(style.escape(part.title)))
        lines += [style.row.format(style.escape(name), style.escape(value)) for name, value in part.rows]
        lines += [style.line.format(style.escape(line)) for line in part.lines]
    return lines


def plain(story: Story) -> str:
    """Headline, body and link as plain text."""
    return "\n".join([story.headline, "", *render(story.parts, PLAIN), *(["", story.link] if story.link else [])])


def _rows(notification: Notification, total: int, zone: tzinfo) -> Iterable[tuple[str, str]]:
    alerts = notification.alerts
    resolved = notification.action == "resolve"
    if notification.action == "update" and notification.change:
        yield ("Corrected" if is_correction(notification) else "New"), clean(notification.change)
    if total > 1:
        yield "Alerts", f"{notification.open_alerts:,} open, {notification.resolved_alerts:,} resolved"
    owners = list(dict.fromkeys(clean(alert.owner) for alert in alerts if alert.owner))
    if owners:
        yield ("Owner" if len(owners) == 1 else "Owners"), ", ".join(owners)
    where = scope_text(notification.labels or (alerts[0].labels if total == 1 and alerts else {}))
    if where:
        yield "Where", where
    if notification.money_usd > 0:
        yield ("Was at stake" if resolved else "At stake"), readable.money(notification.money_usd)
    if total == 1 and alerts:
        yield from ((clean(fact.name), clean(fact.text)) for fact in alerts[0].facts)
    yield "Since", instant_text(notification.started_at, zone)
    if resolved:
        yield "Resolved", instant_text(notification.updated_at, zone)
        reasons = list(dict.fromkeys(clean(alert.resolution) for alert in alerts if alert.resolution))
        if reasons:
            yield "Why", "; ".join(reasons[:3])
    people = list(dict.fromkeys(clean(alert.acknowledged_by) for alert in alerts if alert.acknowledged_by))
    if people:
        yield "Acknowledged by", ", ".join(people)


def _line(alert: AlertView, zone: tzinfo) -> str:
    state = "RESOLVED" if alert.status == "resolved" else alert.severity.upper()
    notes = [f"since {instant_text(alert.starts_at, zone)}"]
    if alert.money_usd > 0:
        notes.insert(0, f"{readable.money(alert.money_usd)} at stake")
    if alert.acknowledged_by:
        notes.append(f"acknowledged by {clean(alert.acknowledged_by)}")
    return f"{state} {clean(alert.summary)} ({', '.join(notes)})"


def _list_command(notification: Notification, total: int) -> str:
    """That shows all of them."""
    words = ["spendstream", "alerts", "list", "--group", group_word(notification.group_id)]
    words += ["--all"] * (notification.resolved_alerts > 0)
    words += ["--limit", str(total)] * (total > LISTED_BY_COMMAND)
    return f"`{shlex.join(words)}`"


def group_word(group_id: str) -> str:
    """What `--group` is given: the group as it is called where every medium leaves that as it is, else its run."""
    group = clean(group_id)
    run = None if _PLAIN_NAME(group) else _RUN(group_id)
    return group if run is None else run[1]


def _link(notification: Notification) -> str | None:
    return notification.link or next((alert.link for alert in notification.alerts if alert.link), None)


def _alerts(number: int, kind: str = "") -> str:
    return f"{number:,} {kind}alert{'s' if number != 1 else ''}"


def scope_text(labels: dict[str, str]) -> str:
    """'team = search, model = gpt-4o': what it is about, in the order of SCOPE_FIELDS, other labels after them."""
    names = [name for name in SCOPE_FIELDS if name in labels] + sorted(labels.keys() - set(SCOPE_FIELDS))
    return ", ".join(f"{_field(clean(name))} = {clean(labels[name]) or '(none)'}" for name in names)


def _field(name: str) -> str:
    """A field as people say it; a label by its own name."""
    return name.removeprefix(LABEL) if name.startswith(LABEL) else name.replace("_", " ")


def instant_text(instant: datetime, zone: tzinfo = UTC) -> str:
    """'2026-11-26 14:37 UTC', or in another zone '2026-11-26 15:37 CET'."""
    local = instant.astimezone(zone)
    return f"{readable.instant(local)} {local:%Z}"


def clean(text: str | None) -> str:
    """One line without control characters, without what turns the reading direction or does not show, encodable as
    UTF-8."""
    line = _SURROGATES.sub("\ufffd", _BREAKS.sub(" ", text or ""))
    if not line.isascii():
        line = "".join(character for character in line if not is_hidden(character))
    return line.strip()


def inert(text: str) -> str:
    """For services whose rules we do not know: nobody is called by @everyone, <!channel> or <@U1>, a link has no other
    text than its address."""
    return _CALLS.sub("\\g<0>\u2060", text)


def size_of(text: str) -> int:
    """Its length in UTF-16 units, as vendors in JavaScript, Java and C# count; never less than its code points."""
    return len(text) + sum(character > "\uffff" for character in text)


def shorten(text: str, limit: int, escape: Callable[[str], str] = lambda text: text) -> str:
    """The escaped text in at most `limit` characters; cut between code points (and so never inside of an escape
    sequence), with an ellipsis."""
    escaped = escape(text)
    if size_of(escaped) <= limit:
        return escaped
    kept: list[str] = []
    room = limit - 1
    for character in text:
        piece = escape(character)
        room -= size_of(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept).rstrip() + "…"


def fit_lines(lines: Sequence[str], limit: int) -> str:
    """As many whole lines as there is room for, with an ellipsis where some are left out. The lines are escaped."""
    text = "\n".join(lines)
    if size_of(text) <= limit:
        return text
    kept: list[str] = []
    room = limit - 2
    for line in lines:
        room -= size_of(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join([*kept, "…"])
