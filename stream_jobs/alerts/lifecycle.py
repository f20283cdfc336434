"""The life of one alert: what a record makes of a state. Plain functions, without a clock, files or network.

    (nothing) ─firing─▶ open ◀─worse─ acknowledged        A signal says what holds, so the same one again does nothing
                         │ ▲ ──ack──▶     │               and an older one does nothing. Of two of the same instant the
                         ▼ │firing        ▼               graver one holds, in whatever order they come.
                        resolved ◀────────┘

So the facts of an alert do not depend on the order of its signals. How often it opened does: firing, over, firing again
are two episodes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from spendstream_schemas.alert_feed import AlertAck, AlertKind, AlertSignal
from stream_jobs.alerts.model import RANK, Alert, Transition, TransitionKind
from stream_jobs.alerts.routing import Routing

KEPT_REQUESTS: Final = 8
MATERIAL: Final = 100
"""What is over is corrected when its figure moved by a hundredth or more, or by anything with another level."""
LOOKED_FOR_ONCE: Final = frozenset[AlertKind](("budget", "forecast"))
"""Of these the causes are looked for when a threshold is crossed; who begins anew does not know them, and they stay."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When and under which number something is recorded, and by which rules."""

    at: datetime
    position: int  # the number that a change gets, if there is one
    routing: Routing


def signalled(
    alert: Alert | None, signal: AlertSignal, raw: bytes, group: str, silence: str | None, moment: Moment
) -> tuple[Alert | None, Transition | None]:
    """The alert after a signal, and the change if there is anything to record. `silence` holds for the signal now."""
    if alert is not None:
        if _older(alert, signal, raw):
            return alert, None
        known = alert.unpacked()
        if not alert.active and signal.status == "resolved" and signal.value is None and known.value is not None:
            # Whoever began anew says that it is over, without its figures, for these are in memory no longer.
            return msgspec.structs.replace(alert, observed_at=signal.observed_at), None
        if alert.active and known.causes and not signal.causes and signal.kind in LOOKED_FOR_ONCE:
            signal = signal.model_copy(update={"causes": known.causes})
            raw = signal.model_dump_json(exclude_defaults=True).encode()
        if _same_facts(known, signal):
            # Nothing to record. Should a restart forget it: what is known then is the same.
            return msgspec.structs.replace(alert, observed_at=signal.observed_at, signal=msgspec.Raw(raw)), None
    if signal.status == "resolved":
        return _resolved(alert, signal, raw, group, silence, moment)
    if alert is None or not alert.active:
        return _opened(alert, signal, raw, group, silence, moment)
    return _amended(alert, signal, raw, silence, moment)


def corrects_what_is_over(alert: Alert, signal: AlertSignal) -> bool:
    """Whether the signal says that an alert that is over, and was told, was not as it was told. Who sends it may have
    begun anew since, and not know what that was."""
    if (
        not signal.correction
        or signal.status != "resolved"
        or alert.active
        or alert.episode == 0
        or signal.observed_at <= alert.observed_at
    ):
        return False
    known = alert.unpacked()
    if signal.value is None or known.value is None:
        return signal.value is not known.value or not _same_facts(known, signal)
    moved = abs(signal.value - known.value)
    return moved > 0 and (signal.level != known.level or moved * MATERIAL >= abs(known.value))


def acknowledged(alert: Alert | None, ack: AlertAck, moment: Moment) -> Transition | None:
    """The change that an acknowledgement makes; one that is refused is recorded too."""
    refusal = None
    if alert is None or alert.episode == 0:
        refusal = "there is no such alert"
    elif ack.request_id in alert.ack_requests:
        return None
    elif not alert.active:
        refusal = f"it is over since {alert.resolved_at:%Y-%m-%d %H:%M:%S} UTC"
    after = alert
    if refusal is None and alert is not None:
        after = msgspec.structs.replace(
            alert,
            status="acknowledged",
            acknowledged_by=ack.by,
            ack_requests=(*alert.ack_requests, ack.request_id)[-KEPT_REQUESTS:],
            **_noted(moment),
        )
    return Transition(
        "acknowledged" if refusal is None else "ack_refused",
        *(moment.at, moment.position, ack.alert_id, after, alert),
        by=ack.by,
        note=refusal or ack.note,
        request_id=ack.request_id,
    )


def silenced(alert: Alert, silence: str | None, moment: Moment) -> Transition:
    """A silence begins to hold for an alert, or the last one that did no longer does."""
    hushed = _hushed(alert, silence, moment)
    if silence is not None:
        return _change("silenced", msgspec.structs.replace(alert, **hushed, **_at(moment)), alert, moment)
    return _change("unsilenced", msgspec.structs.replace(alert, **hushed, **_noted(moment)), alert, moment)


def _hushed(alert: Alert, silence: str | None, moment: Moment) -> dict[str, Any]:
    """What a silence, or its end, changes. Time in which nobody was to hear of it does not count as time in which
    nobody looked after it."""
    if (silence is None) == (alert.silenced_by is None):
        return {"silenced_by": silence}
    if silence is not None:
        return {"silenced_by": silence, "silenced_since": moment.at}
    # Recorded by an earlier version it has no beginning: then it counts from now on.
    begun = alert.open_since if alert.silenced_since is None else max(alert.open_since, alert.silenced_since)
    return {
        "silenced_by": None,
        "silenced_since": None,
        "open_since": alert.open_since + max(moment.at - begun, timedelta(0)),
    }


