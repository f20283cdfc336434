"""How well anomalies are found: `python -m tests.benchmarks detection`.

`python -m tests.benchmarks.bench_detection --generate SPEC --seed N --out FILE` writes generated traffic as a CSV with
`time,series,events,cost,cost_squares`, and the truth beside it as FILE.truth.json. See detection/generator.py for SPEC.
"""

import argparse
import csv
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.detection.generator import Spec, Traffic, generate


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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generate", metavar="SPEC")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    if options.generate is None or options.out is None:
        parser.error("--generate SPEC and --out FILE are needed")
    try:
        spec = Spec.parse(options.generate)
    except ValueError as error:
        parser.error(str(error))
    write(generate(spec, options.seed), options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
