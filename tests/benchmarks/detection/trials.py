"""Section: recall and delay on the pinned generator, every shape at every rate, ours and the peers'.

A finding counts when it overlaps the incident in the right direction and was detected after the incident had begun. The
median delay is that of the incidents that were found.
"""

import statistics
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Final

from tests.benchmarks.detection import generator
from tests.benchmarks.detection.bars import BARS, RATES, Bar
from tests.benchmarks.detection.campaign import OURS, Cell, Results, run
from tests.benchmarks.detection.found import Judged
from tests.benchmarks.detection.generator import DAY, SHAPES, STARTS_WITHIN, Spec, Traffic
from tests.benchmarks.detection.intervals import of_median, poisson, wilson
from tests.benchmarks.detection.options import Options
from tests.benchmarks.detection.peers import PEERS
from tests.benchmarks.harness.results import Figure
from tests.benchmarks.harness.tables import Cells, Table

AFTERWARDS: Final = DAY  # a day within which an incident that is over may still be told
HEAD: Final = (
    "shape", "requests/min", "found", "95 %", "floor", "median delay", "95 % ", "floor ", "goal", "repeats", "echoes",
)  # fmt: skip


def make(spec: Spec, seed: int, series: int) -> Traffic:
    """A spec's traffic with another number of series."""
    fields = {name: getattr(spec, name) for name in ("rate", "weeks", "days", "shape", "noise", "sigma", "cost")}
    return generator.generate(Spec(series=series, **fields), seed)


def cells(options: Options) -> list[Cell]:
    """Of a quick run: two of the shapes, and no history."""
    made = []
    for shape in ("spike10", "night20") if options.quick else BARS:
        days = (STARTS_WITHIN + SHAPES[shape].minutes + AFTERWARDS) // DAY
        trials = min(2, options.trials) if options.quick else options.trials
        for rate in RATES:
            spec = Spec(rate=rate, shape=shape, days=days, weeks=0 if options.quick else 6)
            made.append(Cell(f"{shape} {rate}", partial(make, spec), trials, spec.minutes, trials))
    return made


def sections(options: Options) -> list[Table]:
    results = run(cells(options), options, options.seed)
    return [_ours(results, options), *([_peers(results)] if options.peers else [])]


def _ours(results: Results, options: Options) -> Table:
    rows: list[Cells] = []
    figures: list[Figure] = []
    for shape in _shapes(results):
        for rate, bar in zip(RATES, BARS[shape], strict=True):
            judged = results[f"{shape} {rate}", OURS]
            figures += _figures(f"{shape}, {rate}/min", judged, bar, options)
            rows.append((shape, str(rate), *_cells(judged, bar)))
    quiet = sum((results[key].quiet_days for key in results if key[1] == OURS), 0.0)
    alerts = sum(results[key].false_alerts for key in results if key[1] == OURS)
    low, high = poisson(alerts, quiet / 1000)
    trials = len(results[f"{_shapes(results)[0]} {RATES[0]}", OURS].delays)
    whats = sum((judged.whats for (_, name), judged in results.items() if name == OURS), Counter[str]())
    most = "".join(f", {count} {what}" for what, count in whats.most_common(4))
    few = ", far too few" if options.quick else ""
    note = (
        f"{trials} trials of each, {options.sample}{few}. A floor is met when the 95 % interval reaches it. "
        "Repeats: further findings of the same incident; echoes: findings of another time or direction after its "
        f"beginning. Before the incidents: {alerts} false alerts in {quiet:,.0f} series-days, "
        f"{alerts / quiet * 1000:.1f} per 1,000 ({low:.1f} to {high:.1f}){most}."
    )
    return Table("Incidents found on the pinned generator", HEAD, rows, note, figures)


def _shapes(results: Results) -> list[str]:
    measured = {cell.partition(" ")[0] for cell, _ in results}
    return [shape for shape in BARS if shape in measured]


def _cells(judged: Judged, bar: Bar) -> Iterator[str]:
    trials, found = len(judged.delays), judged.found
    low, high = wilson(len(found), trials)
    yield f"{len(found)} of {trials}"
    yield f"{low * 100:.0f} to {high * 100:.0f} %"
    yield f"{bar.recall * 100:.0f} %" + ("" if high >= bar.recall else " **missed**")
    early, late = of_median(found)
    yield duration(statistics.median(found)) if found else "-"
    yield f"{duration(early)} to {duration(late)}" if found else "-"
    yield duration(bar.delay) + ("" if early <= bar.delay else " **missed**")
    yield "" if bar.goal is None else duration(bar.goal)
    yield str(judged.repeats)
    yield str(judged.echoes)


def _figures(name: str, judged: Judged, bar: Bar, options: Options) -> Iterator[Figure]:
    trials, found = len(judged.delays), judged.found
    floors = (None, None, None) if options.quick else (bar.recall, bar.delay, bar.goal)
    interval = wilson(len(found), trials)
    yield Figure(f"{name}: found", "of 1", [len(found) / trials], floors[0], interval=interval)
    if found:
        median, within = statistics.median(found), of_median(found)
        yield Figure(f"{name}: delay", "min", [median], floors[1], floors[2], lower_is_better=True, interval=within)


def _peers(results: Results) -> Table:
    rows: list[Cells] = []
    for shape in _shapes(results):
        for rate in RATES:
            told = [results[f"{shape} {rate}", name] for name in (OURS, *PEERS)]
            rows.append((shape, str(rate), *map(_short, told)))
    everything = {name: Judged() for name in (OURS, *PEERS)}
    for (_, name), judged in results.items():
        everything[name] += judged
    per = [f"{one.false_alerts / one.quiet_days * 1000:,.1f}" for one in everything.values()]
    rows.append(("false alerts", "per 1,000 series-days", *per))
    costs = [f"{one.cpu_s / one.points * 1e9:,.0f} ns" for one in everything.values()]
    rows.append(("CPU", "per series and minute", *costs))
    rows.append(("trials", "", *(str(len(one.delays)) for one in everything.values())))
    note = (
        "Found, and median delay of what was found. A detector that always alarms finds everything: read both with the "
        "false alerts before the incidents, in the last rows. Each has its usual setting, see `peers/`."
    )
    return Table("The same trials, other detectors", ("shape", "requests/min", OURS, *PEERS), rows, note)


def _short(judged: Judged) -> str:
    share = len(judged.found) / max(1, len(judged.delays))
    return f"{share * 100:.0f} %" + (f", {duration(statistics.median(judged.found))}" if judged.found else "")


def duration(minutes: float) -> str:
    """In the unit that people would say it in."""
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / DAY:.1f} d"
