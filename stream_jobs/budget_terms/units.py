"""What a budget is stated in, and what its figures are: a currency, or what its quota counts.

While it is counted, everything is an integer of 1e-12 of what is counted: pico-USD, pico-tokens, pico-seconds of a GPU.
What is kept, and what services are told, is in USD, tokens, requests or GPU hours: `kept`. What people write and read
is in the budget's own unit: of a budget in EUR, EUR.
"""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Final, Literal

from stream_jobs.base.money import PICO_PLACES, pico_from_usd, usd_from_pico
from stream_jobs.base.readable import apart, exact, money
from stream_jobs.budget_terms.feed_money import pico_of_feed
from stream_jobs.currencies.document import USD

Quota = Literal["tokens", "requests", "gpu_hours"]
QUOTAS: Final[tuple[Quota, ...]] = ("tokens", "requests", "gpu_hours")
WHOLE: Final = frozenset({"tokens", "requests"})
"""There are no parts of one."""
ANYTHING: Final = "anything at all"
"""Where nothing may be spent, the first cent crosses all percents."""
_NAMES: Final = {"gpu_hours": "GPU hours"}
_GPU_SECONDS: Final = 3600
_PART: Final = Decimal("0.01")
_LAST: Final = Decimal(1).scaleb(-PICO_PLACES)
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
_DOWN: Final = Context(prec=60, rounding=ROUND_FLOOR)


@dataclass(frozen=True, slots=True)
class Unit:
    """`name`: one of QUOTAS, or a currency. `rate`: USD for one of that currency; 1 for everything else."""

    name: str = USD
    rate: Decimal = Decimal(1)

    @property
    def is_money(self) -> bool:
        return self.name not in QUOTAS

    @property
    def kept_in(self) -> str:
        """What amounts are kept and told in."""
        return USD if self.is_money else self.name

    def pico(self, amount: Decimal) -> int:
        """An amount in this unit, as it is counted: the nearest (half to even)."""
        return pico_from_usd(_EXACT.multiply(amount, Decimal(_GPU_SECONDS) if self.name == "gpu_hours" else self.rate))

    def kept(self, pico: int) -> Decimal:
        """What is counted, as it is kept: exact, but for GPU hours, which are cut to 12 decimal places."""
        return usd_from_pico(self.kept_pico(pico))

    def kept_pico(self, pico: int) -> int:
        """The same in 1e-12 of it."""
        return pico_of_feed(pico // _GPU_SECONDS if self.name == "gpu_hours" else pico)

    def counted(self, kept: Decimal) -> int:
        """What is kept, as it is counted: kept again, it is the same."""
        return pico_from_usd(kept) * (_GPU_SECONDS if self.name == "gpu_hours" else 1)

    def stated(self, kept: Decimal) -> Decimal:
        """What is kept, in this unit. A currency's amount comes out as it was written, if it has no more places than
        its rate allows."""
        if self.rate == 1:
            return kept
        # Half a pico-USD is so much of the currency, at most: digits beyond that were never written.
        places = PICO_PLACES - 2 + min(0, self.rate.adjusted())
        return _EXACT.quantize(_EXACT.divide(kept, self.rate), Decimal(1).scaleb(-max(0, places)))

    # -- for people; all of these take what is kept

    def text(self, kept: Decimal) -> str:
        """'$1,234.57', '1,234.57 EUR', '12,345 tokens', '1.50 GPU hours'."""
        return self.said(self.stated(kept))

    def said(self, amount: Decimal) -> str:
        """The same of an amount in this unit."""
        return f"{_whole(amount)} {self.name}" if self.name in WHOLE else money(amount, self._label)

    def threshold(self, percent: Decimal, amount: Decimal, *, of: Decimal) -> str:
        """'80 %' of what is kept as an amount, or '500.00 EUR', an amount in this unit, where that is not 0. Of nothing
        there are no percents."""
        if amount:
            return self.said(amount)
        return f"{exact(percent)} %" if of > 0 else ANYTHING

    def bare(self, used: Decimal, amount: Decimal) -> tuple[str, str]:
        """Both as `text`, with as many digits more as it takes to tell them apart where they differ."""
        if self.name in WHOLE:
            return self.text(used), self.text(amount)
        return apart(*self._in_order(used, amount), self._label)

    def of(self, used: Decimal, amount: Decimal, others: Collection[Decimal] = ()) -> str:
        """'$1.99 of $2.00', '5 of 10 tokens'. What is used has as many digits as it takes to tell it from the amount
        and from all the `others`: it never looks like one of them if it is less."""
        first, second = self.bare(used, amount)
        if self.name in WHOLE:
            return f"{_whole(used)} of {second}"
        for other in others:
            alone = self.bare(used, other)[0]
            first = alone if len(alone) > len(first) else first
        return f"{first} of {second}"

    @property
    def _label(self) -> str:
        return _NAMES.get(self.name, self.name)

    def _in_order(self, used: Decimal, amount: Decimal) -> tuple[Decimal, Decimal]:
        """In this unit, and as far apart as can be told where they are not the same."""
        stated, whole = self.stated(used), self.stated(amount)
        if used < amount and stated >= whole:
            stated = whole - _LAST
        elif used > amount and stated <= whole:
            stated = whole + _LAST
        return stated, whole


IN_USD: Final = Unit()


def _whole(amount: Decimal) -> str:
    """'1,234'; a rate may have parts: '0.25'."""
    if amount == amount.to_integral_value(context=_DOWN):
        return f"{_DOWN.to_integral_value(amount):,f}"
    return f"{_DOWN.quantize(amount, Decimal(1)):,f}" if abs(amount) >= 10 else exact(_DOWN.quantize(amount, _PART))
