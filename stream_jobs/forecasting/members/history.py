"""A history as libraries can be given it: on a scale on which its noise is alike, without events, without gaps."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from stream_jobs.forecasting.members.model import Floats, Options, RefusedError, Step
from stream_jobs.forecasting.scales import Logarithm, Root, Scale

PERIOD: Final[dict[Step, int]] = {"hour": 24, "day": 7}
LEAST_PERIODS: Final = 2
MOST: Final = 1e18  # beyond any usage in any unit
_FLOOR: Final = 0.01  # of the median
MOST_FACTOR: Final = 1e6
_LITTLE: Final = 0.2
"""What a factor below it has left teaches nothing; and where it has not come true, it would teach a multiple."""
MOST_STEPS: Final = {"hour": 24 * 92, "day": 732}
EPOCH: Final = 719_163  # the ordinal of 1970-01-01
_LAST_DAY: Final = 800_000  # in the year 2191


@dataclass(frozen=True, slots=True)
class History:
    """One series up to the origin."""

    scaled: Floats  # (cells,), from the first known one on; NaN: not known
    filled: Floats  # the same without gaps
    first: int
    step: Step
    horizon: int
    scale: Scale
    greatest: float  # of the amounts that teach, with or without their events, whichever is less
    events: dict[str, Floats]  # (cells + horizon,)
    country: str

    @property
    def period(self) -> int:
        return PERIOD[self.step]

    @property
    def periods(self) -> float:
        """How many of them the history spans."""
        return len(self.scaled) / self.period

    @property
    def constant(self) -> bool:
        """Nothing can be fitted to it, and nothing needs to."""
        return bool(np.ptp(self.filled) <= 1e-9 * max(1.0, float(np.abs(self.filled).max())))


def prepare(values: Floats, first: int, step: Step, horizon: int, options: Options) -> History:
    """Raises RefusedError, which says what is missing."""
    values = np.asarray(values, dtype=np.float64)
    amounts = _taught(values, horizon, options)
    day = first // 24 + EPOCH if step == "hour" else first
    if not EPOCH <= day <= _LAST_DAY:
        raise RefusedError(f"it begins on no day from 1970 to 2190: {first}")
    if not 0 <= horizon <= MOST_STEPS[step]:
        raise RefusedError(f"{horizon} steps ahead are not between 0 and {MOST_STEPS[step]}")
    known = np.flatnonzero(np.isfinite(amounts))
    least = LEAST_PERIODS * PERIOD[step]
    if len(known) < least:
        raise RefusedError(f"it has {len(known)} known {step}s; a fit needs {least}")
    begin = int(known[0])
    amounts = amounts[begin:]
    if len(known) * 2 < len(amounts):
        raise RefusedError(f"only {len(known)} of its {len(amounts)} {step}s are known; a fit needs half of them")
    scale = scale_of(amounts, step)
    scaled = np.asarray(scale.to(amounts), dtype=np.float64)
    return History(
        scaled,
        fill(scaled, PERIOD[step]),
        first + begin,
        step,
        horizon,
        scale,
        min(float(np.nanmax(amounts)), max(float(values[np.isfinite(values)].max()), 0.0)),
        {name: np.clip(np.nan_to_num(share[begin:]), 0.0, 1.0) for name, share in options.events.items()},
        options.country,
    )


def scale_of(amounts: Floats, step: Step) -> Scale:
    """The cube root of hours; of days, whose noise is a share of them, the logarithm."""
    if step == "hour":
        return Root(3.0)
    positive = amounts[amounts > 0]
    median = float(np.nanmedian(amounts)) or (float(positive.mean()) if len(positive) else 0.0)
    return Logarithm(max(_FLOOR * median, 1e-12))


def fill(scaled: Floats, period: int) -> Floats:
    """Gaps between the levels around them, with the season that the series usually has."""
    known = np.isfinite(scaled)
    if known.all():
        return scaled
    whole = np.append(scaled, np.full(-len(scaled) % period, np.nan)).reshape(-1, period)
    levels = np.array([np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else np.nan for row in whole])
    off = whole - levels[:, None]
    profile = np.array(
        [np.median(column[np.isfinite(column)]) if np.isfinite(column).any() else 0.0 for column in off.T]
    )
    season = np.resize(profile, len(scaled))
    cells = np.arange(len(scaled))
    return np.where(known, scaled, np.interp(cells, cells[known], (scaled - season)[known]) + season)


def _taught(values: Floats, horizon: int, options: Options) -> Floats:
    """Amounts that teach, without what events made of them; the others are NaN."""
    if values.ndim != 1:
        raise ValueError(f"one series is expected, not an array of {values.shape}")
    cells, factors = len(values), options.factors
    for name, array in {"factors": factors, **options.events}.items():
        if array is not None and array.shape != (cells + horizon,):
            raise ValueError(f"{name}: {array.shape} where {cells} cells and {horizon} steps are")
    amounts = np.where(np.isfinite(values), np.maximum(values, 0.0), np.nan)
    if cells and np.nanmax(amounts, initial=0.0) > MOST:
        raise RefusedError(f"it has amounts above {MOST:g}, which is no usage")
    if factors is not None and not ((factors >= 0) & (factors <= MOST_FACTOR)).all():
        raise ValueError(f"factors are between 0 and {MOST_FACTOR:g}")
    if options.ignored is not None:
        amounts = np.where(options.ignored, np.nan, amounts)
    if factors is not None:
        past = factors[:cells]
        amounts = np.where(past >= _LITTLE, amounts / np.maximum(past, _LITTLE), np.nan)
    return np.asarray(amounts, dtype=np.float64)
