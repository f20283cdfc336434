"""The stack sampler."""

import sys
import threading
import time
from collections.abc import Callable

import pytest

from tests.benchmarks.harness import stacks
from tests.benchmarks.harness.stacks import EVENT_LOOP, StackSampler, stage_of


def _in(path: str, call: Callable[[], object] | None = None) -> object:
    """Call from a function that claims to be in that file; without a call, the stage of its own stack."""
    scope = {"call": call or (lambda: stage_of(sys._getframe(1)))}
    exec(compile("def step():\n    return call()\nfound = step()", path, "exec"), scope)
    return scope["found"]


def test_the_outermost_step_counts() -> None:
    """What a step calls is part of it: the store's client is dedupe within dedupe, and insert within an insert."""
    client = "/app/stream_jobs/store/tables.py"
    assert _in("/app/stream_jobs/ledger/dedupe.py", lambda: _in(client)) == "dedupe"
    assert _in("/app/stream_jobs/blocks/store.py", lambda: _in(client)) == "insert"


def test_the_innermost_plumbing_counts() -> None:
    """Event loops are below everything, so the nearest part names the stage; what is in none is the event loop's."""
    assert _in("/lib/mode/threads.py", lambda: _in("/lib/aiokafka/consumer/fetcher.py")) == "fetch"
    assert _in("/lib/asyncio/events.py", lambda: _in("/lib/faust/agents.py")) == "Faust"
    assert _in("/lib/asyncio/events.py") == EVENT_LOOP


def test_the_busy_thread_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU time goes to the stage of the thread that used it, next to nothing to one that waits, and adds up."""
    interval = sys.getswitchinterval()
    done = threading.Event()

    def burn() -> None:
        while not done.is_set():
            sum(range(1000))

    threads = [
        threading.Thread(target=_in, args=("/app/stream_jobs/metering/decode.py", burn)),
        threading.Thread(target=_in, args=("/app/stream_jobs/ledger/dedupe.py", done.wait)),
    ]
    sampler = StackSampler()
    try:
        for thread in threads:
            thread.start()
        sampler.start()
        cpu = time.process_time()
        while time.process_time() - cpu < 0.4:
            time.sleep(0.01)
        found = sampler.stop()
    finally:
        done.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    stages = found["stages"]
    assert stages["decode and validate"] > 0.6 * found["cpu_s"]
    assert stages.get("dedupe", 0.0) < 0.05
    assert found["in_stage"]["dedupe"] == pytest.approx(1, abs=0.2)
    assert sum(stages.values()) == pytest.approx(found["cpu_s"], rel=0.05)


def test_the_rules_name_files_that_exist() -> None:
    """A rule whose file was renamed would put its CPU time on another stage without a word."""
    from tests.benchmarks.harness.machine import ROOT

    ours = [str(path) for folder in ("stream_jobs", "schemas") for path in (ROOT / folder).rglob("*.py")]
    for rule in (*stacks.STEPS, *stacks.PLUMBING):
        if rule.path.startswith(("/aiokafka", "/faust", "/mode")):
            continue
        assert any(rule.path in path for path in ours), rule
