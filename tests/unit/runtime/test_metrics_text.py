"""The metrics of several processes as one text."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from stream_jobs.runtime.metrics_text import merged

HOSTILE = 'a "quoted" } brace\\ and\nline, 1'


def _text(number: int) -> bytes:
    registry = CollectorRegistry()
    Gauge("memory_bytes", "Memory", registry=registry).set(number)
    Counter("asked", "Questions", ["who"], registry=registry).labels(HOSTILE).inc(number)
    Histogram("took_seconds", "Time", registry=registry, buckets=(1, 5)).observe(number)
    return generate_latest(registry)


@pytest.fixture
def samples() -> dict[tuple[str, str], tuple[dict[str, str], float]]:
    """By name and process, each read back by Prometheus' own client."""
    found = {}
    for family in text_string_to_metric_families(merged({"one": _text(1), "two": _text(2)}).decode()):
        for sample in family.samples:
            found[sample.name, sample.labels["process"]] = (sample.labels, sample.value)
    return found


def test_every_family_comes_once() -> None:
    """Prometheus' parser refuses a second HELP or TYPE line, and with it everything that it scraped."""
    lines = merged({"one": _text(1), "two": _text(2)}).decode().splitlines()
    headers = [line for line in lines if line.startswith("#")]
    assert len(headers) == len(set(headers))
    types = [line.split()[2] for line in headers if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
    assert "memory_bytes" in types


def test_a_familys_samples_follow_its_headers() -> None:
    """In one group each, as the format wants it."""
    lines = merged({"one": _text(1), "two": _text(2)}).decode().splitlines()
    at = lines.index("# TYPE memory_bytes gauge")
    assert lines[at + 1 : at + 3] == ['memory_bytes{process="one"} 1.0', 'memory_bytes{process="two"} 2.0']


def test_no_series_comes_twice_and_every_value_stays(
    samples: dict[tuple[str, str], tuple[dict[str, str], float]],
) -> None:
    """The same gauge of two processes is two series, whatever stands in the other labels."""
    assert samples["memory_bytes", "one"][1] == 1
    assert samples["memory_bytes", "two"][1] == 2
    assert samples["asked_total", "two"] == ({"who": HOSTILE, "process": "two"}, 2)
    assert samples["took_seconds_count", "one"][1] == 1
    assert samples["took_seconds_sum", "two"][1] == 2


def test_what_only_one_process_has_is_kept() -> None:
    """The store has metrics of its own."""
    text = merged({"one": _text(1), "two": b"# HELP up_to A\n# TYPE up_to gauge\nup_to{} 3 1000\n"}).decode()
    assert 'up_to{process="two"} 3 1000\n' in text


def test_nothing_gives_nothing() -> None:
    """While everything starts."""
    assert merged({}) == b""
