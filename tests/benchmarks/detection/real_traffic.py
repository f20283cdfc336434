"""Section: real clients' traffic, with and without injected incidents; what is told of the one and of the other, side
by side, since either alone is easy.

An incident counts as found when a finding of its direction was detected while it lasted. Real clients go on and off by
themselves: how many would have been "found" at the same hours without the injection is told, too.
"""

import statistics
from collections.abc import Callable
from typing import Final

from stream_jobs.detection.model import Direction
from tests.benchmarks.detection import servegen
from tests.benchmarks.detection.campaign import OURS
from tests.benchmarks.detection.found import Found, Judged, is_of, judge
from tests.benchmarks.detection.generator import DAY, HOUR, Incident, Traffic
from tests.benchmarks.detection.intervals import poisson, wilson
from tests.benchmarks.detection.options import Options, progress
from tests.benchmarks.detection.peers import PEERS
from tests.benchmarks.detection.replay import replay
from tests.benchmarks.detection.trials import duration
from tests.benchmarks.harness.results import Figure
from tests.benchmarks.harness.tables import Cells, Table

INCIDENTS: Final = {"20 times for 4 h": ("night20", 20.0, 4 * HOUR), "nothing for a day": ("zero", 0.0, DAY)}
GOALS: Final = {"20 times for 4 h": 0.6, "nothing for a day": 0.75}
UNPROVOKED_GOAL: Final = 100.0  # per 1,000 series-days
GROUPS, GROUP_SIZE = 12, 20
TIMES: Final = 3  # that each incident is injected into each active client
HEAD: Final = (
    "detector", "findings per 1,000 series-days", "sums of clients",
    *(part for name in INCIDENTS for part in (f"{name}: found", "delay", "without it")),
)  # fmt: skip
Say = Callable[[list[Traffic]], list[list[Found]]]


def sections(options: Options) -> list[Table]:
    many = servegen.clients(options.dataset("traces/servegen"))
    if options.quick:
        many = [one for one in many if one.requests.sum() < 200_000 and one.active][:4]
    progress("ServeGen's clients as minutes")
    clean = servegen.minutes(many, options.seed)
    traffics = [clean, servegen.sums(clean, GROUPS, GROUP_SIZE, options.seed)]
    numbers: list[list[int]] = []
    for number, (shape, factor, length) in enumerate(INCIDENTS.values(), 1):
        times = 1 if options.quick else TIMES
        traffic, chosen = servegen.injected(clean, many, shape, factor, length, options.seed + number, times)
        traffics.append(traffic)
        numbers.append(chosen)
    detectors: dict[str, Say] = {OURS: replay, **({name: _peer(name) for name in PEERS} if options.peers else {})}
    rows: list[Cells] = []
    whats: list[tuple[str, int]] = []
    figures: list[Figure] = []
    for name, say in detectors.items():
        progress(name)
        told = say(traffics)
        rows.append((name, *_row(traffics, told, numbers)))
        if name == OURS and not options.quick:
            figures = _figures(traffics, told)
            whats = _judged(traffics[0], told[0]).whats.most_common(5)
    note = (
        f"ServeGen, {servegen.CATEGORY}: {len(many)} clients over two weeks, the first {servegen.WARM_UP_DAYS} days of "
        f"which warm up, {sum(one.active for one in many)} of them active; sums: all clients, and {GROUPS} random "
        f"groups of {GROUP_SIZE}. Goals: at most {UNPROVOKED_GOAL:g} findings per 1,000 series-days, none of them of "
        "sums, with 60 % and 75 % found. Prices: 3 and 15 USD per million tokens in and out. `without it`: found by "
        "the same rule at the same hours, though nothing was injected. Seasonal peers need weeks that are not "
        f"there. Most often unprovoked: {', '.join(f'{count} {what}' for what, count in whats) or 'nothing'}."
    )
    return [Table("Real traffic: unprovoked findings, and injected incidents", HEAD, rows, note, figures)]


def _peer(name: str) -> Say:
    def say(traffics: list[Traffic]) -> list[list[Found]]:
        return [PEERS[name].find(one.cost, one.first, one.history_ends) for one in traffics]

    return say


def _judged(traffic: Traffic, told: list[Found]) -> Judged:
    until = traffic.first + traffic.events.shape[1]
    return judge(told, [], len(traffic.events), traffic.history_ends, until)


def _row(traffics: list[Traffic], told: list[list[Found]], numbers: list[list[int]]) -> Cells:
    clean, sums = (_judged(traffic, said) for traffic, said in zip(traffics[:2], told[:2], strict=True))
    cells = [_rate(clean), _rate(sums)]
    for traffic, said, chosen in zip(traffics[2:], told[2:], numbers, strict=True):
        delays = _delays(traffic.incidents, said)
        low, high = wilson(len(delays), len(traffic.incidents))
        chance = _delays(traffic.incidents, _renumbered(told[0], chosen))
        share = len(delays) / max(1, len(traffic.incidents))
        cells.append(f"{share * 100:.0f} % of {len(traffic.incidents)} ({low * 100:.0f} to {high * 100:.0f})")
        cells.append(duration(statistics.median(delays)) if delays else "-")
        cells.append(f"{len(chance) / max(1, len(traffic.incidents)) * 100:.0f} %")
    return tuple(cells)


def _renumbered(told: list[Found], chosen: list[int]) -> list[Found]:
    """As of the series with an incident, several of which may be of one client."""
    return [one._replace(number=index) for index, number in enumerate(chosen) for one in told if one.number == number]


def _delays(incidents: list[Incident], told: list[Found]) -> list[int]:
    """Of the incidents that were told of while they lasted."""
    delays = []
    for one in incidents:
        direction: Direction = "down" if one.shape == "zero" else "up"
        right = [f.detected_at for f in told if f.number == one.series and is_of(f, one, direction)]
        delays += [min(right) - one.start] if right and min(right) <= one.end else []
    return delays


def _rate(judged: Judged) -> str:
    low, high = poisson(judged.false_alerts, judged.quiet_days / 1000)
    return f"{judged.false_alerts / judged.quiet_days * 1000:.0f} ({low:.0f} to {high:.0f})"


def _figures(traffics: list[Traffic], told: list[list[Found]]) -> list[Figure]:
    """Goals alone: nothing is promised here."""
    figures = []
    for name, which, goal in (("clients", 0, UNPROVOKED_GOAL), ("sums of clients", 1, None)):
        judged = _judged(traffics[which], told[which])
        rate, within = (
            judged.false_alerts / judged.quiet_days * 1000,
            poisson(judged.false_alerts, judged.quiet_days / 1000),
        )
        title = f"real traffic, {name}: unprovoked"
        figures.append(Figure(title, "per 1,000", [rate], None, goal, lower_is_better=True, interval=within))
    for name, traffic, said in zip(INCIDENTS, traffics[2:], told[2:], strict=True):
        hits, tries = len(_delays(traffic.incidents, said)), len(traffic.incidents)
        title = f"real traffic, {name}: found"
        figures.append(Figure(title, "of 1", [hits / tries], None, GOALS[name], interval=wilson(hits, tries)))
    return figures
