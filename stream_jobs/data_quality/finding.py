"""What a check finds, and the signals it becomes. Plain functions."""

import hashlib
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final
from urllib.parse import quote

from spendstream_schemas.alert_feed import AlertSignal, Fact, Severity

PREFIX: Final = "data_quality/"
MAX_ID: Final = 255
MAX_FINDINGS: Final = 50
"""Of one check: more subjects than this have one cause, and nobody reads more than this."""
MAX_CAUSES: Final = 8
NOT_FOUND: Final = "the last look did not find it any more"
_MAX_SUMMARY: Final = 300
_MAX_SENTENCE: Final = 1000
_MAX_LABEL: Final = 256
_DIGEST: Final = 32


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition that holds. `subject` tells it from all others of its check, whatever else changes."""

    check: str  # conservation, consumer_lag, price_source, quarantine, stated_cost, unallocated or unpriced
    subject: tuple[str, ...]
    name: str  # of the rule, in CamelCase
    severity: Severity
    summary: str
    facts: Mapping[str, str]
    action: str
    causes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    level: int = 0
    money_usd: Decimal = Decimal(0)
    value: Decimal | None = None
    since: datetime | None = None  # if the data says it

    @property
    def alert_id(self) -> str:
        return alert_id(self.check, self.subject)


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found. Unless it is complete, a condition that is not in here may still hold."""

    check: str
    findings: tuple[Finding, ...] = ()
    complete: bool = True
    resolution: str = NOT_FOUND  # why what was found before no longer holds, if this is complete


def result(check: str, findings: Iterable[Finding], *, complete: bool = True, resolution: str = NOT_FOUND) -> Result:
    """With the gravest and dearest MAX_FINDINGS of them; it is incomplete if there were more."""
    found = sorted(findings, key=lambda item: (-item.level, -item.money_usd, -(item.value or 0), item.subject))
    return Result(check, tuple(found[:MAX_FINDINGS]), complete and len(found) <= MAX_FINDINGS, resolution)


def group_of(check: str) -> str:
    return PREFIX + check


def alert_id(check: str, subject: tuple[str, ...]) -> str:
    """Distinct subjects have distinct ids; one that would be too long ends in a digest instead."""
    whole = "/".join([group_of(check), *(quote(part, safe="") for part in subject)])
    if len(whole) <= MAX_ID:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST]
    return f"{whole[: MAX_ID - _DIGEST - 1]}~{digest}"


def check_of(identity: str) -> str | None:
    """The check that an alert belongs to; None if it is none of ours."""
    return identity.removeprefix(PREFIX).partition("/")[0] if identity.startswith(PREFIX) else None


def firing(finding: Finding, now: datetime, starts_at: datetime | None = None) -> AlertSignal:
    """The signal of a condition that holds, since `starts_at` if that is known from before."""
    return AlertSignal(
        alert_id=finding.alert_id,
        kind="data_quality",
        name=finding.name,
        status="firing",
        severity=finding.severity,
        level=finding.level,
        observed_at=now,
        starts_at=min(now, starts_at or finding.since or now),
        group=group_of(finding.check),
        labels={
            "check": finding.check,
            **{name: fit(text, _MAX_LABEL) for name, text in finding.labels.items() if text},
        },
        summary=fit(finding.summary, _MAX_SUMMARY),
        facts=tuple(Fact(name=name, text=fit(text, _MAX_SENTENCE)) for name, text in finding.facts.items()),
        causes=tuple(fit(text, _MAX_SENTENCE) for text in finding.causes[:MAX_CAUSES]),
        action=fit(finding.action, _MAX_SENTENCE),
        money_usd=finding.money_usd,
        value=finding.value,
    )


def resolved(identity: str, last: AlertSignal | None, now: datetime, resolution: str = NOT_FOUND) -> AlertSignal:
    """The signal that it no longer holds. `last` is what was said of it; None if that was before a restart."""
    if last is not None:
        return last.model_copy(update={"status": "resolved", "observed_at": now, "resolution": resolution})
    check = check_of(identity)
    assert check is not None
    return AlertSignal(
        alert_id=identity,
        kind="data_quality",
        name="DataQuality",
        status="resolved",
        severity="info",
        observed_at=now,
        starts_at=now,
        group=group_of(check),
        labels={"check": check},
        summary=fit(f"{check}: no longer so: {identity}", _MAX_SUMMARY),
        resolution=resolution,
    )


def fit(text: str, most: int) -> str:
    """In one line of so many characters: names come from records that nobody has checked."""
    clean = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def decades(number: int) -> int:
    """0 up to 9, 1 up to 99, ...: a level that rises when a number has grown tenfold."""
    return len(str(max(number, 1))) - 1


def percent(part: int | Decimal, whole: int | Decimal) -> Decimal:
    """As a figure, with one decimal place; 100 of nothing."""
    return (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.1")) if whole else Decimal(100)


def command(*words: str) -> str:
    """As one types it in a shell, between backticks."""
    return f"`{shlex.join(('spendstream', *words))}`"
