"""GPU price catalogues of others into rate cards: gpuhunt's CSV (dstack) and SkyPilot's catalog CSV."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

import yaml

from stream_jobs.base.documents import MAX_PROBLEMS
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import read_file

MAX_CATALOG_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Offer:
    """One instance type in one place: its price per hour, and what is in it."""

    instance_type: str
    region: str
    accelerator: str
    count: Decimal
    usd_per_hour: Decimal
    spot: bool


def read_catalog(path: Path, catalog_format: str) -> list[Offer]:
    """All GPU offers of a catalogue. Raises ConfigError naming every line that cannot be read."""
    columns, offers_of = _FORMATS[catalog_format]
    try:
        text = read_file(path, MAX_CATALOG_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 (byte {error.start})") from None
    return _read(text, path, columns, offers_of)


def rate_card(offers: list[Offer], provider: str, source: str, checked: date) -> str:
    """A rate card in YAML: USD per GPU and hour by accelerator, instance type and region, spot beside on demand.

    An offer that is sold as spot only has no on-demand price, and so no list price: it is left out.
    """
    prices: dict[tuple[str, str, str], dict[bool, Decimal]] = {}
    for offer in offers:
        key = (offer.accelerator, offer.instance_type, offer.region)
        per_gpu = offer.usd_per_hour / offer.count
        known = prices.setdefault(key, {}).get(offer.spot)
        prices[key][offer.spot] = per_gpu if known is None else min(known, per_gpu)
    lines = [
        "# yaml-language-server: $schema=../../../../schemas/json/price-rate-cards.schema.json",
        f"provider: {_scalar(provider)}",
        f"source: {_scalar(source)}",
        f"checked: {checked}",
        "accelerators:",
    ]
    for (accelerator, instance_type, region), price in sorted(prices.items()):
        if False not in price:
            continue
        spot = f", purchase_options: {{spot: {{usd_per_hour: {_plain(price[True])}}}}}" if True in price else ""
        lines.append(
            f"  - {{names: [{_scalar(accelerator)}], instance_types: [{_scalar(instance_type)}], "
            f"regions: [{_scalar(region)}], usd_per_hour: {_plain(price[False])}, cpu_included: true{spot}}}"
        )
    if len(lines) == 5:
        raise ConfigError("the catalogue holds no on-demand GPU offer, so there is nothing to import")
    return "\n".join(lines) + "\n"


def _read(
    text: str, path: Path, columns: tuple[str, ...], offers_of: Callable[[Mapping[str, str]], Iterator[Offer]]
) -> list[Offer]:
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    try:
        missing = sorted(set(columns) - set(reader.fieldnames or ()))
    except csv.Error as error:
        raise ConfigError(f"{path}:1: no CSV header: {error}") from None
    if missing:
        raise ConfigError(f"{path}: has no column {', '.join(missing)}; is it in another format?")
    offers: list[Offer] = []
    problems: list[str] = []
    try:
        for row in reader:
            try:
                offers.extend(offers_of(row))
            except (ArithmeticError, ValueError) as error:
                problems.append(f"{path}:{reader.line_num}: {error}")
    except csv.Error as error:
        problems.append(f"{path}:{reader.line_num}: {error}")
    if len(problems) > MAX_PROBLEMS:
        problems[MAX_PROBLEMS:] = [f"{path}: {len(problems) - MAX_PROBLEMS} more lines cannot be read"]
    if problems:
        raise ConfigError(problems)
    return offers


def _gpuhunt(row: Mapping[str, str]) -> Iterator[Offer]:
    """One row per instance, place and purchase option. Memory tells an A100 of 40 GB from one of 80."""
    if not row["gpu_name"] or not _number(row, "gpu_count"):
        return
    memory = _number(row, "gpu_memory") if row["gpu_memory"] else None
    name = f"{row['gpu_name']}-{memory:.0f}GB" if memory else row["gpu_name"]
    spot = row["spot"].strip().lower() in ("true", "1", "yes")
    count, price = _positive(row, "gpu_count"), _positive(row, "price")
    yield Offer(row["instance_name"], row["location"], name, count, price, spot)


def _skypilot(row: Mapping[str, str]) -> Iterator[Offer]:
    """One row per instance and zone, with the spot price beside the on-demand price (either may be empty)."""
    if not row["AcceleratorName"] or not row["AcceleratorCount"]:
        return
    count = _positive(row, "AcceleratorCount")
    for column, spot in (("Price", False), ("SpotPrice", True)):
        if row[column]:
            price = _positive(row, column)
            yield Offer(row["InstanceType"], row["Region"], row["AcceleratorName"], count, price, spot)


def _number(row: Mapping[str, str], column: str) -> Decimal:
    try:
        value = Decimal(row[column] or "0")
    except ArithmeticError:
        value = Decimal("NaN")
    if not value.is_finite():
        raise ValueError(f"{column}: {row[column][:40]!r} is not a number")
    if value and not -12 <= value.adjusted() <= 12:
        raise ValueError(f"{column}: {row[column][:40]!r} is out of range")
    return value


def _positive(row: Mapping[str, str], column: str) -> Decimal:
    value = _number(row, column)
    if value <= 0:
        raise ValueError(f"{column}: {row[column][:40]!r} is not above zero")
    return value


def _plain(price: Decimal) -> str:
    text = f"{price.quantize(Decimal('1e-9')):f}"
    return text.rstrip("0").rstrip(".")


def _scalar(text: str) -> str:
    """A YAML scalar that reads back as this text, whatever is in it."""
    return str(yaml.safe_dump(text, default_style='"', width=2**16)).strip()


_FORMATS: Final[dict[str, tuple[tuple[str, ...], Callable[[Mapping[str, str]], Iterator[Offer]]]]] = {
    "gpuhunt": (
        ("instance_name", "location", "price", "gpu_count", "gpu_name", "gpu_memory", "spot"),
        _gpuhunt,
    ),
    "skypilot": (
        ("InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "SpotPrice", "Region"),
        _skypilot,
    ),
}
FORMATS: Final = tuple(_FORMATS)
