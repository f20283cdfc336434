"""`producer`: emit refuses what it must, tells why, and never raises. No broker answers here."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spendstream import USAGE_TOPIC, UsageProducer
from spendstream.delivery_thread import serialise
from spendstream_schemas import ATTRIBUTION_FIELDS, MAX_MESSAGE_BYTES, TokenUsage, UsageEvent, parse_usage_event
from stream_jobs.runtime.ports import free_port
from tests.unit.producers.support import config, event, wait_for


@pytest.fixture
def address() -> str:
    """Where no broker listens."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def producer(address: str, tmp_path: Path) -> Iterator[UsageProducer]:
    with UsageProducer(config(address, tmp_path)) as producer:
        yield producer


class Liar:
    """Claims to be an event, and raises when looked at."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")


class SelfDestructing(UsageEvent):
    def model_dump_json(self, **_: Any) -> str:
        raise MemoryError("boom")


@pytest.mark.parametrize("thing", [None, 5, "event", b"{}", {"event_id": "x"}, object(), UsageEvent])
def test_what_is_no_event_is_refused(producer: UsageProducer, thing: Any) -> None:
    """Whatever it is given, emit answers False and counts; it does not raise."""
    assert producer.emit(thing) is False
    assert sum(producer.stats().rejected.values()) == 1


def test_a_hostile_object_is_refused(producer: UsageProducer) -> None:
    """Even looking at its type raises: emit still answers False."""
    assert producer.emit(Liar()) is False  # type: ignore[arg-type]
    assert producer.stats().rejected == {"internal": 1}


def test_events_made_without_validation_do_not_stop_the_others(producer: UsageProducer) -> None:
    """What cannot be serialised or is too large is dropped and counted in the background; the rest goes on."""
    monsters = [
        UsageEvent.model_construct(event_id=None),
        UsageEvent.model_construct(event_id="x", source="s" * (MAX_MESSAGE_BYTES + 1)),
        UsageEvent.model_construct(event_id="y", source="\ud800"),
        SelfDestructing(**event("z").model_dump()),
    ]
    for monster in monsters:
        producer.emit(monster)
    assert producer.emit(event("good"))
    wait_for(lambda: producer.stats().spool_records == 1, "the good one is spooled")
    assert sum(producer.stats().dropped.values()) == len(monsters)
    assert producer.stats().dropped["too_large"] == 1


@pytest.mark.parametrize(
    ("topic", "key", "value", "reason"),
    [
        ("../../etc", b"k", b"v", "invalid_topic"),
        ("..", b"k", b"v", "invalid_topic"),
        ("", b"k", b"v", "invalid_topic"),
        (USAGE_TOPIC, "k", b"v", "wrong_type"),
        (USAGE_TOPIC, b"k", None, "wrong_type"),
        (USAGE_TOPIC, b"k", b"v" * (MAX_MESSAGE_BYTES + 1), "too_large"),
        (USAGE_TOPIC, b"k" * 513, b"v", "too_large"),
    ],
)
def test_raw_messages_honour_the_bounds(producer: UsageProducer, topic: Any, key: Any, value: Any, reason: str) -> None:
    """emit_raw refuses with a reason; a topic can never name a path outside of the spool."""
    assert producer.emit_raw(topic, key, value) is False
    assert producer.stats().rejected == {reason: 1}


def test_the_largest_valid_event_fits_a_message() -> None:
    """With every text at its bound in 4-byte characters, an event stays under the message bound."""
    wide = "\U0001f600"
    labels = {f"{number:02d}" + wide * 62: wide * 256 for number in range(32)}
    attribution = dict.fromkeys(ATTRIBUTION_FIELDS, wide * 128) | {"labels": labels}
    texts = {"source": 128, "response_model": 128, "operation": 64, "service_tier": 64, "region": 64}
    texts |= {"response_id": 256, "trace_id": 128, "retry_of": 128, "prompt_fingerprint": 128}
    large = event(
        wide * 128,
        attribution=attribution,
        usage=TokenUsage(kind="tokens", input_tokens=10**12, output_tokens=10**12, reasoning_tokens=10**12),
        **{name: wide * length for name, length in texts.items()},
    )
    message = serialise(large)
    assert MAX_MESSAGE_BYTES // 2 < len(message.value) <= MAX_MESSAGE_BYTES
    assert parse_usage_event(message.value).message == large


def test_after_close_events_are_refused(producer: UsageProducer) -> None:
    """close is final and can be repeated; a late event is counted, not raised."""
    producer.close()
    producer.close()
    assert producer.emit(event("late")) is False
    assert producer.stats().rejected == {"closed": 1}


def test_close_does_not_wait_for_a_broker_that_is_away(address: str, tmp_path: Path) -> None:
    """The spool holds everything: close returns long before its timeout, and nothing is lost."""
    producer = UsageProducer(config(address, tmp_path))
    assert producer.emit(event("one"))
    began = time.monotonic()
    producer.close(timeout_s=60)
    assert time.monotonic() - began < 20
    assert (producer.stats().spool_records, dict(producer.stats().dropped)) == (1, {})
    assert len(list(tmp_path.rglob("*.seg"))) == 1


def test_without_a_spool_the_loss_is_counted_and_logged(address: str, caplog: pytest.LogCaptureFixture) -> None:
    """Memory only: its bound refuses, and what is still there at close is dropped with a count."""
    producer = UsageProducer(config(address, Path(), spool_dir=None, memory_max_events=100))
    accepted = sum(producer.emit(event(f"e-{number}")) for number in range(500))
    assert 50 <= accepted <= 100
    assert producer.stats().rejected == {"memory_full": 500 - accepted}
    producer.close(timeout_s=0.2)
    assert producer.stats().dropped == {"closed_undelivered": accepted}
    assert f"{accepted} accepted event(s) lost" in caplog.text


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc").exists(), reason="needs a place even root cannot write to")
def test_an_unusable_spool_folder_costs_the_spool_not_the_service(address: str) -> None:
    """A spool folder that cannot be made is counted and logged; events are held in memory."""
    with UsageProducer(config(address, Path("/proc/nowhere"), close_timeout_s=0.1)) as producer:
        assert producer.emit(event("one"))
        wait_for(lambda: "no_spool" in producer.stats().errors, "the folder is tried")
        assert producer.stats().in_memory == 1


def test_a_spool_folder_that_can_be_used_later_is_used_then(address: str, tmp_path: Path) -> None:
    """A volume that is mounted late, a full disk that is not any more: the folder is tried again."""
    folder = tmp_path / "spool"
    folder.write_text("not a folder yet")
    with UsageProducer(config(address, folder, close_timeout_s=0.1)) as producer:
        assert producer.emit(event("one"))
        wait_for(lambda: "no_spool" in producer.stats().errors, "the folder is tried")
        folder.unlink()
        wait_for(lambda: producer.stats().spool_records == 1, "the event is spooled")


def test_the_log_does_not_flood(producer: UsageProducer, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand refusals of one kind make one line; a handler that raises does not reach the service."""
    with caplog.at_level(logging.WARNING, "spendstream"):
        for _ in range(1000):
            producer.emit("nonsense")  # type: ignore[arg-type]
    assert len([record for record in caplog.records if "wrong_type" in record.getMessage()]) == 1
    assert producer.stats().rejected == {"wrong_type": 1000}


