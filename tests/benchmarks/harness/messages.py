"""Realistic messages in any number: the simulated company's events, each sent with an id and an instant of its own.

A message is a template with two holes, so that making one costs about a microsecond and the load generator does not
compete with what it is to measure. The exact cost of every template is known, so totals can be checked to the pico-USD.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from spendstream_schemas import parse_usage_event
from spendstream_traffic.simulate.config import SimulationConfig
from spendstream_traffic.simulate.payloads import messages

TEMPLATES: Final = 4_000
SEED: Final = 20_261
_START: Final = b'{"schema_version":1,"event_id":"'


@dataclass(frozen=True, slots=True)
class Made:
    """Keys and values as they go to Kafka."""

    keys: list[bytes]
    values: list[bytes]


@cache
def templates(count: int = TEMPLATES) -> tuple[bytes, ...]:
    """What follows `occurred_at` in a message, for `count` consecutive events of the simulated traffic.

    The same on every machine and every day: a busy hour of a working day.
    """
    config = SimulationConfig(datetime(2026, 11, 18, 14, tzinfo=UTC), timedelta(hours=1), rate=count / 3000, seed=SEED)
    tails = []
    for message in messages(config):
        fields = json.loads(message.value)
        if fields.get("provider") == "vllm":
            continue  # no price without rate cards of one's own, which these benchmarks do not have
        for name in ("schema_version", "event_id", "occurred_at"):
            del fields[name]
        fields["usage"].pop("duration_s", None)  # it happens now, and what runs from now on has not run yet
        tails.append(b'",' + json.dumps(fields, separators=(",", ":")).encode()[1:])
        if len(tails) == count:
            return tuple(tails)
    raise AssertionError(f"the simulation gave {len(tails)} events, not {count}")


class MessageMaker:
    """Makes messages in rounds through the templates: message n is made of template n modulo their number.

    Ids are UUIDv7s (time, then 74 random bits), as the SDK's are.
    """

    def __init__(self, tails: Sequence[bytes] | None = None) -> None:
        self._tails = tails if tails is not None else templates()
        self.made = 0

    def make(self, count: int) -> Made:
        """The next messages; their `occurred_at` is now."""
        now_us = time.time_ns() // 1000
        second, micros = divmod(now_us, 1_000_000)
        at = time.strftime('","occurred_at":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second)).encode()
        stamp = b"%012x" % (now_us // 1000)
        id_start = stamp[:8] + b"-" + stamp[8:] + b"-7"
        luck = os.urandom(9 * count).hex().encode()
        tails, size = self._tails, len(self._tails)
        keys: list[bytes] = []
        values: list[bytes] = []
        place = self.made
        for bit in range(0, 18 * count, 18):
            key = b"%b%b-8%b-%b" % (id_start, luck[bit : bit + 3], luck[bit + 3 : bit + 6], luck[bit + 6 : bit + 18])
            keys.append(key)
            # Microseconds that differ, within the second that has begun.
            values.append(b"%b%b%b%06dZ%b" % (_START, key, at, (micros + place) % 1_000_000, tails[place % size]))
            place += 1
        self.made = place
        return Made(keys, values)


def used(made: int, size: int) -> Mapping[int, int]:
    """How often each template is in the first `made` messages."""
    whole, rest = divmod(made, size)
    return Counter({index: whole + (index < rest) for index in range(size)})


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be in the ledger and in every rollup after so many messages. Costs in pico-USD."""

    events: int
    list_cost: int
    effective_cost: int
    unpriced: int


def expected(made: int, config_dir: Path | None) -> Expected:
    """The oracle: every template priced on its own by the price book, one event at a time, and added up in integers."""
    totals = [0, 0, 0]
    costs = _costs(config_dir)
    for index, times in used(made, len(costs)).items():
        totals = [total + times * part for total, part in zip(totals, costs[index], strict=True)]
    return Expected(made, *totals)


@cache
def _costs(config_dir: Path | None) -> list[tuple[int, int, int]]:
    """By template: list and effective cost in pico-USD, and 1 if it has no price."""
    # Imported here: the load generator has no use for it, and its start counts.
    from stream_jobs.attribution.rules import AttributionRules
    from stream_jobs.facts import facts_of
    from stream_jobs.metering.process import with_attribution
    from stream_jobs.pricing.book import PriceBook

    book, rules = PriceBook.load(config_dir), AttributionRules.load(config_dir)
    found = []
    for value in MessageMaker().make(len(templates())).values:
        facts = facts_of(parse_usage_event(value).message)
        pricing = book.price(with_attribution(facts, rules.apply(facts)))
        found.append((pricing.list_cost or 0, pricing.effective_cost or 0, int(not pricing.priced)))
    return found
