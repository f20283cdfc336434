"""`spendstream emit`: usage events as JSON lines from a file or standard input into Kafka."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from spendstream_traffic.replay.delivery import Timed, add_target_arguments, deliver
from stream_jobs.base.errors import ConfigError
from stream_jobs.output.lines import complain

if TYPE_CHECKING:
    from spendstream_schemas import OutcomeEvent, UsageEvent

MAX_RAW_BYTES: Final = 16 * 1024 * 1024
"""Of a line that is sent as it is: more than any topic takes."""
EPILOG = """\
Each line is one event by the contract. As in the SDK, event_id and schema_version are filled in when they are missing.
A line that breaks the contract is told with its reason, the others are sent, and the exit code is 1.

example:
  echo '{"occurred_at": "2026-06-01T12:00:00Z", "source": "shell", "provider": "openai", "model": "gpt-4o",
  "usage": {"kind": "tokens", "input_tokens": 1000, "output_tokens": 100}}' | tr -d '\\n' | spendstream emit --wait
"""


def add_parser(subparsers: Any) -> None:
    """Add `emit`."""
    parser = subparsers.add_parser(
        "emit",
        help="send usage events from JSON lines",
        description="Sends JSON lines from FILE, or from standard input, as usage events.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="- or nothing: standard input")
    parser.add_argument("--outcomes", action="store_true", help="the lines are outcomes (business value), not usage")
    parser.add_argument("--source", metavar="NAME", help="service name for the lines that have no source")
    parser.add_argument("--now", action="store_true", help="lines without occurred_at happened now")
    parser.add_argument("--raw", action="store_true", help="send the lines as they are, unchecked: to test quarantine")
    add_target_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0 when every line was sent, 1 when some were invalid."""
    from spendstream.kafka_client import OUTCOME_TOPIC, USAGE_TOPIC

    topic = OUTCOME_TOPIC if args.outcomes else USAGE_TOPIC
    with ExitStack() as stack:
        stream = sys.stdin.buffer if args.file == "-" else stack.enter_context(_open(Path(args.file)))
        lines = Lines(stream, args)
        messages = lines.raw(topic) if args.raw else lines.events()
        _, code = deliver(
            messages,
            args,
            topic=topic,
            source=args.source or "spendstream-emit",
            bad_rows=lines.invalid_now,
            raw=args.raw,
            repeatable=False,
        )
    return code


class Lines:
    """The events of a stream; invalid lines are told on stderr and counted."""

    def __init__(self, stream: BinaryIO, args: argparse.Namespace) -> None:
        self._stream = stream
        self._args = args
        self.invalid = 0

    def invalid_now(self) -> int:
        return self.invalid

    def events(self) -> Iterator[Timed]:
        """The valid events, one line in memory at a time."""
        from spendstream_schemas import MAX_MESSAGE_BYTES, InvalidMessageError, InvalidReason

        number = 0
        while line := self._stream.readline(MAX_MESSAGE_BYTES + 1):
            number += 1
            too_large = len(line) > MAX_MESSAGE_BYTES and not line.endswith(b"\n")
            while too_large and line and not line.endswith(b"\n"):
                line = self._stream.readline(MAX_MESSAGE_BYTES)
            if not line.strip() and not too_large:
                continue
            try:
                if too_large:
                    raise InvalidMessageError(InvalidReason.TOO_LARGE, f"more than {MAX_MESSAGE_BYTES} bytes")
                yield completed(line, outcomes=self._args.outcomes, source=self._args.source, now=self._args.now), None
            except InvalidMessageError as error:
                self.invalid += 1
                complain(f"line {number}: {error}")

    def raw(self, topic: str) -> Iterator[Timed]:
        """Every line as it is, without its newline, and without a key."""
        from spendstream.delivery_thread import RawMessage

        number = 0
        while line := self._stream.readline(MAX_RAW_BYTES + 1):
            number += 1
            if len(line) > MAX_RAW_BYTES:
                self.invalid += 1
                complain(f"line {number}: more than {MAX_RAW_BYTES} bytes")
                while line and not line.endswith(b"\n"):
                    line = self._stream.readline(MAX_RAW_BYTES)
                continue
            yield RawMessage(topic, b"", line.removesuffix(b"\n").removesuffix(b"\r")), None


def completed(
    line: bytes, *, outcomes: bool = False, source: str | None = None, now: bool = False
) -> "UsageEvent | OutcomeEvent":
    """The event of one JSON line, with what the SDK fills in. Raises InvalidMessageError, for unknown fields too."""
    import json
    from datetime import UTC, datetime
    from decimal import Decimal

    from pydantic import ValidationError

    from spendstream_schemas import (
        SCHEMA_VERSION,
        InvalidMessageError,
        InvalidReason,
        OutcomeEvent,
        UsageEvent,
        invalid_message,
        new_event_id,
    )

    try:
        payload = json.loads(line, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise InvalidMessageError(InvalidReason.NOT_JSON, str(error)) from None
    if not isinstance(payload, dict):
        raise InvalidMessageError(InvalidReason.NOT_AN_OBJECT, "expected a JSON object")
    payload.setdefault("event_id", new_event_id())
    payload.setdefault("schema_version", SCHEMA_VERSION)
    if source is not None:
        payload.setdefault("source", source)
    if now:
        payload.setdefault("occurred_at", datetime.now(UTC))
    try:
        return (OutcomeEvent if outcomes else UsageEvent).model_validate(payload)
    except ValidationError as error:
        raise invalid_message(error) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
