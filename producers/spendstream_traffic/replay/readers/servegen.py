"""ServeGen's real traffic per client: CSV with category, client, hour, requests (requests of that client and hour).

Source: https://github.com/alibaba/ServeGen. Token counts come from `derived_6h_mean_tokens.csv` beside the file when
it is there (category, client, start_s, mean_input_tokens, mean_output_tokens, mean_reason_tokens). Without it the
events carry no token counts: the pipeline then books them as unpriced, because what they used is not known.

The file is ordered by client, traffic by time: the file is read first, 24 bytes kept per row, and then the hours
follow one after the other, the clients of each merged by time.
"""

import heapq
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Final

from spendstream_traffic.replay.rows import RELATIVE_ZERO, BadRow, Row, csv_rows, instant, whole_number
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import is_there

COLUMNS = ("category", "client", "hour", "requests")
MEANS_FILE = "derived_6h_mean_tokens.csv"
MEANS_COLUMNS = ("category", "client", "start_s", "mean_input_tokens", "mean_output_tokens", "mean_reason_tokens")
_HOUR_US: Final = 3_600_000_000
_WINDOW_S: Final = 6 * 3600
_MAX_HOUR: Final = 24 * 366 * 100
_MAX_REQUESTS: Final = Decimal(10**9)
_MAX_MEAN_TOKENS: Final = Decimal(10**12)

Means = tuple[Decimal | None, Decimal | None, Decimal | None]  # tokens per request: input, output, reasoning
_UNKNOWN: Final[Means] = (None, None, None)


@dataclass
class MeanTokens:
    """Mean tokens per request of a client in a window of six hours; for a window without any, of its last one."""

    windows: dict[tuple[str, str], dict[int, Means]] = field(default_factory=dict)

    def at(self, client: tuple[str, str], hour: int) -> Means:
        known = self.windows.get(client)
        if not known:
            return _UNKNOWN
        start_s = hour * 3600 // _WINDOW_S * _WINDOW_S
        if start_s in known:
            return known[start_s]
        earlier = [start for start in known if start < start_s]
        return known[max(earlier) if earlier else min(known)]


def read_servegen(path: Path, *, zero: datetime = RELATIVE_ZERO) -> Iterator[Row | BadRow]:
    """One row per single request, ordered by time; `zero` is the instant of hour 0.

    An hour's requests are spread evenly over it, each client with its own shift, and their tokens add up exactly to
    the mean times the requests (rounded to whole tokens once per hour). Raises ConfigError for other columns.
    """
    means = load_means(path.with_name(MEANS_FILE))
    clients: dict[tuple[str, str], int] = {}
    hours: dict[int, array[int]] = {}  # hour -> line, client, requests; line, client, requests; ...
    for item in csv_rows(path, COLUMNS):
        if isinstance(item, BadRow):
            yield item
            continue
        line, record = item
        try:
            hour, count = _hour_and_count(record)
            instant(zero, (hour + 1) * _HOUR_US, "hour")  # so that all of its requests are on the calendar
        except ValueError as error:
            yield BadRow(line, str(error))
            continue
        client = clients.setdefault((record["category"], record["client"]), len(clients))
        hours.setdefault(hour, array("q")).extend((line, client, count))
    names = list(clients)
    for hour in sorted(hours):
        triples = hours.pop(hour)
        streams = [
            _requests(line, names[client], hour, count, means.at(names[client], hour), zero)
            for line, client, count in zip(triples[::3], triples[1::3], triples[2::3], strict=True)
        ]
        yield from heapq.merge(*streams, key=lambda row: (row.payload["occurred_at"], row.line))


def _hour_and_count(record: dict[str, str]) -> tuple[int, int]:
    hour = whole_number(record["hour"], "hour")
    if hour > _MAX_HOUR:
        raise ValueError(f"hour is out of range: {hour}")
    requests = _decimal(record["requests"], "requests")
    if requests is None or requests > _MAX_REQUESTS:
        raise ValueError(f"requests is empty or above {_MAX_REQUESTS}")
    return hour, int(requests.to_integral_value(ROUND_HALF_EVEN))


def _requests(line: int, client: tuple[str, str], hour: int, count: int, means: Means, zero: datetime) -> Iterator[Row]:
    totals = [None if mean is None else int((mean * count).to_integral_value(ROUND_HALF_EVEN)) for mean in means]
    shift = line * 7919 % 997  # clients do not fire in step: a shift below one interval, from the line alone
    for index in range(count):
        usage: dict[str, int | str] = {"kind": "tokens"}
        for name, total in zip(("input_tokens", "output_tokens", "reasoning_tokens"), totals, strict=True):
            if total is not None:
                usage[name] = (index + 1) * total // count - index * total // count
        if "reasoning_tokens" in usage:
            usage["reasoning_tokens"] = min(int(usage["reasoning_tokens"]), int(usage.get("output_tokens", 0)))
        microseconds = hour * _HOUR_US + (index * 997 + shift) * _HOUR_US // (count * 997)
        yield Row(
            line,
            {
                "occurred_at": instant(zero, microseconds, "hour"),
                "usage": usage,
                "attribution": {"customer": "/".join(client)},
            },
            part=index,
        )


def load_means(path: Path) -> MeanTokens:
    """The means of the sibling file, or none if there is no such file. Raises ConfigError if it is broken."""
    means = MeanTokens()
    if not is_there(path):
        return means
    for item in csv_rows(path, MEANS_COLUMNS):
        if isinstance(item, BadRow):
            raise ConfigError(f"{path}: {item}")
        line, record = item
        try:
            start_s = whole_number(record["start_s"], "start_s")
            values = [_decimal(record[name], name) for name in MEANS_COLUMNS[3:]]
            if any(value is not None and value > _MAX_MEAN_TOKENS for value in values):
                raise ValueError(f"a mean is above {_MAX_MEAN_TOKENS} tokens")
        except ValueError as error:
            raise ConfigError(f"{path}: line {line}: {error}") from None
        if values[0] is not None or values[1] is not None:
            key = (record["category"], record["client"])
            means.windows.setdefault(key, {})[start_s] = (values[0], values[1], values[2])
    return means


def _decimal(text: str, name: str) -> Decimal | None:
    if not text.strip():
        return None
    try:
        value = Decimal(text.strip())
    except ArithmeticError:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise ValueError(f"{name} is not a number from 0: {text[:40]!r}")
    return value
