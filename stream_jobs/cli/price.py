"""`spendstream price [FILE|-]`: usage events in, one per line; what each costs out, with the full receipt."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from stream_jobs.base.json_values import json_text
from stream_jobs.cli.config_dir import config_dir_of
from stream_jobs.cli.flags import add_config_dir, add_json
from stream_jobs.output.lines import say_json

if TYPE_CHECKING:
    from stream_jobs.facts import Facts
    from stream_jobs.pricing.book import PriceBook
    from stream_jobs.pricing.result import Pricing

_MAX_LOOKED_FOR = 100
"""Names in one run. A name takes some hundredths of a second."""


def add_parser(subparsers: Any) -> None:
    """Add `price`."""
    parser = subparsers.add_parser(
        "price",
        help="price usage events without booking them",
        description="Reads one usage event (JSON) per line and says what it costs: list, contracted, effective cost "
        "and the receipt line by line. What is missing a price is unpriced, with the reason. event_id and "
        "schema_version are filled in where they are missing.",
        epilog='example: echo \'{"occurred_at":"2026-11-01T12:00:00Z","source":"shell","provider":"openai",'
        '"model":"gpt-4o","usage":{"kind":"tokens","input_tokens":1000,"output_tokens":200}}\' | spendstream price -',
    )
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="a JSONL file; - (default) reads stdin")
    add_json(parser, "one JSON object per line")
    add_config_dir(parser, "overlays/, rate_cards/ and corrections/ of your own")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0 once everything was read, whatever was priced. Raises ConfigError for unusable price files."""
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.pricing.book import PriceBook

    with ExitStack() as stack:
        if args.file == "-":
            stream: BinaryIO = sys.stdin.buffer
        else:
            try:
                stream = stack.enter_context(Path(args.file).open("rb"))
            except OSError as error:
                raise ConfigError(f"{args.file}: cannot be read: {error.strerror}") from None
        book = PriceBook.load(config_dir_of(args))
        show = _show_json if args.json else _show_receipt
        looked_up = NearestNames()
        for line in lines(stream):
            show(answer(book, line, looked_up))
    return 0


def lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines that are not blank, each cut off after the size at which it is too large: memory stays bounded."""
    from spendstream_schemas import MAX_MESSAGE_BYTES

    limit = MAX_MESSAGE_BYTES + 2  # one byte too many, and the newline
    while line := stream.readline(limit):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(limit)
        if line.strip():
            yield line.rstrip(b"\r\n")


def answer(book: "PriceBook", line: bytes, looked_up: "NearestNames | None" = None) -> dict[str, Any]:
    """What one line costs, as the JSON values of a receipt; with names like those that the book does not know."""
    from spendstream_schemas import InvalidMessageError, parse_usage_event
    from stream_jobs.facts import facts_of
    from stream_jobs.pricing import receipt

    try:
        parsed = parse_usage_event(complete(line))
    except InvalidMessageError as error:
        return receipt.invalid(_event_id(line), error, book.version)
    facts = facts_of(parsed.message)
    pricing = book.price(facts, parsed.unknown_fields)
    found = looked_up(book, facts, pricing) if looked_up is not None else ()
    return receipt.priced(parsed.message.event_id, pricing, found)


class NearestNames:
    """The known names like those that the book does not know, each looked for once, and not for hostile numbers."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], tuple[str, ...]] = {}

    def __call__(self, book: "PriceBook", facts: "Facts", pricing: "Pricing") -> tuple[str, ...]:
        from spendstream_schemas import UnpricedReason
        from stream_jobs.pricing.nearest import nearest_to

        named = {
            UnpricedReason.UNKNOWN_MODEL: facts.response_model or facts.model,
            UnpricedReason.UNKNOWN_PROVIDER: facts.response_model or facts.model,
            UnpricedReason.UNKNOWN_ACCELERATOR: facts.usage.get("accelerator"),
            UnpricedReason.UNKNOWN_SKU: facts.usage.get("sku"),
            UnpricedReason.UNKNOWN_CONDITION: facts.region,
        }
        if pricing.reason is None or pricing.reason not in named:
            return ()
        key = pricing.reason.value, facts.provider, named[pricing.reason] or ""
        if key not in self._found and len(self._found) < _MAX_LOOKED_FOR:
            self._found[key] = nearest_to(book, facts, pricing).names
        return self._found.get(key, ())


def complete(line: bytes) -> bytes:
    """The event with the fields that the SDK would have filled in. Its own bytes are kept: numbers stay exact."""
    from spendstream_schemas import MAX_MESSAGE_BYTES, SCHEMA_VERSION, new_event_id

    if len(line) > MAX_MESSAGE_BYTES or not line.lstrip().startswith(b"{"):
        return line
    try:
        document = json.loads(line, parse_float=str)
    except (ValueError, RecursionError):
        return line
    missing: dict[str, Any] = {}
    if "event_id" not in document:
        missing["event_id"] = new_event_id()
    if "schema_version" not in document:
        missing["schema_version"] = SCHEMA_VERSION
    if not missing:
        return line
    body = line.lstrip()[1:]
    comma = b"" if body.lstrip().startswith(b"}") else b","
    return json_text(missing).encode()[:-1] + comma + body


def _event_id(line: bytes) -> str | None:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    found = document.get("event_id") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None


def _show_json(values: dict[str, Any]) -> None:
    say_json(values)


def _show_receipt(values: dict[str, Any]) -> None:
    from rich.text import Text

    from stream_jobs.base.readable import money
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    console = Console()
    title = f"{values['event_id'] or '(no event_id)'}  {values['price_model'] or ''}"
    if values["status"] != "priced":
        console.print(Text.assemble((title, "bold"), "  ", (values["status"], "red"), f": {values['reason']}"))
        console.print(f"  {values['detail'] or ''}")
        if values["nearest"]:
            console.print(f"  nearest: {', '.join(values['nearest'])}")
        console.print()
        return
    table = Table(title=title, show_footer=True)
    table.add_column("SKU", "total")
    table.add_column("quantity", justify="right")
    table.add_column("USD per unit", justify="right")
    table.add_column("list USD", values["list_cost"], justify="right")
    table.add_column("contracted USD", values["contracted_cost"], justify="right")
    table.add_column("effective USD", values["effective_cost"], justify="right")
    for line in values["lines"]:
        costs = (line["list_cost"], line["cost"], line["effective_cost"])
        table.add_row(line["sku"], f"{line['quantity']} {line['meter']}", line["unit_price"], *costs)
    console.print(table)
    if values["avoided_cost"] != "0":
        console.print(f"  answered from the service's own cache: {money(Decimal(values['avoided_cost']))} avoided")
    if values["pool"] is not None:
        console.print(f"  self-hosted on {values['pool']}: its GPU time is billed by its own events")
    console.print(f"  price book {values['price_book_version']}")
    console.print()
