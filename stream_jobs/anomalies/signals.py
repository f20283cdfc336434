"""What people are told of findings of one cause, so that they understand it at three in the morning.

One alert per cause. It says what was expected, what came, within which window and what it costs if it goes on; it gets
graver, follows its figures, and is resolved by itself with what it cost. Plain functions.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from spendstream_schemas.alert_feed import SEVERITIES, AlertSignal, Fact, Severity
from spendstream_schemas.scope import LABEL, SCOPE_FIELDS
from stream_jobs.anomalies.evidence import conditions_of
from stream_jobs.anomalies.grouping import Group
from stream_jobs.anomalies.model import COST, EVENTS, FindingRow, Series
from stream_jobs.anomalies.words import CLOSINGS, KINDS, headline, quantity, series_name, window
from stream_jobs.base.readable import instant, money

PREFIX: Final = "anomaly/"
MAX_SUMMARY: Final = 300
MAX_TEXT: Final = 1000
MAX_LABEL: Final = 256
MAX_SHOWN: Final = 80  # characters of a value
MAX_SERIES: Final = 8
"""So many of the series that moved together are named."""
NEAR: Final = Decimal("0.8")
"""The head of a group is the narrowest series that holds so much of the greatest excess ..."""
STILL: Final = Decimal("0.5")
"""... and stays it while it holds so much: figures of several series come at several times."""
DAYS_PER_SECOND: Final = Decimal(86_400)
_NAMES: Final[Mapping[str, str]] = {
    "spike": "CostSpike",
    "shift": "CostShift",
    "ramp": "CostRamp",
    "drop": "CostDrop",
    "silence": "UsageSilence",
    "dear_request": "DearRequest",
    "new_series": "NewSpender",
    "driver": "CostDriver",
}
_SCALES: Final[Mapping[str, str]] = {
    "ramp": "a week, day by day",
    "silence": "the time since the last request",
    "request": "a single request",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a group beside its findings."""

    until: datetime | None = None  # its figures are of the time up to then, while it is open
    causes: tuple[str, ...] = ()
    compared: str = ""
    shared: Mapping[str, str] = field(default_factory=dict)  # what nearly all of it has in common, by field
    money_usd: Decimal | None = None  # USD more than expected, where its findings do not measure cost
    planned: str = ""  # what was planned, and is exceeded
    note: str = ""  # what people said of it


def alert_id(group_id: str) -> str:
    return PREFIX + group_id


def head_of(group: Group) -> FindingRow:
    """The finding that people are told of: of costs, then of requests, the one whose series is the cause, else the
    narrowest series that moved nearly as far as the one that moved farthest, which stays it while it can, whatever
    wider one is found to be the cause; what goes on before what is over, or as usual for the time being."""
    rows = list(group.members.values())
    rows = [row for row in rows if row.state == "open" and not row.is_calm] or rows
    for measure in (COST, EVENTS):
        if measured := [row for row in rows if row.measure == measure]:
            rows = measured
            break
    cause = [row for row in rows if conditions_of(row.series) == group.conditions]
    most = max(abs(row.excess) for row in rows)
    before = next((row for row in rows if row.finding_id == group.head and abs(row.excess) >= STILL * most), None)
    if cause and group.conditions:
        found = max(cause, key=lambda row: (abs(row.excess), row.finding_id))
        if before is None or abs(found.expected) <= abs(before.expected):
            return found
    if before is not None:
        return before
    near = [row for row in rows if abs(row.excess) >= NEAR * most]
    return min(near, key=lambda row: (abs(row.expected), -len(row.series.dims), row.series, row.finding_id))


def severity_of(group: Group) -> Severity:
    """The gravest that one of its findings is or was."""
    return max((row.severity for row in group.members.values()), key=SEVERITIES.index)


def until_of(head: FindingRow, told: Told) -> datetime:
    """The end of the time that its figures are of."""
    return head.ended(told.until or head.detected_at)


