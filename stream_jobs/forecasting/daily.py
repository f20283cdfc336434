"""Forecasts of days: each series with its bands, its sums, and how far it can be relied on."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Final

import numpy as np

from stream_jobs.forecasting.day_ahead import DayAhead
from stream_jobs.forecasting.day_model import MEMBERS, DayFit, Past
from stream_jobs.forecasting.day_outlook import DayOutlook
from stream_jobs.forecasting.day_slow import SlowPaths
from stream_jobs.forecasting.declared import Declared
from stream_jobs.forecasting.model import Forecast, Label, Panel, Told, refusal

METHOD: Final = "median of days"
PROVISIONAL: Final = 3  # known days from which on it is that, and no cold start
STEADY: Final = 14
SILENT: Final = 35  # days at the end that are not known: it cannot be said any more


def forecast_days(
    panel: Panel,
    horizon: int,
    *,
    declared: Declared | None = None,
    holidays: frozenset[int] = frozenset(),
    told: Told = lambda _done, _of: None,
) -> list[Forecast]:
    """Of all series of a panel of days, `horizon` (0 to 400) days from its origin on. `holidays`: ordinals."""
    days = Days(panel, horizon, (panel.origin,), declared=declared, holidays=holidays, told=told)
    return days.forecast(panel.origin)


class Days:
    """Forecasts of one panel from several origins, which share what was looked back on."""

    def __init__(
        self,
        panel: Panel,
        horizon: int,
        origins: Collection[int],
        *,
        declared: Declared | None = None,
        holidays: frozenset[int] = frozenset(),
        told: Told = lambda _done, _of: None,
    ) -> None:
        """`origins`: days of the panel, or its end, that will be asked about. Raises ValueError."""
        self.panel, self.horizon = panel, horizon
        self._outlook: DayOutlook | None = None
        if panel.values.size:
            self._outlook = DayOutlook(panel, horizon, asked=origins, declared=declared, holidays=holidays, told=told)

    def seen(self, origin: int) -> tuple[Past, DayFit] | None:
        """What lies before a day, and what it says, for slow members; None where no day of anything is known."""
        if self._outlook is None or origin <= self.panel.first:
            return None
        return self._outlook.seen(origin)

    def forecast(self, origin: int, slow: Mapping[int, SlowPaths] | None = None) -> list[Forecast]:
        """From a day on, by what lies before it: one for each series. `slow`: what slow members say, by the places of
        series."""
        if self._outlook is None or origin <= self.panel.first:
            return [refusal(name, "no day of it is known yet") for name in self.panel.names]
        slow = slow or {}
        ahead = self._outlook.ahead(origin, self.horizon, slow)
        return [_forecast(name, series, ahead, slow.get(series)) for series, name in enumerate(self.panel.names)]


def _forecast(name: str, series: int, ahead: DayAhead, slow: SlowPaths | None) -> Forecast:
    label, why = standing(ahead, series)
    if label == "refused":
        return refusal(name, why)
    fitted = ahead.fitted
    details = {
        "days": float(fitted.known[series]),
        "noise": float(fitted.level.scale[series]),
        "growth_per_day": float(fitted.slopes[series]),
    }
    members: tuple[str, ...] = () if label in ("dead", "intermittent") else MEMBERS
    if slow is not None:
        members += tuple(slow.paths)
        why = "; ".join([*([why] if why else []), *_missing(slow)])
    method = {"dead": "stopped", "intermittent": "mean of days"}.get(label, METHOD)
    return Forecast(name, ahead.steps(series), ahead.sums(series), method, members, label, why, details)


def _missing(slow: SlowPaths) -> Iterator[str]:
    """Which members failed, and why."""
    for why in dict.fromkeys(slow.failed.values()):
        yield f"without {', '.join(name for name, said in slow.failed.items() if said == why)}: {why}"


def standing(ahead: DayAhead, series: int, late: int = 0) -> tuple[Label, str]:
    """How far it can be relied on, and why. `late`: days that are over, and not known of any series."""
    values, fitted = ahead.past.values[series], ahead.fitted
    days = int(fitted.known[series])
    if not days:
        return "refused", "no day of it is known yet"
    known = np.nonzero(np.isfinite(values))[0]
    silent = late + len(values) - 1 - int(known[-1])
    last = date.fromordinal(ahead.past.first + int(known[-1]))
    if silent > SILENT:
        return "refused", f"nothing is known after {last}"
    notes = [f"nothing is known after {last}"] if silent else []
    if fitted.asleep[series]:
        used = np.nonzero(values > 0)[0]
        said = "never used so far"
        if len(used):
            said = f"last used on {date.fromordinal(ahead.past.first + int(used[-1]))}"
        return "dead", "; ".join([said, *notes])
    missing = int((~np.isfinite(values[known[0] : known[-1]])).sum())
    if missing:
        notes.append(f"{missing} {'day' if missing == 1 else 'days'} in between not known")
    label: Label = "steady"
    if days < PROVISIONAL:
        label = "cold start"
    elif days < STEADY:
        label = "provisional"
    elif np.isfinite(fitted.flat[series]):
        label = "intermittent"
        notes.insert(0, "most days have no use: sums tell more than days")
    if days < STEADY:
        notes.insert(0, f"{days} {'day is' if days == 1 else 'days are'} known")
    return label, "; ".join(notes)
