"""A finding is open from now on: what the state holds of it."""

from stream_jobs.detection import figures
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.model import Finding


def begin(
    d: Frame, i: int, side: int, kind: int, begun: int, scale: int, sums: tuple[float, float], score: float
) -> Finding:
    """In series `i`, since minute `begun`. `sums`: USD since then, actual and usual; `score`: nats; `kind`: an index of
    `figures.KINDS`."""
    s = d.state
    s.side[i], s.kind[i], s.begun[i], s.told[i], s.scale[i] = side, kind, begun, d.at + 1, scale
    s.sum_x[i], s.sum_e[i] = sums
    s.calm[i], s.ease[i], s.score[i], s.told_score[i] = 0, 0, score, score
    s.severity[i] = figures.severity_of(d, i, figures.usual_day_of(s, i))
    return figures.finding(d, i)
