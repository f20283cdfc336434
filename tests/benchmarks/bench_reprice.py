"""Re-pricing a ledger: dry run, apply, kill -9 in the middle, resume; everything compared with an oracle in SQL.

    python -m tests.benchmarks reprice --rows 10000000

The rows are made by ClickHouse itself, the price change is an overlay with a factor that has no finite cost per token,
and what every event must come to afterwards is computed in SQL with integers, without the code under test.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from spendstream_schemas import UsageEvent
from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.store.client import StoreClient
from tests.benchmarks.harness.options import parse, parser
from tests.benchmarks.harness.results import Figure, Report
from tests.store_server import StoreProcess

SINCE: Final = datetime(2026, 10, 1, tzinfo=UTC)
DAYS: Final = 30
FACTOR: Final = Fraction("0.8765432101")
MODELS: Final = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "o3", "gpt-4.1-nano")
UNKNOWN: Final = "nobody-knows"
FILL_ROWS: Final = 500_000
OVERLAY: Final = f"""\
overlays:
  - name: agreed with effect from the past
    scope: {{provider: openai}}
    multiplier: {float(FACTOR)!r}
"""
ROLLUPS: Final = ("cost_1m", "cost_1h", "cost_1d", "operations_1d")


@dataclass(frozen=True, slots=True)
class Rates:
    """Pico-USD per token, whole."""

    input: int
    cached: int
    output: int


def rates(model: str) -> Rates:
    """List prices, from the price book itself: what is under test is not the prices but what is done with them."""
    usage = {"kind": "tokens", "input_tokens": 2, "cache_read_tokens": 1, "output_tokens": 1}
    event = UsageEvent.model_validate(
        {"schema_version": 1, "event_id": "x", "source": "s", "provider": "openai", "model": model,
         "occurred_at": SINCE.isoformat(), "usage": usage}
    )  # fmt: skip
    found = {line.meter: line.list_cost for line in PriceBook.load().price(facts_of(event)).lines}
    return Rates(found["input_tokens"], found["cache_read_tokens"], found["output_tokens"])


def fill(store: StoreClient, rows: int) -> None:
    """Charges as metering would have booked them: 1 % without a price, the others of five models and 40 teams."""
    book = PriceBook.load().version
    table = {model: rates(model) for model in MODELS}
    models = ", ".join(f"'{model}'" for model in (*MODELS, UNKNOWN))

    def per_model(name: str) -> str:
        values = ", ".join(str(getattr(table[model], name)) for model in MODELS)
        return f"[{values}, 0]"

    def usd(pico: str, places: int = 12) -> str:
        return f"toDecimal128({pico}, {places}) / 1000000000000"

    for first in range(0, rows, FILL_ROWS):
        count = min(FILL_ROWS, rows - first)
        store.command(f"""
            INSERT INTO ledger (event_id, revision, entry_kind, occurred_at, booked_at, source, kind, provider, model,
                price_model, category, project, environment, cost_center, workload_type, team, feature, customer,
                input_tokens, cache_read_tokens, output_tokens, list_cost, contracted_cost, effective_cost,
                avoided_cost, unpriced_reason, price_book_version, attribution_version, line_sku, line_meter,
                line_quantity,
                line_list_unit_price, line_unit_price, line_list_cost, line_cost, line_effective_cost, status,
                topic_id, partition, offset)
            WITH
                number + {first} AS n,
                if(n % 100 = 7, {len(MODELS)}, cityHash64(n) % {len(MODELS)}) AS m,
                m = {len(MODELS)} AS unknown,
                toInt64(cityHash64(n, 'i') % 20000 + 1) AS input,
                toInt64(cityHash64(n, 'c') % input) AS cached,
                toInt64(cityHash64(n, 'o') % 3000 + 1) AS output,
                [input - cached, cached, output] AS quantities,
                [{per_model("input")}[m + 1], {per_model("cached")}[m + 1], {per_model("output")}[m + 1]] AS unit,
                arrayFilter((x, q) -> q > 0 AND NOT unknown, [1, 2, 3], quantities) AS kept,
                arrayMap(x -> quantities[x] * unit[x], kept) AS costs,
                ['input_tokens', 'cache_read_tokens', 'output_tokens'] AS meters,
                if(unknown, NULL, CAST(arraySum(costs) AS Int64)) AS pico
            SELECT
                concat('bench-', toString(n)), 0, 'charge',
                fromUnixTimestamp64Micro(toInt64({int(SINCE.timestamp())}) * 1000000
                    + toInt64(cityHash64(n, 't') % ({DAYS} * 86400 * 1000000)), 'UTC'),
                toDateTime64('2026-11-01 00:00:00', 6, 'UTC'),
                concat('service-', toString(n % 7)), 'tokens', 'openai', [{models}][m + 1] AS model,
                if(unknown, '', concat('openai/', model)), 'inference',
                concat('project-', toString(n % 11)), 'production', 'cc-1', 'inference',
                concat('team-', toString(n % 40)), concat('feature-', toString(n % 13)),
                concat('customer-', toString(n % 500)),
                input, cached, output,
                {usd("pico")}, {usd("pico")}, {usd("pico")}, 0,
                if(unknown, 'unknown_model', ''), '{book}', 'none',
                arrayMap(x -> concat('openai/', model, '/', toString(x)), kept), arrayMap(x -> meters[x], kept),
                arrayMap(x -> CAST(quantities[x] AS Decimal(38, 12)), kept),
                arrayMap(x -> {usd("unit[x]", 18)}, kept),
                arrayMap(x -> {usd("unit[x]", 18)}, kept),
                arrayMap(c -> {usd("c")}, costs), arrayMap(c -> {usd("c")}, costs), arrayMap(c -> {usd("c")}, costs),
                'ok', 'bench', 0, n
            FROM numbers({count})
            SETTINGS max_insert_block_size = 10000000, min_insert_block_size_rows = 10000000,
                min_insert_block_size_bytes = 4000000000, max_threads = 1
        """)


def expected(per: str = "") -> str:
    """SQL: what every event must come to after the change, in pico-USD of list and contracted cost, from its charge."""
    numerator, denominator = FACTOR.numerator, FACTOR.denominator

    def half_even(cost: str) -> str:
        product = f"(toInt128({cost}) * {numerator})"
        quotient, rest = f"intDiv({product}, {denominator})", f"({product} % {denominator})"
        return f"({quotient} + (2 * {rest} > {denominator} OR (2 * {rest} = {denominator} AND {quotient} % 2 = 1)))"

    # Each line of the charge is rounded by itself; its list cost in pico-USD is quantity times a whole price.
    line = f"toInt128(c * {PICO_PER_USD})"
    return (
        f"SELECT {per} count() AS events, sum(toInt128(ifNull(list_cost, 0) * {PICO_PER_USD})) AS listed, "
        f"sum(arraySum(c -> {half_even(line)}, line_list_cost)) AS contracted FROM ledger WHERE entry_kind = 'charge'"
    )


def differences(store: StoreClient) -> dict[str, Any]:
    """What is wrong after the change: events whose entries don't add up to the oracle, totals, and the rollups."""
    per_event = store.rows(
        f"SELECT count() FROM (SELECT event_id, sum(toInt128(ifNull(contracted_cost, 0) * {PICO_PER_USD})) AS is, "
        f"sum(events) AS counted FROM ledger GROUP BY event_id) AS net "
        f"FULL OUTER JOIN ({expected('event_id,')} GROUP BY event_id) AS oracle USING event_id "
        "WHERE net.is != oracle.contracted OR counted != 1 SETTINGS join_algorithm = 'grace_hash'"
    )[0][0]
    oracle = store.rows(expected())[0]
    found: dict[str, Any] = {"events_that_differ": per_event}
    for table in ("ledger", *ROLLUPS):
        is_now = store.rows(
            f"SELECT sum(events), sum(toInt128(ifNull(list_cost, 0) * {PICO_PER_USD})), "
            f"sum(toInt128(ifNull(contracted_cost, 0) * {PICO_PER_USD})), sum(input_tokens) FROM {table}"
        )[0]
        if is_now[:3] != oracle:
            found[table] = {"is": is_now[:3], "should": oracle}
    tokens = {store.rows(f"SELECT sum(input_tokens) FROM {table}")[0][0] for table in ("ledger", *ROLLUPS)}
    if len(tokens) != 1:
        found["tokens"] = tokens
    return {name: value for name, value in found.items() if value}


