"""Hours ahead on the traffic of real clients, beside what others say from the same origins."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.hourly import Hours
from stream_jobs.forecasting.model import QUANTILES, Panel
from tests.benchmarks.detection.servegen import clients
from tests.benchmarks.forecasts.baselines import forecasts, rolling
from tests.benchmarks.forecasts.options import Options, progress
from tests.benchmarks.forecasts.scoring import covered, errors, geometric, pinball, sick
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure
from tests.benchmarks.harness.tables import Table

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
WEEK: Final = 168
ACTIVE: Final = 0.8
EVERY: Final = 26
"""Hours between origins, so that they come at all times of the day; the first lies as far in."""
HORIZONS: Final = (24, 72)
FIRST_HOUR: Final = 490_896
"""2026-01-01, a Thursday. The data set does not say when it was."""
NAIVE: Final = "seasonal naive"
RIVALS: Final = (NAIVE, "ETS", "Prophet")
"""The best of them over all series together is what counts."""
OTHERS: Final = (*RIVALS, "last week")
WORSE: Final = 1.02


@dataclass(frozen=True, slots=True)
class Traffic:
    """Real clients, then what groups of them add up to, as one tenant's series."""

    values: Floats  # (series, hours)
    single: int  # so many of them are clients

    @classmethod
    def read(cls, folder: Path) -> "Traffic":
        """Clients that were active in most hours of their first week; their sum, and the sums of terciles by volume."""
        counts = np.array([one.requests for one in clients(folder)])
        counts = counts[(counts[:, :WEEK] > 0).mean(axis=1) >= ACTIVE]
        parts = [np.arange(len(counts)), *np.array_split(np.argsort(counts.mean(axis=1)), 3)]
        return cls(np.concatenate([counts, [counts[some].sum(axis=0) for some in parts]]), len(counts))

    def groups(self) -> Iterator[tuple[str, Integers]]:
        """All clients, terciles by volume and by regularity (how much hours differ from those of the day before), and
        the sums: places of series."""
        some = self.values[: self.single]
        volume = some.mean(axis=1)
        change = np.abs(some[:, 24:] - some[:, :-24]).mean(axis=1) / np.maximum(volume, 1e-9)
        yield "all clients", np.arange(self.single)
        for names, by in ((("small", "middle", "large"), volume), (("regular", "less so", "irregular"), change)):
            yield from zip(names, np.array_split(np.argsort(by), 3), strict=True)
        yield "their sums", np.arange(self.single, len(self.values))


@dataclass(frozen=True, slots=True)
class Said:
    """What one method said of each series from each origin. NaN: nothing."""

    bands: Floats  # (series, origins, steps, 3)
    sums: Floats  # (series, origins, 3)


def sections(options: Options) -> list[Table]:
    """Raises MissingDataError."""
    traffic = Traffic.read(options.dataset("traces/servegen"))
    values = traffic.values
    origins = list(range(EVERY, values.shape[1] - min(HORIZONS) + 1, EVERY * (5 if options.quick else 1)))
    names = (NAIVE, "last week") if options.quick else OTHERS
    progress(f"{len(values)} series, {len(origins)} origins")
    said = others(values, origins, names, options.cache, max(HORIZONS))
    tables: list[Table] = []
    for horizon in HORIZONS:
        some = [place for place, origin in enumerate(origins) if origin + horizon <= values.shape[1]]
        came = np.stack([values[:, origins[one] : origins[one] + horizon] for one in some], axis=1)
        by_name = {"spendstream": ours(values, horizon, [origins[one] for one in some])}
        for name in names:
            bands = said[name][:, some, :horizon]
            by_name[name] = Said(bands, np.full((len(values), len(some), 3), np.nan))
        most = np.stack([values[:, : origins[one]].max(axis=1) for one in some], axis=1)
        tables += _tables(traffic, horizon, by_name, came, most, judged=not options.quick)
    return tables


def ours(values: Floats, horizon: int, origins: Sequence[int]) -> Said:
    model = Hours(Panel([str(number) for number in range(len(values))], "hour", FIRST_HOUR, values), horizon)
    bands = np.full((len(values), len(origins), horizon, len(QUANTILES)), np.nan)
    sums = np.full((len(values), len(origins), len(QUANTILES)), np.nan)
    for place, origin in enumerate(origins):
        for series, one in enumerate(model.forecast(FIRST_HOUR + origin)):
            if not one.refused:
                bands[series, place], sums[series, place] = one.steps, one.sums[-1].quantiles(QUANTILES)
    return Said(bands, sums)


