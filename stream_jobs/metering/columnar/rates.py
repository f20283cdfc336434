"""Which rates hold for which rows: the price book is asked once per distinct name, period and context length."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.base.instants import from_unix_micros, unix_micros
from stream_jobs.facts import Facts
from stream_jobs.metering.columnar.attribute import Attribution
from stream_jobs.metering.columnar.events import TokenEvents
from stream_jobs.metering.columnar.instants import US_PER_S
from stream_jobs.pricing.compiled import Compiled
from stream_jobs.pricing.engine import Brackets, Resolved
from stream_jobs.pricing.rates import Missing
from stream_jobs.store.texts import Codes, Profiles, profiles

_NAMES: Final = ("provider", "model", "response_model", "service_tier", "region", "operation")

_WEEK_S: Final = 7 * 86400
_MONDAY_S: Final = 3 * 86400  # 1970 began on a Thursday


class RateBook(Protocol):
    """What pricing a bundle asks of the price book."""

    @property
    def scope_fields(self) -> tuple[str, ...]:
        """The attribution fields that the price depends on."""

    def resolve(self, facts: Facts) -> Resolved | Missing:
        """The prices over time of everything named, conditioned and scoped as this event."""

    def knows_model(self, facts: Facts) -> bool:
        """Whether there is any price of its model, under whatever conditions."""


class Rates(NamedTuple):
    """`answers[of_row[row]]` are the rates of a row, or why it has none."""

    of_row: Codes
    answers: list[Compiled | Missing]
    known: list[bool]  # for each answer, whether the model has any price at all


def find_rates(events: TokenEvents, attribution: Attribution, book: RateBook) -> Rates:
    """The same answer for every row as `Engine.rates` gives for its event with its final attribution."""
    groups = _named_alike(events, attribution, book)
    input_tokens = events.meters["input_tokens"].counts
    of_row = np.zeros(len(events), np.int64)
    answers: list[Compiled | Missing] = []
    known: list[bool] = []

    def answer(rows: Codes, found: Compiled | Missing, example: Facts) -> None:
        of_row[rows] = len(answers)
        answers.append(found)
        known.append(isinstance(found, Compiled) or book.knows_model(example._replace(occurred_at=at(rows))))

    def at(rows: Codes) -> datetime:
        return from_unix_micros(int(events.occurred_us[rows[0]]))

    order = np.argsort(groups.of_row, kind="stable")
    examples = _scoped(events.take(groups.example).facts(), attribution.take(groups.example), book.scope_fields)
    together = np.split(order, np.searchsorted(groups.of_row[order], np.arange(1, len(groups.example))))
    for rows, example in zip(together, examples, strict=True):
        resolved = book.resolve(example)
        if isinstance(resolved, Missing):
            answer(rows, resolved, example)
            continue
        for same_period in _by(_periods(resolved, events.occurred_us[rows]), rows):
            found = resolved.at(at(same_period))
            if not isinstance(found, Brackets):
                answer(same_period, found, example)
                continue
            lengths = np.searchsorted(np.array(found.starts, np.int64), input_tokens[same_period], "left")
            for same_length in _by(lengths, same_period):
                answer(same_length, found.at(int(input_tokens[same_length[0]])), example)
    return Rates(of_row, answers, known)


def _named_alike(events: TokenEvents, attribution: Attribution, book: RateBook) -> Profiles:
    columns = [events.repeated[name] for name in _NAMES] + [attribution.tags[name] for name in book.scope_fields]
    keys = [(texts.codes, len(texts.values)) for texts in columns]
    if events.conditions is not None:
        keys.append(_numbered(events.conditions))
    return profiles(keys, len(events))


def _numbered(values: Sequence[Any]) -> tuple[Codes, int]:
    numbers: dict[Any, int] = {}
    codes = np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)
    return codes, len(numbers)


def _scoped(facts: list[Facts], attribution: Attribution, fields: tuple[str, ...]) -> list[Facts]:
    """With their final attribution, where the price depends on it."""
    if not fields:
        return facts
    tags = zip(*(attribution.tags[name].listed() for name in ATTRIBUTION_FIELDS), strict=True)
    return [one._replace(tags=final) for one, final in zip(facts, tags, strict=True)]


def _periods(resolved: Resolved, occurred_us: Codes) -> Codes:
    """A number per instant: equal where `resolved.at` answers the same."""
    starts = np.array([unix_micros(start) for start in resolved.starts], np.int64)
    periods = np.searchsorted(starts, occurred_us, "right")
    if resolved.seconds:
        of_week = (occurred_us // US_PER_S + _MONDAY_S) % _WEEK_S
        periods = periods * (len(resolved.seconds) + 1) + np.searchsorted(resolved.seconds, of_week, "right")
    return periods


def _by(keys: Codes, rows: Codes) -> list[Codes]:
    """The rows, split by equal keys."""
    if len(keys) == 1 or bool((keys == keys[0]).all()):
        return [rows]
    return [rows[keys == key] for key in np.unique(keys)]
