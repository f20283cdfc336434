"""What others would forecast, each with its usual setting, from what was known at an origin and nothing behind it.

On the amounts as they are: what is negative or without bounds then is part of what is measured.
"""

import hashlib
import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.members.loading import load
from stream_jobs.runtime.forked.model import Limits
from stream_jobs.runtime.forked.pool import Pool

Floats = npt.NDArray[np.float64]
Step = Literal["hour", "day"]
PERIOD: Final[dict[Step, int]] = {"hour": 24, "day": 7}
WEEK: Final[dict[Step, int]] = {"hour": 168, "day": 7}
SEED: Final = 1
SAMPLES: Final = 1000  # of Prophet's band: its default
Method = Callable[[Floats, int, Step, int], Floats]


def seasonal_naive(values: Floats, _first: int, step: Step, horizon: int) -> Floats:
    """The last day again, hour by hour; of days the last week."""
    return _alone(np.resize(values[-PERIOD[step] :], horizon))


def last_week(values: Floats, _first: int, step: Step, horizon: int) -> Floats:
    """The last week again; what there is of it, where the history is shorter."""
    return _alone(np.resize(values[-WEEK[step] :], horizon))


def run_rate(values: Floats, first: int, step: Step, horizon: int) -> Floats:
    """What the month has cost a day so far; on its first day, the month before. Of hours, the last day's mean."""
    if step == "hour":
        return _alone(np.full(horizon, np.mean(values[-24:])))
    last = date.fromordinal(first + len(values) - 1)
    return _alone(np.full(horizon, np.mean(values[-last.day :])))


def ets(values: Floats, _first: int, step: Step, horizon: int) -> Floats:
    """Of six models of exponential smoothing the one with the least AICc, as automatic ETS does; multiplicative ones
    only where nothing is 0. A history that never moves is repeated."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    if np.ptp(values) == 0:
        return _alone(np.full(horizon, values[-1]))
    forms: list[tuple[str, str | None, str | None]] = [("add", None, None), ("add", None, "add"), ("add", "add", "add")]
    if values.min() > 0:
        forms += [("mul", None, None), ("mul", None, "mul"), ("mul", "add", "mul")]
    best: tuple[float, Any] | None = None
    for error, trend, season in forms:
        try:
            fitted = ETSModel(
                values,
                error=error,
                trend=trend,
                damped_trend=trend is not None,
                seasonal=season,
                seasonal_periods=PERIOD[step] if season else None,
            ).fit(disp=False)
            score = float(fitted.aicc)
        except (ValueError, np.linalg.LinAlgError):
            continue
        if np.isfinite(score) and (best is None or score < best[0]):
            best = score, fitted
    if best is None:
        return seasonal_naive(values, _first, step, horizon)
    return _alone(np.asarray(best[1].forecast(horizon)))


def prophet(values: Floats, first: int, step: Step, horizon: int) -> Floats:
    """With its defaults, and its own band."""
    import pandas as pd

    from stream_jobs.forecasting.members.prophet_member import instants, quiet_prophet

    when = instants(first, step, len(values) + horizon)
    frame = pd.DataFrame({"ds": when[: len(values)], "y": values})
    np.random.seed(SEED)  # it draws its band from the global generator
    said = (
        quiet_prophet()(interval_width=0.8, uncertainty_samples=SAMPLES)
        .fit(frame)
        .predict(pd.DataFrame({"ds": when[len(values) :]}))
    )
    return np.asarray(said[["yhat_lower", "yhat", "yhat_upper"]], dtype=np.float64)


BASELINES: Final[Mapping[str, Method]] = {
    "seasonal naive": seasonal_naive,
    "last week": last_week,
    "run-rate": run_rate,
    "ETS": ets,
    "Prophet": prophet,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One forecast by one baseline."""

    baseline: str
    series: str
    values: Floats  # up to the origin; NaN: not known
    first: int  # hours since 1970, or the ordinal of a date
    step: Step
    horizon: int

    @property
    def origin(self) -> int:
        return self.first + len(self.values)

    def key(self) -> str:
        """Of what it depends on: the history, the question, the method and the libraries behind it."""
        question = f"{self.baseline} {self.first} {self.step} {self.horizon} {_VERSIONS}\0"
        return hashlib.sha256(question.encode() + np.asarray(self.values, dtype=np.float64).tobytes()).hexdigest()


def forecast(asked: Asked) -> Floats:
    """(horizon, 3): P10, P50 and P90; NaN for the bands of those who have none. A straight line fills gaps."""
    values = np.asarray(asked.values, dtype=np.float64)
    known = np.isfinite(values)
    at = np.arange(len(values))
    filled = values if known.all() else np.interp(at, at[known], values[known])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return BASELINES[asked.baseline](filled, asked.first, asked.step, asked.horizon)


def forecasts(
    asked: Iterable[Asked], cache: Path | None = None, limits: Limits | None = None
) -> Iterator[tuple[Asked, Floats]]:
    """Each with its answer, in any order, those first that lie in the folder `cache`. One that fails, or takes longer
    than `limits` allow, has NaN in all places; it is not kept."""
    missing: dict[str, Asked] = {}
    for number, one in enumerate(asked):
        kept = cache / f"{one.key()}.npy" if cache is not None else None
        if kept is not None and kept.is_file():
            yield one, np.load(kept)
        else:
            missing[f"{number}: {one.series} from {one.origin} on by {one.baseline}"] = one
    if not missing:
        return
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
    with Pool(load, limits or Limits(task_s=120)) as pool:
        for done in pool.run(forecast, missing.items()):
            one = missing[done.name]
            if done.result is None:
                yield one, np.full((one.horizon, 3), np.nan)
                continue
            if cache is not None:
                part = cache / f".{one.key()}.npy"
                np.save(part, done.result)
                part.replace(cache / f"{one.key()}.npy")
            yield one, done.result


def rolling(
    series: Mapping[str, Floats], first: int, step: Step, origins: Sequence[int], horizon: int, baselines: Sequence[str]
) -> Iterator[Asked]:
    """Every series at every origin (the number of cells that are known then) by every baseline."""
    for name, values in series.items():
        for origin in origins:
            for baseline in baselines:
                yield Asked(baseline, name, values[:origin], first, step, horizon)


def _alone(middle: Floats) -> Floats:
    """A forecast without a band."""
    unknown = np.full(len(middle), np.nan)
    return np.column_stack([unknown, middle, unknown])


_VERSIONS: Final = " ".join(
    [
        *(f"{name}={version(name)}" for name in ("prophet", "statsmodels", "numpy")),
        hashlib.sha256(inspect.getsource(sys.modules[__name__]).encode()).hexdigest(),
    ]
)
