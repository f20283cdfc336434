"""Exchange rates as people write them: exact, dated, rising; everything else is refused with its place."""

from decimal import Decimal
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.currencies.document import FILE_NAME
from stream_jobs.currencies.jsonschema import schema_text
from stream_jobs.currencies.rates import read_currencies

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "stream_jobs/currencies/example_currencies.yaml"


def test_the_example_and_the_schema_are_the_forms_own(tmp_path: Path) -> None:
    """The example is valid; `make schemas` writes the schema."""
    (tmp_path / FILE_NAME).write_bytes(EXAMPLE.read_bytes())
    found = read_currencies(tmp_path)
    assert [rate.usd for rate in found["CHF"]] == [Decimal("1.13"), Decimal("1.24")]
    assert (ROOT / "schemas/json/currencies.schema.json").read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("currencies: {USD: [{usd: 1, valid_from: 2026-01-01}]}", "USD is what the others are given in"),
        ("currencies: {EUR: []}", "at least 1 item"),
        ("currencies: {eur: [{usd: 1, valid_from: 2026-01-01}]}", "should match pattern"),
        ("currencies: {EUR: [{usd: 0, valid_from: 2026-01-01}]}", "greater than 0"),
        ("currencies: {EUR: [{usd: true, valid_from: 2026-01-01}]}", "currencies.EUR"),
        ("currencies: {EUR: [{usd: 1, valid_from: 46000}]}", "is not a date"),
        (
            "currencies: {EUR: [{usd: 1, valid_from: 2026-02-01}, {usd: 2, valid_from: 2026-02-01}]}",
            "the dates must rise",
        ),
        ("rates: {}", "rates"),
    ],
)
def test_what_is_no_rate_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    """In one sentence."""
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(ConfigError, match=rf"{FILE_NAME}:1: ") as refused:
        read_currencies(tmp_path)
    assert said in str(refused.value)
