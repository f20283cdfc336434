"""Budgets where deltas tell no more, or the ledger has let go: whatever is said is right, and stays what it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from stream_jobs.budget_terms.credits import Credit
from stream_jobs.series.block_sums import MAX_LABEL_VALUES
from stream_jobs.store.retention import kept_for
from tests.integration.budget_office import Office
from tests.integration.test_budget_periods import office, spend
from tests.integration.test_budget_units import ONLY_ACTUAL

pytestmark = pytest.mark.slow

__all__ = ["office"]  # a fixture
DAYS: dict[str, Any] = {"id": "days", "name": "Days", "amount": 10, "period": "day", "thresholds": ONLY_ACTUAL}
KEPT = timedelta(days=36)


def test_a_label_of_more_values_than_a_delta_tells_is_counted_by_each(office: Office) -> None:
    """Of one block; the budgets that look at the label read the ledger, also for those that have none."""
    tenant, beyond = "labels.tenant", MAX_LABEL_VALUES + 500
    office.world.labels = ("tenant",)
    office.write(
        {**DAYS, "id": "tenants", "per": [tenant]}, {**DAYS, "id": "none", "scope": {tenant: {"missing": True}}}, DAYS
    )
    office.restart()
    now = office.store.now()
    rows = [spend(now, number % 7 + 1, **{tenant: f"t{number}"}) for number in range(beyond)]
    delta = office.block([*rows, spend(now, 3)])
    assert delta.cut == {tenant}
    office.cycle(delta)
    assert {values: spent for values, (_, _, spent) in office.status("tenants").items()} == {
        (f"t{number}",): number % 7 + 1 for number in range(beyond)
    }
    assert office.status("none")[()][2] == 3
    assert office.status("days")[()][2] == 3 + sum(number % 7 + 1 for number in range(beyond))
    office.settle()
    assert office.difference() == 0


@contextmanager
def retention(office: Office) -> Iterator[None]:
    """What is older than KEPT leaves the ledger, of which the job knows that it keeps no more."""
    running, store = office.running, office.store
    running._ledger_kept = running._book._kept = running._recount._comparison._kept = KEPT
    store.command(f"ALTER TABLE ledger MODIFY TTL toDateTime(booked_at) + toIntervalDay({KEPT.days})")
    assert kept_for(store, "ledger") == KEPT
    try:
        store.command("OPTIMIZE TABLE ledger FINAL")
        yield
    finally:
        store.command("ALTER TABLE ledger REMOVE TTL")


def test_what_has_left_the_ledger_is_no_difference(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """Days and a total that are kept stay as they were said, and the check has nothing to say: neither by itself, nor
    when something comes late for them, nor when they are credited."""
    now = office.store.now()
    began = (now - timedelta(days=90)).date()
    office.write(DAYS, {**DAYS, "id": "total", "period": "total", "valid_from": began})
    office.restart()
    old = now.replace(hour=12) - timedelta(days=60)
    office.world.now = old
    office.cycle(office.world.block(0, [spend(old, 5)]))
    office.cycle(office.block([spend(now, 2)]))
    office.settle()

    def said() -> tuple[Any, ...]:
        return office.history("days"), office.status("total")[()][2]

    whole = said()
    assert sorted(spent for spent, _ in whole[0].values()) == [2, 5]
    assert whole[1] == 7
    with retention(office):
        assert office.store.rows("SELECT sum(effective_cost) FROM ledger") == [(2,)]
        for _ in range(3):
            office.settle()
        assert said() == whole
        office.restart()  # from here on nobody remembers the old day
        office.credit("days", Credit(amount=Decimal(4), period=f"{old:%Y-%m-%d}"))
        office.cycle(office.block([spend(old, 1)], 1))
        office.settle()
        assert said()[0] == whole[0]
        assert office.difference() == 0
    assert "the ledger has" not in caplog.text
    assert "than the ledger holds" not in caplog.text
