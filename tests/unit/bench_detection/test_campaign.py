"""A design's cells are cut into portions that fit into memory, and what comes out does not depend on how."""

from functools import partial

import pytest

from tests.benchmarks.detection.campaign import OURS, Cell, _portions, run
from tests.benchmarks.detection.generator import Spec
from tests.benchmarks.detection.options import Options
from tests.benchmarks.detection.peers import PEERS
from tests.benchmarks.detection.trials import make

SPEC = Spec(rate=5, weeks=0, days=1)


def cell(name: str, series: int, minutes: int = SPEC.minutes) -> Cell:
    return Cell(name, partial(make, SPEC), series, minutes, peers=10)


@pytest.mark.parametrize("side_by_side", [20, 50, 1_000])
def test_portions_hold_every_series_once(side_by_side: int) -> None:
    """In portions about as large as asked for, of one length each; seeds belong to cells, not to portions."""
    portions = list(_portions([cell("a", 45), cell("b", 70), cell("c", 5, 99)], 7, side_by_side))
    assert all(len({chunk.cell.minutes for chunk in chunks}) == 1 for chunks in portions)
    assert all(sum(chunk.series for chunk in chunks) < side_by_side + 20 for chunks in portions)
    chunks = sorted((chunk.seed, chunk.cell.name, chunk.series) for chunks in portions for chunk in chunks)
    assert chunks == [
        (7, "a", 20), (8, "a", 20), (9, "a", 5),
        (1007, "b", 20), (1008, "b", 20), (1009, "b", 20), (1010, "b", 10),
        (2007, "c", 5),
    ]  # fmt: skip


def test_a_run_tells_of_every_cell_and_detector() -> None:
    """Series-days and points of all series for ours; for the peers of those that they see."""
    results = run([cell("a", 30), cell("b", 2)], Options(processes=1), 7)
    assert results["a", OURS].quiet_days == 30
    assert results["a", OURS].points == 30 * SPEC.minutes
    assert results["b", OURS].quiet_days == 2
    assert {name for _, name in results} == {OURS, *PEERS}
    assert results["a", "LiteLLM's rule"].quiet_days == 20
    assert results["a", "STL residuals"].quiet_days == 2
    assert all(judged.cpu_s > 0 for judged in results.values())
