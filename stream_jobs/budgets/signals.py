"""What is said of a budget that has crossed a threshold, so that a person understands it at three in the morning.

One alert per budget, values and period; it gets graver with every threshold, and is taken back when a correction brings
the budget below all of them, or when the period is over. What is foretold is an alert of its own.
"""

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

from spendstream_schemas.alert_feed import MAX_LEVEL, SEVERITIES, AlertSignal, Fact, Severity
from spendstream_schemas.budget_feed import state_key
from stream_jobs.base.money import pico_from_usd
from stream_jobs.base.readable import count, duration, events, exact, reached
from stream_jobs.budget_terms.document import Budget, RollingPeriod
from stream_jobs.budget_terms.units import IN_USD, WHOLE
from stream_jobs.budgets.book import Place
from stream_jobs.budgets.outlook_text import foretold_text, is_held, outlook_facts
from stream_jobs.budgets.standing import PERCENT_PLACES, Standing, ThresholdKey
from stream_jobs.budgets.tracked import key_of, threshold_keys

Kind = Literal["budget", "forecast"]
LATE_ALERT_LASTS: Final = timedelta(hours=1)
"""An alert about a period that was over when it crossed is open for so long."""
MAX_ID: Final = 255
MAX_SUMMARY: Final = 300
MAX_COMMAND: Final = 300
ROOM: Final = Decimal("1.3")
"""By how much more than what is used, or foretold, the amount that is suggested is: below 80 % of it."""
_ROUND: Final = Context(prec=2, rounding=ROUND_CEILING)
_KINDS: Final[Mapping[Kind, Literal["actual", "forecast"]]] = {"budget": "actual", "forecast": "forecast"}


def alert_id(kind: Kind, place: Place) -> str:
    """Stable, and at most MAX_ID characters: long values are replaced by their hash."""
    values = state_key(place.budget_id, place.values).removeprefix("state/")
    text = f"{kind}/{values}/{place.period_key}"
    if len(text) <= MAX_ID:
        return text
    digest = hashlib.sha256(values.encode()).hexdigest()[:32]
    return f"{kind}/{place.budget_id}/#{digest}/{place.period_key}"


def group_id(kind: Kind, place: Place) -> str:
    """All values of a budget and period are told together."""
    return f"{kind}/{place.budget_id}/{place.period_key}"


def is_over(end: datetime, crossed: Mapping[ThresholdKey, datetime], now: datetime) -> bool:
    """Whether the period that ends then, and with it the alert, is over: at its end, or some time after a crossing that
    came late."""
    return now >= end and all(at < end or now >= at + LATE_ALERT_LASTS for at in crossed.values())


def budget_signal(
    kind: Kind,
    budget: Budget,
    place: Place,
    standing: Standing,
    crossed: Mapping[ThresholdKey, datetime],
    now: datetime,
    *,
    zone: ZoneInfo,
    causes: Sequence[str] = (),
    correction: bool = False,
    parents: Sequence[Fact] = (),
) -> AlertSignal:
    """Firing while one of the kind's thresholds is crossed and the period is not over, else resolved."""
    mine = {key: at for key, at in crossed.items() if key.kind == _KINDS[kind]}
    over = bool(mine) and not standing.rolling and is_over(standing.period.end, mine, now)
    firing = bool(mine) and not over
    stated = budget.amount_of(place.values)
    highest = max(mine, key=lambda key: level_of(key, stated), default=None)
    who = _who(budget, place)
    return AlertSignal(
        alert_id=alert_id(kind, place),
        kind=kind,
        name="BudgetThreshold" if kind == "budget" else "BudgetForecast",
        status="firing" if firing else "resolved",
        severity=_severity(kind, budget, stated, mine),
        level=0 if highest is None else level_of(highest, stated),
        observed_at=now,
        starts_at=min(mine.values(), default=now),
        group=group_id(kind, place),
        labels=_labels(budget, place),
        owner=budget.owner,
        channels=budget.channels,
        summary=_summary(kind, who, budget, place, standing, highest, now, zone)[:MAX_SUMMARY],
        facts=(*_facts(budget, place, standing, zone), *parents)[:24],
        causes=tuple(cause[:1000] for cause in causes[:8]),
        action=budget.what_to_do
        or _what_to_do(kind, budget, place, standing, past=not standing.rolling and now >= standing.period.end),
        link=budget.link,
        money_usd=standing.unit.kept(_at_stake(kind, standing)) if standing.unit.is_money else Decimal(0),
        value=standing.unit.kept(standing.used if kind == "budget" else standing.expected or standing.used),
        correction=correction,
        resolution=None if firing else _resolution(kind, budget, standing, over=over),
    )


