"""Labelled data sets, and what `spendstream anomalies scan` says of their files: a score per point, and findings."""

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.scan.answer import scan_file

Floats = npt.NDArray[np.float64]
MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Labelled:
    """One file: its points in the order of time, and its labelled windows as (first, last) points."""

    name: str
    seconds: npt.NDArray[np.int64]  # since 1970
    values: Floats
    windows: tuple[tuple[int, int], ...]

    @property
    def days(self) -> float:
        return float(self.seconds[-1] - self.seconds[0]) / 86_400

    @property
    def step_s(self) -> float:
        return float(np.median(np.diff(self.seconds)))


@dataclass(frozen=True, slots=True)
class Scanned:
    """What the scan said of one file."""

    scores: Floats  # a score per point
    findings: list[dict[str, Any]]

    def points(self, file: Labelled) -> list[int]:
        """The point at which each finding was told: the one whose step had just ended."""
        told = [seconds_of(finding["detected_at"]) for finding in self.findings]
        ends = file.seconds // MINUTE_S * MINUTE_S + file.step_s // MINUTE_S * MINUTE_S
        return [min(int(np.searchsorted(ends, at)), len(ends) - 1) for at in told]


def seconds_of(text: str) -> int:
    """Without a zone it is UTC."""
    at = datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def scan(files: Sequence[Labelled]) -> list[Scanned]:
    """As `spendstream anomalies scan FILE --json --scores OUT` says it, in this process: every file is a series."""
    with tempfile.TemporaryDirectory() as folder:
        path, scores = Path(folder, "values.csv"), Path(folder, "scores.csv")
        with path.open("w", newline="") as out:
            rows = csv.writer(out)
            rows.writerow(("time", "series", "value"))
            for file in files:
                for at, value in zip(file.seconds.tolist(), file.values.tolist(), strict=True):
                    rows.writerow((at, file.name, value))
        found = scan_file(path, scores=scores)
        kept: dict[str, list[float]] = {file.name: [] for file in files}
        with scores.open(newline="") as told:
            for row in csv.DictReader(told):
                kept[row["series"]].append(float(row["score"]))
    findings: dict[str, list[dict[str, Any]]] = {file.name: [] for file in files}
    for one in found.findings:
        findings[one["series"]].append(one)
    return [Scanned(np.array(kept[file.name]), findings[file.name]) for file in files]
