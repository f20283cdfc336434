"""A finding in words: the same in an alert, on the terminal, on a page and in the report."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import Final

from spendstream_schemas.scope import LABEL
from stream_jobs.anomalies.found import Found
from stream_jobs.base.readable import count, duration, exact, money, percent

EVERYTHING: Final = "all usage"
KINDS: Final[Mapping[str, str]] = {
    "spike": "a burst",
    "shift": "a new level",
    "ramp": "steady growth",
    "drop": "a drop",
    "silence": "silence",
    "dear_request": "a single dear request",
    "new_series": "new, and not like its peers",
    "driver": "a driver of cost",
}
CLOSINGS: Final[Mapping[str, str]] = {
    "over": "it is as usual again",
    "new_normal": "it lasted so long that it is the usual now",
    "corrected": "late or corrected entries took it back",
}
MARKS: Final[Mapping[str, str]] = {"real": "a real problem", "expected": "was to be expected"}
_MANY: Final = Decimal("1.95")
_MONEY: Final = ("price_per_token", "cost_per_request")
_SHARES: Final = ("_rate", "_share", "_utilization")
_UNITS: Final[Mapping[str, str]] = {
    "events": "requests",
    "price_per_token": "a token",
    "cost_per_request": "a request",
}
_SILENCED: Final[Mapping[str, str]] = {"event": "it was planned as", "mark": "it was marked as expected with finding"}
_FEW: Final = Context(prec=3)


def series_name(series: Mapping[str, str]) -> str:
    """'team search, model gpt-4o'; 'all usage' for the total. Texts are as they came: whoever shows them escapes."""
    named = (f"{_dimension(name)} {value or '(none)'}" for name, value in series.items())
    return ", ".join(named) or EVERYTHING


def _dimension(name: str) -> str:
    return name.removeprefix(LABEL) if name.startswith(LABEL) else name.removesuffix("_id").replace("_", " ")


def is_money(measure: str) -> bool:
    """Whether its amounts are USD."""
    return measure.endswith("_cost") or measure in _MONEY


def amount(measure: str, value: Decimal) -> str:
    """Money in USD, shares in percent, what is counted as a number of at most three digits, or whole."""
    if is_money(measure):
        return money(value)
    if measure.endswith(_SHARES):
        return percent(value, 1)
    whole = round(value)
    return (
        count(whole)
        if measure == "events" or abs(value) >= 100 or value == whole
        else exact(_FEW.create_decimal(value))
    )


def drawn_in(measure: str, step: timedelta) -> str:
    """What a plot shows: 'USD per minute, UTC'."""
    step_text = duration(step).removeprefix("1 ")
    if measure in _MONEY or measure.endswith(_SHARES) or "_per_" in measure:
        return f"{measure.replace('_', ' ')} by {step_text}, UTC"
    return f"{unit(measure) or 'USD'} per {step_text}, UTC"


def unit(measure: str) -> str:
    """What an amount is of, 'requests', or for, 'a token'; empty where it is simply money."""
    return _UNITS.get(measure, "" if is_money(measure) else measure.replace("_", " "))


def quantity(measure: str, value: Decimal) -> str:
    """'$12.30', '1,234 requests'."""
    return " ".join(part for part in (amount(measure, value), unit(measure)) if part)


def factor(found: Found) -> str:
    """'14.1 times the usual', '-97.2 %'; empty where nothing is usual."""
    if found.expected <= 0:
        return ""
    ratio = found.actual / found.expected
    if ratio >= _MANY:
        return f"{exact(_FEW.create_decimal(ratio)) if ratio < 100 else count(round(ratio))} times the usual"
    return f"{'+' if ratio > 1 else ''}{percent(found.actual - found.expected, found.expected)}"


def length(found: Found, until: datetime) -> timedelta:
    """How long it lasted, or has lasted until then."""
    return max((found.ends_at or until) - found.starts_at, timedelta(0))


def headline(found: Found, until: datetime) -> str:
    """'team search: $45.10 in 40 minutes where $3.20 is usual (14.1 times the usual)'. `until`: of one that is open."""
    name, lasted = series_name(found.series), duration(length(found, until))
    actual, expected = quantity(found.measure, found.actual), amount(found.measure, found.expected)
    if found.kind == "silence":
        return f"{name}: {actual if found.actual else 'nothing'} for {lasted} where {expected} is usual"
    if found.kind == "dear_request":
        return f"{name}: one request of {actual} where at most {amount(found.measure, found.high)} is usual"
    if found.kind == "new_series":
        return f"{name}, of which little is known: {actual} in {lasted} where {expected} is usual"
    much = factor(found)
    return f"{name}: {actual} in {lasted} where {expected} is usual" + (f" ({much})" if much else "")


def per_day(found: Found) -> str:
    """'$120.00 more a day', '' where nobody can tell."""
    if not found.per_day:
        return ""
    more = "more" if found.per_day > 0 else "less"
    end = "if it goes on" if found.is_open else "while it lasted"
    if found.kind == "driver":
        return f"about {money(abs(found.per_day))} {more} a day {end}"
    return f"{quantity(found.measure, abs(found.per_day))} {more} a day {end}"


def state(found: Found) -> str:
    """'open', 'closed: it is as usual again', with who silenced it and what people said."""
    said = "open" if found.is_open else f"closed: {CLOSINGS.get(found.closing, found.closing or 'over')}"
    if found.silenced_by:
        said += f"; nobody is told: {silenced(found.silenced_by)}"
    return said


def silenced(by: str) -> str:
    """Why nobody is told, from `silenced_by`: 'it was planned as black-friday'."""
    how, colon, what = by.partition(":")
    return f"{_SILENCED[how]} {what}" if colon and how in _SILENCED else by
