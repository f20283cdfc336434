"""Numbers and times as people read them. Rounding happens here and nowhere else."""

from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Final

NOBODY: Final = {
    "model": "(no model)",
    "team": "(no team)",
    "feature": "(no feature)",
    "project": "(no project)",
    "environment": "(no environment)",
    "category": "(no category)",
    "provider": "(no provider)",
}
_CENT: Final = Decimal("0.01")
_MAX_PLACES: Final = 12
_WIDE: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)  # sums of many amounts of 38 digits
_DAY_S: Final = 86_400


def exact(amount: Decimal) -> str:
    """Plain notation with every digit and no superfluous zeros: '0.0025'."""
    text = f"{amount:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("", "-0") else text


def money(amount: Decimal, currency: str = "USD") -> str:
    """'$1,234.57'; below a dollar three significant digits: '$0.00412'. Of another currency '1,234.57 EUR'."""
    sign, size = ("-" if amount < 0 else ""), amount.copy_abs()
    places = _CENT if size >= 1 or not size else Decimal(1).scaleb(size.adjusted() - 2)
    rounded = _WIDE.quantize(size, places)
    digits = f"{_WIDE.quantize(rounded, _CENT) if rounded >= 1 else rounded:,f}" if size else "0"
    return f"{sign}${digits}" if currency == "USD" else f"{sign}{digits} {currency}"


def apart(used: Decimal, amount: Decimal, currency: str = "USD") -> tuple[str, str]:
    """Both as `money`, with as many digits more as it takes to tell them apart where they differ: '$1.9996' of '$2.00'.
    What is not used up must not look so."""
    texts = money(used, currency), money(amount, currency)
    places = 2
    while texts[0] == texts[1] and used != amount and places < _MAX_PLACES:
        places += 1
        texts = _money_to(used, places, currency), _money_to(amount, places, currency)
    return texts[0], money(amount, currency) if amount == amount.quantize(_CENT, context=_WIDE) else texts[1]


def _money_to(amount: Decimal, places: int, currency: str) -> str:
    digits = f"{_WIDE.quantize(amount.copy_abs(), Decimal(1).scaleb(-places)):,f}"
    sign = "-" if amount < 0 else ""
    return f"{sign}${digits}" if currency == "USD" else f"{sign}{digits} {currency}"


def count(number: int) -> str:
    """'12,345'; from ten million on '12.3 M'."""
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M")):
        if abs(number) >= 10 * size:
            return f"{Decimal(number) / size:.1f} {unit}"
    return f"{number:,}"


def events(number: int) -> str:
    """'1 event', '1,234 events'."""
    return f"{count(number)} event{'s' if number != 1 else ''}"


def others(number: int) -> str:
    """'1 other', '12 others'."""
    return f"{count(number)} other{'s' if number != 1 else ''}"


def percent(part: Decimal | int, whole: Decimal | int) -> str:
    """'12.3 %'; an en dash when there is no whole."""
    if not whole:
        return "–"  # noqa: RUF001 - typography
    share = Decimal(part) * 100 / Decimal(whole)
    if 0 < share < Decimal("0.05"):
        return "< 0.1 %"
    return f"{share:.1f} %"


def reached(part: Decimal | int, whole: Decimal | int, places: int = 1) -> str:
    """As `percent`, but never rounded up: '99.9 %' of a budget is all that may be said before 100 % are reached. Nor is
    there a share of less than nothing."""
    if whole <= 0:
        return percent(part, 0)
    share = _WIDE.divide(_WIDE.multiply(Decimal(part), Decimal(100)), Decimal(whole))
    if 0 < share < Decimal("0.1"):
        return "< 0.1 %"
    return f"{share.quantize(Decimal(1).scaleb(-places), rounding=ROUND_FLOOR, context=_WIDE):f} %"


def instant(at: datetime) -> str:
    """'2026-03-01 12:00' (UTC, which the page says)."""
    return f"{at:%Y-%m-%d %H:%M}"


def end_of(start: datetime, at: datetime, *, seconds: bool = False) -> str:
    """Of what began at `start`: '13:00', with its date where that is another."""
    if at.date() != start.date():
        return clock(at) if seconds else instant(at)
    return f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"


def clock(at: datetime) -> str:
    """'2026-03-01 12:00:07' (UTC, which the page says)."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def duration(length: timedelta) -> str:
    """'5 minutes', '1 hour', '2 days 3 hours'."""
    seconds = int(length.total_seconds())
    parts = []
    for size, unit in ((_DAY_S, "day"), (3600, "hour"), (60, "minute")):
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number} {unit}{'s' if number != 1 else ''}")
    return " ".join(parts[:2]) or "less than a minute"


def took(length: timedelta) -> str:
    """'0.6 s'; from a minute on as `duration`."""
    seconds = length.total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else duration(length)


def name_of(dimension: str, name: str) -> str:
    """The name, or what stands for nobody."""
    return name or NOBODY.get(dimension, "(none)")