def environment(store: StoreProcess) -> dict[str, str]:
    """For the command: where the store is, and as whom to write."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("SPENDSTREAM_")},
        "SPENDSTREAM_CLICKHOUSE_URL": store.url,
        "SPENDSTREAM_CLICKHOUSE_USER": "spendstream",
        "SPENDSTREAM_CLICKHOUSE_PASSWORD_FILE": str(store.folder / "credentials"),
    }


def start(store: StoreProcess, config_dir: Path, *flags: str) -> subprocess.Popen[str]:
    """`spendstream reprice` on everything, as a user calls it."""
    command = [
        sys.executable,
        "-m",
        "spendstream",
        "reprice",
        "--since",
        SINCE.isoformat(),
        "--config-dir",
        str(config_dir),
    ]
    return subprocess.Popen(
        [*command, "--json", *flags], env=environment(store), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Its answer."""
    output, errors = process.communicate()
    if process.returncode != 0:
        raise AssertionError(f"exit code {process.returncode}\n{output}{errors}")
    return dict(json.loads(output))


def kill_when(process: subprocess.Popen[str], store: StoreClient, posted: int) -> int:
    """kill -9 as soon as so many chunks are posted. Returns how many were."""
    while process.poll() is None:
        count = int(str(store.rows("SELECT count() FROM adjustment_chunks WHERE state = 'posted'")[0][0]))
        if count >= posted:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    said = process.communicate()
    assert process.returncode == -signal.SIGKILL, f"it ended before it was killed:\n{said}"
    return count


