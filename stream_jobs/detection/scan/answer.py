"""What a scan answers: findings as JSON values, and a score for every point as CSV."""

import csv
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import printable
from stream_jobs.detection.model import Finding, Floats
from stream_jobs.detection.scan import costs, gauges
from stream_jobs.detection.scan.notes import notes as notes_of
from stream_jobs.timed_csv.columns import Mode
from stream_jobs.timed_csv.instants import of_micros, of_minute
from stream_jobs.timed_csv.reading import Rows, Told, read

NEWS_VALUES: Final = 100
"""So many values behind a surprise, a lesser one of the same series is no news."""
SCORES: Final = ("time", "series", "score", "surprise")


@dataclass(frozen=True, slots=True)
class Answer:
    mode: Mode
    findings: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)  # what people should know of how the file was read


def scan_file(
    path: Path,
    mode: Mode | None = None,
    scores: Path | None = None,
    reading: Told = lambda _done, _of: None,
    judging: Told = lambda _done, _of: None,
) -> Answer:
    """Read and judge a file; `scores` names the file for a score per point. Raises ConfigError that says what to do."""
    rows = read(path, mode, reading)
    if scores is None:
        return answer(rows, judging)
    begun = scores.with_name(f".{scores.name}.part")
    try:
        with begun.open("w", encoding="utf-8", newline="") as out:
            told = answer(rows, judging, out)
        begun.replace(scores)  # it has its name when everything is in it
    except OSError as error:
        raise ConfigError(f"--scores {printable(str(scores))}: cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            begun.unlink(missing_ok=True)
    return told


def answer(rows: Rows, told: Told, scores: IO[str] | None = None) -> Answer:
    """Replay the rows; writes a score per point to `scores`. Raises ConfigError."""
    writer = csv.writer(scores, lineterminator="\n") if scores is not None else None
    if writer is not None:
        writer.writerow(SCORES)
    notes = notes_of(rows)
    if rows.columns.mode == "cost":
        found = costs.replay(rows, told, None if writer is None else _writing(writer))
    else:
        points = gauges.points_of(rows)
        if len(points.at) < len(rows.micros):
            joined, counts = len(rows.micros) - len(points.at), "sum" if rows.columns.adds_up else "mean"
            notes.append(f"{joined:,} values share a minute with others: the {counts} counts")
        found, surprise = gauges.replay(points, rows.names, told)
        if writer is not None:
            news = gauges.news(points, surprise, NEWS_VALUES)
            for row, point in enumerate(points.of_row.tolist()):
                name, time = rows.names[rows.series[row]], of_micros(int(rows.micros[row]))
                writer.writerow((time, name, f"{news[point]:.6g}", f"{surprise[point]:.6g}"))
    found.sort(key=lambda one: (one[1].detected_at, one[0], one[1].direction, one[1].start))
    return Answer(rows.columns.mode, [told_of(name, finding) for name, finding in found], notes)


def _writing(writer: Any) -> costs.Judged:
    def judged(minute: int, names: list[str], surprise: Floats) -> None:
        time, shown = of_minute(minute), [f"{one:.6g}" for one in surprise.tolist()]
        writer.writerows((time, name, one, one) for name, one in zip(names, shown, strict=True))

    return judged


def told_of(series: str, finding: Finding) -> dict[str, Any]:
    """One finding, for machines. Figures are statistics, and no money that is owed: numbers, not decimal strings."""
    return {
        "series": series,
        "start": of_minute(finding.start),
        "detected_at": of_minute(finding.detected_at),
        "end": None if finding.end is None else of_minute(finding.end),
        "direction": finding.direction,
        "kind": finding.kind,
        "expected": finding.expected,
        "actual": finding.actual,
        "excess": finding.excess,
        "score": finding.score,
        "severity": finding.severity,
    }
