"""Cells of a design (a shape or a noise, at a rate), each with many series, through all detectors.

Series are generated and replayed in portions, so that memory stays bounded, and side by side within one. Their random
numbers depend on the seed, the cell and their number alone, not on the portions.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final

from tests.benchmarks.detection.found import Judged, judge
from tests.benchmarks.detection.generator import Traffic
from tests.benchmarks.detection.options import Options, progress
from tests.benchmarks.detection.peers import PEERS
from tests.benchmarks.detection.replay import replay

OURS: Final = "spendstream"
SIDE_BY_SIDE: Final = 480
CHUNK: Final = 20  # series that share a seed
Make = Callable[[int, int], Traffic]
"""Traffic of a seed and a number of series; a function of a module or a partial of one: it goes to other processes."""
Results = dict[tuple[str, str], Judged]
"""By cell and detector."""
Told = list[tuple[tuple[str, str], Judged]]


@dataclass(frozen=True, slots=True)
class Cell:
    """`peers`: how many of its series the other detectors see, too."""

    name: str
    make: Make
    series: int
    minutes: int
    peers: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    cell: Cell
    seed: int
    series: int
    peers: bool


def run(cells: Sequence[Cell], options: Options, seed: int, side_by_side: int = SIDE_BY_SIDE) -> Results:
    """Raises what the detectors raise. `seed`: the first of many."""
    results: Results = {}
    portions = list(_portions(cells, seed, side_by_side))
    began = time.monotonic()
    for number, done in enumerate(_done(portions, options), 1):
        for key, judged in done:
            results.setdefault(key, Judged()).__iadd__(judged)
        progress(f"portion {number} of {len(portions)}, {time.monotonic() - began:.0f} s")
    return results


def _done(portions: Sequence[Sequence[Chunk]], options: Options) -> Iterator[Told]:
    """As they are completed; one process is this one."""
    if options.processes == 1:
        yield from (_run_portion(portion, options) for portion in portions)
        return
    with ProcessPoolExecutor(max_workers=options.processes, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(_run_portion, portion, options) for portion in portions]):
            yield future.result()


def _portions(cells: Sequence[Cell], seed: int, side_by_side: int) -> Iterator[list[Chunk]]:
    """Chunks of series of equal length, those of one cell spread over the portions."""
    by_length: dict[int, list[Chunk]] = {}
    for index, cell in enumerate(cells):
        for part, first in enumerate(range(0, cell.series, CHUNK)):
            size = min(CHUNK, cell.series - first)
            chunk = Chunk(cell, seed + 1000 * index + part, size, first < cell.peers)
            by_length.setdefault(cell.minutes, []).append(chunk)
    for chunks in by_length.values():
        count = -(-sum(chunk.series for chunk in chunks) // side_by_side)
        yield from (chunks[start::count] for start in range(count))


def _run_portion(chunks: Sequence[Chunk], options: Options) -> Told:
    traffics = [chunk.cell.make(chunk.seed, chunk.series) for chunk in chunks]
    done: Told = []
    began = time.process_time()
    found = replay(traffics, from_hours=options.from_hours)
    share = (time.process_time() - began) / sum(chunk.series for chunk in chunks)
    for chunk, traffic, findings in zip(chunks, traffics, found, strict=True):
        since, until = traffic.history_ends, traffic.first + traffic.events.shape[1]
        judged = judge(findings, traffic.incidents, chunk.series, since, until)
        judged.cpu_s, judged.points = share * chunk.series, traffic.events.size
        done.append(((chunk.cell.name, OURS), judged))
        for name, peer in PEERS.items() if chunk.peers and options.peers else ():
            cost = traffic.cost[: max(1, round(peer.share * chunk.series))]
            began = time.process_time()
            theirs = peer.find(cost, traffic.first, since)
            spent = time.process_time() - began
            judged = judge(theirs, traffic.incidents, len(cost), since, until)
            judged.cpu_s, judged.points = spent, cost.size
            done.append(((chunk.cell.name, name), judged))
    return done