def called_in(alert: Alert, names: tuple[str, ...], moment: Moment) -> Transition:
    """Nobody looked after it in time: these are told too."""
    after = msgspec.structs.replace(
        alert, also=(*alert.also, *names), receivers=(*alert.receivers, *names), **_at(moment)
    )
    minutes = (moment.at - alert.open_since).total_seconds() / 60
    note = f"nobody looked after it for {minutes:.0f} min: {', '.join(names)} called in"
    return _change("escalated", after, alert, moment, note=note)


def reassessed(alert: Alert, moment: Moment) -> tuple[Alert, Transition | None]:
    """The same facts under changed rules: other receivers, and another severity."""
    signal = alert.unpacked()
    severity = moment.routing.severity(signal)
    receivers = moment.routing.receivers(signal, severity, alert.also)
    after = msgspec.structs.replace(alert, severity=severity, receivers=receivers)
    if severity == alert.severity or not alert.active:
        return after, None
    graver = RANK[severity] > RANK[alert.severity]
    after = _escalated(after, moment) if graver else msgspec.structs.replace(after, **_at(moment))
    kind: TransitionKind = "escalated" if graver else "amended"
    return after, _change(kind, after, alert, moment, note="the rules have changed")


def _older(alert: Alert, signal: AlertSignal, raw: bytes) -> bool:
    if signal.observed_at != alert.observed_at:
        return signal.observed_at < alert.observed_at
    if raw == bytes(alert.signal):
        return True
    return _gravity(signal, raw) <= _gravity(alert.unpacked(), bytes(alert.signal))


def _gravity(signal: AlertSignal, raw: bytes) -> tuple[Any, ...]:
    return (signal.status == "firing", RANK[signal.severity], signal.level, raw)


def _same_facts(known: AlertSignal, signal: AlertSignal) -> bool:
    """Whenever they were observed, and whether or not others were told before them."""
    return known.model_copy(update={"observed_at": signal.observed_at, "correction": signal.correction}) == signal


def _opened(
    alert: Alert | None, signal: AlertSignal, raw: bytes, group: str, silence: str | None, moment: Moment
) -> tuple[Alert, Transition]:
    severity = moment.routing.severity(signal)
    seen_before = alert is not None and alert.episode > 0
    after = Alert(
        alert_id=signal.alert_id,
        kind=signal.kind,
        group=group,
        episode=alert.episode + 1 if alert is not None else 1,
        status="open",
        severity=severity,
        level=signal.level,
        observed_at=signal.observed_at,
        starts_at=signal.starts_at,
        opened_at=moment.at,
        open_since=moment.at,
        money_usd=signal.money_usd,
        noted_value=signal.value,
        ack_requests=alert.ack_requests if alert is not None else (),
        silenced_by=silence,
        silenced_since=None if silence is None else moment.at,
        receivers=moment.routing.receivers(signal, severity),
        signal=msgspec.Raw(raw),
        **_noted(moment),
    )
    return after, _change("reopened" if seen_before else "opened", after, alert, moment, signal)


def _amended(
    alert: Alert, signal: AlertSignal, raw: bytes, silence: str | None, moment: Moment
) -> tuple[Alert, Transition]:
    severity = moment.routing.severity(signal)
    after = msgspec.structs.replace(
        alert,
        severity=severity,
        level=signal.level,
        observed_at=signal.observed_at,
        starts_at=signal.starts_at,
        money_usd=signal.money_usd,
        receivers=moment.routing.receivers(signal, severity, alert.also),
        signal=msgspec.Raw(raw),
        **_hushed(alert, silence, moment),
        **_at(moment),
    )
    if RANK[severity] > RANK[alert.severity] or signal.level > alert.level:
        after = msgspec.structs.replace(_escalated(after, moment), noted_value=signal.value)
        return after, _change("escalated", after, alert, moment, signal)
    milder = RANK[severity] < RANK[alert.severity] or signal.level < alert.level
    notified = milder or signal.correction or moment.routing.moved(alert.noted_value, signal.value)
    if notified or (alert.silenced_by and not silence):
        after = msgspec.structs.replace(after, noted_value=signal.value, **_noted(moment))
    return after, _change("amended", after, alert, moment, signal)


def _escalated(alert: Alert, moment: Moment) -> Alert:
    """Whoever looked after it knew of something milder."""
    since = moment.at if alert.status == "acknowledged" else alert.open_since
    return msgspec.structs.replace(alert, status="open", acknowledged_by=None, open_since=since, **_noted(moment))


def _resolved(
    alert: Alert | None, signal: AlertSignal, raw: bytes, group: str, silence: str | None, moment: Moment
) -> tuple[Alert, Transition]:
    if alert is None:
        # Kept, so that an older signal that comes late does not open it.
        alert, _ = _opened(None, signal, raw, group, silence, moment)
        alert = msgspec.structs.replace(alert, episode=0)
        before = None
    else:
        before = alert
    was_active = before is not None and before.active
    after = msgspec.structs.replace(
        alert,
        status="resolved",
        observed_at=signal.observed_at,
        money_usd=signal.money_usd,
        resolved_at=moment.at if was_active or before is None else alert.resolved_at,
        signal=msgspec.Raw(raw),
        **(_noted(moment) if was_active else _at(moment)),
    )
    kind: TransitionKind = "resolved" if was_active or before is None else "amended"
    return after, _change(kind, after, before, moment, signal)


def _change(
    kind: TransitionKind,
    after: Alert,
    before: Alert | None,
    moment: Moment,
    signal: AlertSignal | None = None,
    note: str = "",
) -> Transition:
    return Transition(kind, moment.at, moment.position, after.alert_id, after, before, signal, note=note)


def _at(moment: Moment) -> dict[str, Any]:
    return {"updated_at": moment.at, "position": moment.position}


def _noted(moment: Moment) -> dict[str, Any]:
    return {"updated_at": moment.at, "position": moment.position, "noted_position": moment.position}
