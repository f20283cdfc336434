"""The form of `currencies.yaml`: what one unit of a currency is worth in USD, from a date on. A float is refused."""

from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from spendstream_schemas.types import Text256, decimal_schema, exact_input

FILE_NAME: Final = "currencies.yaml"
SCHEMA_FILE_NAME: Final = "currencies.schema.json"
USD: Final = "USD"
YEARS: Final = range(2000, 2200)


def _date(value: Any) -> Any:
    """YAML's own dates, or their text. Numbers are refused, also as text: nobody writes days since 1970."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a date (2026-04-01)") from None
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError("is not a date (2026-04-01)")
    if value.year not in YEARS:
        raise ValueError(f"{value} is not in the years {YEARS.start} to {YEARS.stop - 1}")
    return value


def rising_dates(dates: tuple[date, ...]) -> tuple[date, ...]:
    """The same. Raises ValueError at the first date that is not after the one before it."""
    for one, two in pairwise(dates):
        if one >= two:
            raise ValueError(f"the dates must rise: {two} comes after {one}")
    return dates


Amount = Annotated[
    Decimal,
    Field(gt=0, le=10**15, max_digits=27, decimal_places=12, allow_inf_nan=False),
    BeforeValidator(exact_input),
    decimal_schema(minimum=0),
]
"""Positive and exact, in any currency: a number in YAML, or a text that holds one."""
Day = Annotated[date, BeforeValidator(_date, json_schema_input_type=date)]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Rate(BaseModel):
    """What one unit of a currency is worth, from a date on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd: Amount = Field(description="One unit of the currency in USD, such as 1.08 for EUR.")
    valid_from: Day = Field(description="First date of the rate; it counts for periods that begin on it or later.")
    source: Text256 | None = Field(default=None, description="Where it was read. Shown beside what is told at it.")


def _rising_rates(rates: tuple[Rate, ...]) -> tuple[Rate, ...]:
    rising_dates(tuple(rate.valid_from for rate in rates))
    return rates


def without_usd(currencies: dict[str, tuple[Rate, ...]]) -> dict[str, tuple[Rate, ...]]:
    """The same. Raises ValueError for a rate of USD."""
    if USD in currencies:
        raise ValueError("USD is what the others are given in")
    return currencies


Rates = Annotated[tuple[Rate, ...], Field(min_length=1), AfterValidator(_rising_rates)]
Currencies = dict[CurrencyCode, Rates]


class CurrenciesDocument(BaseModel):
    """Exchange rates, for budgets and figures alike. See stream_jobs/currencies/README.md."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="spendstream exchange rates")

    currencies: Annotated[Currencies, AfterValidator(without_usd)] = Field(
        default_factory=dict, description="Other currencies than USD, with rates by rising valid_from."
    )
