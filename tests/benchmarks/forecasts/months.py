"""Section: what months come to from their tenth day on, and who is told that a budget will not last."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from tests.benchmarks.forecasts.month_end import Month, alerts, brier, calibration_error, error, measure, ratio, tails
from tests.benchmarks.forecasts.options import Options, progress
from tests.benchmarks.forecasts.simulators import SIMULATORS
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure
from tests.benchmarks.harness.tables import Table

BUDGETS: Final = 40
DAYS: Final = 900
SLOW: Final = 150
"""Months, chosen at random, that libraries are fitted for."""
SEEDS: Final = 6
"""By two seeds, 80 budgets, a month end is known to 2.6 points, a Brier score to 0.004."""
FITTED: Final = 2
"""Seeds for whose months libraries are fitted."""


def sections(options: Options) -> Iterator[Table]:
    budgets, days, slow, seeds = (4, 300, 0, 1) if options.quick else (BUDGETS, DAYS, SLOW, SEEDS)
    for name, generate in SIMULATORS.items():
        months: list[Month] = []
        for seed in range(options.seed, options.seed + seeds):
            progress(f"{name}, seed {seed}")
            # Nobody is told the holidays: the others could not use them.
            spend = replace(generate(seed, budgets, days), holidays=frozenset())
            months += measure(spend, seed=seed, slow=slow if seed < options.seed + FITTED else 0)
        yield _table(name, months, f"{seeds} seeds from {options.seed} on", judged=not options.quick)


def _table(name: str, months: Sequence[Month], sample: str, *, judged: bool) -> Table:
    rivals = sorted({rival for month in months for rival in month.rivals})
    below, above = tails(months)
    told = alerts(months)

    def figure(what: str, value: float, bounds: Bounds, unit: str = "%", *, low: bool = True) -> Figure:
        floor, goal = bounds if judged else NOT_JUDGED
        return Figure(f"{name}: {what}", unit, [value], floor=floor, goal=goal, lower_is_better=low)

    ratios = {rival: 100 * (ratio(months, rival) - 1) for rival in rivals}
    best = max((rival for rival in rivals if rival != "run-rate"), key=lambda rival: ratios[rival])
    figures = [
        figure("month end against run-rate", ratios["run-rate"], (-25, -40)),
        figure(f"month end against the best other ({best})", ratios[best], (-8, -20)),
        figure("off from 80 % within P10 to P90", 100 * abs(0.2 - below - above), (5, 2), "points"),
        figure("Brier", brier(months), (0.08, 0.06), ""),
        figure("calibration error", calibration_error(months), (0.04, 0.02), ""),
        figure("precision of alerts", 100 * told.precision, (90, 93), low=False),
        figure("recall of alerts", 100 * told.recall, (90, 95), low=False),
        figure("months with more than two flips", 100 * told.many_flips, (2, 0.5)),
    ]
    rows = [("spendstream", f"{100 * error(months):.2f} %", "", str(len(months)))]
    for rival in rivals:
        of = sum(rival in month.rivals for month in months)
        rows.append((rival, f"{100 * error(months, rival):.2f} %", f"{ratios[rival]:+.1f} %", str(of)))
    note = (
        f"{len(months)} months, {sample}. Below P10 {100 * below:.1f} %, above P90 {100 * above:.1f} %; "
        f"{100 * told.base_rate:.0f} % of the budgets did not last. Libraries were fitted for some months alone: ours "
        "is held against each on the months that it has."
    )
    head = ("method", "median error from day 10", "ours against it", "months")
    return Table(f"Months of budgets: {name}", head, rows, note, figures)
