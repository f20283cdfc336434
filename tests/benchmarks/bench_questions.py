"""What people ask of a month, and how that grows with the ledger: 2 and 20 million rows.

    python -m tests.benchmarks questions --rows 2000000 20000000

The rows are made by ClickHouse itself, a block at a time through the ledger with all its rollups: 50,000 users of 2,000
customers (few of them large), 40 features of 25 teams, five models, caches, failures and GPU jobs. Each answer is
compared with the ledger's own sum, once, and then timed.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from stream_jobs.ledger.event import event_story
from stream_jobs.report.queries import build
from stream_jobs.store.client import StoreClient
from tests.benchmarks.harness.options import parse, parser
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure, Report
from tests.store_server import StoreProcess

SINCE: Final = datetime(2026, 10, 1, tzinfo=UTC)
UNTIL: Final = SINCE + timedelta(days=31)
ROWS: Final = (2_000_000, 20_000_000)
BLOCK: Final = 250_000
QUESTION_MS: Final = (300.0, 100.0)
EVENT_MS: Final = (50.0, 20.0)
REPORT_MS: Final = (5_000.0, 2_000.0)
DIMENSIONS: Final = ("team", "model", "feature", "customer")
_MONTH: Final = "WHERE day >= toDate('2026-10-01') AND day < toDate('2026-11-01')"
OTHERS: Final[Mapping[str, str]] = {
    "cost stack": f"SELECT category, subcategory, sum(effective_cost) FROM cost_stack {_MONTH} GROUP BY 1, 2",
    "daily trend": f"SELECT day, effective_cost FROM daily_trend {_MONTH}",
    "operations": f"SELECT feature, sum(error_cost), max(p95_latency_ms) FROM operations {_MONTH} GROUP BY 1",
    "cache hit rate": f"SELECT model, sum(avoided_cost) FROM cache_hit_rate {_MONTH} GROUP BY 1",
    "users": f"SELECT user_id, sum(effective_cost) FROM cost_by_user {_MONTH} GROUP BY 1 ORDER BY 2 DESC LIMIT 9",
}


def question(dimension: str) -> str:
    """The month by one dimension, the dearest first."""
    return (
        f"SELECT {dimension}, sum(effective_cost) AS cost, sum(events) FROM cost_by_{dimension} {_MONTH} "
        "GROUP BY 1 ORDER BY cost DESC LIMIT 20"
    )


def fill(store: StoreClient, first: int, until: int) -> None:
    """Charges number `first` to `until`, from the month's start to its end; every thousandth without a price."""
    for at in range(first, until, BLOCK):
        store.command(f"""
            INSERT INTO ledger (event_id, revision, entry_kind, occurred_at, booked_at, source, kind, provider, model,
                price_model, category, subcategory, project, environment, cost_center, workload_type, team, feature,
                customer, user_id, input_tokens, cache_read_tokens, output_tokens, gpu_seconds, busy_gpu_seconds,
                accelerator, purchase_option, list_cost, contracted_cost, effective_cost, avoided_cost, cache_saving,
                idle_cost, unpriced_reason, line_sku, line_meter, line_quantity, line_list_unit_price,
                line_unit_price, line_list_cost, line_cost, line_effective_cost, status, latency_ms, cached_response,
                retry_of, topic_id, partition, offset)
            WITH
                number + {at} AS n,
                n % 200 = 0 AS gpu,
                n % 1000 = 7 AS unknown,
                n % 50 = 3 AS own,
                toUInt32(50000 * pow(cityHash64(n, 'u') % 1000000 / 1000000., 2)) AS who,
                cityHash64(n, 'f') % 40 AS feat,
                (feat + cityHash64(n, 'm') % 2) % 5 AS m,
                toInt64(cityHash64(n, 'i') % 6000 + 100) AS input,
                toInt64(if(n % 3 = 0, intDiv(input, 2), 0)) AS cached,
                toInt64(cityHash64(n, 'o') % 900 + 10) AS output,
                (input - cached) * 2500000 + cached * 1250000 + output * 10000000 AS pico,
                if(gpu, toDecimal128(2.5, 12), toDecimal128(pico, 12) / 1000000000000) AS usd,
                if(unknown, NULL, if(own, toDecimal128(0, 12), usd)) AS cost,
                ['input_tokens', 'output_tokens'] AS meters
            SELECT
                concat('0192f3a1-', hex(cityHash64(n)), '-', toString(n)), 0, 'charge',
                fromUnixTimestamp64Micro(toInt64({int(SINCE.timestamp())}) * 1000000
                    + intDiv(toInt64(n - {first}) * 2678400000, {until - first}) * 1000, 'UTC'),
                toDateTime64('2026-11-01 00:00:00', 6, 'UTC'),
                concat('service-', toString(feat % 12)), if(gpu, 'compute', 'tokens'),
                if(gpu, 'aws', ['openai', 'anthropic', 'google', 'mistral', 'cohere'][m + 1]),
                if(gpu, '', concat('model-', toString(m))), concat('book/model-', toString(m)), 'inference',
                if(gpu, 'GPU compute', 'tokens'), concat('project-', toString(feat % 11)),
                ['production', 'staging'][1 + (n % 20 = 0)], 'cc-1', 'inference',
                concat('team-', toString(feat % 25)), concat('feature-', toString(feat)),
                concat('customer-', toString(who % 2000)), concat('user-', toString(who)),
                if(gpu, NULL, input), if(gpu OR cached = 0, NULL, cached), if(gpu, NULL, output),
                if(gpu, toDecimal128(3600, 12), NULL), if(gpu, toDecimal128(1800, 12), NULL),
                if(gpu, 'H100', ''), if(gpu, 'on_demand', ''), cost, cost, cost, if(own, usd, toDecimal128(0, 12)),
                if(gpu OR cached = 0, NULL, toDecimal128(cached * 1250000, 12) / 1000000000000),
                if(gpu AND NOT unknown, if(own, toDecimal128(0, 12), toDecimal128(1.25, 12)), NULL),
                if(unknown, 'unknown_model', ''), meters, meters, [toDecimal128(input, 12), toDecimal128(output, 12)],
                [toDecimal128(0.0000025, 18), toDecimal128(0.00001, 18)],
                [toDecimal128(0.0000025, 18), toDecimal128(0.00001, 18)],
                [usd, toDecimal128(0, 12)], [usd, toDecimal128(0, 12)], [usd, toDecimal128(0, 12)],
                ['ok', 'ok', 'ok', 'error', 'ok', 'cancelled'][1 + cityHash64(n, 's') % 6],
                exp(cityHash64(n, 'l') % 1000 / 120.), own, if(n % 60 = 0, 'another', ''), 'bench', 0, n
            FROM numbers({min(BLOCK, until - at)})
            SETTINGS max_insert_block_size = 10000000, min_insert_block_size_rows = 10000000,
                min_insert_block_size_bytes = 4000000000, max_threads = 1, optimize_on_insert = 0
        """)
        print(f"\r{min(until, at + BLOCK):,} rows", end="", flush=True)
    print()


