"""Where a process spends its CPU time: a thread that looks at all threads' stacks some 100 times a second.

Each thread's CPU time since the last look (the kernel's own count, to the nanosecond) is put on the stage that its
stack names now. So a thread that waits weighs nothing, and the sum over the stages is the CPU time that was used.
"""

import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple

INTERVAL_S: Final = 0.01
SWITCH_INTERVAL_S: Final = 0.0005  # the interpreter's 5 ms would let long stretches of Python go unseen


class Rule(NamedTuple):
    """Code whose file's path holds `path` (and whose function's name holds `function`) belongs to the stage."""

    stage: str
    path: str
    function: str = ""


STEPS: Final = (
    Rule("decode and validate", "/metering/decode"),
    Rule("decode and validate", "/metering/columnar/reading"),
    Rule("decode and validate", "/metering/columnar/parts"),
    Rule("decode and validate", "/metering/columnar/structs"),
    Rule("decode and validate", "/spendstream_schemas/"),
    Rule("dedupe", "/ledger/dedupe"),
    Rule("dedupe", "/ledger/booked"),
    Rule("attribute", "/metering/columnar/attribute"),
    Rule("attribute", "/stream_jobs/attribution/"),
    Rule("price", "/metering/columnar/price"),
    Rule("price", "/metering/columnar/rates"),
    Rule("price", "/stream_jobs/pricing/"),
    Rule("columns", "/metering/columnar/table"),
    Rule("columns", "/metering/rows"),
    Rule("columns", "/ledger/retraction"),
    Rule("columns", "/blocks/side_tables"),
    Rule("insert", "/blocks/store"),
    Rule("insert", "/store/tables"),
    Rule("commit", "/streams/transport", "commit"),
)
"""The job's own steps. The outermost of them counts: what a step calls is part of it."""
STEP_NAMES: Final = frozenset(rule.stage for rule in STEPS)
PLUMBING: Final = (
    Rule("fetch", "/aiokafka/"),
    Rule("fetch", "/streams/transport"),
    Rule("queue and blocks", "/stream_jobs/blocks/"),
    Rule("metering, around its steps", "/stream_jobs/metering/"),
    Rule("Faust", "/faust/"),
    Rule("Faust", "/mode/"),
    Rule("health and metrics", "/stream_jobs/runtime/health"),
)
"""Everything around the steps. The innermost counts: event loops are at the bottom of every stack."""
EVENT_LOOP: Final = "event loop and threads"
NATIVE: Final = "native threads"


def stage_of(frame: FrameType | None) -> str:
    """The stage that a stack belongs to."""
    calls = []
    while frame is not None:
        calls.append((frame.f_code.co_filename.replace("\\", "/"), frame.f_code.co_name))
        frame = frame.f_back
    for rules, ordered in ((STEPS, reversed(calls)), (PLUMBING, iter(calls))):
        for path, function in ordered:
            for rule in rules:
                if rule.path in path and rule.function in function:
                    return rule.stage
    return EVENT_LOOP


def thread_cpu_ns(native_id: int) -> int:
    """CPU time of a thread of this process so far; 0 when it has ended."""
    try:
        return int(Path(f"/proc/self/task/{native_id}/schedstat").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0


class StackSampler:
    """Samples this process from `start` until `stop`."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._stages: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self._samples = 0
        self._thread = threading.Thread(target=self._run, name="stack-sampler", daemon=True)

    def start(self) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._began, self._cpu = time.monotonic(), time.process_time()
        self._thread.start()

    def stop(self) -> dict[str, Any]:
        """CPU seconds by stage, with what the threads that Python does not know took, and without the sampler's own.

        `in_stage` is how many threads were in a step on average, waiting or not: 1 is one all the time.
        """
        self._done.set()
        self._thread.join()
        cpu = time.process_time() - self._cpu
        stages = {name: ns / 1e9 for name, ns in self._stages.items()}
        own = stages.pop("sampler", 0.0)
        stages[NATIVE] = max(0.0, cpu - own - sum(stages.values()))
        return {
            "wall_s": time.monotonic() - self._began,
            "cpu_s": cpu - own,
            "sampler_cpu_s": own,
            "samples": self._samples,
            "in_stage": {name: seen / max(1, self._samples) for name, seen in self._seen.items()},
            "stages": stages,
        }

    def write(self, path: Path) -> None:
        """`stop`, as JSON into a file that appears when it is complete."""
        part = path.with_suffix(".part")
        part.write_text(json.dumps(self.stop()), encoding="utf-8")
        part.rename(path)

    def _run(self) -> None:
        before = {thread.native_id: thread_cpu_ns(thread.native_id or 0) for thread in threading.enumerate()}
        while not self._done.wait(INTERVAL_S):
            frames = sys._current_frames()
            self._samples += 1
            for thread in threading.enumerate():
                if thread.ident is None or thread.native_id is None:
                    continue
                now = thread_cpu_ns(thread.native_id)
                spent = now - before.get(thread.native_id, 0)
                before[thread.native_id] = now
                own = thread is self._thread
                stage = "sampler" if own else stage_of(frames.get(thread.ident))
                if spent > 0:
                    self._stages[stage] += spent
                if stage in STEP_NAMES:
                    self._seen[stage] += 1
            del frames  # they keep everything alive that the stacks hold
