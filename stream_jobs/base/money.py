"""Money is an integer of pico-USD (1e-12 USD) inside the application and a Decimal at its edges. Never a float."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from stream_jobs.base.readable import exact

PICO_PER_USD: Final = 10**12
PICO_PLACES: Final = 12
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


def pico_from_usd(usd: Decimal) -> int:
    """The nearest pico-USD (half to even). Exact for every amount with up to 12 decimal places."""
    return int(_EXACT.to_integral_value(_EXACT.scaleb(usd, PICO_PLACES)))


def usd_from_pico(pico: int) -> Decimal:
    """Exact, with 12 decimal places."""
    return _EXACT.scaleb(Decimal(pico), -PICO_PLACES)


def usd_text(pico: int) -> str:
    """Exact plain decimal notation without superfluous zeros: 2500000000 -> '0.0025'."""
    return exact(usd_from_pico(pico))


def divide_half_even(numerator: int, denominator: int) -> int:
    """numerator / denominator as the nearest integer, half to even; the denominator is positive."""
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient & 1):
        return quotient + 1
    return quotient