def excess_usd(row: FindingRow, told: Told) -> Decimal | None:
    """USD more than expected so far, negative for less; None where nobody knows. Of a driver an estimate."""
    if row.kind == "driver":
        return round(row.per_day * _seconds(row, told) / DAYS_PER_SECOND, 6)
    return row.excess if row.measure == COST else told.money_usd


def per_day_usd(row: FindingRow, told: Told) -> Decimal | None:
    """The same for a day of it."""
    if row.measure == COST or row.kind == "driver":
        return row.per_day
    length = _seconds(row, told)
    return None if told.money_usd is None or not length else told.money_usd * DAYS_PER_SECOND / length


def _seconds(row: FindingRow, told: Told) -> Decimal:
    """How long it has lasted."""
    return Decimal((max(until_of(row, told), row.starts_at) - row.starts_at) // timedelta(seconds=1))


def level_of(severity: Severity, excess: Decimal | None) -> int:
    """Rises with the severity, and with every tenfold of the money from $100 on: then people are told again."""
    decades = max(0, len(str(int(abs(excess)))) - 2) if excess is not None else 0
    return 100 * SEVERITIES.index(severity) + min(decades, 99)


def severity_at(level: int) -> Severity:
    """Of a `level_of`."""
    return SEVERITIES[min(level // 100, len(SEVERITIES) - 1)]


def firing(
    group: Group,
    told: Told,
    now: datetime,
    *,
    level: int = 0,
    held: bool = False,
    correction: bool = False,
    ended: str | None = None,
) -> AlertSignal:
    """The alert of a group; with `ended`, which says why, it is over. `level`: the highest so far; with `held` it stays
    that, whatever the group has become."""
    head = head_of(group)
    until = until_of(head, told)
    excess = excess_usd(head, told)
    level = level if held else max(level, level_of(severity_of(group), excess))
    return AlertSignal(
        alert_id=alert_id(group.group_id),
        kind="anomaly",
        name=_NAMES.get(head.kind, "Anomaly"),
        status="firing" if ended is None else "resolved",
        severity=severity_at(level),
        level=level,
        observed_at=now,
        starts_at=min(now, head.starts_at),
        group=alert_id(group.group_id),
        labels=labels_of(group, told),
        owner=_fit(told.shared["owner"], 128) if "owner" in told.shared else None,
        summary=_fit(headline(name_of(head.series), head, until), MAX_SUMMARY),
        facts=tuple(
            Fact(name=name, text=_fit(text, MAX_TEXT))
            for name, text in _facts(group, head, told, until, goes_on=ended is None)
        ),
        causes=tuple(_fit(text, MAX_TEXT) for text in told.causes[:8]),
        action=_fit(_action(group.group_id), MAX_TEXT),
        money_usd=max(Decimal(0), excess or Decimal(0)),
        value=head.actual,
        correction=correction,
        resolution=None if ended is None else _fit(ended, MAX_TEXT),
    )


def over_text(group: Group, told: Told) -> str:
    """Why it is over, with what it cost."""
    head = head_of(group)
    stretch = f"from {instant(head.starts_at)} to {instant(head.ended(head.detected_at))} UTC"
    total = f"{stretch} {_figure(head, head.actual)}, {_figure(head, head.expected)} expected"
    excess = excess_usd(head, told)
    about = "about " if head.kind == "driver" else ""
    more = f": {about}{money(abs(excess))} {'more' if excess >= 0 else 'less'} in all" if excess is not None else ""
    return f"{CLOSINGS.get(head.closing, CLOSINGS['over'])}; {total}{more}"


def labels_of(group: Group, told: Told) -> dict[str, str]:
    """By SCOPE_FIELDS who it is about, and what nearly all of it has in common: what routes and silences look at."""
    known = {**told.shared, **group.conditions, **conditions_of(head_of(group).series)}
    found = {
        name: _fit(value, MAX_LABEL)
        for name, value in known.items()
        if value and (name in SCOPE_FIELDS or name.startswith(LABEL))
    }
    own = {"anomaly": head_of(group).kind}
    return dict(list(found.items())[: 32 - len(own)]) | own


def _facts(group: Group, head: FindingRow, told: Told, until: datetime, *, goes_on: bool) -> list[tuple[str, str]]:
    facts = [
        ("Expected", _figure(head, head.expected)),
        ("Actual", _figure(head, head.actual)),
        ("Usual range", f"{_figure(head, head.low)} to {_figure(head, head.high)}"),
        ("Window", window(head, until).removeprefix("in ") + _known(head, until, goes_on=goes_on)),
    ]
    in_money = head.measure == COST or head.kind == "driver"
    if in_money and head.kind != "dear_request" and head.ends_at is None and not head.is_calm and goes_on:
        sign = "more" if head.per_day >= 0 else "less"
        about = "about " if head.kind == "driver" else ""
        facts.append(("If it goes on", f"{about}{money(abs(head.per_day))} {sign} per day"))
    facts += [
        ("Seen in", _scale(head.scale)),
        ("Reason", f"{KINDS.get(head.kind, head.kind)}; surprise {head.score:.0f} nats"),
    ]
    if told.compared:
        facts.append(("Compared with", told.compared))
    others = [row for row in group.members.values() if row.series != head.series]
    if others:
        facts.append(("Moved as well", _moved(others)))
    if told.planned:
        facts.append(("Planned", told.planned))
    if told.note:
        facts.append(("Marked", told.note))
    facts.append(("Finding", group.group_id))
    return facts


def _known(head: FindingRow, until: datetime, *, goes_on: bool) -> str:
    if head.ends_at is not None or not goes_on:
        return ""
    return "; as usual since" if head.is_calm else f"; figures go up to {instant(until)} UTC"


def _moved(rows: Sequence[FindingRow]) -> str:
    names = sorted({(len(row.series.dims), name_of(row.series)) for row in rows})
    shown = [name for _, name in names[:MAX_SERIES]]
    return "; ".join(shown) + (f" and {len(names) - MAX_SERIES} more" if len(names) > MAX_SERIES else "")


def _action(group_id: str) -> str:
    """With commands as one types them: each works as it stands."""
    show, expected, ack = (
        f"`{shlex.join(('spendstream', *words))}`"
        for words in (
            ("anomalies", "show", group_id),
            ("anomalies", "mark", group_id, "expected"),
            ("alerts", "ack", alert_id(group_id)),
        )
    )
    return f"See it and its cause: {show}. If it was to be expected: {expected}. Tell others that you are on it: {ack}"


def _figure(row: FindingRow, value: Decimal) -> str:
    return quantity(row.measure, value)


def _scale(scale: str) -> str:
    if scale in _SCALES:
        return _SCALES[scale]
    units = {"m": "minutes", "h": "hours", "d": "days"}
    number, unit = scale[:-1], units.get(scale[-1:])
    if unit is None or not number.isdigit():
        return scale
    return f"the last {unit[:-1]}" if number == "1" else f"the last {number} {unit}"


def name_of(series: Series) -> str:
    """As people are told it."""
    return series_name({name: _short(value) for name, value in conditions_of(series).items()})


def _short(value: str) -> str:
    return value if len(value) <= MAX_SHOWN else f"{value[: MAX_SHOWN - 1]}…"


def _fit(text: str, most: int) -> str:
    """In one line of so many characters: values come from records that nobody has checked."""
    clean = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def gone(identity: str, now: datetime) -> AlertSignal:
    """An alert that is open and of which no finding is left: it is older than what is kept."""
    return AlertSignal(
        alert_id=identity,
        kind="anomaly",
        name="Anomaly",
        status="resolved",
        severity="info",
        observed_at=now.astimezone(UTC),
        starts_at=now.astimezone(UTC),
        group=identity,
        summary=f"{identity}: over",
        resolution="its finding is over",
    )