def level_of(key: ThresholdKey, stated: Decimal) -> int:
    """How grave it is among the thresholds of a budget of this amount: thousandths of a percent. By what is stated, not
    by what was carried over or credited: an alert does not get graver because the amount moved a little."""
    if not key.amount:
        return int(key.percent * PERCENT_PLACES)
    if not stated:
        return min(MAX_LEVEL, 100 * PERCENT_PLACES + 1 + int(key.amount))
    return min(MAX_LEVEL, max(1, pico_from_usd(key.amount) * 100 * PERCENT_PLACES // pico_from_usd(stated)))


def removed_signal(kind: Kind, place: Place, now: datetime) -> AlertSignal:
    """The budget is no longer there, not in force, or looks at something else."""
    return _without_figures(
        *(kind, place, now, f"Budget {place.budget_id} was removed or changed"),
        "the budget was removed, is no longer in force, or watches something else now",
    )


def ended_signal(kind: Kind, place: Place, now: datetime) -> AlertSignal:
    """The period is over, and so long ago that its figures are no longer in memory."""
    return _without_figures(
        kind, place, now, f"The period {place.period_key} of budget {place.budget_id} is over", "the period is over"
    )


def _without_figures(kind: Kind, place: Place, now: datetime, summary: str, resolution: str) -> AlertSignal:
    return AlertSignal(
        alert_id=alert_id(kind, place),
        kind=kind,
        name="BudgetThreshold" if kind == "budget" else "BudgetForecast",
        status="resolved",
        severity="info",
        observed_at=now,
        starts_at=now,
        group=group_id(kind, place),
        labels={"budget": place.budget_id},
        summary=summary,
        resolution=resolution,
    )


def _who(budget: Budget, place: Place) -> str:
    values = ", ".join(f"{name} {value}" for name, value in zip(budget.per, place.values, strict=True))
    return f"{budget.name} ({values})" if values else budget.name


def _severity(kind: Kind, budget: Budget, stated: Decimal, crossed: Mapping[ThresholdKey, datetime]) -> Severity:
    thresholds = budget.thresholds.actual if kind == "budget" else budget.thresholds.forecast
    found = [
        item.severity_of(stated, forecast=kind == "forecast")
        for item in thresholds
        if key_of(_KINDS[kind], item) in crossed
    ]
    return max(found, key=SEVERITIES.index, default="info")


def _labels(budget: Budget, place: Place) -> dict[str, str]:
    """What routes and silences look at: the scope's single values, and the values that it is per."""
    fixed = {
        name: condition.any_of[0]
        for name, condition in budget.scope.items()
        if condition.any_of is not None and len(condition.any_of) == 1
    }
    period = budget.period if isinstance(budget.period, str) else "window"
    own = {"budget": budget.id, "period": period if isinstance(budget.period, (str, RollingPeriod)) else "calendar"}
    return {**fixed, **dict(zip(budget.per, place.values, strict=True)), **own}


def _summary(
    kind: Kind,
    who: str,
    budget: Budget,
    place: Place,
    standing: Standing,
    highest: ThresholdKey | None,
    now: datetime,
    zone: ZoneInfo,
) -> str:
    of, share = _used(budget, standing), _share(standing, highest)
    past = f", past {_stated(standing, highest)}" if highest is not None and highest.amount else ""
    if not standing.rolling and now >= standing.period.end:
        # Whoever reads no further takes it for the period of now.
        was = "was over budget:" if standing.used > standing.amount else "used"
        return f"In {place.period_key}, which is over, {who} {was} {of}{share}{past}"
    if kind == "budget" or standing.reaches(Decimal(100)):
        if standing.amount == 0 < standing.used:
            return f"{who} may spend nothing, and has used {_text(standing, standing.used)}"
        if standing.used > standing.amount:
            return f"{who} is over budget: {of}{share}{past}"
        return f"{who} has used {of}{share}{past}"
    return _ahead(who, standing, highest, f"{of}{share}", past, zone)


def _ahead(who: str, standing: Standing, highest: ThresholdKey | None, so_far: str, past: str, zone: ZoneInfo) -> str:
    """What the rest of a period will bring, by the forecast or else at the present rate, and which of them it is."""
    used = f"{_text(standing, standing.used)} so far"
    if highest is not None and (said := foretold_text(standing, highest, zone)) is not None:
        return f"{who} {said}; {used}"
    if highest is not None and is_held(standing, highest):
        return f"{who} was forecast to pass its budget, and no newer forecast is there: {so_far}"
    foretold = _foretold(standing, highest)
    if foretold is None and highest is not None and standing.expected is not None:
        # It has fallen just below what it is open for, and may rise again.
        foretold, past = f"{_text(standing, standing.expected)} of {_text(standing, standing.amount)}", ""
    if foretold is None:
        return f"{who} will probably keep to its budget: {so_far}"
    by = " at the present rate" if standing.band is None else " by the forecast"
    return f"{who} will use {foretold}{by}{past}; {used}"


def _foretold(standing: Standing, highest: ThresholdKey | None) -> str | None:
    """'$140.00 of $100.00', if it is more than the amount, or than what people are told of."""
    forecast = standing.expected
    if forecast is None:
        return None
    if forecast <= standing.amount and (highest is None or not standing.crosses(highest, forecast)):
        return None
    return f"{_text(standing, forecast)} of {_text(standing, standing.amount)}"


def _text(standing: Standing, pico: int) -> str:
    return standing.unit.text(standing.unit.kept(pico))


def _stated(standing: Standing, key: ThresholdKey) -> str:
    """The amount of a threshold."""
    return _text(standing, standing.unit.pico(key.amount))


def _used(budget: Budget, standing: Standing) -> str:
    """What is used never looks like an amount at which people are told if it is less."""
    unit = standing.unit
    marks = [unit.kept(unit.pico(key.amount)) for key in threshold_keys(budget) if key.amount]
    return unit.of(unit.kept(standing.used), unit.kept(standing.amount), marks)


def _share(standing: Standing, highest: ThresholdKey | None) -> str:
    """Never rounded up to a threshold that was not crossed, nor down below the one that was: `highest`."""
    if standing.amount <= 0:
        return ""
    percent = Decimal(0) if highest is None else highest.percent
    fine = Decimal(standing.used * 100 * 10 // standing.amount) < percent * 10 and standing.reaches(percent)
    return f" ({reached(standing.used, standing.amount, 3 if fine else 1)})"


def _facts(budget: Budget, place: Place, standing: Standing, zone: ZoneInfo) -> list[Fact]:
    facts = [Fact(name="Budget", text=f"{budget.name} ({budget.id})")]
    facts += [Fact(name=name, text=value) for name, value in zip(budget.per, place.values, strict=True)]
    facts.append(Fact(name="Spent" if standing.unit.is_money else "Used", text=_text(standing, standing.spent)))
    if standing.unpriced and standing.unit.is_money:
        held = f"{_text(standing, standing.held)} for {events(standing.unpriced)} without a price"
        if standing.flat > 0:
            held += f", {count(standing.flat)} of them at the flat bound: the price book does not know their model"
        facts.append(Fact(name="Held", text=held))
    facts.append(Fact(name="Amount", text=_amount(standing)))
    start, end = standing.period.start.astimezone(zone), standing.period.end.astimezone(zone)
    if standing.rolling:
        facts.append(Fact(name="Window", text=f"the last {duration(standing.period.end - standing.period.start)}"))
    else:
        until = "and never anew" if standing.endless else f"to {end:%Y-%m-%d %H:%M}"
        facts.append(Fact(name="Period", text=f"{start:%Y-%m-%d %H:%M} {until} ({zone.key})"))
    if standing.burn is not None:
        facts.append(Fact(name="Burn rate", text=f"{_text(standing, standing.burn)} per hour"))
    if standing.exhausted_at is not None:
        at = f"{standing.exhausted_at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
        facts.append(Fact(name="Used up", text=f"{at}, at the present rate"))
    if standing.forecast is not None:
        text = f"{_text(standing, standing.forecast)} at the end of the period, which is no forecast"
        facts.append(Fact(name="At the present rate", text=text))
    return facts + outlook_facts(standing, zone)


def _amount(standing: Standing) -> str:
    """With what it is in USD, and what was credited."""
    text = _text(standing, standing.amount)
    if standing.unit.is_money and standing.unit != IN_USD:
        text += f" ({IN_USD.text(IN_USD.kept(standing.amount))})"
    if standing.credit:
        what = "credits" if standing.credit > 0 else "cuts"
        text += f", with {what} of {_text(standing, abs(standing.credit))}"
    return text if standing.amount > 0 else f"{text}: nothing may be spent"


def _what_to_do(kind: Kind, budget: Budget, place: Place, standing: Standing, *, past: bool) -> str:
    """With commands as one types them: each of them works as it stands. What was spent in a period that is over is not
    slowed down, and its amount is not the one of now."""
    by = "forecast" if kind == "forecast" else "spend"
    text = f"See who {'caused' if past else 'causes'} the {by}: {_command('budgets', 'show', budget.id)}"
    text += "" if past else ". Then slow it down"
    if not past and (more := _more(kind, budget, place, standing)) is not None:
        own = ("--values", f"{budget.per[0]}={place.values[0]}") if budget.has_own_amount(place.values) else ()
        raising = _command("budgets", "set", budget.id, "--amount", exact(more), *own)
        text += f", or raise the amount: {raising}" if len(raising) <= MAX_COMMAND else ""
    ack = _command("alerts", "ack", alert_id(kind, place))
    return text + (f". Tell others that you are on it: {ack}" if len(ack) <= MAX_COMMAND else "")


def _command(*words: str) -> str:
    """Between backticks, which end it also where a text goes on."""
    return f"`{shlex.join(('spendstream', *words))}`"


def _more(kind: Kind, budget: Budget, place: Place, standing: Standing) -> Decimal | None:
    """An amount, in the budget's unit, with which all would be well; None where there is no telling, or nothing to
    raise: what is stated is not what people are told of."""
    expected = standing.used if kind == "budget" else standing.expected or standing.used
    stated = budget.amount_of(place.values)
    if expected <= 0 or standing.amount <= 0 or not stated:
        return None
    unit = standing.unit
    beside = standing.amount - unit.pico(stated)  # what was credited and carried over goes on doing that
    needed, beside_stated = (unit.stated(unit.kept(pico)) for pico in (expected, beside))
    least = needed * ROOM - beside_stated
    if least <= stated:
        return None
    found = _ROUND.plus(least)
    return found.to_integral_value(rounding=ROUND_CEILING) if budget.measure in WHOLE else found


def _at_stake(kind: Kind, standing: Standing) -> int:
    """What is, or will be, spent too much; before that, what is left to lose nothing is said: 0."""
    expected = standing.used if kind == "budget" else standing.expected or standing.used
    return max(0, expected - standing.amount)


def _resolution(kind: Kind, budget: Budget, standing: Standing, *, over: bool) -> str:
    of = _used(budget, standing)
    if over:
        return f"the period is over: {of} were used"
    if kind == "forecast":
        if standing.reaches(Decimal(100)):
            return f"the amount itself is used up: {of}"
        if (foretold := _foretold(standing, None)) is not None:
            rate = " at the present rate" if standing.band is None else ""
            return f"none of its thresholds is foretold any more: it will probably use {foretold}{rate}"
        return f"it will probably keep to its budget: {of} so far"
    return f"it is below its thresholds again: {of}"
