"""Section: sums of days four to six days ahead on the traffic of real clients, by days that end at the origin."""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.daily import Days
from stream_jobs.forecasting.model import QUANTILES, Panel
from tests.benchmarks.forecasts.hours import EVERY, RIVALS, Traffic, others
from tests.benchmarks.forecasts.options import Options, progress
from tests.benchmarks.forecasts.scoring import covered, errors, geometric
from tests.benchmarks.harness.results import NOT_JUDGED, Figure
from tests.benchmarks.harness.tables import Table

Floats = npt.NDArray[np.float64]
DAY: Final = 24
FROM, TO = 3, 6  # days ahead: the fourth to the sixth
FIRST_DAY: Final = 739_617
"""The ordinal of 2026-01-01."""


def sections(options: Options) -> list[Table]:
    """Raises MissingDataError."""
    traffic = Traffic.read(options.dataset("traces/servegen"))
    values = traffic.values[: traffic.single]
    ends = values.shape[1] - TO * DAY
    origins = list(range(EVERY, ends + 1, EVERY * (4 if options.quick else 1)))
    progress(f"{len(values)} series, {len(origins)} origins")
    came = np.stack([_by_day(values[:, origin : origin + TO * DAY])[:, FROM:] for origin in origins], axis=1)
    bands = np.stack([_ours(values[:, :origin]) for origin in origins], axis=1)
    names = RIVALS[:1] if options.quick else RIVALS
    said = others(values, origins, names, options.cache, TO * DAY)
    missed = {"spendstream": errors(bands[..., 1], came)}
    for name in names:
        middle = said[name][..., 1]
        days = middle.reshape(*middle.shape[:2], TO, DAY).sum(axis=3)[:, :, FROM:]
        missed[name] = errors(days, came)
    naive = np.maximum(missed[RIVALS[0]], 1e-9)
    alike = {name: geometric(one / naive) for name, one in missed.items()}
    best = min(names, key=lambda name: alike[name])
    value = 100 * (geometric(missed["spendstream"] / np.maximum(missed[best], 1e-9)) - 1)
    floor, goal = NOT_JUDGED if options.quick else (-5, -12)
    inside, below, above = covered(bands, came)
    note = (
        f"{len(values)} clients, {len(origins)} origins, days counted back from each. P10 to P90 held "
        f"{100 * inside:.1f} % ({100 * below:.1f} % below, {100 * above:.1f} % above)."
    )
    rows = [(name, f"{alike[name]:.3f}", f"{(one / naive).max():.2f}") for name, one in missed.items()]
    figure = Figure(f"days 4 to 6: error against {best}", "%", [value], floor=floor, goal=goal, lower_is_better=True)
    return [Table("Days four to six, ServeGen", ("method", "error", "worst"), rows, note, [figure])]


def _by_day(hours: Floats) -> Floats:
    """(series, hours) -> (series, days), the last one ending where the hours do."""
    days = hours.shape[1] // DAY
    return np.asarray(hours[:, hours.shape[1] - days * DAY :].reshape(len(hours), days, DAY).sum(axis=2), np.float64)


def _ours(history: Floats) -> Floats:
    """(series, steps, 3)."""
    days = _by_day(history)
    panel = Panel([str(number) for number in range(len(days))], "day", FIRST_DAY, days)
    made = Days(panel, TO, [panel.origin]).forecast(panel.origin)
    nothing = np.full((TO, len(QUANTILES)), np.nan)
    return np.stack([nothing if one.refused else one.steps for one in made])[:, FROM:]
