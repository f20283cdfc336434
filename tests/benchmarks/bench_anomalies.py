"""What the anomalies job costs: CPU of decoding deltas, counting them by series, and judging every minute.

2,000 events/s and 1,000 series, as deltas of a block every half second, whose rows nearly all differ: users, customers,
models. Counted is the CPU time of the job's own steps over simulated minutes, as a share of one core; what the store
does for it (a row a minute) is not in it. Beside it the judging of one minute of 10,000 series, which go on as they
were, and that of a minute in which all 10,000 have fallen silent, each of which is then an open finding.
"""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa

from stream_jobs.anomalies.model import Series
from stream_jobs.anomalies.registry import Registry
from stream_jobs.anomalies.rows import Rows
from stream_jobs.anomalies.settings import AnomaliesSettings
from stream_jobs.anomalies.watch import Watch
from stream_jobs.completeness.watermark import minute_of, start_of
from stream_jobs.detection.detector import CostDetector
from stream_jobs.series.delta import SCHEMA, Delta, Origin, encode
from stream_jobs.series.follower import Follower, deltas_of
from stream_jobs.series.sums import LedgerSums
from stream_jobs.streams.model import SourceRecord
from tests.benchmarks.harness.options import parse, parser
from tests.benchmarks.harness.results import NOT_JUDGED, Figure, Report
from tests.unit.series.memory_ledger import MemoryLedger

RATE: Final = 2_000
BLOCK_S: Final = 0.5
SERIES: Final = 1_000
MANY: Final = 10_000
BEGIN: Final = datetime(2026, 11, 2, tzinfo=UTC)
WARM_HOURS: Final = 72
CORE: Final = (0.10, 0.03)
MANY_MS: Final = (150.0, 30.0)
LOG_COST: Final = -5.0
SIGMA: Final = 1.2
LEVELS: Final = AnomaliesSettings().levels


def deltas(minutes: int, users: int, customers: int) -> list[SourceRecord]:
    """As the feed carries them."""
    rng = np.random.default_rng(1)
    found = []
    count = int(RATE * BLOCK_S)
    for number in range(int(minutes * 60 / BLOCK_S)):
        at = BEGIN + timedelta(seconds=(number + 1) * BLOCK_S)
        minute = start_of(minute_of(BEGIN + timedelta(seconds=number * BLOCK_S)))

        def texts(prefix: str, distinct: int) -> pa.Array:
            codes = rng.integers(0, distinct, count)
            return pa.array([f"{prefix}{code}" for code in codes.tolist()])

        columns: dict[str, Any] = {field.name: pa.array([""] * count) for field in SCHEMA if field.type == pa.string()}
        columns |= {
            "minute": pa.array([minute] * count, SCHEMA.field("minute").type),
            "user_id": texts("user-", users),
            "customer": texts("customer-", customers),
            "model": texts("model-", 12),
            "provider": texts("provider-", 4),
            "team": texts("team-", 10),
            "feature": texts("feature-", 20),
            "project": texts("project-", 5),
        }
        amounts = rng.lognormal(LOG_COST, SIGMA, count)
        for name, values in (
            ("events", np.ones(count)),
            ("effective_cost", amounts),
            ("list_cost", amounts),
            ("contracted_cost", amounts),
            ("cost_squares", amounts * amounts),
            ("capped_cost", np.minimum(amounts, 1)),
            ("input_tokens", rng.integers(100, 9000, count)),
            ("output_tokens", rng.integers(10, 900, count)),
        ):
            kind = SCHEMA.field(name).type
            columns[name] = pa.array(np.round(values, 9)).cast(pa.float64()).cast(kind, safe=False)
        for field in SCHEMA:
            if field.name not in columns:
                columns[field.name] = pa.array([0] * count).cast(field.type)
        rows = pa.table([columns[field.name] for field in SCHEMA], schema=SCHEMA)
        delta = Delta(Origin("topic", 0), at, number * count, (number + 1) * count - 1, rows)
        found.append(SourceRecord(number, None, None, encode(delta)))
    return found


