"""A run whose totals are wrong is no measurement."""

from dataclasses import asdict
from pathlib import Path
from typing import cast

import pytest

from tests.benchmarks.harness.messages import expected
from tests.benchmarks.harness.results import WrongResultError
from tests.benchmarks.harness.rig import Rig
from tests.benchmarks.harness.sustained import TABLES, check

SENT = 5_000


class Totals:
    """What a rig's store holds, with one table that may be off."""

    config_dir: Path | None = None

    def __init__(self, wrong_table: str = "", **off: int) -> None:
        self._wrong_table, self._off = wrong_table, off

    def totals(self, table: str) -> dict[str, int]:
        found = asdict(expected(SENT, None))
        if table == self._wrong_table:
            found = {name: value + self._off.get(name, 0) for name, value in found.items()}
        return found


def test_exact_totals_pass() -> None:
    """Nothing is said when everything is there once."""
    check(cast(Rig, Totals()), SENT, "x")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "off", [{"events": -1}, {"events": 1}, {"list_cost": 1}, {"effective_cost": -1}, {"unpriced": 1}]
)
def test_a_difference_fails_the_run(table: str, off: dict[str, int]) -> None:
    """One event lost or doubled, or a single pico-USD, in the ledger or in any rollup."""
    with pytest.raises(WrongResultError, match=table):
        check(cast(Rig, Totals(table, **off)), SENT, "x")
