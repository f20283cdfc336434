"""Section: Microsoft's cloud monitoring series, labelled point by point by the people who run what they are of.

What is told is compared as stretches: a labelled window (labels with at most GAP others between them) is found by a
finding that overlaps it or begins up to SLACK points behind it; a finding without such a window is false. Points are
compared as well: those of findings from the moment they were told. The gauge detector was made while these series and
NAB's lay at hand: its lenses and the exponent of its tail were judged by what they made of both, so this is no proof of
how it does on others. No threshold was fitted to labels here.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from tests.benchmarks.detection.gauge_peers import PEERS, Marks
from tests.benchmarks.detection.labelled import Labelled, Scanned, scan, seconds_of
from tests.benchmarks.detection.options import Options, progress
from tests.benchmarks.harness.tables import Cells, Table

GAP: Final = 3
SLACK: Final = 3
HEAD: Final = (
    "detector", "windows found", "delay (steps)", "findings", "of these right", "false per 1,000 series-days",
    "points: precision", "recall",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stretch:
    """Points of a file: what is found from `first` to `last`, told at `told`."""

    first: int
    last: int
    told: int


@dataclass(slots=True)
class Tally:
    """Sums over files."""

    windows: int = 0
    found: int = 0
    findings: int = 0
    right: int = 0
    days: float = 0.0
    labelled: int = 0
    marked: int = 0
    both: int = 0
    delays: list[int] = field(default_factory=list)


def sections(options: Options) -> list[Table]:
    files = load(options.dataset("ms_cloud_monitoring"))
    if options.quick:
        files = files[:6]
    progress(f"Microsoft: {len(files)} files, {sum(len(file.values) for file, _ in files):,} values")
    told = scan([file for file, _ in files])
    rows = [_row("spendstream", files, [_of_findings(file, one) for (file, _), one in zip(files, told, strict=True)])]
    for name, peer in PEERS.items():
        rows.append(_row(name, files, [_runs(peer(file.values, file.step_s)) for file, _ in files]))
    windows = sum(len(file.windows) for file, _ in files)
    note = f"{len(files)} files, {windows} windows, {sum(file.days for file, _ in files):,.0f} series-days."
    return [Table("Microsoft's cloud monitoring series", HEAD, rows, note)]


def load(folder: Path) -> list[tuple[Labelled, Marks]]:
    """The files that are there, and which of their points are labelled. Points without a value are gaps."""
    files = []
    for path in sorted((folder / "data").glob("*/*.csv")):
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [row for row in list(csv.reader(stream))[1:] if row[1]]
        labels = np.array([row[2] == "1" for row in rows])
        seconds = np.array([seconds_of(row[0]) for row in rows])
        windows = tuple((one.first, one.last) for one in _runs(labels, GAP))
        name = f"{path.parent.name}/{path.stem}"
        files.append((Labelled(name, seconds, np.array([float(row[1]) for row in rows]), windows), labels))
    return files


def _runs(marks: Marks, gap: int = 0) -> list[Stretch]:
    """Marks with at most `gap` others between them are one stretch, told at its first."""
    runs: list[Stretch] = []
    for point in np.flatnonzero(marks).tolist():
        if runs and point - runs[-1].last <= gap + 1:
            runs[-1] = Stretch(runs[-1].first, point, runs[-1].told)
        else:
            runs.append(Stretch(point, point, point))
    return runs


def _of_findings(file: Labelled, told: Scanned) -> list[Stretch]:
    stretches = []
    for finding, point in zip(told.findings, told.points(file), strict=True):
        first = int(np.searchsorted(file.seconds, seconds_of(finding["start"])))
        last = len(file.values) - 1
        if finding["end"] is not None:
            last = int(np.searchsorted(file.seconds, seconds_of(finding["end"]))) - 1
        stretches.append(Stretch(min(first, point), max(last, point), point))
    return stretches


def _row(name: str, files: Sequence[tuple[Labelled, Marks]], told: Sequence[list[Stretch]]) -> Cells:
    tally = Tally()
    for (file, labels), stretches in zip(files, told, strict=True):
        _count(tally, file, labels, stretches)
    return (
        name,
        f"{tally.found} of {tally.windows}",
        f"{np.median(tally.delays):.0f}" if tally.delays else "",
        str(tally.findings),
        f"{tally.right / tally.findings:.0%}" if tally.findings else "",
        f"{1000 * (tally.findings - tally.right) / tally.days:,.1f}",
        f"{tally.both / tally.marked:.0%}" if tally.marked else "",
        f"{tally.both / tally.labelled:.0%}" if tally.labelled else "",
    )


def _count(tally: Tally, file: Labelled, labels: Marks, stretches: Sequence[Stretch]) -> None:
    marked = np.zeros(len(labels), np.bool_)
    for one in stretches:
        marked[one.told : one.last + 1] = True
    tally.windows += len(file.windows)
    tally.days += file.days
    tally.labelled += int(labels.sum())
    tally.marked += int(marked.sum())
    tally.both += int((marked & labels).sum())
    tally.findings += len(stretches)
    tally.right += sum(any(_meets(one, window) for window in file.windows) for one in stretches)
    for window in file.windows:
        meeting = [one.told for one in stretches if _meets(one, window)]
        if meeting:
            tally.found += 1
            tally.delays.append(max(min(meeting) - window[0], 0))


def _meets(one: Stretch, window: tuple[int, int]) -> bool:
    return one.first <= window[1] + SLACK and one.last >= window[0]
