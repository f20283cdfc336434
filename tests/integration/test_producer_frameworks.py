"""The SDK in services on Celery and gunicorn, as their users start and stop them."""

import json
import urllib.request
from pathlib import Path

import pytest

from spendstream import UsageProducer
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.runtime.ports import free_port
from tests.framework_programs import end, run, running
from tests.unit.producers.support import config, create_topics, ids_on, wait_for

pytestmark = pytest.mark.slow

TASKS, EVENTS = 4, 25  # as in tests/frameworks/celery_app.py


def service_config(broker: TansuBroker, folder: Path) -> str:
    return json.dumps({"bootstrap_servers": broker.address, "source": "svc", "spool_dir": str(folder / "spool")})


def arrived(broker: TansuBroker, folder: Path) -> list[str]:
    """What the topic holds once another process has sent what was left in the spool."""
    broker.start()
    create_topics(broker.address)
    with UsageProducer(config(broker.address, folder / "spool")) as heir:
        wait_for(lambda: heir.stats().delivered and heir.flush(0.1) == 0, "the heir has sent what was left")
    return ids_on(broker.address)


@pytest.mark.parametrize(
    ("pool", "tasks_per_child"),
    [("prefork", "1"), ("prefork", "0"), ("threads", "0")],
)
def test_what_celery_tasks_emit_survives_the_end_of_their_workers(
    pool: str, tasks_per_child: str, broker: TansuBroker, tmp_path: Path
) -> None:
    """With the broker away, all that tasks emitted is in the spool when the worker has ended."""
    broker.stop()
    variables = {
        "SERVICE_CONFIG": service_config(broker, tmp_path),
        "SERVICE_FOLDER": str(tmp_path / "queue"),
        "SERVICE_TASKS_PER_CHILD": tasks_per_child,
    }
    (tmp_path / "queue").mkdir()
    arguments = ["-m", "celery", "-A", "tests.frameworks.celery_app", "worker", "--pool", pool, "-c", "2"]
    with running(tmp_path / "log", *arguments, variables=variables) as worker:
        wait_for(lambda: len(list((tmp_path / "queue").glob("done-*"))) == TASKS or worker.poll(), "the tasks ran")
        end(worker, tmp_path / "log")
    expected = {f"task-{task}-{number}" for task in range(TASKS) for number in range(EVENTS)}
    assert sorted(arrived(broker, tmp_path)) == sorted(expected)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("sync", ["--preload"]),
        ("sync", []),
        ("gthread", ["--preload"]),
        ("gevent", []),
    ],
)
def test_what_gunicorn_workers_emit_survives_their_end(
    kind: str, options: list[str], broker: TansuBroker, tmp_path: Path
) -> None:
    """With the broker away, all that requests emitted is in the spool when gunicorn has ended."""
    broker.stop()
    port = free_port()
    arguments = ["-m", "gunicorn", "-k", kind, "-w", "2", "-b", f"127.0.0.1:{port}", "tests.frameworks.gunicorn_app"]
    variables = {"SERVICE_CONFIG": service_config(broker, tmp_path)}
    with running(tmp_path / "log", *arguments, *options, variables=variables) as server:
        wait_for(lambda: answers(port, "first") or server.poll() is not None, "gunicorn answers")
        assert all(answers(port, f"request-{number}") for number in range(50)), (tmp_path / "log").read_text()
        end(server, tmp_path / "log")
    assert set(arrived(broker, tmp_path)) == {f"request-{number}" for number in range(50)} | {"first"}


@pytest.mark.parametrize(
    ("kind", "way"),
    [("gevent", "emit"), ("eventlet", "emit")]
    + [(kind, way) for kind in ("gevent", "eventlet") for way in ("flush", "durable", "guard", "late")],
)
def test_greenlets_run_on_while_the_broker_is_away(kind: str, way: str, broker: TansuBroker, tmp_path: Path) -> None:
    """In a patched service nothing of ours stops the hub, and every event that was accepted arrives in the end."""
    broker.stop()
    settings = json.loads(service_config(broker, tmp_path)) | {"durable": way == "durable"}
    said = run(
        *("-m", "tests.frameworks.greenlets", kind, way), SERVICE_CONFIG=json.dumps(settings), SERVICE_SECONDS="2.5"
    )
    found = json.loads(said)
    assert found["longest_stall_s"] < 1.0, found | {"answered": len(found["answered"])}
    assert (found["rejected"], found["dropped"]) == ({}, {})
    assert len(found["answered"]) > 500
    assert sorted(arrived(broker, tmp_path)) == sorted(found["answered"])


def test_greenlets_deliver_to_a_broker_that_is_there(broker: TansuBroker, tmp_path: Path) -> None:
    """A patched service delivers while it runs, and closes as any other."""
    create_topics(broker.address)
    said = run(
        *("-m", "tests.frameworks.greenlets", "gevent", "flush"),
        SERVICE_CONFIG=service_config(broker, tmp_path),
        SERVICE_SECONDS="1",
    )
    found = json.loads(said)
    assert found["delivered"] == len(found["answered"]) > 100
    assert sorted(ids_on(broker.address)) == sorted(found["answered"])


@pytest.mark.parametrize("library", ["langchain", "litellm"])
def test_calls_through_a_library_are_the_providers(library: str) -> None:
    """Messages and answers, whole, streamed and async, have the usage and the model of the provider that served."""
    events = json.loads(run("-m", "tests.frameworks.calls", library))
    assert len(events) == 6
    for event, provider in zip(events, ["openai"] * 3 + ["anthropic"] * 3, strict=True):
        assert event["provider"] == provider
        assert event["response_model"].startswith("gpt-4o" if provider == "openai" else "claude-sonnet-4-5")
        assert (event["usage"]["input_tokens"], event["usage"]["output_tokens"]) == (100, 20)
        assert event["status"] == "ok"


def test_attribution_goes_where_the_page_says() -> None:
    """What FastAPI runs in threads, and greenlets: with what the page says to do, each has its attribution. A tracker
    in a synchronous dependency tells the calls apart that it begins and ends in whichever threads."""
    fastapi = json.loads(run("-m", "tests.frameworks.attributions", "fastapi"))
    assert fastapi.pop("tracked") == list(range(1, 41))
    assert fastapi == {
        "sync_dependency": "none",
        "async_dependency": "dependency",
        "async_endpoint": "dependency",
        "block": "generator none",
        "decorated": "generator generator",
    }
    greenlets = json.loads(run("-m", "tests.frameworks.attributions", "gevent"))
    assert greenlets == {"started": "none", "copied": "starter", "decorated": "decorated"}


def test_what_holds_several_messages_of_langchain_has_their_usage() -> None:
    """`generate`, `batch`, an agent's state and `astream_events`: an event for each answer."""
    events = json.loads(run("-m", "tests.frameworks.calls", "several"))
    assert [(event["usage"]["input_tokens"], event["usage"]["output_tokens"]) for event in events] == [(100, 20)] * 4
    assert {event["status"] for event in events} == {"ok"}


def test_the_pages_examples_run_as_they_stand() -> None:
    """The serverless handler answers; FastAPI's streamed answer and LiteLLM's call are booked with their usage."""
    events = json.loads(run("-m", "tests.frameworks.pages"))
    found = [(event["provider"], event["status"], event["usage"]["input_tokens"]) for event in events]
    assert found == [("openai", "ok", 100), ("anthropic", "ok", 100)]


def answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
