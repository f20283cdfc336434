"""The section on Microsoft's series."""

import csv
from pathlib import Path

import numpy as np

from tests.benchmarks.detection.microsoft import load, sections
from tests.benchmarks.detection.options import Options


def test_files_of_the_published_form(tmp_path: Path) -> None:
    """Labels with a few points between them are one window; a point without a value is a gap; a spike is found."""
    path = tmp_path / "ms_cloud_monitoring" / "data" / "rate" / "rate-01.csv"
    path.parent.mkdir(parents=True)
    values = np.random.default_rng(2).normal(10, 1, 600)
    values[500:504] = 80.0
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("TimeStamp", "Value", "Label"))
        for point, value in enumerate(values.tolist()):
            label = int(point in (500, 503))
            rows.writerow((f"2026-01-{1 + point // 24:02}T{point % 24:02}:00:00Z", "" if point == 9 else value, label))
    ((file_of, labels),) = load(tmp_path / "ms_cloud_monitoring")
    assert file_of.windows == ((499, 502),)
    assert len(file_of.values) == len(labels) == 599
    (table,) = sections(Options(quick=True, data=tmp_path))
    assert table.rows[0][:3] == ("spendstream", "1 of 1", "0")
    assert len(table.rows) == 4
