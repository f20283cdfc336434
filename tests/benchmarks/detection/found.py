"""What a detector said, in the few words that all detectors share, and whether it was right."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stream_jobs.detection.model import Direction
from tests.benchmarks.detection.generator import DAY, SHAPES, Incident


class Found(NamedTuple):
    """Instants are minutes since 1970. `end`: None while it is open."""

    number: int  # of the series
    start: int
    detected_at: int
    end: int | None
    direction: Direction
    what: str = ""  # kind and scale, where it has them


@dataclass(slots=True)
class Judged:
    """What a detector said about series, against the truth."""

    delays: list[float | None] = field(default_factory=list)  # minutes, of each incident; None: not found
    repeats: int = 0  # further findings of an incident that was found
    false_alerts: int = 0  # detected while nothing had happened yet, or where nothing ever does
    echoes: int = 0  # detected after the beginning of an incident, but not of it: another time or direction
    quiet_days: float = 0.0  # series-days in which every finding is a false alert
    whats: Counter[str] = field(default_factory=Counter)  # of the false alerts
    cpu_s: float = 0.0
    points: int = 0  # series-minutes

    def __iadd__(self, other: "Judged") -> "Judged":
        self.delays += other.delays
        for name in ("repeats", "false_alerts", "echoes", "whats", "quiet_days", "cpu_s", "points"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    @property
    def found(self) -> list[float]:
        return [delay for delay in self.delays if delay is not None]


def is_of(one: Found, incident: Incident, direction: Direction) -> bool:
    """It overlaps the incident in the right direction. What was said before the incident is no merit, nor is what is
    said more than a day after its end."""
    overlaps = one.start < incident.end and (one.end is None or one.end > incident.start)
    in_time = incident.start < one.detected_at <= incident.end + DAY
    return one.direction == direction and overlaps and in_time


def judge(findings: Iterable[Found], incidents: Sequence[Incident], series: int, since: int, until: int) -> Judged:
    """Of findings since an instant (the end of the history), in series with at most one incident each."""
    truth = {one.series: one for one in incidents}
    judged = Judged()
    by_series: dict[int, list[Found]] = {}
    for one in findings:
        if one.detected_at > since:
            by_series.setdefault(one.number, []).append(one)
    for number in range(series):
        told = by_series.get(number, [])
        incident = truth.get(number)
        quiet_until = until if incident is None else incident.start
        judged.quiet_days += (quiet_until - since) / DAY
        early = [one for one in told if one.detected_at <= quiet_until]
        judged.false_alerts += len(early)
        judged.whats.update(f"{one.what} {one.direction}" for one in early)
        if incident is None:
            continue
        direction: Direction = "down" if SHAPES[incident.shape].factor < 1 else "up"
        right = [one for one in told if is_of(one, incident, direction)]
        judged.delays.append(min(one.detected_at for one in right) - incident.start if right else None)
        judged.repeats += max(0, len(right) - 1)
        judged.echoes += sum(one.detected_at > incident.start for one in told) - len(right)
    return judged
