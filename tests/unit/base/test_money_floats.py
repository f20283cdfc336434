"""No float touches money: not in the source of the money path, not in what it computes, not in what is stored."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from spendstream_schemas import parse_usage_event
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.base.money import pico_from_usd, usd_from_pico
from stream_jobs.facts import facts_of
from stream_jobs.forecasting.drivers import PARTS
from stream_jobs.metering.process import Metering
from stream_jobs.store.tables import TABLES
from stream_jobs.streams.model import Block, SourcePartition, SourceRecord
from tests.chaos.traffic import generate
from tests.unit.pricing.shipped import shipped_book

ROOT = Path(__file__).resolve().parents[3]
APPLICATION = ROOT / "stream_jobs"
MONEY_PATH = (
    *(
        "base/money.py",
        "pricing",
        "metering",
        "repricing",
        "reconciliation",
        "data_quality",
        "series",
        "ledger",
        "budgets",
        "budget_terms",
        "currencies",
    ),
    "store/tables.py",
)
FLOAT_COLUMNS = {"latency_ms", "complexity"}
"""The only columns that are measured rather than counted. Neither is ever multiplied by a price."""
STATISTICS = {"score", "scale", "error", "coverage", "probabilities"}
"""A surprise; how far forecasts were off, in units of how far repeating the past was; shares and chances."""
DRIVERS = {
    *(f"{what}_{when}" for what in ("requests", "tokens") for when in ("lately", "ahead")),
    "ratio",
    *(f"{part}_factor" for part in PARTS),
}
"""Of `forecast_drivers`: requests and tokens a day, and by what each moves a cost."""

ALLOWED: Mapping[tuple[str, str], str] = {
    ("budget_terms/resolve.py", "_UP.divide"): "a Context of decimal divides two Decimals",
    ("budget_terms/units.py", "_EXACT.divide"): "a Context of decimal divides two Decimals",
    ("budgets/forecast_status.py", "float"): "names the type of chances",
    ("budgets/outlook.py", "float"): "names the type of chances",
    ("budgets/outlook_reader.py", "float"): "chances; no money",
    ("budgets/outlook_text.py", "float"): "names the type of chances",
    (
        "budgets/standing.py",
        "Decimal(of) / Decimal(self.amount)",
    ): "Decimal / Decimal, the percents that a forecast is of",
    ("data_quality/finding.py", "Decimal(part) * 100 / Decimal(whole)"): "Decimal / Decimal, a share for people",
    ("metering/decode.py", "float"): "a timedelta of seconds, for the bound of an instant; no money",
    ("metering/columnar/events.py", "pa.float64"): "latency_ms and complexity, which are no money",
    ("metering/columnar/price.py", "np.float64"): "estimates whether a product could leave 64 bits; far from the limit",
    ("metering/columnar/structs.py", "float"): "names the type of latency_ms and complexity",
    ("pricing/ahead.py", "float"): "a factor of forecasts, of Fractions; no money",
    ("pricing/ahead.py", "costs[-1] / before[-1]"): "Fraction",
    ("pricing/ahead.py", "spent / _micros(end - begin) / today"): "Fraction",
    ("pricing/ahead.py", "spent / _micros(end - begin)"): "Fraction",
    ("pricing/ahead.py", "1.0"): "the factor where nothing changes",
    ("pricing/changing.py", "contracted * Fraction(line.effective_cost) / Fraction(line.contracted_cost)"): "Fraction",
    ("pricing/comparisons.py", "Fraction(effective_cost) * Fraction(provisioned - busy) / Fraction(provisioned)"): (
        "Fraction"
    ),
    ("pricing/compiled.py", "_UNIT_PRICE.divide"): "a Context of decimal divides two Decimals",
    ("pricing/corrections.py", "float"): "refuses floats in price files",
    ("pricing/dearest.py", "dearest * PICO_PER_USD / 3600"): "Fraction",
    ("pricing/dearest.py", "from math import ceil"): "of a Fraction",
    ("pricing/dearest.py", "most(price) * PICO_PER_USD / PER[price_key]"): "Fraction",
    ("pricing/dearest.py", "usd * PICO_PER_USD / PER[key]"): "Fraction",
    ("pricing/importers.py", "offer.usd_per_hour / offer.count"): "Decimal / int",
    ("pricing/over_time.py", "Fraction(pico) * 10 ** PLACES / PICO_PER_USD"): "Fraction",
    ("pricing/listed_terms.py", "Fraction(cost) / Fraction(line.quantity)"): "Fraction",
    ("pricing/listed_terms.py", "Fraction(price.usd) * 10 ** 12 / price.per"): "Fraction",
    ("pricing/nearest.py", "0.6"): "how alike two names must be",
    ("pricing/overlays.py", "Fraction(_PERCENT - self.discount_percent) / 100"): "Fraction",
    ("pricing/overlays.py", "Fraction(contract.contract[price_key]) * PICO_PER_USD / per"): "Fraction",
    ("pricing/rate_cards.py", "on_demand * Fraction(100 - self.percent_off) / 100"): "Fraction",
    ("pricing/rates.py", "Fraction(usd) * PICO_PER_USD / PER[price_key]"): "Fraction",
    ("pricing/resources.py", "_pico(listed) / _SECONDS"): "Fraction",
    ("pricing/resources.py", "_pico(purchased) / _SECONDS"): "Fraction",
    ("series/mix.py", "Fraction(number) / events"): "Fraction",
    ("series/mix.py", "Fraction(usage[name]) / events"): "Fraction",
    ("series/mix.py", "facts.stated_cost / events"): "Decimal / int, what a provider states in the mean",
    ("series/mix.py", "cost / total"): "Fraction",
    ("series/mix.py", "float"): "a share of a series for forecasts; no money",
    ("store/tables.py", "pa.float64"): "latency_ms and complexity; anomaly_scores, which are statistics",
    ("store/tables.py", "pa.float32"): "the surprise of a finding or a series, in nats",
}
"""What looks like a float in the money path and is harmless, by file and expression, with the reason."""

_SUSPECTS = re.compile(r"float(16|32|64|ing|_)?|half_float|double|true_divide|divide|mean|average|fsum|fmean")
_SECONDS = re.compile(r".*_(s|S|seconds|ms)$")
_PATHS = re.compile(r"Path\(|folder|FOLDER|DATA|ROOT|_dir\b")


def floats_in(source: str) -> Iterator[str]:
    """Every expression that is, makes or may give a float; durations in seconds and paths apart."""
    tree = ast.parse(source)
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    for node in ast.walk(tree):
        if _suspicious(node) and not _is_duration(node, parents):
            yield ast.unparse(node)


def _suspicious(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float | complex)
    if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
        return not _PATHS.search(ast.unparse(node))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        # 10 ** -12 is a float, as is the root.
        return isinstance(node.right, ast.UnaryOp) or _suspicious(node.right)
    if isinstance(node, ast.Name):
        return node.id in ("float", "complex")
    if isinstance(node, ast.Attribute):
        return _SUSPECTS.fullmatch(node.attr) is not None
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [item.name for item in node.names]
        return any(name in ("math", "statistics", "cmath") for name in names)
    return False


def _is_duration(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether the value goes to something whose name says that it is a time: `timeout_s`, `sleep(...)`."""
    while node in parents:
        parent = parents[node]
        names: list[str] = []
        if isinstance(parent, ast.Assign):
            names = [ast.unparse(target) for target in parent.targets]
        elif isinstance(parent, ast.AnnAssign | ast.AugAssign):
            names = [ast.unparse(parent.target)]
        elif isinstance(parent, ast.keyword | ast.arg):
            names = [parent.arg or ""]
        elif isinstance(parent, ast.arguments):
            names = [_argument_of(parent, node)]
        elif isinstance(parent, ast.Call):
            names = (
                [f"{ast.unparse(parent.func)}_s"]
                if re.search(r"(sleep|wait|poll|join)$", ast.unparse(parent.func))
                else []
            )
        if any(_SECONDS.match(name) for name in names):
            return True
        if isinstance(parent, ast.stmt):
            return False
        node = parent
    return False


