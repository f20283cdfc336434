"""`spendstream simulate`: traffic of a made-up company, with incidents on request, into Kafka or a file."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spendstream_traffic.replay.delivery import Timed, add_target_arguments, deliver, tell
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.json_values import json_text
from stream_jobs.base.private import open_private
from stream_jobs.base.readable import clock
from stream_jobs.output.lines import complain, data, say, say_json

if TYPE_CHECKING:
    from spendstream_traffic.simulate import SimulatedMessage, SimulationConfig

EPILOG = """\
incidents (--incident, repeatable): KIND[:start=2h][:duration=30m][:factor=5][:team=support ...]
  double          2 times the traffic for days          runaway_user    one user runs away
  spike           10 times for an hour                  cache_collapse  the cache hit rate collapses
  night           20 times at night                     tier_change     served at the priority tier and its price
  ramp            a slow ramp up to the factor          drop            to zero
start is an offset from the run's start or an instant; the scope (source, project, team, feature, cost_center,
workload_type, provider, model, customer, environment, user_id) narrows it. What is not given has a default.

The same options give the same events: --start and --seed decide.

examples:
  spendstream simulate --duration 1h --rate 50 --incident spike --wait
  spendstream simulate --start 2026-06-01 --duration 30d --incident double --labels truth.jsonl --out -
  spendstream simulate --start now --duration 1h --speed 1x
"""
_SHOW_EVERY = 5000


def add_parser(subparsers: Any) -> None:
    """Add `simulate`."""
    parser = subparsers.add_parser(
        "simulate",
        help="make realistic multi-tenant traffic, with incidents on request",
        description="Customers, teams and users of a made-up company that uses models of several providers, GPU jobs "
        "and storage, by day and night, and what their calls bring (outcomes). Goes to Kafka, or with --out to a file.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--start", metavar="TIMESTAMP", help="instant of the start, or now (default: now - duration)")
    parser.add_argument("--duration", default="1h", help="for instance 15m, 1h, 30d (%(default)s)")
    parser.add_argument(
        "--rate", type=float, default=20.0, help="mean events per second, without incidents (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed, other traffic (%(default)s)")
    parser.add_argument("--run-id", default="", metavar="NAME", help="the same traffic again, counted anew")
    parser.add_argument("--customers", type=int, default=12, help="how many tenants, at most 16 (%(default)s)")
    parser.add_argument("--incident", action="append", default=[], metavar="KIND[:KEY=VALUE...]", help="see below")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="write the truth about the incidents as JSON lines")
    parser.add_argument("--out", metavar="FILE|-", help="write JSON lines there, send nothing")
    parser.add_argument(
        "--outcomes", action="store_true", help="with --out: write the outcomes of the run's calls, not the calls"
    )
    parser.add_argument("--speed", default="max", metavar="max|Nx", help="as fast as possible, or N times real time")
    add_target_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0 when all events are written or sent."""
    from spendstream_traffic.simulate import labels

    config = config_of(args)
    truth = labels(config)
    if args.out and (args.wait or args.bootstrap or args.data_dir):
        raise ConfigError("--out writes to a file; --wait, --bootstrap and --data-dir go with sending")
    if args.labels:
        _write_text(args.labels, "".join(json_text(label) + "\n" for label in truth))
    if args.out:
        return write(config, args.out, as_json=args.json, outcomes=args.outcomes)
    if args.outcomes:
        raise ConfigError("--outcomes goes with --out; what is sent are the calls and their outcomes")
    if not args.json:
        complain(f"simulating {clock(config.start)} to {clock(config.end)} UTC, seed {config.seed}")
        for label in truth:
            complain(f"incident: {json_text(label)}")
    return send(config, args, source="spendstream-simulate", repeatable=args.start not in (None, "now"))


def send(
    config: "SimulationConfig", args: argparse.Namespace, *, source: str, repeatable: bool, usage: Any = None
) -> int:
    """The run's events, then what they brought, and the summary of both. Returns the exit code.

    `usage` stands in the place of the run's messages.
    """
    from spendstream.kafka_client import OUTCOME_TOPIC, USAGE_TOPIC
    from spendstream_traffic.simulate import messages, outcome_messages

    total = round(config.rate * config.duration.total_seconds())
    sent, code = deliver(
        sendable(messages(config), USAGE_TOPIC) if usage is None else usage,
        args,
        topic=USAGE_TOPIC,
        source=source,
        total=total,
        repeatable=repeatable,
        show=False,
    )
    if sent is None or code:
        return code
    # What was reported later than the calls themselves comes after all of them, whatever their speed.
    at_once = argparse.Namespace(**vars(args) | {"speed": "max"})
    outcomes, code = deliver(
        sendable(outcome_messages(config), OUTCOME_TOPIC),
        at_once,
        topic=OUTCOME_TOPIC,
        source=source,
        repeatable=repeatable,
        show=False,
    )
    tell(sent, as_json=args.json, outcomes=outcomes)
    return code


def config_of(args: argparse.Namespace, now: datetime | None = None) -> "SimulationConfig":
    """The simulation that the options describe. Raises ConfigError."""
    from spendstream_traffic.simulate import SimulationConfig, parse_duration, parse_incident
    from stream_jobs.cli.replay import parse_start

    duration = parse_duration(args.duration)
    start = parse_start(args.start)
    try:
        if start is None:
            start = (now or datetime.now(UTC)).replace(microsecond=0) - duration
        end = start + duration
    except OverflowError:
        raise ConfigError("--start + --duration is out of range") from None
    if duration <= timedelta(0):
        raise ConfigError(f"--duration {args.duration}: must be above 0")
    return SimulationConfig(
        start=start,
        duration=duration,
        rate=args.rate,
        seed=args.seed,
        incidents=tuple(parse_incident(text, start, end) for text in args.incident),
        customers=args.customers,
        run_id=args.run_id,
    )


def sendable(made: "Iterator[SimulatedMessage]", topic: str) -> Iterator[Timed]:
    """A run's messages for Kafka, keyed by event id like the SDK's."""
    from spendstream.delivery_thread import RawMessage

    for message in made:
        yield RawMessage(topic, message.event_id.encode(), message.value), message.occurred_at


def write(config: "SimulationConfig", out: str, *, as_json: bool, outcomes: bool = False) -> int:
    """All events (or `outcomes`) as JSON lines. Raises ConfigError when the file cannot be written."""
    from spendstream_traffic.simulate import messages, outcome_messages
    from stream_jobs.output.console import progress_bars

    number = 0
    total = None if outcomes else round(config.rate * config.duration.total_seconds())
    try:
        with progress_bars() as progress, data() if out == "-" else open_private(Path(out)) as stream:
            bar = progress.add_task("writing", total=total)
            for number, message in enumerate((outcome_messages if outcomes else messages)(config), 1):
                stream.write(message.value + b"\n")
                if number % _SHOW_EVERY == 0:
                    progress.update(bar, completed=number)
            progress.update(bar, total=number, completed=number)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigError(f"--out {out}: cannot be written: {error.strerror}") from None
    if out != "-":
        if as_json:
            say_json({"written": number})
        else:
            say(f"wrote {number:,} {'outcomes' if outcomes else 'events'} to {out}")
    return 0


def _write_text(path: Path, text: str) -> None:
    try:
        with open_private(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
