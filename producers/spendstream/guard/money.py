"""Money at the guard's edges: people give and get USD, inside it counts integers of pico-USD (1e-12 USD)."""

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal
from typing import Final

PICO_PER_USD: Final = 10**12
_PLACES: Final = 12
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
_UP: Final = Context(prec=60, rounding=ROUND_CEILING)
_CENT: Final = Decimal("0.01")

MAX_USD: Final = 10**20
"""As in the records of budgets; more is a slip."""
_LEAST: Final = Decimal(1).scaleb(-_PLACES)
_QUOTED: Final = 40

UsdAmount = Decimal | int | str
"""What callers may give as USD."""


def pico_of(usd: UsdAmount, name: str = "estimate_usd", unit: str = "USD") -> int:
    """An amount that is not negative, in pico-USD, or 1e-12 of another unit; what is finer than that is rounded up.

    Raises TypeError for a float, which cannot hold most amounts of money, and ValueError for what is no amount.
    """
    if type(usd) is not Decimal:
        usd = _decimal(usd, name, unit)
    if not usd.is_finite() or usd < 0:
        raise ValueError(f"{name} must be a finite amount that is not negative, not {_quoted(usd)}")
    if usd > MAX_USD:
        raise ValueError(f"{name} must be at most {MAX_USD} {unit}, not {_quoted(usd)}")
    if usd < _LEAST:  # so small that its exponent may be out of bounds
        return 1 if usd else 0
    # With more digits than are computed with, it is rounded up twice, which is once.
    return int(_UP.to_integral_value(_UP.scaleb(usd, _PLACES)))


def _decimal(usd: object, name: str, unit: str) -> Decimal:
    if isinstance(usd, Decimal):
        return usd
    if isinstance(usd, bool) or not isinstance(usd, int | str):
        raise TypeError(
            f"{name} must be a Decimal, an int or a str of {unit}, for instance Decimal('0.05'), "
            f"not {type(usd).__name__}"
        )
    try:
        return Decimal(usd)
    except ArithmeticError:
        raise ValueError(f"{name} must be an amount of {unit} such as '0.05', not {_quoted(usd)}") from None


def _quoted(usd: Decimal | int | str) -> str:
    """As it was given, cut: it may have thousands of digits."""
    if isinstance(usd, int):
        return "an int of many digits"
    text = repr(usd) if isinstance(usd, str) else str(usd)
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"


def pico_of_record(usd: Decimal) -> int:
    """An amount of a record: it has at most 12 decimal places, so this is exact."""
    return int(_EXACT.scaleb(usd, _PLACES))


def usd_of(pico: int) -> Decimal:
    """Exact, with 12 decimal places."""
    return _EXACT.scaleb(Decimal(pico), -_PLACES)


def usd_text(pico: int) -> str:
    """For people: cents, or all digits of what is smaller than a cent."""
    usd = usd_of(pico)
    if pico and abs(usd) < _CENT:
        return f"{usd:f}".rstrip("0")
    return f"{usd.quantize(_CENT, context=_EXACT):f}"


def usd_texts(used: int, amount: int) -> tuple[str, str]:
    """Both as `usd_text`, with all digits where they would look the same and are not."""
    texts = usd_text(used), usd_text(amount)
    if texts[0] != texts[1] or used == amount:
        return texts
    return _all_digits(used), _all_digits(amount)


def quota_texts(used: int, amount: int) -> tuple[str, str]:
    """Both as plain numbers: '1,500', '2.5'; with all digits."""
    first, second = (f"{usd_of(one):,f}".rstrip("0").rstrip(".") for one in (used, amount))
    return first, second


def _all_digits(pico: int) -> str:
    whole, _, places = f"{usd_of(pico):f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def share_text(part: int, whole: int) -> str:
    """`part` of `whole` in percent with one decimal place: '99.5%'; rounded towards less."""
    tenths = part * 1000 // whole
    sign = "-" if tenths < 0 else ""
    return f"{sign}{abs(tenths) // 10}.{abs(tenths) % 10}%"
