"""What the demo shows of the future: what budgets will hold by the job `forecasts`, and which will be gone when."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from stream_jobs.output.console import Console
from stream_jobs.runtime.retry import wait_until

if TYPE_CHECKING:
    from stream_jobs.embedded.instance import Instance
    from stream_jobs.forecasts.terminal import Outlined, Overview
    from stream_jobs.store.client import StoreClient

WAIT_S: Final = 10.0
HOURS: Final = 24
MOST_VALUES: Final = 3
"""Of a budget for each user, those whose are gone first."""
_POLL_S: Final = 0.3


def ask(instance: "Instance") -> datetime:
    """For a forecast by the hour: the job made one of nothing when it began. It is made while people read of alerts."""
    from stream_jobs.embedded.instance import embedded_clickhouse
    from stream_jobs.forecasts.runs import request
    from stream_jobs.store.client import StoreClient

    with StoreClient(embedded_clickhouse(instance, writable=True)) as store:
        return request(store, "hour", "spendstream-demo")


def wait_until_forecast(store: "StoreClient", asked: datetime, wait_s: float = WAIT_S) -> bool:
    """Whether there is a forecast that began after it was asked for."""
    from stream_jobs.forecasts.read import read_runs

    def is_here() -> bool:
        made = read_runs(store).hour
        return made is not None and made.run >= asked

    return wait_until(is_here, wait_s, _POLL_S)


def look(store: "StoreClient") -> "Overview":
    """At the next day, with a few values of each budget."""
    from stream_jobs.forecasts.overview import read_overview
    from stream_jobs.forecasts.terminal import first_gone

    found = read_overview(store, {"hour": HOURS})
    return replace(found, endless=list(few(first_gone(found.endless))))


def few(endless: "Sequence[Outlined]") -> "Iterator[Outlined]":
    """In the same order, MOST_VALUES of each budget at most."""
    seen: Counter[str] = Counter()
    for one in endless:
        seen[one.series.series.budget_id] += 1
        if seen[one.series.series.budget_id] <= MOST_VALUES:
            yield one


def show(console: Console, found: "Overview | None") -> None:
    from stream_jobs.forecasts.terminal import budgets_table, soonest, windows_table

    console.print()
    if found is None:
        console.print("No forecast is there yet; spendstream forecast shows it.", style="yellow")
        return
    console.print(f"What budgets will hold in {HOURS} hours, by {_known(found)}, and when they will be gone:")
    if found.budgets:
        console.print(budgets_table(soonest(found.budgets)))
    if found.endless:
        console.print(windows_table(found.endless))


def _known(found: "Overview") -> str:
    known = max((one.series.known for one in found.totals), default=0)
    return f"{known} hour{'s' if known != 1 else ''} of history"