def test_the_first_call_imports_nothing() -> None:
    """What a tracked call needs is loaded when the producer is made, not in a request."""
    script = """if True:
        import sys, spendstream
        config = spendstream.ProducerConfig(bootstrap_servers="127.0.0.1:1", source="svc", spool_dir=None)
        producer = spendstream.UsageProducer(config)
        before = set(sys.modules)
        with producer.track(provider="anthropic", model="claude-sonnet-4-5", feature="search") as call:
            call.record({"type": "message", "usage": {"input_tokens": 1, "output_tokens": 2}})
        with producer.track(provider="openai", model="gpt-4o") as call:
            list(call.wrap_stream(iter([{"object": "chat.completion.chunk", "choices": []}])))
        loaded = {name for name in set(sys.modules) - before if name.startswith(("spendstream", "pydantic"))}
        print(sorted(loaded))
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_importing_the_sdk_needs_nothing_of_the_application() -> None:
    """`import spendstream` loads confluent-kafka and pydantic, none of the pipeline's libraries, no adapter."""
    heavy = ["faust", "clickhouse_connect", "chdb", "pyarrow", "prophet", "stream_jobs", "yaml", "spendstream.adapters"]
    script = f"import sys, spendstream; sys.exit(str([m for m in {heavy} if m in sys.modules] or 0).strip('0') or 0)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
