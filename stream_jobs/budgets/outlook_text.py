"""What a forecast says, for people: the chance, the quantiles, the day, and how far one can rely on it."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from spendstream_schemas.alert_feed import Fact
from stream_jobs.base.readable import exact
from stream_jobs.budgets.standing import Standing, ThresholdKey

MAX_WHY: Final = 300


def chance_text(chance: float) -> str:
    """'85 %'. What is not certain is never said to be."""
    if not 0 < chance < 1:
        return f"{chance:.0%}".replace("%", " %")
    whole = round(chance * 100)
    return "< 1 %" if whole < 1 else "> 99 %" if whole > 99 else f"{whole} %"


def is_held(standing: Standing, key: ThresholdKey) -> bool:
    """Whether people are told because a forecast said so that is stale by now."""
    outlook = standing.outlook
    chance = None if outlook is None else outlook.chances.get(standing.percent_of(key))
    return standing.band is None and chance is not None and chance.raised_since is not None


def foretold_text(standing: Standing, key: ThresholdKey, zone: ZoneInfo) -> str | None:
    """'will pass $100.00 with a chance of 85 %: forecast $140.00 (P10 $120.00, P90 $170.00), used up on 2026-11-21
    (P50), steady'; None where no forecast is up to date that says anything of this threshold."""
    band, outlook = standing.band, standing.outlook
    if band is None or outlook is None or (chance := outlook.chances.get(standing.percent_of(key))) is None:
        return None
    p10, p50, p90 = (standing.unit.text(standing.unit.kept(pico)) for pico in band)
    middle = outlook.gone[1]
    gone = "" if middle is None else f", used up on {middle.astimezone(zone):%Y-%m-%d} (P50)"
    return (
        f"will pass {_limit(standing, key)} with a chance of {chance_text(chance.probability)}: "
        f"forecast {p50} (P10 {p10}, P90 {p90}){gone}, {outlook.label}"
    )


def outlook_facts(standing: Standing, zone: ZoneInfo) -> list[Fact]:
    """Of a forecast that is stale only since when there is none."""
    outlook, band = standing.outlook, standing.band
    if outlook is None:
        return []
    as_of = _at(outlook.run, zone)
    if band is None:
        return [Fact(name="Forecast", text=f"stale: the last one is of {as_of}")]
    p10, p50, p90 = (standing.unit.text(standing.unit.kept(pico)) for pico in band)
    facts = [Fact(name="Forecast", text=f"{p50} at the end of the period (P10 {p10}, P90 {p90}), as of {as_of}")]
    chances = (
        f"{exact(percent)} % of the amount: {chance_text(one.probability)}"
        for percent, one in sorted(outlook.chances.items())
    )
    facts.append(Fact(name="Chance to pass", text=", ".join(chances)[:MAX_WHY] or "not asked for"))
    first, middle, last = outlook.gone
    if middle is not None:
        when = [f"P{name} {_at(at, zone)}" for name, at in ((10, first), (90, last)) if at is not None]
        facts.append(Fact(name="Forecast to be used up", text=f"{_at(middle, zone)} (P50; {', '.join(when)})"))
    why = f": {outlook.why}" if outlook.why else ""
    facts.append(Fact(name="History", text=f"{outlook.label}{why}"[:MAX_WHY]))
    return facts


def _limit(standing: Standing, key: ThresholdKey) -> str:
    """'$100.00', '80 % of $100.00', '$90.00 of $100.00'."""
    unit = standing.unit
    amount = unit.text(unit.kept(standing.amount))
    if key.amount:
        return f"{unit.text(unit.kept(unit.pico(key.amount)))} of {amount}"
    return amount if key.percent == 100 else f"{exact(key.percent)} % of {amount}"


def _at(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
