"""How long `Guard.decide` takes: p50 and p99 in microseconds, with 100 budgets and 100,000 states of users.

Of the budgets thirty match no request; the rest are per team, project, model and so on, four of them per value. Eight
or nine cover each request. "Counted": with an estimate that is counted in each of them until a state includes it.
"While states come in": a thread applies states all the time, as the feed does.
"""

import random
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from spendstream import Attribution, Guard, GuardConfig
from spendstream_schemas.budget_feed import BudgetPolicy, BudgetState, Heartbeat, PolicyStep
from spendstream_schemas.scope import in_scope
from tests.benchmarks.harness.options import parse, parser
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure, Report

FLOOR_US, GOAL_US = 20.0, 8.0
USERS: Final = 100_000
STEPS: Final = (
    PolicyStep(at_percent=Decimal(80), action="reduced", max_output_tokens=500),
    PolicyStep(at_percent=Decimal(100), action="refuse"),
)
UPDATES_PER_S: Final = 2_000
ESTIMATE: Final = Decimal("0.000012")
PROVIDER, MODEL = "openai", "gpt-4o"


def _policy(budget_id: str, scope: dict[str, Any], *per: str) -> BudgetPolicy:
    return BudgetPolicy(budget_id=budget_id, scope=scope, per=per, steps=STEPS, amount_usd=Decimal(1000))


def policies() -> list[BudgetPolicy]:
    """A hundred."""
    return [
        *(_policy(f"team-{n}", {"team": f"t{n}"}) for n in range(30)),
        *(_policy(f"project-{n}", {"project": f"p{n}", "environment": ["prod", "staging"]}) for n in range(32)),
        *(_policy(f"nobody-{n}", {"customer": f"c{n}", "cost_center": f"cc{n}"}) for n in range(30)),
        _policy("company", {}),
        _policy("user", {}, "user_id"),
        _policy("feature", {"environment": "prod"}, "feature"),
        _policy("user-feature", {}, "user_id", "feature"),
        _policy("model", {}, "model"),
        _policy("not-prod", {"environment": {"none_of": ["prod"]}}),
        _policy("gpt", {"model": {"glob": "gpt-*"}}),
        _policy("openai", {"category": "inference", "provider": PROVIDER}),
    ]


def state(number: int, spent: int) -> BudgetState:
    now = datetime.now(UTC)
    return BudgetState(
        budget_id="user",
        values=(f"u{number}",),
        period_start=now,
        period_end=now + timedelta(days=1),
        amount_usd=Decimal(1000),
        spent_usd=Decimal(spent),
        held_usd=Decimal(0),
        as_of=now,
    )


def requests(count: int) -> list[Attribution]:
    """Of random users and features, some of them without a state."""
    chance = random.Random(7)
    return [
        Attribution(
            project=f"p{chance.randrange(40)}",
            environment="prod",
            team=f"t{chance.randrange(30)}",
            feature=f"f{chance.randrange(20)}",
            user_id=f"u{chance.randrange(USERS * 11 // 10)}",
            customer="shop",
        )
        for _ in range(count)
    ]


def measure(guard: Guard, asked: list[Attribution], estimate: Decimal | None) -> list[float]:
    """Sorted times of `decide` in microseconds."""
    times = []
    clock = time.perf_counter_ns
    for attribution in asked:
        began = clock()
        guard.decide(attribution, estimate, provider=PROVIDER, model=MODEL)
        times.append((clock() - began) / 1000)
    return sorted(times)


@contextmanager
def updating(guard: Guard) -> Iterator[None]:
    """States come in, ten at a time, at UPDATES_PER_S."""
    done = threading.Event()

    def feed() -> None:
        number = 0
        while not done.wait(10 / UPDATES_PER_S):
            number += 10
            guard.apply(*[state((number + n) % USERS, 1 + n) for n in range(10)])

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def covering(guard: Guard, known: list[BudgetPolicy], attribution: Attribution) -> tuple[int, int]:
    """How many budgets cover a request: by the contract's words, and by the guard."""
    facts = {name: value for name, value in attribution if isinstance(value, str)}
    facts |= {"provider": PROVIDER, "model": MODEL, "category": "inference"}
    expected = sum(in_scope(policy.scope, facts) and all(facts.get(name) for name in policy.per) for policy in known)
    decision = guard.decide(attribution, provider=PROVIDER, model=MODEL)
    return expected, len(decision._verdict.places)


def main(arguments: list[str] | None = None) -> int:
    """1 when a p50 misses the floor."""
    args = parse(parser(__doc__, seconds=1, rounds=5), arguments, quick_seconds=0.05)
    asked = requests(int(args.seconds * 20_000))
    users = USERS // 20 if args.quick else USERS
    report = Report("guard")
    with Guard(GuardConfig(bootstrap_servers="nowhere:1", source="bench"), connect=False) as guard:
        known = policies()
        guard.apply(*known)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for first in range(0, users, 500):
            guard.apply(*[state(number, 1) for number in range(first, first + 500)])
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        report.check("states", users, guard.stats().states)
        found: dict[tuple[str, str], list[float]] = {}
        for _ in range(args.rounds):
            for name, times in rounds(guard, asked):
                for label, q in (("p50", 0.5), ("p99", 0.99)):
                    found.setdefault((name, label), []).append(times[int(len(times) * q)])
        pairs = [covering(guard, known, attribution) for attribution in asked[:500]]
        report.check("budgets of 500 requests", sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs))
    for (name, label), values in found.items():
        bounds: Bounds = (FLOOR_US, GOAL_US) if label == "p50" and not args.quick else NOT_JUDGED
        report.figures.append(Figure(f"decide, {name}: {label}", "us", values, *bounds, lower_is_better=True))
    report.figures.append(Figure(f"memory of {users:,} states", "MiB", [grown], lower_is_better=True))
    report.details = {"policies": len(known), "states": users, "decisions_per_round": len(asked)}
    return report.finish()


def rounds(guard: Guard, asked: list[Attribution]) -> Iterator[tuple[str, list[float]]]:
    """The sorted times of each situation, in turn."""
    guard.apply(Heartbeat(at=datetime.now(UTC), job="bench"))
    yield "not counted", measure(guard, asked, None)
    yield "counted", measure(guard, asked, ESTIMATE)
    with updating(guard):
        yield "counted, while states come in", measure(guard, asked, ESTIMATE)


if __name__ == "__main__":
    sys.exit(main())
