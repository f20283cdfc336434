"""What the calls brought: outcomes, most of them soon after, some reported hours late, some corrected.

Which call brings something, and what, follows from the number of its trace alone. So outcomes need no random numbers of
their own, and those outside of an incident are the same as without it, as the calls are.
"""

import heapq
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import numpy as np

from spendstream_schemas import SCHEMA_VERSION
from spendstream_schemas.types import EARLIEST_OCCURRED_AT
from spendstream_traffic.simulate.catalog import CELLS, CUSTOMERS, ENVIRONMENTS
from spendstream_traffic.simulate.config import SimulationConfig
from spendstream_traffic.simulate.draws import OK, Columns, Floats, Ints, mixed
from spendstream_traffic.simulate.payloads import SimulatedMessage
from spendstream_traffic.simulate.traffic import Traffic
from stream_jobs.base.instants import from_unix_micros, unix_micros

LATE: Final = 0.04  # share that is reported hours after it happened
CORRECTED: Final = 0.06  # share of which the first report was wrong
_SECOND: Final = 1_000_000
_HOUR: Final = 3600 * _SECOND
_DAY: Final = 24 * _HOUR
_EARLIEST_US: Final = unix_micros(EARLIEST_OCCURRED_AT)
_VALUES: Final = [cell.workload.value for cell in CELLS]
_SHARE: Final = np.array([value.share if value else 0.0 for value in _VALUES])
_encode: Final = msgspec.json.Encoder().encode


def outcome_messages(config: SimulationConfig) -> Iterator[SimulatedMessage]:
    """The outcomes of the run's calls, in the order in which they are reported: a correction comes after what it
    corrects. None has happened after the run's end. Memory holds what is still to be reported, of some hours."""
    waiting: list[tuple[int, str, int, dict[str, Any]]] = []  # when it is reported, and what
    for number, columns in enumerate(Traffic(config).slices()):
        for reported_us, payload in _of_slice(columns, f"out-{config.digest}-{number}-", unix_micros(config.end)):
            heapq.heappush(waiting, (reported_us, payload["event_id"], payload["revision"], payload))
        passed = int(columns.time_us[-1]) if len(columns) else 0
        while waiting and waiting[0][0] <= passed:
            yield _message(heapq.heappop(waiting)[-1])
    while waiting:
        yield _message(heapq.heappop(waiting)[-1])


def _message(payload: dict[str, Any]) -> SimulatedMessage:
    return SimulatedMessage(
        payload["event_id"],
        from_unix_micros(int(payload["occurred_at"])),
        _encode(payload | {"occurred_at": _text(payload["occurred_at"])}),
    )


def _of_slice(columns: Columns, prefix: str, end_us: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """(when it is reported, the outcome; `occurred_at` still in microseconds)."""
    bring = np.flatnonzero((_luck(columns.trace, 1) < _SHARE[columns.cell]) & (columns.status == OK))
    trace, cells = columns.trace[bring], columns.cell[bring]
    after = (5 + 900 * _luck(trace, 2) ** 2) * _SECOND
    occurred = np.minimum(columns.time_us[bring] + after.astype(np.int64), end_us - 1)
    late = np.where(_luck(trace, 3) < LATE, ((1 + 5 * _luck(trace, 4)) * _HOUR).astype(np.int64), 0)
    corrected, how = _luck(trace, 5) < CORRECTED, _luck(trace, 6)
    # Box and Muller: what is normal from two that are uniform.
    normal = np.sqrt(-2 * np.log(1 - _luck(trace, 7))) * np.cos(2 * np.pi * _luck(trace, 8))
    for at, row in enumerate(bring.tolist()):
        value = _VALUES[int(cells[at])]
        assert value is not None
        cents = max(round(value.median_cents * float(np.exp(value.sigma * normal[at]))), 1)
        occurred_us = int(occurred[at])
        payload = _payload(columns, row, f"{prefix}{row}") | {"outcome": value.outcome}
        first = payload | {"revision": 0, "occurred_at": occurred_us, "quantity": "1", "value_usd": _usd(cents)}
        reported_us = occurred_us + int(late[at])
        yield reported_us, first
        if corrected[at]:
            yield reported_us + int(_HOUR * (0.2 + how[at])), first | _correction(float(how[at]), occurred_us, cents)


def _correction(how: float, occurred_us: int, cents: int) -> dict[str, Any]:
    """It did not happen after all; it was worth less; or it was of the day before."""
    if how < 0.3:
        return {"revision": 1, "quantity": "0", "value_usd": "0"}
    if how < 0.8:
        return {"revision": 1, "value_usd": _usd(max(cents * 6 // 10, 1))}
    return {"revision": 1, "occurred_at": max(occurred_us - _DAY, _EARLIEST_US)}


def _payload(columns: Columns, row: int, event_id: str) -> dict[str, Any]:
    workload = CELLS[int(columns.cell[row])].workload
    payload = {
        "schema_version": SCHEMA_VERSION,
        "event_id": event_id,
        "source": workload.source,
        "project": workload.project,
        "environment": ENVIRONMENTS[int(columns.environment[row])],
        "team": workload.team,
        "feature": workload.feature,
        "trace_id": f"{int(columns.trace[row]):016x}",
    }
    if workload.has_customers:
        name = CUSTOMERS[int(columns.customer[row])]
        payload |= {"customer": name, "user_id": f"{name}-u{int(columns.user[row])}"}
    return payload


def _luck(trace: Ints, which: int) -> Floats:
    """Numbers from 0 to below 1 that look random; other ones for another `which`."""
    return np.asarray((mixed(trace ^ mixed(np.full(1, which))) >> 10) / 2.0**53)


def _usd(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _text(us: int) -> str:
    return f"{np.datetime_as_string(np.datetime64(us, 'us'))}Z"
