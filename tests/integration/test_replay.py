"""`spendstream replay`, `emit` and `simulate` against a real broker: what arrives in Kafka, and what is told."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from spendstream_schemas import OutcomeEvent, UsageEvent, parse_outcome_event, parse_usage_event
from stream_jobs.base.errors import BrokerUnavailableError, ConfigError
from stream_jobs.cli import emit, replay, simulate
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.runtime.ports import free_port

USAGE, OUTCOMES = "usage.events.v1", "usage.outcomes.v1"
PARTITIONS = 3
RUNNER = "import sys; from tests.integration.test_replay import command; sys.exit(command(*sys.argv[1:]))"


def command(*arguments: str) -> int:
    """The commands' own parsers and run functions; returns the exit code."""
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(required=True)
    for module in (replay, emit, simulate):
        module.add_parser(subparsers)
    args = parser.parse_args(arguments)
    return int(args.run(args))


@pytest.fixture
def kafka(broker: TansuBroker) -> str:
    """The address of a broker with both topics."""
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    for future in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in (USAGE, OUTCOMES)]).values():
        future.result()
    return broker.address


def read(kafka: str, topic: str = USAGE) -> list[tuple[bytes | None, bytes]]:
    """Key and value of everything in the topic. The end is where a fetch finds nothing more: Tansu's answer to
    ListOffsets stops at the last batch's first record."""
    options = {"bootstrap.servers": kafka, "group.id": "test", "log_level": 0, "enable.partition.eof": True}
    consumer = Consumer(options)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    found: list[tuple[bytes | None, bytes]] = []
    at_end: set[int | None] = set()
    deadline = time.monotonic() + 30
    while len(at_end) < PARTITIONS:
        assert time.monotonic() < deadline, "the topic could not be read to its end"
        for message in consumer.consume(1000, timeout=0.02):
            error = message.error()
            if error is None:
                found.append((message.key(), message.value() or b""))
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                at_end.add(message.partition())
    consumer.close()
    return found


def azure_file(path: Path, rows: int) -> Path:
    lines = [f"2023-11-16 18:{n // 60 % 60:02d}:{n % 60:02d}.1234567,{n + 1},{n % 7}" for n in range(rows)]
    path.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *lines]) + "\n")
    return path


def usage_events(kafka: str) -> list[UsageEvent]:
    return [parse_usage_event(value).message for _, value in read(kafka)]


