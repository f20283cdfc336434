"""What the feed's thread makes of messages: one that cannot be used keeps none of the others from the guard."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from spendstream.guard.feed import Feed
from spendstream.stats import Counters
from spendstream_schemas.budget_feed import record_key
from tests.unit.producers.guard.support import config, policy, state


class Intake:
    """Keeps what it is given; fails on a budget named `poison`, as only a defect would."""

    def __init__(self) -> None:
        self.budgets: list[str] = []

    def take(self, records: list[Any]) -> None:
        for record in records:
            if record.budget_id == "poison":
                raise ZeroDivisionError("a defect")
            self.budgets.append(record.budget_id)


def message(key: bytes, value: bytes) -> Any:
    return SimpleNamespace(
        key=lambda: key, value=lambda: value, error=lambda: None, partition=lambda: 0, offset=lambda: 7
    )


@pytest.mark.parametrize("last", [policy("good"), state(1, "good")])
def test_the_records_behind_poison_are_taken(last: Any) -> None:
    """Bytes that are no record, a value that is too long, and a record that our own code fails on: counted."""
    intake, counters = Intake(), Counters()
    feed = Feed(config(), cast(Any, intake), counters)
    records = [policy("poison"), last]
    messages = [
        message(b"policy/x", b"\xff"),
        message(b"\xff", b"{}"),
        message(b"policy/x", b"[" * 100_000),
        *(message(record_key(record).encode(), record.model_dump_json().encode()) for record in records),
    ]
    feed._take(messages, cast(Any, SimpleNamespace(pass_by=lambda _: None)))
    assert intake.budgets == ["good"]
    assert counters.keyed()[2]["malformed_budget_record"] == 4
