"""The building blocks of `budgets.yaml`: amounts, durations, zones, names."""

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from spendstream_schemas.budget_feed import Percent
from spendstream_schemas.types import decimal_schema, exact_input
from stream_jobs.attribution.document import Text
from stream_jobs.base import readable
from stream_jobs.base.instants import time_zone

MAX_WINDOW: Final = timedelta(days=366)
_YEAR_STARTS: Final = re.compile(r"(?P<month>[0-9]{1,2})(?:-(?P<day>[0-9]{1,2}))?")


def _zone(name: str) -> str:
    time_zone(name)
    return name


def _year_starts(value: Any) -> Any:
    """4, 04 or 04-06."""
    match = _YEAR_STARTS.fullmatch(str(value)) if isinstance(value, (int, str)) else None
    month, day = (int(match["month"]), int(match["day"] or 1)) if match else (0, 0)
    if not (1 <= month <= 12 and 1 <= day <= 28):
        raise ValueError("must be a month (04) or a month and a day up to the 28th (04-06)")
    return f"{month:02}-{day:02}"


def _duration(text: str) -> str:
    if not timedelta(0) < window_length(text) <= MAX_WINDOW:
        raise ValueError(f"must be at most {MAX_WINDOW.days}d")
    return text


def window_length(text: str) -> timedelta:
    """24h or 7d as a duration; a day is 24 hours here."""
    return timedelta(hours=int(text[:-1]) * (24 if text[-1] == "d" else 1))


def check_rising(numbers: Sequence[Decimal], what: str = "percents") -> None:
    """Raises ValueError at the first that is not above the one before it."""
    for one, two in pairwise(numbers):
        if one >= two:
            raise ValueError(f"the {what} must rise: {readable.exact(two)} comes after {readable.exact(one)}")


def check_one_of(at_percent: Decimal | None, at_amount: Decimal | None) -> None:
    """Raises ValueError unless exactly one of the two is given."""
    if (at_percent is None) == (at_amount is None):
        raise ValueError("needs either at_percent or at_amount")


AmountOrNothing = Annotated[
    Decimal,
    Field(ge=0, le=10**15, max_digits=27, decimal_places=12, allow_inf_nan=False),
    BeforeValidator(exact_input),
    decimal_schema(minimum=0),
]
"""As `Amount`, or 0."""
Zone = Annotated[Text, AfterValidator(_zone)]
CalendarName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
PositivePercent = Annotated[Percent, Field(gt=0), BeforeValidator(exact_input)]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}[hd]$"), AfterValidator(_duration)]
YearStarts = Annotated[
    str,
    BeforeValidator(
        _year_starts,
        json_schema_input_type=Annotated[int, Field(ge=1, le=12)]
        | Annotated[str, StringConstraints(pattern=r"^[0-9]{1,2}(-[0-9]{1,2})?$")],
    ),
]
"""MM-DD."""
