"""`spendstream replay FILE`: send a trace or a log of real requests through the pipeline."""

import argparse
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spendstream_traffic.replay.delivery import Timed, add_target_arguments, deliver
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import parse_utc
from stream_jobs.output.lines import complain

if TYPE_CHECKING:
    from spendstream_schemas import UsageEvent
    from spendstream_traffic.replay.rows import BadRow

FORMATS = ("azure", "mooncake", "servegen", "csv", "jsonl")
DEFAULT_MAX_ERRORS = 100

EPILOG = """\
formats:
  azure     Azure LLM inference trace: CSV with TIMESTAMP (UTC), ContextTokens, GeneratedTokens
  mooncake  Mooncake trace: JSONL with timestamp (ms), input_length, output_length, hash_ids; prompt prefixes seen
            before become cache reads
  servegen  ServeGen: CSV with category, client, hour, requests; clients become customers, tokens come from
            derived_6h_mean_tokens.csv beside the file
  csv jsonl any log, by --mapping FILE.yaml or --map usage.input_tokens=prompt_tokens --map occurred_at=ts ...

Every event's id is made of the file's content, its line, provider and model: replaying twice counts once. --run-id
makes another run. Times of mooncake and servegen count from 2026-06-01T00:00Z unless --start says otherwise.

examples:
  spendstream replay trace.csv --format azure --provider openai --model gpt-4o --wait
  spendstream replay calls.jsonl --format jsonl --mapping calls.yaml --speed 60x
"""


def add_parser(subparsers: Any) -> None:
    """Add `replay`."""
    parser = subparsers.add_parser(
        "replay",
        help="send a trace or log of real requests through the pipeline",
        description="Reads a file of requests as a stream, makes usage events of it and sends them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--format", choices=FORMATS, required=True, help="how to read the file")
    parser.add_argument("--provider", help="who served the requests, for instance openai")
    parser.add_argument("--model", help="the model that served them, for instance gpt-4o")
    parser.add_argument("--source", default="replay", metavar="NAME", help="service name of the events (%(default)s)")
    parser.add_argument("--speed", default="max", metavar="max|Nx", help="as fast as possible, or N times real time")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N events")
    parser.add_argument(
        "--start", metavar="TIMESTAMP", help="instant of the first event (azure, csv, jsonl) or of time zero; or 'now'"
    )
    parser.add_argument("--run-id", default="", metavar="NAME", help="give this run ids of its own: it counts anew")
    parser.add_argument("--max-errors", type=int, default=DEFAULT_MAX_ERRORS, metavar="N",
                        help="stop after more than N rows that cannot be read (%(default)s)")  # fmt: skip
    parser.add_argument("--cache-writes", action=argparse.BooleanOptionalAction, default=False,
                        help="mooncake: new full blocks are written to the cache for 5 minutes")  # fmt: skip
    mapped = parser.add_argument_group("csv and jsonl")
    mapped.add_argument("--mapping", type=Path, metavar="FILE.yaml", help="which column is which field")
    mapped.add_argument("--map", action="append", default=[], metavar="FIELD=COLUMN", help="the same, one at a time")
    attribution = parser.add_argument_group("whose cost it is")
    attribution.add_argument("--attribution", action="append", default=[], metavar="KEY=VALUE",
                             help="for all events, for instance team=search or labels.tier=gold")  # fmt: skip
    attribution.add_argument("--rules", type=Path, metavar="FILE.yaml", help="deal out teams, projects, users, ...")
    add_target_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0 when every row was sent, 1 when some could not be read."""
    from spendstream.kafka_client import USAGE_TOPIC

    if args.limit is not None and args.limit < 0:
        raise ConfigError(f"--limit {args.limit}: expected a number from 0")
    bad = BadRows(args.max_errors)
    events = bad.filtered(read(args), args.limit)
    messages: Iterator[Timed] = ((event, event.occurred_at) for event in events)
    _, code = deliver(messages, args, topic=USAGE_TOPIC, source=args.source, total=args.limit, bad_rows=bad.count_now)
    if bad.stopped_at is not None:
        complain(
            f"stopped at line {bad.stopped_at}: more than {args.max_errors} rows cannot be read (--max-errors); "
            "is --format right?"
        )
    return code


def read(args: argparse.Namespace) -> "Iterator[UsageEvent | BadRow]":
    """The file's events as the options describe them. Raises ConfigError when the options don't fit together."""
    from spendstream_traffic.replay.assign import load_rules
    from spendstream_traffic.replay.events import RunFacts, attribution_constants, to_events
    from spendstream_traffic.replay.formats import MAPPED_FORMATS, RELATIVE_FORMATS, ReadOptions, rows_of
    from spendstream_traffic.replay.identity import event_ids
    from spendstream_traffic.replay.mapping import load_mapping

    start = parse_start(args.start)
    mapping = load_mapping(args.mapping, args.map) if args.mapping or args.map else None
    mapped = set(mapping.fields) if mapping is not None and args.format in MAPPED_FORMATS else set()
    if not args.provider and "provider" not in mapped:
        raise ConfigError("--provider is missing: who served the requests?")
    needs_model = not mapped & {"model", "response_model", "usage.kind"}
    if not args.model and needs_model:
        raise ConfigError("--model is missing: which model served the requests?")
    relative = args.format in RELATIVE_FORMATS
    facts = RunFacts(
        ids=event_ids(args.file, args.format, args.provider, args.model, args.run_id),
        source=args.source,
        provider=args.provider,
        model=args.model,
        attribution=attribution_constants(args.attribution),
        rules=load_rules(args.rules) if args.rules else None,
        first_at=None if relative else start,
    )
    options = ReadOptions(start=start if relative else None, cache_writes=args.cache_writes, mapping=mapping)
    return to_events(rows_of(args.file, args.format, options), facts)


def parse_start(text: str | None) -> datetime | None:
    """An ISO 8601 instant (without an offset: UTC), or 'now'. Raises ConfigError."""
    if text is None:
        return None
    if text == "now":
        return datetime.now(UTC)
    try:
        return parse_utc(text)
    except ValueError:
        raise ConfigError(f"--start {text}: expected an instant such as 2026-06-01T00:00Z, or now") from None


class BadRows:
    """Tells about rows that cannot be read, and ends the replay when there are too many."""

    def __init__(self, limit: int) -> None:
        self.count = 0
        self.stopped_at: int | None = None  # the line of the row that was one too many
        self._limit = limit

    def count_now(self) -> int:
        return self.count

    def filtered(self, items: "Iterable[UsageEvent | BadRow]", limit: int | None) -> "Iterator[UsageEvent]":
        """The events among `items`, at most `limit` (None: all)."""
        from spendstream_traffic.replay.rows import BadRow

        left = limit
        for item in items:
            if left == 0:
                return
            if not isinstance(item, BadRow):
                left = None if left is None else left - 1
                yield item
                continue
            self.count += 1
            complain(str(item))
            if self.count > self._limit:
                self.stopped_at = item.line
                return
