"""CSV files of cells: each is used, or refused by its lines."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_jobs.base.errors import ConfigError
from stream_jobs.explain import explain
from stream_jobs.explain.csv_file import MAX_LINE_BYTES, MAX_PROBLEMS, read_cells

HEADER = "model,requests_before,cost_before,requests_after,cost_after\n"


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_numbers_of_every_form_are_read(tmp_path: Path) -> None:
    """To the nearest pico-USD; with a byte order mark, quotes, blanks and empty lines."""
    text = "\ufeff" + HEADER + '"a,b",1, 1e-3 ,2.5,-0.0000000000014\n\n"x\ny",1,+.5,1,7.\n'
    table = read_cells(written(tmp_path, text))
    assert table.dimensions[0].values == ["a,b", "x\ny"]
    assert table.cost.before.tolist() == [10**9, 5 * 10**11]
    assert table.cost.after.tolist() == [-1, 7 * 10**12]


def test_null_as_databases_write_it_is_nothing(tmp_path: Path) -> None:
    r"""As in a table: 0 of an amount, '' of a dimension."""
    table = read_cells(written(tmp_path, HEADER + "\\N,1,\\N,2,3\n"))
    assert table.dimensions[0].values == [""]
    assert (table.cost.before.tolist(), table.cost.after.tolist()) == ([0], [3 * 10**12])


@pytest.mark.parametrize(("separator", "half"), [(";", "0,5"), ("\t", "0.5")])
def test_other_separators_and_names_in_capitals_are_read(tmp_path: Path, separator: str, half: str) -> None:
    """Where semicolons separate, a comma is a decimal one."""
    rows = [["Model", "Requests_Before", "COST_BEFORE", "requests_after", "cost_after"], ["a", "1", half, "2", half]]
    table = read_cells(written(tmp_path, "\n".join(separator.join(row) for row in rows)))
    assert table.dimensions[0].name == "Model"
    assert table.cost.before.tolist() == [5 * 10**11]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty"),
        (HEADER, "no row below its header"),
        ("model,cost_before\na,1\n", "requests_after, cost_after; its columns are: model, cost_before"),
        (HEADER + "a,1,1,1\n", ":2: has 4 values, and the header 5"),
        (HEADER + "a,1,1,1,1\na,1,x,1,1\n", ":3: cost_before: 'x' is no number"),
        (HEADER.replace(",", ";") + "a;1;19,589.00;1;1\n", ":2: cost_before: '19,589.00' is no number"),
        (HEADER + "a,1,,1,1\n", ":2: cost_before: is empty: write 0"),
        (HEADER + "a,1,NaN,1,1\n", "is no number"),
        (HEADER + "a,1,1_000,1,1\n", "is no number"),
        (HEADER + "a,-1,1,1,1\n", ":2: requests_before: is below zero"),
        (HEADER + f"a,1,{'9' * 27},1,1\n", "more than 26 digits"),
        (HEADER + "a,1,1e9999,1,1\n", "more than 26 digits"),
        (HEADER + '"a,1,1,1,1\n', "is no CSV"),
        (HEADER.encode() + b"\xff,1,1,1,1\n", ":2: is not UTF-8"),
        (HEADER + "x" * (MAX_LINE_BYTES + 1), ":2: is longer than"),
        (HEADER + f"{'x' * 2000},1,1,1,1\n", "more than 1,000 characters"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_line(tmp_path: Path, content: str | bytes, problem: str) -> None:
    """And what to do about it."""
    with pytest.raises(ConfigError) as refused:
        read_cells(written(tmp_path, content))
    assert problem in str(refused.value)


def test_many_problems_are_counted(tmp_path: Path) -> None:
    """The first of them are shown."""
    with pytest.raises(ConfigError) as refused:
        read_cells(written(tmp_path, HEADER + "a,x,1,1,1\n" * 500))
    assert len(refused.value.problems) == MAX_PROBLEMS + 1
    assert refused.value.problems[-1].endswith("480 more problems")


CELLS = st.sampled_from(
    ("a", "0", "1", "1e-30", "1e25", "-1e25", "9" * 26, "", "nan", '"', "\0", "\x1b[31m", "1,1", "\n", "é")
)


@given(st.lists(st.lists(CELLS, min_size=4, max_size=6).map(",".join), max_size=5), st.binary(max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_answered_or_refused(tmp_path: Path, lines: list[str], tail: bytes) -> None:
    """With a ConfigError and nothing else."""
    path = written(tmp_path, (HEADER + "\n".join(lines)).encode() + tail)
    try:
        found = explain(read_cells(path))
    except ConfigError:
        return
    assert found.after - found.before == found.excess
