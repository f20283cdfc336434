"""The section on NAB."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.detection.nab import sections
from tests.benchmarks.detection.options import Options


@pytest.mark.slow
def test_files_of_the_published_form(tmp_path: Path) -> None:
    """Two files in the published form are found, judged and scored; a spike at a window's beginning pays."""
    labels = {}
    for number, name in enumerate(("real/a.csv", "made/b.csv")):
        path = tmp_path / "nab" / "data" / name
        path.parent.mkdir(parents=True)
        values = np.random.default_rng(number).normal(10, 1, 600)
        values[500] = 80.0
        times = [datetime.fromtimestamp(300 * point, UTC).strftime("%Y-%m-%d %H:%M:%S") for point in range(600)]
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("timestamp", "value"), *zip(times, values.tolist(), strict=True)])
        labels[name] = [[times[500] + ".000000", times[540] + ".000000"]]
    (tmp_path / "nab" / "labels").mkdir()
    (tmp_path / "nab" / "labels" / "combined_windows.json").write_text(json.dumps(labels))
    table, folders = sections(Options(quick=True, data=tmp_path))
    assert [row[0] for row in table.rows] == ["spendstream, threshold for NAB", "spendstream, its own findings"]
    assert all(float(row[2]) > 90 for row in table.rows)
    assert [row[0] for row in folders.rows] == ["made", "real"]
