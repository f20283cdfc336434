"""The detector of cost: series side by side, minute by minute; see README.md for the method."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from stream_jobs.detection import baseline, calibration, closing, figures, hours, life, minutes, requests, starting
from stream_jobs.detection.baseline import UNKNOWN
from stream_jobs.detection.config import Config
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.model import Finding, Floats, Minute
from stream_jobs.detection.scales import FAST
from stream_jobs.detection.state import MINUTES, NOTHING, VERSION

TOO_MUCH: Final = 1e30
DAY_HOURS: Final = 24
LEAST_HOURS: Final = 3  # that a series is known before anything is told of it


class CostDetector:
    """Implements `model.Detector` for cost and requests."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.names: list[str] = []
        self.frame = Frame(self.config)

    def add(self, names: Sequence[str], usual: Sequence[float] | None = None) -> None:
        """More series, numbered on from those that are there. `usual`: what such a series (its peers) spends in an
        hour, 0 or None where nobody knows: one that spends far more in its first day is told as a `new_series`. By what
        it did itself so far every series is judged."""
        frame, s, begin = self.frame, self.frame.state, len(self.names)
        self.names.extend(names)
        s.reserve(len(self.names))
        frame.count = len(self.names)
        s.reset(range(begin, frame.count))  # a column that nobody had until now has aged with the others
        s.last[begin:] = max(frame.at, 0)
        self._peers(range(begin, frame.count), usual)
        frame.resume()

    def _peers(self, numbers: Sequence[int], usual: Sequence[float] | None) -> None:
        if usual is not None:
            self.frame.state.peer[list(numbers)] = np.maximum(usual, 0.0)

    def usual_hours(self) -> Floats:
        """Of each series, USD of a usual hour; 0 of one that is known for less than a day."""
        s, count = self.frame.state, len(self.names)
        return np.where(s.age[:count] >= DAY_HOURS, np.exp(s.level[0, :count].astype(float)), 0.0)

    def reuse(self, numbers: Sequence[int], names: Sequence[str], usual: Sequence[float] | None = None) -> None:
        """Other series have these numbers from now on: what was learned of those before is forgotten, and so is a
        finding that was open. `usual`: see `add`."""
        frame, s = self.frame, self.frame.state
        for number, name in zip(numbers, names, strict=True):
            self.names[number] = name
        s.reset(numbers)
        s.last[list(numbers)] = max(frame.at, 0)
        self._peers(numbers, usual)
        frame.resume()

    def standing(self, number: int) -> Finding | None:
        """The finding that is open in a series, as it is by now."""
        self.frame.fresh()
        return figures.finding(self.frame, number) if self.frame.state.side[number] else None

    def weigh(self, nats: Sequence[float]) -> None:
        """How many nats each series needs more than one by itself, from the next hour on."""
        self.frame.state.more[: len(self.names)] = nats

    def adopt(self, number: int) -> list[Finding]:
        """The level that the series has now is its normal (somebody marked its finding as expected): closes the
        finding that is open in it, if one is."""
        self.frame.fresh()
        return closing.adopt(self.frame, number) if self.frame.state.side[number] else []

    def advance(self, minute: Minute) -> list[Finding]:
        """See `model.Detector`. Costs and requests below 0 (corrections) count as 0. Raises ValueError for a minute
        out of order, or arrays of another length than there are series."""
        return self._advance(minute, quiet=False)

    def _advance(self, minute: Minute, quiet: bool) -> list[Finding]:
        frame, s, at = self.frame, self.frame.state, minute.at
        if frame.at >= 0 and at != frame.at + 1:
            raise ValueError(f"minute {at} was given after {frame.at}: minutes come in order, without a gap")
        x, known = self._taken(minute)
        # the noise of a minute is learned by the next one: what is judged follows from the state
        if frame.at >= 0 and (rows := minutes.taught(frame.at)):
            free = calibration.free_to_learn(s)
            minutes.learn_minutes(s, frame.at, rows, frame.z, frame.variance, frame.counting, free)
        of_hour = at % MINUTES
        if of_hour == 0 or frame.at < 0:
            if frame.at < 0:
                s.last[:] = at - 1
            frame.begin_hour(at)
        frame.at = at
        usual = baseline.usual_minute(s, of_hour)
        if known is None:
            s.known += 1
        else:
            x *= known
            usual *= known
            s.known += known
        dear = requests.take(frame, x, usual[0], minute.squares)
        olds = [*((of_hour - window) % MINUTES for window in FAST), NOTHING]
        s.win_x += x[:, None] - s.ring_x[:, olds]
        s.win_e += usual[:, None] - s.ring_e[:, olds]
        s.ring_x[:, of_hour], s.ring_e[:, of_hour] = x, usual
        frame.look()
        requests.count_gap(frame, x[1], usual[1])
        found: list[Finding] = []
        calm = s.side == 0
        if not quiet:
            t = frame.judged
            up, down = s.limit_up[:, : t.shape[1]], s.limit_down[:, : t.shape[1]]
            hits = ((t > up) | (t < down)).any(axis=(0, 1)) | (s.gap > s.limit_gap)
            hits &= (s.age >= LEAST_HOURS) & ((s.level[0] > UNKNOWN) | (s.age >= DAY_HOURS))
            found = life.advance(frame, hits, dear, x, usual, known)
        minutes.learn_maxima(s, frame.z, calm & (s.side == 0) | s.repeats)
        if of_hour == MINUTES - 1:
            s.heard += s.known >= MINUTES / 2
            found += hours.end_hour(frame, frame.z, quiet)
        return found

    def _taken(self, minute: Minute) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_] | None]:
        """[measures, columns] of the minute, and which are known where some are not."""
        s, count = self.frame.state, len(self.names)
        x = np.zeros((2, s.columns), dtype=np.float32)
        for row, values in enumerate((minute.cost, minute.events)):
            if len(values) != count:
                raise ValueError(f"a minute of {len(values)} series was given to a detector of {count}")
            x[row, :count] = values
        if not (x < TOO_MUCH).all():
            raise ValueError(f"minute {minute.at} holds what is no number, or none that anybody spends")
        np.maximum(x, 0, out=x)
        if minute.known is None or minute.known.all():
            return x, None
        known = np.zeros(s.columns, dtype=bool)
        known[:count] = minute.known
        return x, known

    def warm(
        self,
        at: int,
        events: Floats,
        cost: Floats,
        squares: Floats | None = None,
        minutes: Iterable[Minute] = (),
    ) -> None:
        """Learn from the hours before: arrays of [series, hours], the first of which begins at minute `at`; then from
        the `minutes` that follow them, if given. Nothing of it is told. The next minute is the one after."""
        starting.learn_hours(self.frame, at, events, cost, squares)
        for minute in minutes:
            self._advance(minute, quiet=True)

    def scores(self) -> Floats:
        """See `model.Detector`."""
        self.frame.fresh()
        return np.asarray(figures.surprise(self.frame)[: len(self.names)])

    def bands(self) -> tuple[Floats, Floats, Floats]:
        """Of each series, for the hour up to the last minute: the cost expected, and what is low and high (99 %)."""
        self.frame.fresh()
        s, count = self.frame.state, len(self.names)
        sigma = np.sqrt(self.frame.variance[0, 3])
        usual, low, high = figures.around(s.win_e[0, 3], sigma, sigma)
        return usual[:count], low[:count], high[:count]

    def hour(self) -> tuple[Floats, Floats]:
        """Of each series, requests and cost of the hour up to the last minute."""
        s, count = self.frame.state, len(self.names)
        return s.win_x[1, 3, :count], s.win_x[0, 3, :count]

    def dump(self) -> bytes:
        """See `model.Detector`."""
        about = {"names": self.names, "at": self.frame.at, "config": asdict(self.config)}
        return self.frame.state.dump(VERSION, about)

    @classmethod
    def load(cls, state: bytes) -> Self:
        """See `model.Detector`."""
        frame = Frame(Config())
        about = frame.state.load(state, VERSION)
        made = cls(Config(**about["config"]))
        frame.config, frame.at, frame.count = made.config, int(about["at"]), len(about["names"])
        made.names, made.frame = list(about["names"]), frame
        frame.resume()
        return made
