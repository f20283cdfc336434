"""`spendstream forecast [SERIES]`: what the job says of the total and of every budget, or of one series."""

import argparse
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream_jobs.base.errors import ConfigError

if TYPE_CHECKING:
    from stream_jobs.forecasts.drivers_ahead import DriversAhead
    from stream_jobs.forecasts.grid import Step
    from stream_jobs.forecasts.overrides import OfSeries, Said
    from stream_jobs.forecasts.read import Ahead, BudgetAhead, Made, OneSeries
    from stream_jobs.forecasts.terminal import Outlined, Shown
    from stream_jobs.store.client import StoreClient

EPILOG: Final = """\
what the job forecasts: without a SERIES of the total and of every budget; of one with its steps, its method, how good
it was so far, and what people expect. A horizon in hours shows hours, one in days shows days.
"""
MOST_STEPS: Final = 1_000
DEFAULTS: Final[dict["Step", str]] = {"hour": "72h", "day": "30d"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scope",
        metavar="SERIES",
        nargs="*",
        help="total, NAME=VALUE such as team=search, or budget=ID [NAME=VALUE ...]; behind set or unset: whose "
        "expectation",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also as a picture (PNG), with what came before")
    parser.add_argument("--now", action="store_true", help="ask the job for a new forecast, and wait for it")


def run(args: argparse.Namespace) -> int:
    """Exit code 0; 1 where there is no forecast yet. A picture is written before anything is shown."""
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.forecasts.overrides import series_of
    from stream_jobs.store.client import StoreClient

    wanted = series_of(args.scope) if args.scope else None
    grain: Step | None = None if args.horizon is None else "day" if args.horizon.endswith("d") else "hour"
    if grain is not None:
        _steps(args.horizon, grain)  # refused before anybody waits
    with StoreClient(find_clickhouse(args.url, args.data_dir, writable=args.now)) as store:
        if args.now:
            _ask(store, [grain] if grain else ["hour", "day"])
        if wanted is None:
            return _overview(args, store, grain)
        return _one(args, store, wanted, grain)


def model_of(store: "StoreClient", series: "OfSeries", time: tuple[datetime, datetime]) -> "Said | None":
    """What the model says of a time that its forecast covers: by the day, else by the hour; None where it does not.
    Where the time begins with the forecast, the band is that of the sum. Of a later time the median is what the medians
    of sums grow by, and the band is that of steps which all miss to the same side: rather too wide."""
    from stream_jobs.forecasts.overview import said_of
    from stream_jobs.forecasts.read import read_ahead, read_runs, read_series, the_one

    runs = read_runs(store)
    for made in (runs.day, runs.hour):
        try:
            one = the_one(read_series(store, made), series) if made else None
        except ConfigError:
            continue
        said = said_of(read_ahead(store, one, MOST_STEPS), time) if one else None
        if said:
            return said
    return None


def _ask(store: "StoreClient", grains: list["Step"]) -> None:
    from stream_jobs.base.who import user
    from stream_jobs.forecasts.asking import run_now
    from stream_jobs.output.console import Console

    with Console(stderr=True).working("asking for a forecast") as status:
        run_now(store, grains, user(), status.update)


def _steps(horizon: str | None, grain: "Step") -> int:
    from stream_jobs.forecasting.scan.answer import steps_of

    return steps_of(horizon or DEFAULTS[grain], grain)


def _overview(args: argparse.Namespace, store: "StoreClient", grain: "Step | None") -> int:
    from stream_jobs.forecasts.overview import read_overview
    from stream_jobs.forecasts.terminal import print_overview
    from stream_jobs.output.console import Console
    from stream_jobs.output.lines import say_json

    steps = {one: _steps(args.horizon, one) for one in DEFAULTS if grain in (None, one)}
    found = read_overview(store, steps)
    if args.plot:
        if not found.totals:
            raise ConfigError(f"nothing to plot: {found.runs.why_not or 'nothing is forecast'}")
        _plot(store, found.totals[0].series, steps[found.totals[0].series.made.grain], args.plot)
    if args.json:
        say_json(
            {
                "runs": [_run(made) for made in (found.runs.hour, found.runs.day) if made],
                "why_not": found.runs.why_not,
                "notes": found.notes,
                "total": [_outlined(one) for one in found.totals],
                "drivers": [_drivers(one) for one in found.drivers],
                "budgets": [_budget(one) for one in found.budgets],
                "budgets_without_an_end": [_outlined(one) for one in found.endless],
            }
        )
    else:
        print_overview(Console(), found)
    return 0 if found.runs.hour or found.runs.day else 1


def _one(args: argparse.Namespace, store: "StoreClient", wanted: "OfSeries", grain: "Step | None") -> int:
    from stream_jobs.forecasts.overview import look_at
    from stream_jobs.forecasts.read import read_runs
    from stream_jobs.forecasts.terminal import print_series
    from stream_jobs.output.console import Console
    from stream_jobs.output.lines import complain, say, say_json

    runs = read_runs(store)
    made = runs.of(grain) if grain else runs.hour or runs.day
    if made is None:
        if args.json:
            say_json({"why_not": runs.why_not})
        else:
            complain(runs.why_not)
        return 1
    steps = _steps(args.horizon, made.grain)
    shown = look_at(store, made, wanted, steps)
    if args.plot:
        _plot(store, shown.series, steps, args.plot)
    if args.json:
        say_json(_shown(shown))
        return 0
    print_series(Console(), shown)
    if 0 < len(shown.ahead) < steps:
        complain(f"the job looks {len(shown.ahead)} {made.grain}s ahead, no farther")
    if args.plot:
        say(f"written to {args.plot}")
    return 0


def _plot(store: "StoreClient", one: "OneSeries", steps: int, path: Path) -> None:
    from stream_jobs.forecasts.read import read_ahead
    from stream_jobs.forecasts.recent import read_recent
    from stream_jobs.report import page
    from stream_jobs.report.forecast_plots import picture

    page.write(picture(one, read_recent(store, one), read_ahead(store, one, steps)), path, "--plot")


def _run(made: "Made") -> dict[str, Any]:
    return {name: getattr(made, name) for name in ("grain", "run", "known_until", "stale_since", "stale_why")}


def _series(one: "OneSeries") -> dict[str, Any]:
    names = ("zone", "label", "why", "method", "members", "known", "scored", "error", "coverage")
    of = {"budget_id": one.series.budget_id, "dims": one.series.dims, "vals": one.series.vals}
    return {"series": {**of, "measure": one.series.measure}} | {name: getattr(one, name) for name in names}


def _outlined(one: "Outlined") -> dict[str, Any]:
    total = one.end.total._asdict() if one.end else None
    found = _series(one.series) | {"grain": one.series.made.grain, "steps": one.steps, "sum": total}
    if one.window is None or not one.window.bands:
        return found
    window = one.window
    gone = dict(zip(("p10", "p50", "p90"), window.gone, strict=True))
    told = {"hours": window.hours, "currency": window.unit.name, "amount": window.amount, "spent": window.spent}
    return found | {"window": {**told, "at_its_end": window.bands[-1]._asdict(), "gone": gone}}


def _budget(one: "BudgetAhead") -> dict[str, Any]:
    names = (
        *("budget_id", "values", "period_start", "period_end", "amount", "amount_now", "spent", "probability"),
        *("label", "why"),
    )
    stated = {"unit": one.unit.kept_in, "currency": one.unit.name, "rate": one.unit.rate}
    return {
        **{name: getattr(one, name) for name in names},
        **stated,
        "total": one.total._asdict() if one.total else None,
        "gone": dict(zip(("p10", "p50", "p90"), one.gone, strict=True)),
        "as_of": _run(one.made),
    }


def _drivers(one: "DriversAhead") -> dict[str, Any]:
    pairs = {name: getattr(one, name)._asdict() for name in ("cost", "requests", "tokens_per_request", "unit_price")}
    told = {"days": one.days, "ratio": one.ratio, "per": one.per, "why": one.why}
    return {**told, **pairs, "factors": one.factors, "usd": one.usd}


def _step(one: "Ahead") -> dict[str, Any]:
    return {"time": one.at, **one.step._asdict(), "sum": one.total._asdict()}


def _shown(shown: "Shown") -> dict[str, Any]:
    expected = [
        {
            **{"from": one.starts_at, "to": one.ends_at, "amount": one.amount, "by": one.by, "note": one.note},
            "model": None if one.model is None else one.model._asdict(),
        }
        for one in shown.overrides
    ]
    return {
        **_series(shown.series),
        "run": _run(shown.series.made),
        "steps": [_step(one) for one in shown.ahead],
        "drivers": [_drivers(one) for one in shown.drivers],
        "budget": _budget(shown.budget) if shown.budget else None,
        "expected": expected,
    }
