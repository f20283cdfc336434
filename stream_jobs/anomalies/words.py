"""A finding in words: the same in an alert, on the terminal, on a page and in the report."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import Final, Protocol

from spendstream_schemas.scope import LABEL
from stream_jobs.anomalies.found import Found
from stream_jobs.base.readable import count, duration, exact, instant, money, percent

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
    "expected": "it was marked as expected",
}
MARKS: Final[Mapping[str, str]] = {"real": "a real problem", "expected": "was to be expected"}
_MONEY: Final = ("price_per_token", "cost_per_request")
_SHARES: Final = ("_rate", "_share", "_utilization")
_UNITS: Final[Mapping[str, str]] = {
    "events": "requests",
    "price_per_token": "a token",
    "cost_per_request": "a request",
}
_SILENCED: Final[Mapping[str, str]] = {"event": "it was planned as", "mark": "it was marked as expected with finding"}
_FEW: Final = Context(prec=3)


class Figures(Protocol):
    """What a finding measures; instants are UTC."""

    @property
    def kind(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def measure(self) -> str: ...
    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime | None: ...
    @property
    def is_calm(self) -> bool: ...
    @property
    def expected(self) -> Decimal: ...
    @property
    def actual(self) -> Decimal: ...


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


def length(found: Found) -> timedelta:
    """How long it lasted; of one that is open, as long as its figures are of."""
    return max(found.known_until - found.starts_at, timedelta(0))


def line(found: Found) -> str:
    """`headline` of a finding as it stands."""
    return headline(series_name(found.series), found, found.known_until)


def when(found: Found) -> str:
    """'2026-11-29 14:05 to 14:45 UTC (40 minutes)'; of one that is open, up to when its figures are known."""
    begin, lasted = instant(found.starts_at), duration(length(found))
    if found.ends_at is not None or found.is_calm:
        return f"{begin} to {instant(found.known_until)} UTC ({lasted})"
    return f"{begin} UTC to now; figures are of the {lasted} until {instant(found.known_until)} UTC"


def headline(name: str, one: Figures, until: datetime) -> str:
    """'user alice: $123.40 in the 4 hours since 2026-11-29 14:05 UTC, $10.20 expected (12.1 times)': in one sentence,
    the same wherever people read of it. `name`: of the series; `until`: the end of the time that its figures are of."""
    if one.kind == "dear_request":
        return f"{name}: a single request cost {money(one.actual)} at {instant(one.starts_at)} UTC"
    stretch = window(one, until)
    if one.kind == "silence" and one.actual == 0:
        return f"{name}: nothing {stretch}, {quantity(one.measure, one.expected)} expected"
    expected = f"{quantity(one.measure, one.expected)} expected" if one.expected > 0 else "nothing expected"
    return f"{name}: {quantity(one.measure, one.actual)} {stretch}, {expected}{_times(one)}"


def window(one: Figures, until: datetime) -> str:
    """'in the 4 hours since 2026-11-29 14:05 UTC'."""
    lasted = duration(max(until - one.starts_at, timedelta(minutes=1)))
    if one.ends_at is not None or one.is_calm:
        return f"in the {lasted} from {instant(one.starts_at)} to {instant(one.ends_at or until)} UTC"
    return f"in the {lasted} since {instant(one.starts_at)} UTC"


def _times(one: Figures) -> str:
    if one.expected <= 0:
        return ""
    if one.direction == "down":
        return f" ({percent(abs(one.actual - one.expected), one.expected)} less)"
    times = one.actual / one.expected
    return f" ({times:.1f} times)" if times < 100 else f" ({count(int(times))} times)"


def per_day(found: Found) -> str:
    """'$120.00 more a day', '' where nobody can tell."""
    if not found.per_day:
        return ""
    more = "more" if found.per_day > 0 else "less"
    end = "if it goes on" if found.is_open and not found.is_calm else "while it lasted"
    if found.kind == "driver":
        return f"about {money(abs(found.per_day))} {more} a day {end}"
    return f"{quantity(found.measure, abs(found.per_day))} {more} a day {end}"


def state(found: Found) -> str:
    """'open', 'closed: it is as usual again', with who silenced it and what people said."""
    calm = f"open, and as usual since {instant(found.known_until)} UTC" if found.is_calm else "open"
    said = calm if found.is_open else f"closed: {CLOSINGS.get(found.closing, found.closing or 'over')}"
    if found.silenced_by:
        said += f"; nobody is told: {silenced(found.silenced_by)}"
    return said


def silenced(by: str) -> str:
    """Why nobody is told, from `silenced_by`: 'it was planned as black-friday'."""
    how, colon, what = by.partition(":")
    return f"{_SILENCED[how]} {what}" if colon and how in _SILENCED else by
