"""Reading YAML exactly."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.yaml_files import MAX_UNREADABLE, load_yaml


def _load(tmp_path: Path, text: str) -> object:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return load_yaml(path)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**9), max_value=10**9))
def test_a_price_is_read_as_it_is_written(tmp_path_factory: pytest.TempPathFactory, price: Decimal) -> None:
    """0.1 is a tenth, not the nearest binary fraction."""
    value = _load(tmp_path_factory.mktemp("yaml"), f"price: {price:f}")
    assert value == {"price": price}
    assert isinstance(value, dict)
    assert isinstance(value["price"], Decimal)


def test_whole_numbers_and_texts_stay_what_they_are(tmp_path: Path) -> None:
    """Only numbers with a point become Decimal."""
    assert _load(tmp_path, 'a: 1\nb: "0.1"\nc: 1_000.5') == {"a": 1, "b": "0.1", "c": Decimal("1000.5")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "'a' is given twice"),
        ("a: {b: 1, b: 2}", "'b' is given twice"),
        ("a: .inf", "is not a number"),
        ("a: .nan", "is not a number"),
        ("a: [", "is not valid YAML"),
        ("amount: 0100", "'0100' is 64 for YAML, which counts by eights behind a 0: write 100, or put quotes"),
        ("amount: -010", "'-010' is -8 for YAML"),
        ("amount: 0_10", "'010' is 8 for YAML"),
        ("a: !!python/object/apply:os.system [id]", "is not valid YAML"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    """Every refusal is a ConfigError that names the file and the line."""
    with pytest.raises(ConfigError, match=r"file\.yaml:[12]: ") as caught:
        _load(tmp_path, text)
    assert message in str(caught.value)


def test_a_leading_zero_is_no_trap(tmp_path: Path) -> None:
    """Read where it is the same number either way; texts stay texts."""
    assert _load(tmp_path, "[0, 00, 04, 07, 08, '010', 0x10]") == [0, 0, 4, 7, "08", "010", 16]


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path: Path) -> None:
    """Missing, a folder, or not UTF-8."""
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"a: \xff")
    for path, message in (
        (tmp_path / "missing.yaml", "No such file"),
        (tmp_path, "is a folder"),
        (binary, "not UTF-8"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_yaml(path)


def test_every_value_that_cannot_be_read_is_named_at_once(tmp_path: Path) -> None:
    """Each with its line, once, also where an alias stands for it; one is no reason to hide the others."""
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, "a: &x 2026-13-01\nb: [.inf, 1, *x]\nc: {d: !!int x}")
    lines = [problem.split(": ")[0].rpartition("file.yaml:")[2] for problem in caught.value.problems]
    assert lines == ["1", "2", "3"]


def test_a_file_of_nothing_but_such_values_is_left_alone_after_a_hundred(tmp_path: Path) -> None:
    """Nobody reads more of them."""
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, "- .nan\n" * 5000)
    assert len(caught.value.problems) == MAX_UNREADABLE + 1