def test_replay_sends_every_row_and_says_so(kafka: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Valid events, keyed by event id, with the attribution that was asked for; sent twice they have the same ids."""
    path = azure_file(tmp_path / "trace.csv", 2000)
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{field: project, round_robin: [a, b]}]")
    arguments = (
        *("replay", str(path), "--format", "azure", "--provider", "openai", "--model", "gpt-4o"),
        *("--bootstrap", kafka, "--json", "--attribution", "team=search", "--rules", str(rules)),
    )
    assert command(*arguments) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary.keys() == {"sent", "bad_rows", "seconds"}
    assert (summary["sent"], summary["bad_rows"]) == (2000, 0)
    messages = read(kafka)
    events = [parse_usage_event(value).message for _, value in messages]
    assert {key for key, _ in messages} == {event.event_id.encode() for event in events}
    assert sum(getattr(event.usage, "input_tokens", 0) for event in events) == 2000 * 2001 // 2
    assert {(event.attribution.team, event.attribution.project) for event in events} == {
        ("search", "a"),
        ("search", "b"),
    }
    assert command(*arguments) == 0
    again = usage_events(kafka)
    assert len(again) == 4000
    assert {event.event_id for event in again} == {event.event_id for event in events}
    assert command(*arguments, "--run-id", "other", "--limit", "10") == 0
    assert len({event.event_id for event in usage_events(kafka)}) == 2010


def test_rows_that_cannot_be_read_are_told_and_counted(
    kafka: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, the line's number on stderr, the others sent; too many end the replay."""
    path = azure_file(tmp_path / "trace.csv", 10)
    path.write_text(path.read_text().replace(",3,2\n", ",three,2\n") + "x\x1b[31m,1,1\n" * 3)
    arguments = ("replay", str(path), "--format", "azure", "--provider", "p", "--model", "m", "--bootstrap", kafka)
    assert command(*arguments, "--json") == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["sent"] == 9
    assert json.loads(captured.out)["bad_rows"] == 4
    assert "line 4: ContextTokens is not a whole number: 'three'" in captured.err
    assert "\x1b" not in captured.err
    assert command(*arguments, "--max-errors", "1") == 1
    assert "stopped at line 12: more than 1 rows cannot be read" in capsys.readouterr().err


def test_replay_by_mapping(kafka: str, tmp_path: Path) -> None:
    """A JSONL log that names its own providers and models needs neither option."""
    path = tmp_path / "log.jsonl"
    path.write_text('{"ts": 1780315200, "llm": {"vendor": "mistral", "name": "mistral-large-2512"}, "in": 7}\n')
    mapping = tmp_path / "map.yaml"
    mapping.write_text("fields: {occurred_at: {column: ts, time: unix_s}, usage.input_tokens: in, model: llm.name}")
    arguments = ("replay", str(path), "--format", "jsonl", "--mapping", str(mapping), "--bootstrap", kafka)
    with pytest.raises(ConfigError, match="--provider is missing"):
        command(*arguments)
    assert command(*arguments, "--map", "provider=llm.vendor") == 0
    (event,) = usage_events(kafka)
    assert (event.provider, event.model) == ("mistral", "mistral-large-2512")
    assert event.occurred_at.isoformat() == "2026-06-01T12:00:00+00:00"


def test_emit_fills_in_what_the_sdk_would_and_tells_bad_lines(
    kafka: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One bad line costs one line and the exit code."""
    event = {"source": "s", "provider": "openai", "model": "gpt-4o", "occurred_at": "2026-06-01T00:00:00Z"}
    usage = {"kind": "tokens", "input_tokens": 5}
    lines = [
        json.dumps(event | {"usage": usage}),
        "nonsense",
        "",
        json.dumps(event | {"usage": usage, "colour": "red"}),
        json.dumps(event | {"usage": usage | {"cache_read_tokens": 9}}),
        json.dumps(event | {"usage": usage, "trace_id": "x" * 100_000}),
        json.dumps(event | {"usage": usage, "event_id": "own", "schema_version": 1}),
    ]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines))
    assert command("emit", str(path), "--bootstrap", kafka, "--json") == 1
    captured = capsys.readouterr()
    summary = json.loads(captured.out)
    assert (summary["sent"], summary["bad_rows"]) == (2, 4)
    reasons = [line.split(": ")[:2] for line in captured.err.splitlines()]
    assert reasons == [
        ["line 2", "not_json"],
        ["line 4", "unknown_field"],
        ["line 5", "part_exceeds_whole"],
        ["line 6", "too_large"],
    ]
    ids = {event.event_id for event in usage_events(kafka)}
    assert len(ids) == 2
    assert "own" in ids


def test_emit_sends_outcomes_to_their_topic(kafka: str, tmp_path: Path) -> None:
    """Business value, for unit economics."""
    path = tmp_path / "outcomes.jsonl"
    path.write_text('{"outcome": "ticket_resolved", "quantity": 3, "value_usd": 0.1}\n')
    assert command("emit", str(path), "--outcomes", "--source", "crm", "--now", "--bootstrap", kafka) == 0
    ((_, value),) = read(kafka, OUTCOMES)
    outcome: OutcomeEvent = parse_outcome_event(value).message
    assert (outcome.source, str(outcome.value_usd)) == ("crm", "0.1")
    assert read(kafka, USAGE) == []


def test_emit_raw_sends_any_bytes(kafka: str, tmp_path: Path) -> None:
    """What the SDK would refuse: not UTF-8, not JSON, larger than the contract allows, empty."""
    lines = [b"\xff\xfe\x00", b"not json", b"x" * 200_000, b"", b'{"schema_version": 99}']
    path = tmp_path / "raw"
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert command("emit", str(path), "--raw", "--bootstrap", kafka) == 0
    assert sorted(value for _, value in read(kafka)) == sorted(lines)


def test_emit_reads_a_pipe(kafka: str) -> None:
    """Standard input is the default; the events go out before the pipe ends is not asked for, that they all do is."""
    event = {"source": "s", "provider": "openai", "model": "gpt-4o", "usage": {"kind": "tokens", "input_tokens": 5}}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, "emit", "--now", "--bootstrap", kafka],
        input=(json.dumps(event) + "\n") * 300,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sent 300 events")
    assert len({event.event_id for event in usage_events(kafka)}) == 300


def test_simulate_sends_the_same_valid_events_each_time(kafka: str, tmp_path: Path) -> None:
    """With a start and a seed the run can be repeated, with what its calls bring; the labels lie beside it."""
    labels = tmp_path / "labels.jsonl"
    arguments = (
        *("simulate", "--start", "2026-06-01T10:00Z", "--duration", "2m", "--rate", "20", "--seed", "7"),
        *("--incident", "spike:start=30s:duration=1m:project=helpdesk", "--labels", str(labels)),
    )
    assert command(*arguments, "--bootstrap", kafka) == 0
    sent = {event.event_id: event for event in usage_events(kafka)}
    out = tmp_path / "events.jsonl"
    assert command(*arguments, "--out", str(out)) == 0
    written = {
        event.event_id: event
        for event in (parse_usage_event(line.encode()).message for line in out.read_text().splitlines())
    }
    assert sent == written
    assert len(sent) > 2000
    assert command(*arguments, "--out", str(out), "--outcomes") == 0
    outcomes = sorted(line.encode() for line in out.read_text().splitlines())
    assert outcomes == sorted(value for _, value in read(kafka, OUTCOMES))
    assert len(outcomes) > 100
    assert [json.loads(line)["kind"] for line in labels.read_text().splitlines()] == ["spike"]


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.slow
def test_ctrl_c_says_what_was_delivered(kafka: str, tmp_path: Path) -> None:
    """At real time the trace takes half an hour; interrupted, the command tells how far it came and how to go on."""
    path = azure_file(tmp_path / "trace.csv", 2000)
    # A shell that runs the tests in the background lets all of them ignore the signal.
    at_a_terminal = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {RUNNER}"
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", at_a_terminal, "replay", str(path), "--format", "azure", "--provider", "openai"),
            *("--model", "gpt-4o", "--bootstrap", kafka, "--speed", "5x"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: len(read(kafka)) >= 3, "nothing was sent")
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=90)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, err
    assert out == ""
    assert "interrupted: " in err
    assert "events are in Kafka and will be booked" in err
    assert "dropped as a duplicate" in err
    assert "Traceback" not in err
    assert 3 <= len(read(kafka)) < 2000


@pytest.mark.slow
def test_no_broker_and_no_topic_are_clear_errors(broker: TansuBroker, tmp_path: Path) -> None:
    """Found out before anything is read or sent."""
    path = azure_file(tmp_path / "trace.csv", 3)
    arguments = ("replay", str(path), "--format", "azure", "--provider", "p", "--model", "m", "--bootstrap")
    with pytest.raises(BrokerUnavailableError, match="cannot describe topic"):
        command(*arguments, broker.address)
    with pytest.raises(BrokerUnavailableError, match="cannot describe topic"):
        command(*arguments, f"127.0.0.1:{free_port()}")


def test_a_broker_that_dies_on_the_way_ends_the_replay_with_the_count(
    broker: TansuBroker, kafka: str, tmp_path: Path
) -> None:
    """Not an endless wait, and not a claim that everything was sent."""
    path = azure_file(tmp_path / "trace.csv", 3000)
    args = ("--format", "azure", "--provider", "p", "--model", "m", "--bootstrap", kafka, "--timeout", "3")
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, "replay", str(path), *args, "--speed", "20x"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: len(read(kafka)) >= 3, "nothing was sent")
        broker.stop()
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1  # an uncaught SpendstreamError here; the command's main turns it into exit code 2
    assert "BrokerUnavailableError: Kafka took nothing for 3 s" in err
    assert "messages are delivered. To send the rest, run the same command again" in err
