"""What of a group is its own, and what goes on as a later group's."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from stream_jobs.anomalies.grouping import Group
from stream_jobs.anomalies.model import EVENTS, FindingRow
from stream_jobs.anomalies.own import own
from tests.unit.anomalies.telling_world import NOON, finding

MINUTE = timedelta(minutes=1)
EVE = {"user_id": "eve", "provider": "openai"}
"""What nearly all of the later excess has in common."""


def group(group_id: str, *rows: FindingRow) -> Group:
    return Group(group_id, "up", {}, {row.finding_id: row for row in rows})


def money(usd: int, **given: Any) -> dict[str, Any]:
    return {"expected": Decimal(0), "actual": Decimal(usd)} | given


def total(usd: int = 30, **given: Any) -> FindingRow:
    """Open, since the earlier burst."""
    return finding("total", **money(usd, **given))


EARLIER = finding("mallory", {"user_id": "mallory"}, ends_at=NOON + 6 * MINUTE, **money(10))
LATER = group("eve", finding("eve", {"user_id": "eve"}, starts_at=NOON + 21 * MINUTE, **money(20)))


def test_a_wide_finding_that_goes_on_as_a_later_causes_is_left_to_that() -> None:
    """What is left is the earlier group as it was."""
    provider = finding("openai", {"provider": "openai"}, **money(30))
    events = finding("events", measure=EVENTS, **money(900))
    whole = group("a", EARLIER, total(), provider, events)
    assert set(own(whole, [(whole, {}), (LATER, EVE)]).members) == {"mallory"}
    assert set(whole.members) == {"mallory", "total", "openai", "events"}


@pytest.mark.parametrize(
    ("rows", "common"),
    [
        ((EARLIER, total(80)), EVE),
        ((EARLIER, finding("bedrock", {"provider": "bedrock"}, **money(30))), EVE),
        ((EARLIER, total(), finding("search", {"team": "search"}, **money(30))), EVE),
        ((total(),), EVE),
        ((EARLIER, total(starts_at=NOON + 21 * MINUTE)), EVE),
        ((finding("alice", {"user_id": "alice"}, **money(10)), total()), EVE),
    ],
    ids=["more of it", "elsewhere", "goes on itself", "nothing else", "new", "still there"],
)
def test_what_goes_on_by_itself_stays(rows: tuple[FindingRow, ...], common: dict[str, str]) -> None:
    """Where the later cause is no part of it, or a small one; or where nothing of the earlier one was over before."""
    whole = group("a", *rows)
    assert own(whole, [(LATER, common)]) is whole


def test_opposite_moves_are_nothing_of_each_other() -> None:
    """A rise does not go on as a drop."""
    whole = group("a", EARLIER, total())
    later = Group("eve", "down", {}, LATER.members)
    assert own(whole, [(later, EVE)]) is whole