def others(
    values: Floats, origins: Sequence[int], names: Sequence[str], cache: Path | None, horizon: int
) -> dict[str, Floats]:
    """By name: (series, origins, steps, 3)."""
    by_series = {str(number): row for number, row in enumerate(values)}
    made = {name: np.full((len(values), len(origins), horizon, len(QUANTILES)), np.nan) for name in names}
    places = {FIRST_HOUR + origin: place for place, origin in enumerate(origins)}
    for asked, said in forecasts(rolling(by_series, FIRST_HOUR, "hour", origins, horizon, names), cache):
        made[asked.baseline][int(asked.series), places[asked.origin]] = said
    return made


def _tables(
    traffic: Traffic, horizon: int, said: Mapping[str, Said], came: Floats, most: Floats, *, judged: bool
) -> Iterator[Table]:
    clients_only = np.arange(traffic.single)
    missed = {name: errors(one.bands[..., 1], came) for name, one in said.items()}
    naive = np.maximum(missed[NAIVE], 1e-9)
    alike = {name: geometric((one / naive)[clients_only]) for name, one in missed.items()}
    best = min((name for name in RIVALS if name in said), key=lambda name: alike[name])
    ratios = (missed["spendstream"] / np.maximum(missed[best], 1e-9))[clients_only]
    worse = (missed["spendstream"] / naive)[clients_only]
    by_group = {name: geometric((missed["spendstream"] / naive)[some]) for name, some in traffic.groups()}
    inside = covered(said["spendstream"].bands[clients_only], came[clients_only])
    sums = covered(said["spendstream"].sums[clients_only], came[clients_only].sum(axis=2))

    def figure(name: str, value: float, bounds: Bounds, unit: str = "%", *, low: bool = True, note: str = "") -> Figure:
        floor, goal = bounds if judged else NOT_JUDGED
        title = f"{horizon} h: {name}"
        return Figure(title, unit, [value], floor=floor, goal=goal, lower_is_better=low, note=note)

    figures = [
        figure(f"error against {best}", 100 * (geometric(ratios) - 1), (-10, -15)),
        figure("the worst group against naive", 100 * (max(by_group.values()) - 1), (1, 0)),
        figure("series worse than naive by 2 %", 100 * float((worse > WORSE).mean()), (20, 10)),
        figure("the worst series", float(worse.max()), (1.6, 1.3), "x"),
        figure("off from 80 % within P10 to P90", 100 * abs(inside[0] - 0.8), (5, 2), "points"),
        figure("sums off from 80 %", 100 * abs(sums[0] - 0.8), (5, 2), "points"),
        figure("sick answers", sick(said["spendstream"].bands, most), (0, 0), ""),
    ]
    if "Prophet" in said:
        ours_loss, theirs = (pinball(said[name].bands, came)[clients_only] for name in ("spendstream", "Prophet"))
        ratio = geometric(ours_loss / np.maximum(theirs, 1e-9))
        figures.append(figure("pinball loss against Prophet", 100 * (ratio - 1), (-10, -15)))
    rows = []
    for name, one in said.items():
        shares = (
            covered(one.bands[clients_only], came[clients_only]) if np.isfinite(one.bands).all(axis=-1).any() else None
        )
        rows.append(
            (
                name,
                f"{alike[name]:.3f}",
                f"{(missed[name] / naive)[clients_only].mean():.3f}",
                f"{(missed[name] / naive)[clients_only].max():.2f}",
                " / ".join(f"{100 * share:.1f}" for share in shares) if shares else "",
                str(sick(one.bands, most)) if shares else "",
            )
        )
    note = (
        f"{traffic.single} clients, {came.shape[1]} origins. Error: mean absolute error of each series over that of "
        f"repeating the day before; geometric mean (each within 0.2 to 5), mean, worst. Sums of ours: "
        f"{' / '.join(f'{100 * share:.1f}' for share in sums)}."
    )
    head = ("method", "error", "mean", "worst", "% inside / below / above", "sick")
    yield Table(f"{horizon} hours ahead, ServeGen", head, rows, note, figures)
    grouped = [(name, str(len(some)), f"{by_group[name]:.3f}") for name, some in traffic.groups()]
    yield Table(f"{horizon} hours ahead, by group", ("group", "series", "error against seasonal naive"), grouped)
