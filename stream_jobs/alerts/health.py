"""A receiver that fails is an alert of its own, which goes to others. Plain functions and counts; no clock, no I/O.

It fails when it has answered nothing but failures for FAILING_AFTER since a first attempt failed, when it cannot be
used at all (a secret is missing), or when it refused something that is given up. It works again with the first
notification that it takes.
"""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from spendstream_schemas.alert_feed import AlertSignal, Fact
from stream_jobs.alerts.model import Alert
from stream_jobs.alerts.text import clean, group_word, shorten

FAILING_AFTER: Final = timedelta(seconds=60)
"""A receiver that is away for less is not worth another alert: it hears of everything once it is back."""
NAME: Final = "ReceiverFailing"
GROUP: Final = "alerts/receivers"
PREFIX: Final = "alerts/receiver/"
"""Of the alert ids; the receiver's name follows. It is not told of itself."""
MAX_PROBLEM: Final = 200
_MICROSECOND: Final = timedelta(microseconds=1)

Kind = Literal["failing", "unusable", "given_up"]
_SAYS: Final[Mapping[Kind, str]] = {
    "failing": "takes no notifications",
    "unusable": "cannot be used",
    "given_up": "refused a notification, which is given up",
}
_LEVELS: Final[Mapping[Kind, int]] = {"given_up": 1, "unusable": 2, "failing": 3}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a receiver, and since when."""

    kind: Kind
    since: datetime
    problem: str  # names no secret
    group_id: str = ""  # of what is given up


Condition = Trouble | Literal["works", "usable", "unknown"]
"""`usable`: it has not been told anything yet, and before the last start it may have failed. `unknown`: nor is known
whether it can be used."""


class Record:
    """What became of one receiver's attempts. Used by its task."""

    def __init__(self) -> None:
        self._first_failed: datetime | None = None
        self._problem = ""
        self._unusable: Trouble | None = None
        self._given_up: Trouble | None = None
        self._usable = self._works = False

    def took_it(self) -> None:
        self._first_failed, self._works = None, True

    def failed(self, problem: str, at: datetime) -> None:
        self._first_failed, self._problem, self._works = self._first_failed or at, problem, False

    def cannot_be_used(self, problem: str, at: datetime) -> None:
        self._unusable = self._unusable or Trouble("unusable", at, problem)
        self._works = False

    def can_be_used(self) -> None:
        self._unusable, self._usable = None, True

    def gave_up(self, problem: str, group_id: str, at: datetime) -> None:
        """It answers, and what it refuses is not tried again: to say that it is would not be so."""
        self._given_up, self._works, self._first_failed = Trouble("given_up", at, problem, group_id), False, None

    def condition(self, now: datetime) -> Condition:
        """How it stands. What was given up is said, also when the next notification is taken at once."""
        if self._unusable is not None:
            return self._unusable
        if self._first_failed is not None and now - self._first_failed >= FAILING_AFTER:
            return Trouble("failing", self._first_failed, self._problem)
        if self._given_up is not None and (not self._works or now - self._given_up.since < FAILING_AFTER):
            return self._given_up
        if self._works:
            return "works"
        return "usable" if self._usable else "unknown"


def changes(conditions: Mapping[str, Condition], alerts: Iterable[Alert], now: datetime) -> list[AlertSignal]:
    """What there is to say, given how the receivers stand and the alerts that there are. The same again says
    nothing."""
    known = {alert.alert_id.removeprefix(PREFIX): alert for alert in alerts if alert.alert_id.startswith(PREFIX)}
    found = []
    for name, condition in conditions.items():
        alert = known.get(name)
        if isinstance(condition, Trouble) and (alert is None or not alert.active or _differs(alert, condition)):
            found.append(_failing(name, condition, _at(alert, now)))
        elif alert is not None and alert.active and _is_over(alert, condition):
            why = "it can be used" if condition == "usable" else "it took the next notification"
            found.append(_over(alert, _at(alert, now), why))
    found += [
        _over(alert, _at(alert, now), "there is no such receiver any more")
        for name, alert in known.items()
        if alert.active and name not in conditions
    ]
    return found


def not_itself(alert_id: str, names: Iterable[str]) -> tuple[str, ...]:
    """Without the receiver that the alert is about."""
    return tuple(name for name in names if alert_id != PREFIX + name)


def _at(alert: Alert | None, now: datetime) -> datetime:
    """Later than what is known."""
    return now if alert is None else max(now, alert.observed_at + _MICROSECOND)


def _is_over(alert: Alert, condition: Condition) -> bool:
    return condition == "works" or (condition == "usable" and alert.level == _LEVELS["unusable"])


def _differs(alert: Alert, trouble: Trouble) -> bool:
    """Not the words of a problem: those may be others each time."""
    return alert.level != _LEVELS[trouble.kind]


def _failing(name: str, trouble: Trouble, at: datetime) -> AlertSignal:
    problem = shorten(clean(trouble.problem), MAX_PROBLEM)
    return AlertSignal(
        alert_id=PREFIX + name,
        kind="data_quality",
        name=NAME,
        status="firing",
        severity="error",
        level=_LEVELS[trouble.kind],
        observed_at=at,
        starts_at=min(trouble.since, at),
        group=GROUP,
        labels={"receiver": name},
        summary=shorten(f"receiver {name} {_SAYS[trouble.kind]}: {problem}", 300),
        facts=(Fact(name="Receiver", text=name), Fact(name="Problem", text=problem)),
        action=_what_to_do(name, trouble),
    )


def _what_to_do(name: str, trouble: Trouble) -> str:
    test = _command("test", "--", name) if name.startswith("-") else _command("test", name)
    if trouble.kind == "given_up":
        group = _command("list", "--all", "--group", group_word(trouble.group_id))
        return (
            f"See what it was not told: {group}. It is told again when that changes, when alerts.yaml changes, or when "
            f"the alerts job starts. See what it answers: {test}"
        )
    return f"See what it answers: {test}. It is tried all the time, and hears of everything once it takes it again"


def _command(*words: str) -> str:
    return f"`{shlex.join(('spendstream', 'alerts', *words))}`"


def _over(alert: Alert, at: datetime, why: str) -> AlertSignal:
    return alert.unpacked().model_copy(update={"status": "resolved", "observed_at": at, "resolution": why})
