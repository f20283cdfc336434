"""Models on one's own machines: their tokens cost nothing themselves, because the pool's GPU time is billed by its own
events. A rate card says which models run on which pool; what it does not say stays unpriced.

The pool stands in every SKU of the receipt (`pool_of`), so that the ledger says which tokens ran where.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Final

from stream_jobs.pricing.compiled import Compiled, Terms, make_rate
from stream_jobs.pricing.providers import Providers
from stream_jobs.pricing.rate_cards import RateCardFile, SelfHosted
from stream_jobs.pricing.result import PriceLine
from stream_jobs.pricing.units import PER, REQUESTS_KEY

_MARK: Final = ";pool="
_NOTHING: Final = Terms(Fraction(0), Fraction(0), Fraction(0))
_TABLE: Final = {key: Decimal(0) for key in PER if key != REQUESTS_KEY and "_text_" not in key}


def pool_of(sku: str) -> str:
    """The pool that a SKU's model runs on; '' for what is sold by others."""
    return sku.rpartition(_MARK)[2] if _MARK in sku else ""


class SelfHostedModels:
    """What the rate cards declare, in their order: of several declarations that fit, the last one holds."""

    def __init__(self, cards: Iterable[RateCardFile], providers: Providers) -> None:
        self._providers = providers
        self.declared: list[tuple[str, SelfHosted]] = [
            (self.provider(item.provider or card.provider), item) for card in cards for item in card.self_hosted
        ]
        self.names = frozenset(provider for provider, _ in self.declared)
        self._rates: dict[tuple[int, str], Compiled] = {}

    def provider(self, name: str) -> str:
        """The provider id of a name; the name itself in lower case if the book does not know it."""
        return self._providers.find(name.lower()) or name.lower()

    def declarations(self, provider: str, *models: str | None) -> list[SelfHosted]:
        """Those that are for one of the ids, whenever they hold."""
        if not self.declared or (owner := self.provider(provider)) not in self.names:
            return []
        return [item for name, item in self.declared if name == owner and self._pattern(item, owner, *models)]

    def rates(self, item: SelfHosted, provider: str, *models: str | None) -> Compiled:
        """Rates of nothing for everything, whose SKUs name the pool and the pattern that one of the ids fits.

        One per pattern, whatever the models are.
        """
        owner = self.provider(provider)
        pattern = self._pattern(item, owner, *models) or item.models[0].lower()
        found = self._rates.get((id(item), pattern))
        if found is None:
            where = f"{owner}/{pattern}"
            found = self._rates[(id(item), pattern)] = Compiled(
                _TABLE,
                0,
                sku_of=lambda key, _: _sku(where, key, item.pool),
                terms_of=lambda *_: _NOTHING,
                where=where,
                pool=item.pool,
            )
        return found

    def _pattern(self, item: SelfHosted, owner: str, *models: str | None) -> str | None:
        """The first pattern of a declaration that one of the ids fits.

        A model that the server hands on to somebody else is meant only by a pattern that is clearly for such models.
        """
        refs = [model.lower() for model in models if model is not None]
        patterns = [pattern.lower() for pattern in item.models]
        if any(self._providers.is_served_elsewhere(owner, ref) for ref in refs):
            patterns = [pattern for pattern in patterns if self._providers.is_served_elsewhere(owner, pattern)]
        return next((pattern for pattern in patterns if any(fnmatchcase(ref, pattern) for ref in refs)), None)

    def look_up(
        self, model: str, at: datetime, provider: str | None
    ) -> Iterator[tuple[str, list[tuple[str, str, str, str, str]]]]:
        """Declarations that hold for an id: (provider/model, rows of conditions, price key, USD, per, SKU)."""
        for owner in sorted(self.names):
            if provider is not None and self.provider(provider) != owner:
                continue
            holding = [item for item in self.declarations(owner, model) if item.holds(at)]
            if holding:
                pool, where = holding[-1].pool, f"{owner}/{self._pattern(holding[-1], owner, model)}"
                yield (
                    f"{owner}/{model}",
                    [
                        (f"self-hosted on {pool}", key, "0", f"{PER[key]:,}", _sku(where, key, pool))
                        for key in ("input_mtok", "output_mtok")
                    ],
                )


def request_line(rates: Compiled) -> PriceLine:
    """The line of a call whose tokens are not known: that it was made, and on which pool."""
    return make_rate(_sku(rates.where, REQUESTS_KEY, rates.pool), _NOTHING).line("requests", 1)


def _sku(where: str, key: str, pool: str) -> str:
    return f"{where}/{key}{_MARK}{pool}"
