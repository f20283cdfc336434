"""Budgets of 100,000 users: the first cycle of the budgets job, and what people ask of thirty days of it.

Two budgets per user, of a day and of a month, so twice as many states. Counted is CPU time: of the job's process for
its first cycle, of a command's process (with the start of Python) and of the store meanwhile for each question.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from stream_jobs.budgets.job import BudgetsJob
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.ports import free_port
from stream_jobs.runtime.topics import ALERTS, BUDGET_CONTROL, BUDGET_STATE
from stream_jobs.store.client import StoreClient
from tests.benchmarks.harness.machine import ROOT
from tests.benchmarks.harness.options import parse, parser
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure, Report
from tests.store_server import StoreProcess
from tests.unit.producers.support import read_topic

USERS: Final = 100_000
DAYS: Final = 30
CYCLE_S: Final = (10.0, 5.0)
MEMORY_MIB: Final = (600.0, 400.0)
COMMAND_S: Final = (2.0, 1.0)
REPORT_S: Final = (5.0, 2.5)
BUDGETS: Final = (
    {"id": "user-days", "name": "Each user's day", "per": ["user_id"], "amount": "2.50", "period": "day"},
    {"id": "user-months", "name": "Each user's month", "per": ["user_id"], "amount": 50, "period": "month"},
    {"id": "company", "name": "The company", "amount": 1_000_000, "period": "month"},
)
COMMANDS: Final[dict[str, tuple[tuple[str, ...], Bounds]]] = {
    "budgets list": (("budgets", "list"), COMMAND_S),
    "budgets list --json": (("budgets", "list", "--json"), COMMAND_S),
    "budgets show": (("budgets", "show", "user-days"), COMMAND_S),
    "budgets show --json": (("budgets", "show", "user-days", "--json"), COMMAND_S),
    "alerts list": (("alerts", "list"), COMMAND_S),
    "report": (("report",), REPORT_S),
}
QUESTIONS: Final = {
    "budget_status, counted": "SELECT count(), sum(spent) FROM budget_status WHERE budget_id = 'user-days'",
    "budget_status, the dearest": "SELECT vals, spent, used_share FROM budget_status ORDER BY used_share DESC LIMIT 10",
    "budget_status, one user": "SELECT spent FROM budget_status WHERE has(vals, 'user-7')",
    "budget_history, by day": "SELECT period_key, sum(spent), countIf(overspent) FROM budget_history "
    "WHERE budget_id = 'user-days' GROUP BY period_key",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A store and a broker."""

    folder: Path
    store: StoreProcess
    client: StoreClient
    kafka: KafkaSettings

    def store_s(self) -> float:
        """The CPU time of the store's process until now."""
        user, system = Path(f"/proc/{self.store.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    store, broker = StoreProcess(folder / "store"), TansuBroker(free_port(), folder / "broker")
    broker.start()
    try:
        store.wait_ready().migrated()
        kafka = embedded_kafka(broker.address)
        ensure_topics(kafka, [TopicSpec(topic, 1, 1, {}) for topic in (ALERTS, BUDGET_CONTROL, BUDGET_STATE)])
        (folder / "config").mkdir()
        (folder / "config" / "budgets.yaml").write_text(json.dumps({"budgets": BUDGETS}))
        with StoreClient(store.settings) as client:
            yield Place(folder, store, client, kafka)
    finally:
        broker.stop()
        store.stop()
        shutil.rmtree(folder, ignore_errors=True)


def spend(client: StoreClient, users: int) -> None:
    """Each user has spent something today, one in a hundred more than the day's amount; the others not so much that
    it would be foretold, whenever this runs."""
    client.command(
        "INSERT INTO ledger (event_id, revision, entry_kind, occurred_at, booked_at, source, kind, provider, model, "
        "category, team, user_id, input_tokens, output_tokens, list_cost, contracted_cost, effective_cost, topic_id, "
        "partition, offset) SELECT toString(number), 0, 'charge', now64(6, 'UTC') - toIntervalMillisecond(5), "
        "now64(6, 'UTC') - toIntervalMillisecond(2), 'bench', 'tokens', 'openai', 'gpt-4o', 'inference', 'search', "
        "concat('user-', toString(number)), 1000, 10, if(number % 100 = 7, 3, toDecimal128('0.1', 12)) "
        "+ toDecimal128(number, 12) / 1000000 AS usd, usd, usd, 'topic', 0, number "
        f"FROM numbers({users}) SETTINGS max_insert_block_size = 10000000, max_threads = 1"
    )


def history(client: StoreClient, users: int, days: int) -> None:
    """What the job keeps where each user spends on each day: a row per user and day, written as often as it moved."""
    for day in range(1, days):
        client.command(
            "INSERT INTO budget_periods (budget_id, period_start, vals, period_key, period_end, updated_at, name, per, "
            "unit, currency, rate, amount, spent) SELECT 'user-days', toStartOfDay(now64(6, 'UTC')) - "
            f"toIntervalDay({day}) AS begin, [concat('user-', toString(number))], toString(toDate(begin)), "
            "begin + toIntervalDay(1), begin + toIntervalHour(20), 'Each user''s day', ['user_id'], 'USD', 'USD', 1, "
            f"2.5, toDecimal128(number % 300, 12) / 100 FROM numbers({users})"
        )
    client.command(
        "INSERT INTO alert_events (alert_id, position, episode, change, at, status, kind, name, severity, level, "
        "alert_group, summary, labels, money_usd, starts_at, observed_at, document) SELECT concat('budget/user-days/', "
        "toString(number)), number + 1, 1, 'opened', now64(6, 'UTC'), 'open', 'budget', 'BudgetThreshold', 'error', "
        "100000, 'budget/user-days/today', concat('user ', toString(number), ' is over budget'), "
        "map('budget', 'user-days'), 1, now64(6, 'UTC'), now64(6, 'UTC'), "
        """'{"opened_at":"2026-11-26T12:00:00Z","acknowledged_by":""}' """
        f"FROM numbers({users})"
    )


def first_cycle(here: Place, users: int, report: Report, judged: bool) -> None:
    """Begin, and say where everybody stands."""
    job = BudgetsJob(here.client, here.kafka, here.folder / "config")
    before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    try:
        began, store_began = time.process_time(), here.store_s()
        job.begin()
        loaded = time.process_time()
        job.handle([])
        done, store_s = time.process_time(), here.store_s() - store_began
    finally:
        job.end()
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    kept = here.client.rows("SELECT count(), sum(spent) FROM budget_periods WHERE budget_id = 'user-days'")[0]
    spent = here.client.rows("SELECT count(), sum(effective_cost) FROM ledger")[0]
    report.check("what is kept of the day is what the ledger holds", spent, kept)
    sent = {message.key() for message in read_topic(here.kafka.bootstrap_servers, BUDGET_STATE)}
    of_users = sum((key or b"").startswith(b"state/user-") for key in sent)
    report.check("states that were sent", 2 * users, of_users)
    report.details["before_mib"] = round(before_mib)
    bounds: dict[str, Bounds] = {"cycle": CYCLE_S, "memory": MEMORY_MIB} if judged else {}
    for name, unit, value, kind in (
        (f"{2 * users:,} states: begin and first cycle, CPU", "s", done - began, "cycle"),
        ("of these: begin", "s", loaded - began, ""),
        ("meanwhile: the store, CPU", "s", store_s, ""),
        ("most memory", "MiB", peak_mib, "memory"),
    ):
        floor, goal = bounds.get(kind, NOT_JUDGED)
        report.figures.append(Figure(name, unit, [value], floor, goal, lower_is_better=True))


def timed(here: Place, ask: Callable[[], object], rounds: int) -> list[float]:
    """CPU seconds of the processes that are run, and of the store."""
    found = []
    for _ in range(rounds):
        before, store_s = resource.getrusage(resource.RUSAGE_CHILDREN), here.store_s()
        ask()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        command_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found.append(command_s + here.store_s() - store_s)
    return found


def run(here: Place, arguments: tuple[str, ...]) -> str:
    """What a command prints."""
    year = datetime.now(UTC) - timedelta(days=365)
    more = ("--from", f"{year:%Y-%m-%d}", "--out", str(here.folder / "r.html")) if arguments[0] == "report" else ()
    command = [sys.executable, "-m", "spendstream", *arguments, *more, "--url", here.store.url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{arguments}: {done.stderr}")
    return done.stdout


def main(arguments: list[str] | None = None) -> int:
    """1 when a floor is missed, or something is not complete."""
    made = parser(__doc__, seconds=0, rounds=3)
    made.add_argument("--users", type=int, default=USERS)
    made.add_argument("--days", type=int, default=DAYS, help="of history (default 30)")
    args = parse(made, arguments)
    if args.quick:
        args.users, args.days = min(args.users, 2_000), min(args.days, 3)
    report, judged = Report("states"), not args.quick
    with place() as here:
        spend(here.client, args.users)
        first_cycle(here, args.users, report, judged)
        history(here.client, args.users, args.days)
        listed = [json.loads(line) for line in run(here, ("budgets", "list", "--json")).splitlines()]
        found = {one["id"]: one["values"] for one in listed}
        wanted = {"user-days": args.users, "user-months": args.users, "company": 1}
        report.check("values of each budget", sorted(wanted.items()), sorted(found.items()))
        shown = json.loads(run(here, ("budgets", "show", "user-days", "--json")))
        report.check("standings of a budget", args.users, len(shown["standings"]))
        for name, (command, bounds) in COMMANDS.items():
            values = timed(here, lambda command=command: run(here, command), args.rounds)  # type: ignore[misc]
            floor, goal = bounds if judged else NOT_JUDGED
            report.figures.append(Figure(f"{name}, CPU", "s", values, floor, goal, lower_is_better=True))
        for name, sql in QUESTIONS.items():
            values = timed(here, lambda sql=sql: here.client.rows(sql), args.rounds)  # type: ignore[misc]
            floor, goal = COMMAND_S if judged else NOT_JUDGED
            report.figures.append(Figure(f"{name}, CPU", "s", values, floor, goal, lower_is_better=True))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        report.figures.append(Figure("most memory of a command", "MiB", [peak], lower_is_better=True))
    report.details |= {"users": args.users, "days": args.days}
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