def _argument_of(arguments: ast.arguments, default: ast.AST) -> str:
    """The name of the argument that has this default."""
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return next((argument.arg for argument, value in pairs if value is default), "")


def money_files() -> list[Path]:
    files = []
    for name in MONEY_PATH:
        path = APPLICATION / name
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return files


def test_the_source_of_the_money_path_holds_no_float() -> None:
    """A literal, `float`, true division, a float type of numpy or Arrow: allowed with a reason, or wrong."""
    files = money_files()
    assert len(files) > 40
    found = {
        (path.relative_to(APPLICATION).as_posix(), expression)
        for path in files
        for expression in floats_in(path.read_text(encoding="utf-8"))
    }
    assert sorted(found - ALLOWED.keys()) == [], "use integers of pico-USD, Decimal or Fraction, or say why in ALLOWED"
    assert sorted(ALLOWED.keys() - found) == [], "allowed, but not there any more"


@pytest.mark.parametrize(
    "smuggled",
    [
        "cost = 0.1",
        "cost = float(usd)",
        "cost = total / events",
        "cost /= 2",
        "cost = usd * 1e-12",
        "cost = 10 ** -12",
        "values.astype(np.float64)",
        "column = pa.float64()",
        "values.mean()",
        "np.true_divide(cost, events)",
        "from math import fsum",
        "def price(usd: float) -> int: ...",
        "def price(rate=0.5): ...",
        "x = [Decimal(y) for y in (0.1, 0.2)]",
    ],
)
def test_the_scan_finds_a_float(smuggled: str) -> None:
    """Each way to bring a float in is seen."""
    assert list(floats_in(smuggled))