def warmed(series: Sequence[Series], most: int) -> Watch:
    """So many series of which three days are learned, each with its share of the events."""
    registry = Registry(LEVELS, most)
    ids = np.array([registry.names.number(one) for one in series], np.int64)
    registry.admit(ids, set)
    detector = CostDetector()
    detector.add([one.name for one in registry.places])
    values = Counter(one.dims for one in series)
    usual = np.array([[RATE * 3600 / values[one.dims]] for one in series])
    events = np.random.default_rng(2).poisson(usual, (len(series), WARM_HOURS)).astype(float)
    detector.warm(minute_of(BEGIN) - WARM_HOURS * 60, events, events * float(np.exp(LOG_COST + SIGMA * SIGMA / 2)))
    return Watch(detector, registry, Rows(), minute_of(BEGIN))


def all_series(users: int, customers: int) -> list[Series]:
    of = (
        *(("user_id", "user-", users), ("customer", "customer-", customers), ("model", "model-", 12)),
        *(("provider", "provider-", 4), ("team", "team-", 10), ("feature", "feature-", 20)),
        ("project", "project-", 5),
    )
    return [Series(), *(Series((dim,), (f"{prefix}{number}",)) for dim, prefix, many in of for number in range(many))]


def run(records: list[SourceRecord], watch: Watch) -> tuple[float, list[float]]:
    """CPU seconds of all the minutes in `records`, and those of judging each."""
    sums = cast(LedgerSums, MemoryLedger(BEGIN))
    follower = Follower(sums, {}, BEGIN)
    each = int(60 / BLOCK_S)
    judging = []
    began = time.process_time()
    for minute in range(len(records) // each):
        for first in range(minute * each, (minute + 1) * each, 2):  # what comes in a second is taken together
            found, _ = deltas_of(records[first : first + 2], start_of(watch.next + 2))
            _, facts = follower.take(found)
            if facts is not None:
                watch.add(facts)
        judging.append(judged(watch))
    return time.process_time() - began, judging


def judged(watch: Watch) -> float:
    """The CPU seconds that the next minute takes."""
    began = time.process_time()
    now = start_of(watch.next + 1)
    watch.amend(now)
    watch.judge(now)
    return time.process_time() - began


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 if a floor is missed."""
    args = parse(parser(__doc__, seconds=0, rounds=3), arguments)
    report = Report("anomalies")
    minutes = 2 if args.quick else 10
    customers = 50
    few, most = (number - len(all_series(0, customers)) for number in (SERIES, MANY))
    records = deltas(minutes, few, customers)
    shares = []
    for _ in range(args.rounds):
        watch = warmed(all_series(few, customers), SERIES)
        watch.registry.admit(np.zeros(0, np.int64), set)
        shares.append(run(records, watch)[0] / (minutes * 60))
        report.check("events counted in the last round", minutes * 60 * RATE, round(watch.learned + watch.missed))
    records = deltas(minutes, most, customers)
    usual, silent = [], []
    for _ in range(args.rounds):
        watch = warmed(all_series(most, customers), MANY)
        usual.append(float(np.median(run(records, watch)[1])) * 1e3)
        told = sum(watch.detector.standing(number) is not None for number in range(MANY))
        report.details.setdefault("findings in 10,000 series that go on as they were", []).append(told)
        took = [judged(watch) * 1e3 for _ in range(2 if args.quick else 15)]
        silent.append(took[-1])
        report.details.setdefault("the dearest minute when 10,000 fall silent, ms", []).append(round(max(took), 1))
        report.details["snapshot of 10,000 series, bytes of the detector"] = len(watch.detector.dump())
    floor, goal = NOT_JUDGED if args.quick else CORE
    name = f"{RATE:,} events/s, {SERIES:,} series: share of a core"
    report.figures.append(Figure(name, "cores", shares, floor, goal, lower_is_better=True))
    floor, goal = NOT_JUDGED if args.quick else MANY_MS
    report.figures.append(Figure(f"a minute of {MANY:,} series", "ms", usual, floor, goal, lower_is_better=True))
    floor, goal = NOT_JUDGED
    report.figures.append(Figure("the same, all silent", "ms", silent, floor, goal, lower_is_better=True))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
