"""Section: false alerts on traffic where nothing happens: every noise at every rate, and what nobody tuned on."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from tests.benchmarks.detection import unseen
from tests.benchmarks.detection.bars import AUTOCORRELATED, FALSE_ALERTS, NOISES, RATES
from tests.benchmarks.detection.campaign import OURS, Cell, Results, run
from tests.benchmarks.detection.found import Judged
from tests.benchmarks.detection.generator import Spec
from tests.benchmarks.detection.intervals import poisson
from tests.benchmarks.detection.options import Options
from tests.benchmarks.detection.peers import PEERS
from tests.benchmarks.detection.trials import make
from tests.benchmarks.harness.results import Figure
from tests.benchmarks.harness.tables import Cells, Table

DAYS: Final = 84  # after the history
PEERS_SEE: Final = 20  # series of each cell
Bounds = tuple[float | None, float | None]


def spec_of(noise: str, rate: float, days: int, weeks: int) -> Spec:
    return Spec.parse(f"rate={rate},noise={noise},days={days},weeks={weeks}")


def sections(options: Options) -> list[Table]:
    days, weeks = (2, 0) if options.quick else (DAYS if options.series_days >= 2_000 else 28, 6)
    series = 2 if options.quick else max(1, round(options.series_days / days))
    cells = []
    noises, kinds = (NOISES[:2], list(unseen.KINDS)[:1]) if options.quick else (NOISES, list(unseen.KINDS))
    for noise in noises:
        for rate in RATES:
            spec = spec_of(noise, rate, days, weeks)
            cells.append(Cell(f"{noise} {rate}", partial(make, spec), series, spec.minutes, PEERS_SEE))
    untuned = 2 if options.quick else max(1, round(options.series_days / 4 / days))
    for name in kinds:
        for rate in RATES:
            spec = Spec(rate=rate, weeks=weeks, days=days)
            cells.append(Cell(f"{name} {rate}", partial(unseen.make, name, spec), untuned, spec.minutes, PEERS_SEE))
    results = run(cells, options, options.seed + 100_000)
    floors = (lambda _noise, _rate: (None, None)) if options.quick else bounds
    said = "{days:,.0f} series-days of each cell, " + options.sample
    pinned, others = (results[cells[at].name, OURS].quiet_days for at in (0, -1))
    return [
        _table(
            "False alerts per 1,000 series-days, the pinned generator's noise",
            noises, results, floors, said.format(days=pinned),
        ),
        _table(
            "False alerts per 1,000 series-days, noise that nobody tuned on",
            kinds, results, lambda _noise, _rate: (None, None),
            said.format(days=others) + ". `unseen.py` says what they are. Some are news; nothing is promised of them",
        ),
        *([_peers(results, cells)] if options.peers else []),
    ]  # fmt: skip


def bounds(noise: str, rate: int) -> Bounds:
    """Floor and goal. For autocorrelated noise the bars name two figures, taken as of 100 and of fewer requests/min."""
    if noise.startswith("ar:"):
        return AUTOCORRELATED[rate < max(RATES)], None
    return FALSE_ALERTS[rate]


def _table(
    title: str, kinds: Sequence[str], results: Results, floors: Callable[[str, int], Bounds], sample: str
) -> Table:
    rows: list[Cells] = []
    figures = []
    for kind in kinds:
        cells = []
        for rate in RATES:
            judged = results[f"{kind} {rate}", OURS]
            floor, goal = floors(kind, rate)
            interval = poisson(judged.false_alerts, judged.quiet_days / 1000)
            found = judged.false_alerts / judged.quiet_days * 1000
            name = f"{kind}, {rate}/min: false alerts"
            figures.append(
                Figure(name, "per 1,000", [found], floor, goal, lower_is_better=True, interval=interval)
            )  # fmt: skip
            missed = "" if figures[-1].meets_floor else f" **missed** ({floor:g})"
            cells.append(f"{found:.1f} ({interval[0]:.1f} to {interval[1]:.1f}){missed}")
        whats = sum((results[f"{kind} {rate}", OURS].whats for rate in RATES), Counter[str]())
        rows.append((kind, *cells, ", ".join(f"{count} {what}" for what, count in whats.most_common(3))))
    rows.append(("all of them", *(_together(results, kinds, rate) for rate in RATES), ""))
    note = f"{sample}. With the 95 % interval of Poisson counts."
    return Table(title, ("noise", *(f"{rate}/min" for rate in RATES), "most often"), rows, note, figures)


def _together(results: Results, kinds: Sequence[str], rate: int) -> str:
    """Of all noises at a rate: what small samples of each can tell."""
    alerts = sum(results[f"{kind} {rate}", OURS].false_alerts for kind in kinds)
    days = sum(results[f"{kind} {rate}", OURS].quiet_days for kind in kinds)
    low, high = poisson(alerts, days / 1000)
    return f"{alerts / days * 1000:.1f} ({low:.1f} to {high:.1f})"


def _peers(results: Results, cells: Sequence[Cell]) -> Table:
    """By noise, over all rates."""
    kinds = dict.fromkeys(cell.name.rpartition(" ")[0] for cell in cells)
    rows: list[Cells] = [(kind, *_rates(results, [f"{kind} {rate}" for rate in RATES])) for kind in kinds]
    days = [sum((results[cell.name, name].quiet_days for cell in cells), 0.0) for name in (OURS, *PEERS)]
    rows.append(("series-days", *(f"{one:,.0f}" for one in days)))
    title = "False alerts per 1,000 series-days, other detectors, over all rates"
    return Table(title, ("noise", OURS, *PEERS), rows)


def _rates(results: Results, names: Sequence[str]) -> Iterator[str]:
    for detector in (OURS, *PEERS):
        total = Judged()
        for name in names:
            total += results[name, detector]
        yield f"{total.false_alerts / total.quiet_days * 1000:,.1f}"
