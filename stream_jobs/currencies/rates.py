"""Which rate holds: from `currencies.yaml`, and from the section of the same form that budgets.yaml may have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from stream_jobs.base.documents import PlacedProblem, blaming, checked
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import is_there
from stream_jobs.base.yaml_files import read_yaml
from stream_jobs.currencies.document import FILE_NAME, USD, Currencies, CurrenciesDocument, Rate

BUDGETS_FILE: Final = "budgets.yaml"


class _OfBudgets(BaseModel):
    """The section, whatever else is in the file."""

    model_config = ConfigDict(extra="ignore")

    currencies: Currencies = {}


@dataclass(frozen=True, slots=True)
class InForce:
    """The rate of a currency, and where it was said. `until`: the first day on which another one holds."""

    currency: str
    usd: Decimal
    valid_from: date
    source: str  # as the file says, else the name of the file
    until: date | None = None


def rate_at(rates: Sequence[Rate], day: date) -> Rate | None:
    """The last one that is valid on that day; None before the first."""
    return next((rate for rate in reversed(rates) if rate.valid_from <= day), None)


def read_currencies(config_dir: Path | None) -> Currencies:
    """Those of `<config_dir>/currencies.yaml`; none without the file. Raises ConfigError."""
    path = config_dir / FILE_NAME if config_dir is not None else None
    return checked(read_yaml(path), CurrenciesDocument).currencies if path is not None and is_there(path) else {}


def together(shared: Mapping[str, tuple[Rate, ...]], of_budgets: Mapping[str, tuple[Rate, ...]]) -> Currencies:
    """Of both files. Raises ConfigError for a currency that both have: nobody could say which rate counts."""
    both = [code for code in of_budgets if code in shared]
    if both:
        raise ConfigError(
            [
                PlacedProblem(
                    f"currencies: {code} has rates in {FILE_NAME} too: keep those there", ("currencies", code)
                )
                for code in both
            ]
        )
    return {**shared, **of_budgets}


def find_rate(config_dir: Path | None, currency: str, day: date) -> InForce:
    """The rate of a currency on a day. Raises ConfigError when a file is wrong, or there is no rate of that day."""
    shared = read_currencies(config_dir)
    path = config_dir / BUDGETS_FILE if config_dir is not None else None
    known = shared
    if path is not None and is_there(path):
        source = read_yaml(path)
        own = checked(source, _OfBudgets).currencies
        with blaming(source):
            known = together(shared, own)
    rates = known.get(currency)
    place = str(config_dir / FILE_NAME) if config_dir is not None else FILE_NAME
    if rates is None:
        there = f"there are USD, {', '.join(sorted(known))}" if known else "there are none but USD"
        raise ConfigError(
            f"there is no rate of {currency}; {there}. Rates stand in {place} (see "
            "stream_jobs/currencies/example_currencies.yaml)"
        )
    rate = rate_at(rates, day)
    if rate is None:
        raise ConfigError(
            f"there is no rate of {currency} on {day}: the first is valid from {rates[0].valid_from}. Add the rate of "
            f"that day or earlier to {place if currency in shared else path}"
        )
    after = next((other.valid_from for other in rates if other.valid_from > day), None)
    file = FILE_NAME if currency in shared else BUDGETS_FILE
    return InForce(currency, rate.usd, rate.valid_from, rate.source or file, after)


IN_USD: Final = InForce(USD, Decimal(1), date.min, "")
