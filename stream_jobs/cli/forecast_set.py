"""`spendstream forecast set|unset SERIES`: what people expect of a time, beside what the model says of it."""

import argparse
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from stream_jobs.cli.flags import local_instant

if TYPE_CHECKING:
    from stream_jobs.forecasts.overrides import OfSeries, Override, Said
    from stream_jobs.store.client import StoreClient

    ModelOf = Callable[[StoreClient, OfSeries, tuple[datetime, datetime]], Said | None]

MAX_NOTE = 1000
MAX_BY = 128


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those that `set` and `unset` have of their own, beside `--json` and those of the store. None has a default that
    anybody else's command could take for its own."""
    group = parser.add_argument_group(
        "what you expect",
        "Of `set SERIES`: it is kept and shown beside the model's forecast, never in its place, and both are scored as "
        "the time passes; one for the same time is replaced. Of `unset SERIES`: it is taken back; what was said, by "
        "whom and why stays in the table forecast_overrides.",
    )
    group.add_argument(
        "--from", dest="start", metavar="TIME", help="first instant: 2026-12-01; unset: only from then on"
    )
    group.add_argument(
        "--to", dest="end", metavar="TIME", help="first instant after: 2027-01-01; unset: only until then"
    )
    group.add_argument("--amount", metavar="USD", help="what you expect of all of this time")
    group.add_argument("--timezone", default="UTC", metavar="ZONE", help="of dates and times (default: UTC)")
    group.add_argument("--note", default="", help="why")
    group.add_argument("--by", help="who says so (default: you)")


def run(action: str, series: list[str], args: argparse.Namespace, model_of: "ModelOf | None" = None) -> int:
    """`set` or `unset`. Raises ConfigError for what lacks something. `model_of`: what the model says of a series and a
    time, which is kept beside."""
    from stream_jobs.base.errors import ConfigError

    if not series:
        raise ConfigError(f"{action} what? total, NAME=VALUE such as team=search, or budget=ID [NAME=VALUE ...]")
    if action == "unset":
        return run_unset(series, args)
    missing = [
        flag for flag, name in (("--from", "start"), ("--to", "end"), ("--amount", "amount")) if not getattr(args, name)
    ]
    if missing:
        raise ConfigError(f"set needs {', '.join(missing)}")
    return run_set(series, args, model_of)


def run_set(words: list[str], args: argparse.Namespace, model_of: "ModelOf | None" = None) -> int:
    """Exit code 0 once it is kept; raises ConfigError for what cannot be expected."""
    from stream_jobs.base.readable import clock, money
    from stream_jobs.forecasts.overrides import series_of, set_override
    from stream_jobs.output.lines import say, say_json

    series, time, amount = series_of(words), (_instant(args, "start"), _instant(args, "end")), _usd(args.amount)
    with _store(args) as store:
        model = model_of(store, series, time) if model_of is not None else None
        made = set_override(store, series, time, amount, by=_by(args), note=_note(args), model=model)
    if args.json:
        say_json(_document(made))
    else:
        beside = f"; the model says {money(made.model.p50)}" if made.model is not None else ""
        say(
            f"{made.by} expects {money(made.amount)} of {series.words} from {clock(made.starts_at)} to "
            f"{clock(made.ends_at)} UTC{beside}"
        )
    return 0


def run_unset(words: list[str], args: argparse.Namespace) -> int:
    """Exit code 0 when it was taken back, 1 when there was nothing."""
    from stream_jobs.base.readable import clock, money
    from stream_jobs.forecasts.overrides import read_overrides, series_of, unset_override
    from stream_jobs.output.lines import complain, say, say_json

    series = series_of(words)
    start = _instant(args, "start") if args.start else None
    end = _instant(args, "end") if args.end else None
    with _store(args) as store:
        found = [
            one
            for one in read_overrides(store)
            if one.series == series
            and (start is None or one.starts_at >= start)
            and (end is None or one.ends_at <= end)
        ]
        for one in found:
            unset_override(store, one, by=_by(args), note=_note(args))
    if args.json:
        say_json([_document(one) for one in found])
    for one in found if not args.json else ():
        say(f"taken back: {money(one.amount)} from {clock(one.starts_at)} to {clock(one.ends_at)} UTC, set by {one.by}")
    if not found:
        complain(f"nothing is set for {series.words} in this time")
    return 0 if found else 1


def _store(args: argparse.Namespace) -> "StoreClient":
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.store.client import StoreClient

    return StoreClient(find_clickhouse(args.url, args.data_dir, writable=True))


def _instant(args: argparse.Namespace, name: str) -> datetime:
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.base.instants import time_zone

    try:
        zone = time_zone(args.timezone)
    except ValueError as error:
        raise ConfigError(f"--timezone: {error}") from None
    return local_instant(getattr(args, name), zone, {"start": "from", "end": "to"}[name])


def _usd(text: str) -> Decimal:
    from stream_jobs.base.errors import ConfigError

    try:
        amount = Decimal(text)
        exponent = amount.as_tuple().exponent
    except InvalidOperation:
        exponent = None
    if not isinstance(exponent, int) or exponent < -12:
        raise ConfigError(f"--amount {text[:80]!r} is no amount in USD such as 12000 or 99.50")
    return amount


def _by(args: argparse.Namespace) -> str:
    from stream_jobs.base.who import user
    from stream_jobs.store.fitting import printable

    return printable(args.by or user())[:MAX_BY]


def _note(args: argparse.Namespace) -> str:
    from stream_jobs.store.fitting import printable

    return printable(args.note)[:MAX_NOTE]


def _document(one: "Override") -> dict[str, Any]:
    return {
        "override_id": one.override_id,
        "series": {"budget_id": one.series.budget_id, "dims": one.series.dims, "vals": one.series.vals},
        "from": one.starts_at,
        "to": one.ends_at,
        "amount": one.amount,
        "model": None if one.model is None else one.model._asdict(),
        "by": one.by,
        "note": one.note,
        "at": one.at,
    }
