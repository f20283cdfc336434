"""Makes the notification that brings a receiver from what it was told to what is true."""

import hashlib
import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from spendstream_schemas.alert_feed import SEVERITIES
from stream_jobs.alerts.grouping import Episode, GroupState
from stream_jobs.alerts.model import RANK, Alert
from stream_jobs.alerts.notification import MAX_LISTED, AlertView, Notification, NotificationAction
from stream_jobs.base.readable import clock

MAX_GROUP_ID: Final = 255
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Planned:
    """A notification, and what the receiver knows once it took it."""

    receiver: str
    group: str
    notification: Notification
    notified: tuple[Episode, ...]  # for the first time
    over: tuple[Episode, ...]  # as over
    position: int  # all changes up to here
    rank: int  # the gravest it knows of then
    since: datetime | None = None  # when the oldest news in it was recorded


def compose(
    state: GroupState, alerts: Mapping[str, Alert], labels: Mapping[str, str], position: int, revision: int
) -> Planned | None:
    """What to tell now, as that revision. `alerts` are the active ones, `labels` those that the group's alerts share,
    `position` the number of the last change in them. None: all that is open is silenced."""
    open_alerts = [alerts[alert_id] for alert_id in (*state.notified, *state.fresh) if not alerts[alert_id].silenced_by]
    if not open_alerts and state.notified:
        return None
    gone = [*state.over.values(), *state.missed.values()]
    fresh, missed = tuple(state.fresh.items()), tuple(state.missed)
    action = _action(state, open_alerts)
    # One that nobody knows of cannot be over for anybody: it is told as it was, and then as over.
    over = tuple(state.over) if action == "trigger" and not open_alerts else (*state.over, *missed)
    about = open_alerts or gone
    listed = heapq.nlargest(MAX_LISTED, open_alerts, key=_weight)
    listed += heapq.nlargest(MAX_LISTED - len(listed), gone, key=_weight)
    views = tuple(view(alert) for alert in listed)
    rank = max(RANK[alert.severity] for alert in about)
    if not open_alerts:
        rank = max(rank, state.notified_rank)  # the gravest of what was
    group_id = state.group_id or _group_id(state.group, about)
    links = {item.link for item in views}
    notification = Notification(
        key=_key(state.receiver, group_id, revision),
        group_id=group_id,
        revision=revision,
        action=action,
        severity=SEVERITIES[rank],
        change=_change(state, action, open_alerts, rank),
        alerts=views,
        open_alerts=len(open_alerts),
        resolved_alerts=state.over_before + len(gone),
        money_usd=sum((alert.money_usd for alert in about), _ZERO),
        started_at=min(alert.starts_at for alert in (*open_alerts, *gone)),
        updated_at=max(alert.updated_at for alert in (*open_alerts, *gone)),
        labels=dict(labels),
        link=links.pop() if len(links) == 1 else None,
    )
    return Planned(
        state.receiver, state.group, notification, (*fresh, *missed), over, position, rank, state.pending_since
    )


def _action(state: GroupState, open_alerts: list[Alert]) -> NotificationAction:
    if not state.begun:
        return "trigger"
    if not open_alerts:
        return "resolve"
    if not state.fresh and all(alert.status == "acknowledged" for alert in open_alerts) and not state.acked:
        return "acknowledge"
    return "update"


def _change(state: GroupState, action: NotificationAction, open_alerts: list[Alert], rank: int) -> str:
    """What is new, in a few words."""
    if action == "trigger" and not open_alerts:
        if state.corrected:
            return "corrected after it was resolved"
        ends = [alert.resolved_at for alert in state.missed.values() if alert.resolved_at is not None]
        begin = min(alert.opened_at for alert in state.missed.values())
        return f"opened and resolved before it could be told: {clock(begin)} to {clock(max(ends, default=begin))} UTC"
    if action == "acknowledge":
        people = sorted({alert.acknowledged_by for alert in open_alerts if alert.acknowledged_by})
        return f"looked after by {', '.join(people[:3])}{' and others' if len(people) > 3 else ''}"
    parts = []
    if state.begun and open_alerts and rank != state.notified_rank:
        parts.append(f"now {SEVERITIES[rank]}")
    elif state.urgent:
        parts.append("got worse")
    if state.fresh:
        parts.append(f"{len(state.fresh):,} new" if state.begun or len(state.fresh) > 1 else "new")
    if number := len(state.over) + len(state.missed):
        parts.append("all resolved" if not open_alerts else f"{number:,} resolved")
    if state.corrected:
        parts.append("figures corrected")
    elif state.noted and not state.urgent:
        parts.append("no longer silenced" if state.unsilenced else "figures changed")
    return ", ".join(parts) or "still open"


def _weight(alert: Alert) -> tuple[int, Decimal, str]:
    return (RANK[alert.severity], alert.money_usd, alert.alert_id)


def _group_id(group: str, alerts: Iterable[Alert]) -> str:
    """Another one each time the group begins anew; the group's name is in it where it fits."""
    first = min(alerts, key=lambda alert: (alert.opened_at, alert.alert_id))
    run = _digest(group, first.alert_id, str(first.episode), first.opened_at.isoformat())[:12]
    return f"{group[: MAX_GROUP_ID - 13]}-{run}"


def _key(receiver: str, group_id: str, revision: int) -> str:
    return _digest(receiver, group_id, str(revision))


def _digest(*parts: str) -> str:
    """Length prefixes keep distinct parts distinct."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def view(alert: Alert) -> AlertView:
    signal = alert.unpacked()
    return AlertView(
        alert_id=alert.alert_id,
        kind=alert.kind,
        name=signal.name,
        status=alert.status,
        severity=alert.severity,
        summary=signal.summary,
        starts_at=alert.starts_at,
        updated_at=alert.updated_at,
        money_usd=alert.money_usd,
        level=alert.level,
        labels=signal.labels,
        facts=signal.facts,
        causes=signal.causes,
        action=signal.action,
        link=signal.link,
        owner=signal.owner,
        acknowledged_by=alert.acknowledged_by,
        resolved_at=alert.resolved_at,
        resolution=signal.resolution,
    )