@pytest.mark.parametrize(
    "harmless",
    [
        "TIMEOUT_S: Final = 60.0",
        "def stop(timeout_s: float = 5.0) -> None: ...",
        "time.sleep(0.1)",
        "start(interval_s=0.5)",
        "path = folder / 'prices'",
        "cost = total // events",
        "PICO = 10 ** 12",
    ],
)
def test_the_scan_leaves_durations_and_paths_alone(harmless: str) -> None:
    """Seconds may be fractions of a second; a path is no quotient."""
    assert list(floats_in(harmless)) == []


def leaves(value: Any) -> Iterator[Any]:
    """Everything in nested tuples, lists and mappings."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def test_no_receipt_holds_a_float() -> None:
    """Thousands of events of every kind: costs are whole pico-USD, quantities and unit prices whole or Decimal."""
    book = shipped_book()
    priced = 0
    examples = (ROOT / "schemas" / "examples" / "usage.events.v1").glob("*.json")
    values = [*generate(7, 2_000).events, *(path.read_bytes() for path in examples)]
    for value in values:
        parsed = parse_usage_event(value)
        pricing = book.price(facts_of(parsed.message), parsed.unknown_fields)
        assert not [leaf for leaf in leaves(tuple(pricing)) if isinstance(leaf, float)], pricing
        if pricing.priced:
            priced += 1
            costs = [pricing.list_cost, pricing.contracted_cost, pricing.effective_cost, pricing.avoided_cost]
            costs += [cost for line in pricing.lines for cost in (line.list_cost, line.contracted_cost)]
            assert {type(cost) for cost in costs} == {int}, pricing
    assert priced > 1_000


class _NothingBooked:
    def booked(self, *_: object) -> Mapping[str, Any]:
        return {}

    def held(self, *_: object) -> Mapping[str, list[Any]]:
        return {}

    def entries(self, *_: object) -> list[Mapping[str, Any]]:
        return []


def test_no_booked_column_of_money_is_a_float() -> None:
    """What metering hands to the store, from the column path and from the one-event path: money is Decimal(38, 12)."""
    values = list(generate(11, 1_500).events)
    records = [SourceRecord(offset, 0, b"k", value) for offset, value in enumerate(values)]
    metering = Metering(shipped_book(), AttributionRules.load(None), _NothingBooked(), timedelta(minutes=5))
    block = Block(SourcePartition("t", "id", 0), 0, len(records) - 1, datetime.now(UTC), metering.versions(), 1)
    table = metering.process(block, records).tables["ledger"]
    assert table.num_rows > 1_000
    assert {field.name for field in table.schema if _floating(field.type)} == FLOAT_COLUMNS
    for field in table.schema:
        if field.name.endswith("_cost"):
            kind = field.type.value_type if pa.types.is_list(field.type) else field.type
            assert kind == pa.decimal128(38, 12), field


def _floating(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_dictionary(kind):
        return _floating(kind.value_type)
    return bool(pa.types.is_floating(kind))


def test_no_declared_column_is_a_float_but_the_measured_ones() -> None:
    """Neither the Arrow schemas of what is inserted nor the SQL of any table or view; but for statistics: a surprise,
    chances, how good forecasts were, what plots draw of series (`anomaly_scores`), and what moves costs. None of them
    is an amount."""
    money = {name: schema for name, schema in TABLES.items() if name != "anomaly_scores"}
    declared = {field.name for schema in money.values() for field in schema if _floating(field.type)}
    assert declared - STATISTICS - DRIVERS <= FLOAT_COLUMNS
    for path in sorted((ROOT / "sql" / "migrations").glob("*.sql")):
        if path.name == "0047_anomaly_scores.sql":
            continue
        statements = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
        for line in statements.splitlines():
            if re.search(r"\b(Float(32|64)|BFloat16|Double)\b", line, re.IGNORECASE):
                assert line.split()[0] in STATISTICS | DRIVERS | FLOAT_COLUMNS, f"{path.name}: {line.strip()}"


def test_money_turns_into_text_and_back_without_a_float() -> None:
    """The edges: a Decimal of any size that the ledger can hold becomes pico-USD and comes back, digit for digit."""
    for text in ("0.000000000001", "99999999999999999999999999.999999999999", "-0.1", "2.5"):
        assert usd_from_pico(pico_from_usd(Decimal(text))) == Decimal(text)
    assert json.dumps({"cost": str(usd_from_pico(100_000_000_001))}) == '{"cost": "0.100000000001"}'
