"""What is asked of figures: a plain question, whoever answers it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from spendstream_schemas.scope import Condition
from stream_jobs.currencies.rates import IN_USD, InForce
from stream_jobs.economics.figures import Figure


@dataclass(frozen=True, slots=True)
class Question:
    """Of [since, until). `as_of`: only entries that were booked until then. `spread`: compute that says how long it ran
    counts over that time, not where it began; what counts events stays there."""

    figures: Sequence[Figure]
    since: datetime
    until: datetime
    by: Sequence[str] = ()
    where: Mapping[str, Condition] | None = None
    zone: ZoneInfo = ZoneInfo("UTC")  # noqa: RUF009 - immutable
    as_of: datetime | None = None
    spread: bool = False
    rate: InForce = IN_USD  # what money is told in

    def unit(self, figure: Figure) -> str:
        """Of a figure, in the currency asked for."""
        return figure.unit.replace("USD", self.rate.currency, 1) if figure.is_money else figure.unit


def first_day(question: Question) -> date:
    """In its time zone."""
    return question.since.astimezone(question.zone).date()


def last_day(question: Question) -> date:
    """In its time zone: of the last microsecond of its time."""
    return (question.until - timedelta(microseconds=1)).astimezone(question.zone).date()
