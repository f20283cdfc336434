"""Generated traffic as a CSV file, and the truth beside it."""

import csv
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.detection.generator import Traffic


def write(traffic: Traffic, path: Path) -> None:
    """Minutes without requests are not written: in such files a minute that is not there had none."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "series", "events", "cost", "cost_squares"])
        for minute in range(traffic.events.shape[1]):
            time = instant(traffic.first + minute)
            for number in traffic.events[:, minute].nonzero()[0].tolist():
                events = int(traffic.events[number, minute])
                amounts = (traffic.cost[number, minute], traffic.squares[number, minute])
                rows.writerow([time, f"s{number}", events, *(f"{amount:.12f}" for amount in amounts)])
    truth = [
        {**asdict(one), "series": f"s{one.series}", "start": instant(one.start), "end": instant(one.end)}
        for one in traffic.incidents
    ]
    told = {"from": instant(traffic.history_ends), "incidents": truth}
    path.with_name(path.name + ".truth.json").write_text(json.dumps(told, indent=1) + "\n")


def instant(minute: int) -> str:
    """ISO 8601 of a minute since 1970."""
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%MZ")