def timed(ask: Callable[[], Any], rounds: int) -> list[float]:
    """Milliseconds of each round, after one that is not counted."""
    ask()
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    return took


def check(store: StoreClient, report: Report, rows: int) -> None:
    """Each view adds up to the ledger, so that what is timed is right."""
    cost, events = store.rows("SELECT sum(effective_cost), sum(events) FROM ledger")[0]
    for dimension in (*DIMENSIONS, "user", "category"):
        found = store.rows(f"SELECT sum(effective_cost), sum(events) FROM cost_by_{dimension} {_MONTH}")[0]
        report.check(f"{rows:,} rows: cost and events by {dimension}", (cost, events), found)
    stack = store.rows(f"SELECT sum(effective_cost) FROM cost_stack {_MONTH}")[0][0]
    report.check(f"{rows:,} rows: the cost stack", cost, stack)
    data = build(store.client, SINCE, UNTIL)
    report.check(f"{rows:,} rows: the report's total", cost, data.totals.effective_cost)
    users = data.breakdowns["user_id"].total.effective_cost
    report.check(f"{rows:,} rows: the report's users", Decimal(str(cost)), users)


def measure(store: StoreClient, report: Report, rows: int, rounds: int, judged: bool) -> dict[str, float]:
    """All questions at this size. Returns the medians by name."""
    some = [str(row[0]) for row in store.rows("SELECT event_id FROM ledger ORDER BY cityHash64(event_id) LIMIT 5")]
    asked: dict[str, tuple[Callable[[], Any], Bounds]] = {
        f"by {dimension}": (partial(store.rows, question(dimension)), QUESTION_MS) for dimension in DIMENSIONS
    }
    asked |= {name: (partial(store.rows, sql), NOT_JUDGED) for name, sql in OTHERS.items()}
    asked["one event"] = (lambda: [event_story(store, event_id) for event_id in some]), EVENT_MS
    asked["report"] = (lambda: build(store.client, SINCE, UNTIL)), REPORT_MS
    medians = {}
    for name, (ask, bounds) in asked.items():
        took = timed(ask, max(1, rounds if name != "report" else min(rounds, 2)))
        if name == "one event":
            took = [each / len(some) for each in took]
        floor, goal = bounds if judged else NOT_JUDGED
        report.figures.append(Figure(f"{name}, {rows:,} rows", "ms", took, floor, goal, lower_is_better=True))
        medians[name] = statistics.median(took)
    return medians


def main(arguments: list[str] | None = None) -> int:
    """Fill, ask, fill on, ask again."""
    made = parser(__doc__, seconds=0, rounds=5)
    made.add_argument("--rows", type=int, nargs="+", default=list(ROWS), help="sizes of the ledger, ascending")
    made.add_argument("--folder", type=Path, help="where the store keeps its data (default: a temporary folder)")
    args = parse(made, arguments)
    sizes = [2_000, 20_000] if args.quick else sorted(args.rows)
    folder = Path(tempfile.mkdtemp(dir=args.folder)) / "store"
    report = Report("questions")
    store = StoreProcess(folder)
    try:
        store.wait_ready().migrated()
        with StoreClient(store.settings) as client:
            filled, medians = 0, []
            for rows in sizes:
                fill(client, filled, rows)
                filled = rows
                check(client, report, rows)
                parts = client.rows(
                    "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts "
                    "WHERE active AND database = currentDatabase() GROUP BY table ORDER BY table"
                )
                report.details[f"{rows:,} rows"] = {str(name): [int(str(n)), int(str(size))] for name, n, size in parts}
                medians.append(measure(client, report, rows, args.rounds, not args.quick and rows >= ROWS[-1]))
        for name in medians[0]:
            growth = medians[-1][name] / medians[0][name]
            note = f"of {sizes[-1] / sizes[0]:g} times the rows"
            report.figures.append(Figure(f"growth: {name}", "times", [growth], lower_is_better=True, note=note))
    finally:
        store.stop()
        shutil.rmtree(folder.parent, ignore_errors=True)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
