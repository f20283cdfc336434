"""A short chaos run on each broker. Longer ones: `make chaos`."""

from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.embedded.kafka.jars import jar_folder
from stream_jobs.embedded.kafka.java import find_java
from tests.brokers import REQUIRED
from tests.chaos.run import Options, run

SEEDS = {"tansu": 7, "kafka": 8}
EVENTS = 800
SECONDS = 6


@pytest.mark.parametrize(
    "broker",
    [
        pytest.param("tansu", marks=pytest.mark.slow),
        pytest.param("kafka", marks=[pytest.mark.slow, pytest.mark.xdist_group("kafka")]),
    ],
)
def test_the_books_are_exact_after_a_few_seconds_of_chaos(broker: str, tmp_path: Path) -> None:
    """Workers, broker, store and service killed, stopped and cut off: ledger and rollups equal the oracle, and what was
    received is accounted for."""
    if broker == "kafka":
        _need_kafka()
    report = run(Options(SEEDS[broker], broker, EVENTS, SECONDS), tmp_path)
    assert not report.problems, "\n".join(
        [*report.problems, report.options.command, str(report.folder), *report.history]
    )
    assert report.counts["events"] >= EVENTS


def _need_kafka() -> None:
    """One of its own, which it may kill. Skips, by name of what is missing."""
    try:
        find_java()
        jar_folder()
    except ConfigError as error:
        if REQUIRED:
            pytest.fail(str(error))
        pytest.skip(f"no Kafka that could be killed here: {error}")
