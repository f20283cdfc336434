"""`--generate` writes traffic and its truth."""

import csv
import json
from pathlib import Path

import pytest

from tests.benchmarks.bench_detection import main
from tests.benchmarks.detection.generator import Spec, generate
from tests.benchmarks.detection.traffic_file import instant

SPEC = "rate=2,weeks=1,days=8,shape=zero,series=2"


def test_the_file_holds_the_traffic(tmp_path: Path) -> None:
    """A row for each minute of a series that had requests, in the order of time, with sums and sums of squares."""
    out = tmp_path / "traffic.csv"
    assert main(["--generate", SPEC, "--seed", "7", "--out", str(out)]) == 0
    traffic = generate(Spec.parse(SPEC), 7)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["time", "series", "events", "cost", "cost_squares"]
    assert len(rows) == int((traffic.events > 0).sum())
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert sum(int(row["events"]) for row in rows) == traffic.events.sum()
    assert sum(float(row["cost"]) for row in rows) == pytest.approx(traffic.cost.sum())
    assert sum(float(row["cost_squares"]) for row in rows) == pytest.approx(traffic.squares.sum(), abs=1e-6)


def test_the_truth_stands_beside_it(tmp_path: Path) -> None:
    """From when on it is judged, and each incident with its series and its instants."""
    out = tmp_path / "traffic.csv"
    main(["--generate", SPEC, "--seed", "7", "--out", str(out)])
    truth = json.loads((tmp_path / "traffic.csv.truth.json").read_text())
    traffic = generate(Spec.parse(SPEC), 7)
    assert truth["from"] == instant(traffic.history_ends) == "2026-01-05T00:00Z"
    assert truth["incidents"] == [
        {"series": f"s{one.series}", "start": instant(one.start), "end": instant(one.end), "shape": "zero"}
        for one in traffic.incidents
    ]
    with out.open(newline="") as file:
        during = [row for row in csv.DictReader(file) if row["series"] == "s0"]
    begin, end = truth["incidents"][0]["start"], truth["incidents"][0]["end"]
    assert not [row for row in during if begin <= row["time"] < end]


@pytest.mark.parametrize("arguments", [["--generate", SPEC], ["--generate", "shape=no", "--out", "f"], ["--out", "f"]])
def test_what_cannot_be_generated_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With what is known, and exit code 2."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "known are" in capsys.readouterr().err or arguments != ["--generate", "shape=no", "--out", "f"]


def test_an_unknown_section_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With those that there are."""
    with pytest.raises(SystemExit):
        main(["--only", "trials,nothing"])
    assert "no such section: nothing; there are trials" in capsys.readouterr().err