def config(folder: Path) -> Path:
    """A config folder with the changed price."""
    (folder / "overlays").mkdir(parents=True)
    (folder / "overlays" / "changed.yaml").write_text(OVERLAY.replace(repr(float(FACTOR)), "0.8765432101"))
    return folder


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; raises WrongResultError when anything is not exact."""
    made = parser(__doc__, seconds=0, rounds=1)
    made.add_argument("--rows", type=int, default=1_000_000, help="ledger rows (default 1,000,000)")
    made.add_argument("--chunk-rows", type=int, default=50_000)
    made.add_argument("--folder", type=Path, help="where to keep the store (default: a temporary folder)")
    args = parse(made, arguments)
    if args.quick:
        args.rows, args.chunk_rows = 20_000, 4_000
    folder = Path(tempfile.mkdtemp(prefix="bench-reprice-", dir=args.folder))
    store = StoreProcess.made(folder / "store")
    report = Report("reprice")
    report.details["rows"] = args.rows
    try:
        with StoreClient(store.settings) as client:
            measure(store, client, config(folder / "config"), args.rows, args.chunk_rows, report)
    finally:
        store.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return report.finish()


def measure(store: StoreProcess, client: StoreClient, prices: Path, rows: int, chunk_rows: int, report: Report) -> None:
    """Fill, look, apply and kill, resume, look again; everything is compared with the oracle."""
    chunk = ("--chunk-rows", str(chunk_rows))

    def timed(what: str, began: float) -> None:
        seconds = time.monotonic() - began
        print(f"{what}: {seconds:.1f} s", flush=True)
        report.figures.append(Figure(f"{what}, {rows:,} rows", "s", [seconds], lower_is_better=True))

    began = time.monotonic()
    fill(client, rows)
    timed("filling the ledger (not part of it)", began)
    began = time.monotonic()
    dry = finish(start(store, prices, "--dry-run", *chunk))
    timed("dry run", began)
    began = time.monotonic()
    posted = kill_when(start(store, prices, "--apply", *chunk), client, max(1, rows // chunk_rows // 2))
    timed("apply until kill -9", began)
    report.details["chunks_posted_when_killed"] = posted
    began = time.monotonic()
    done = finish(start(store, prices, "--apply", *chunk))
    timed("resume until done", began)
    report.check("runs in the journal", [(1,)], client.rows("SELECT count() FROM adjustment_history"))
    report.check("events adjusted", rows - len(range(7, rows, 100)), done["adjusted"])
    found = {name: value for name, value in done.items() if name not in ("outcome", "run", "by")}
    report.check("posted, and said by the dry run", {name: dry[name] for name in found}, found)
    began = time.monotonic()
    report.check("what differs from the oracle", {}, differences(client))
    timed("comparing with the oracle (not part of it)", began)
    began = time.monotonic()
    report.check("a second run adjusts", 0, finish(start(store, prices, "--dry-run", *chunk))["adjusted"])
    timed("dry run afterwards, two entries per event", began)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    report.figures.append(Figure("most memory of a process of the command (RSS)", "MiB", [peak], lower_is_better=True))


if __name__ == "__main__":
    sys.exit(main())
